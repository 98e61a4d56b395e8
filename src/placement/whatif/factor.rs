//! Factors: how many times as much.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::WhatIfError;
use crate::scheduler::units::{Micros, PPM, decimal};

/// How many times as much, in parts per million; more than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Factor(u64);

impl Factor {
    /// As much as there is.
    pub const ONE: Self = Self(PPM);

    /// The greatest factor.
    pub const MOST: Self = Self(1000 * PPM);

    /// Reads `1.3`, `+30%` or `-30%`.
    ///
    /// # Errors
    /// When it is none of these, leaves nothing, is beyond [`Factor::MOST`] or finer than a millionth.
    pub fn parse(text: &str) -> Result<Self, WhatIfError> {
        let malformed = || WhatIfError::Factor(text.to_owned());
        let number = |digits: &str| {
            // The sign, if any, has been taken off; `_` is a digit separator for the parser only.
            let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
            let read = plain.then(|| digits.parse::<Decimal>().ok()).flatten();
            read.ok_or_else(malformed)
        };
        let (factor, finest) = match (text.strip_suffix('%'), text.strip_prefix('-')) {
            (Some(percent), _) => {
                let more = match (percent.strip_prefix('+'), percent.strip_prefix('-')) {
                    (Some(digits), _) => number(digits)?,
                    (None, Some(digits)) => -number(digits)?,
                    (None, None) => {
                        number(percent)?;
                        return Err(WhatIfError::Unsigned(text.to_owned()));
                    }
                };
                (more.checked_add(Decimal::ONE_HUNDRED), 4)
            }
            (None, Some(digits)) => {
                number(digits)?;
                return Err(WhatIfError::NotPositive(text.to_owned()));
            }
            (None, None) => (Some(number(text)?), 6),
        };
        Self::of(factor, finest, text)
    }

    /// The factor that is a number of so many decimals.
    fn of(number: Option<Decimal>, finest: u32, text: &str) -> Result<Self, WhatIfError> {
        let too_large = || WhatIfError::TooLarge {
            text: text.to_owned(),
            most: Self::MOST.to_string(),
        };
        let number = number.ok_or_else(too_large)?.normalize();
        if number <= Decimal::ZERO {
            return Err(WhatIfError::NotPositive(text.to_owned()));
        }
        if number.scale() > finest {
            return Err(WhatIfError::TooFine(text.to_owned()));
        }
        let unit = Decimal::from(10u64.pow(finest));
        let ppm = number.checked_mul(unit).and_then(|ppm| ppm.to_u64());
        match ppm.map(Self) {
            Some(factor) if factor <= Self::MOST => Ok(factor),
            _ => Err(too_large()),
        }
    }

    /// This factor and so much more.
    pub(super) fn plus(self, step: Factor) -> Self {
        Self(self.0.saturating_add(step.0))
    }

    /// A price this many times as high, to the nearest micro-dollar.
    pub(super) fn price(self, hourly: Micros) -> i128 {
        (i128::from(hourly) * i128::from(self.0) + i128::from(PPM / 2)) / i128::from(PPM)
    }

    /// This many times as many replicas, rounded up.
    pub(super) fn replicas(self, replicas: u32) -> u64 {
        (u64::from(replicas).saturating_mul(self.0)).div_ceil(PPM)
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal(i128::from(self.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_is_a_number_or_a_signed_percentage() {
        for (text, ppm) in [
            ("1.3", 1_300_000),
            ("+30%", 1_300_000),
            ("-30%", 700_000),
            ("1000", 1_000_000_000),
            ("+0.0001%", 1_000_001),
            ("0.000001", 1),
            ("2.500", 2_500_000),
        ] {
            assert_eq!(Factor::parse(text), Ok(Factor(ppm)), "{text}");
        }
        assert_eq!(Factor(1_300_000).to_string(), "1.3");
    }

    #[test]
    fn what_is_no_factor_says_why() {
        let error = |text: &str| Factor::parse(text).map_err(|error| error.to_string());
        for (text, words) in [
            ("", "is no factor"),
            ("x", "is no factor"),
            ("+1.3", "is no factor"),
            ("1_0", "is no factor"),
            ("1e3", "is no factor"),
            ("NaN", "is no factor"),
            ("inf", "is no factor"),
            ("+%", "is no factor"),
            ("--5%", "is no factor"),
            ("20%", "may mean 20% of what is or 20% more"),
            ("0", "leaves nothing"),
            ("0.0", "leaves nothing"),
            ("-1", "leaves nothing"),
            ("-100%", "leaves nothing"),
            ("-250%", "leaves nothing"),
            ("1000.000001", "the most is 1000 times"),
            ("99999999999999999999999999999999999", "is no factor"),
            ("7922816251426433759354395033", "the most is 1000 times"),
            ("1.0000001", "too fine"),
            ("+0.00001%", "too fine"),
        ] {
            let said = error(text).expect_err(text);
            assert!(said.contains(words), "{text}: {said}");
        }
    }

    #[test]
    fn replicas_round_up_and_prices_to_the_nearest() {
        let factor = Factor(1_300_000);
        assert_eq!(factor.replicas(3), 4);
        assert_eq!(factor.replicas(10), 13);
        assert_eq!(factor.replicas(0), 0);
        assert_eq!(Factor(1).replicas(5), 1);
        assert_eq!(factor.price(192_000), 249_600);
        assert_eq!(Factor(1_500_000).price(1), 2);
        assert_eq!(Factor(1_400_000).price(1), 1);
        assert_eq!(Factor::MOST.price(i64::MAX), i128::from(i64::MAX) * 1000);
        assert_eq!(Factor::ONE.price(7), 7);
    }
}
