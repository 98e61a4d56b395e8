//! Money as a decimal with at most six places, never as a float.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::quantity::{NumberOrText, number_or_string};

/// Most units of currency that one field may state.
pub const MAX_MONEY: u64 = 1_000_000_000;

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// The text is not a decimal number.
    #[error("`{0}` is not an amount; write a number such as 0.192")]
    Malformed(String),
    /// The amount is below zero.
    #[error("`{0}` is negative")]
    Negative(String),
    /// The amount is finer than a millionth.
    #[error("`{0}` has more than six decimals")]
    TooFine(String),
    /// The amount is more than any bill.
    #[error("`{0}` is too large; the most that is accepted is 1000000000")]
    TooLarge(String),
}

/// An amount in the currency stated beside it. Exact to a millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(Decimal);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Wraps a number of millionths. Amounts below zero, which only differences have, are kept.
    pub fn from_micros(micros: i64) -> Self {
        Self(Decimal::new(micros, 6).normalize())
    }

    /// The number of millionths.
    pub fn micros(self) -> i64 {
        (self.0 * Decimal::from(1_000_000))
            .to_i64()
            .unwrap_or(i64::MAX)
    }

    /// The amount as a decimal.
    pub const fn decimal(self) -> Decimal {
        self.0
    }

    /// Reads `10000`, `0.192` or `1e-3`.
    pub fn parse(text: &str) -> Result<Self, MoneyError> {
        let amount = Decimal::from_str_exact(text)
            .or_else(|_| Decimal::from_scientific(text))
            .map_err(|_| MoneyError::Malformed(text.to_owned()))?
            .normalize();
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err(MoneyError::Negative(text.to_owned()));
        }
        if amount.scale() > 6 {
            return Err(MoneyError::TooFine(text.to_owned()));
        }
        if amount > Decimal::from(MAX_MONEY) {
            return Err(MoneyError::TooLarge(text.to_owned()));
        }
        Ok(Self(amount))
    }
}

impl Money {
    /// Reads what the API server has let in, which may be finer than a millionth: one object that cannot be
    /// read would hide all others of its kind.
    fn read(text: &str) -> Result<Self, MoneyError> {
        match Self::parse(text) {
            Err(MoneyError::TooFine(_)) => {
                let amount =
                    Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text));
                let rounded = amount.map(|amount| Self(amount.round_dp(6).normalize()));
                rounded.map_err(|_| MoneyError::Malformed(text.to_owned()))
            }
            // A float may have more digits than a decimal holds.
            Err(MoneyError::Malformed(_)) => text
                .parse::<f64>()
                .ok()
                .filter(|number| (0.0..=MAX_MONEY as f64).contains(number))
                .and_then(Decimal::from_f64)
                .map(|amount| Self(amount.round_dp(6).normalize()))
                .ok_or_else(|| MoneyError::Malformed(text.to_owned())),
            read => read,
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Fifteen significant digits survive the way through a float and back unchanged.
        let exact = self.0.mantissa().unsigned_abs() < 10u128.pow(15);
        match (
            self.0.to_i64().filter(|_| self.0.is_integer()),
            self.0.to_f64().filter(|_| exact),
        ) {
            (Some(whole), _) => serializer.serialize_i64(whole),
            (None, Some(number)) => serializer.serialize_f64(number),
            (None, None) => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrText(Self::read, "an amount such as 0.192"))
    }
}

impl JsonSchema for Money {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Money".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        number_or_string("money", MAX_MONEY, r"^[0-9]+(\.[0-9]{1,6})?$")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn prints_what_was_written() {
        for text in [
            "0.384",
            "414.72",
            "0.192",
            "0",
            "10000",
            "4523.5",
            "999999999.123456",
        ] {
            let money: Money = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&money).unwrap(), text);
            assert_eq!(Money::from_micros(money.micros()), money);
        }
    }

    #[test]
    fn sums_without_drift() {
        assert_eq!(
            Money::from_micros(3 * Money::parse("0.1").unwrap().micros()),
            Money::parse("0.3").unwrap()
        );
    }

    #[test]
    fn accepts_strings() {
        assert_eq!(
            serde_json::from_value::<Money>(json!("0.192"))
                .unwrap()
                .micros(),
            192_000
        );
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(Money::parse("-1"), Err(MoneyError::Negative("-1".into())));
        assert_eq!(
            Money::parse("0.0000001"),
            Err(MoneyError::TooFine("0.0000001".into()))
        );
        assert_eq!(
            Money::parse("1e12"),
            Err(MoneyError::TooLarge("1e12".into()))
        );
        assert_eq!(
            Money::parse("ten"),
            Err(MoneyError::Malformed("ten".into()))
        );
    }
}
