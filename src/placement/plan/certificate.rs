//! The proof of the lower bound in writing: whole numbers as exact decimals, and back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::write::PlanError;
use crate::scheduler::model::ServiceId;
use crate::scheduler::units::Micros;
use crate::scheduler::{Certificate, PoolPrices, SpotPrices};

/// Decimals of an amount of money: it is held in millionths.
const AMOUNT: u32 = 6;
/// Decimals of a number: prices are held in parts of a thousand million.
const NUMBER: u32 = 9;
/// Decimals of a price: such parts of a millionth.
const PRICE: u32 = AMOUNT + NUMBER;

/// What proves the lower bound. `lattice verify` checks it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanCertificate {
    /// One entry a pool, by name.
    pub prices: Vec<PlanPrices>,
    /// Services, as `namespace/name`, of which no two may share a cluster: each needs control planes of its own.
    pub separate: Vec<String>,
}

/// What things are worth in one pool, per hour. All are at least zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanPrices {
    /// The pool.
    pub pool: String,
    /// A thousandth of a core.
    pub milli_core: String,
    /// A MiB.
    pub mebibyte: String,
    /// One more node that the pool's limit would allow.
    pub node_limit: String,
    /// One more thousandth of a core that the pool's limit would allow.
    pub core_limit: String,
    /// One more MiB that the pool's limit would allow.
    pub memory_limit: String,
    /// One more unit of money an hour that the pool's budget would allow; a number without unit.
    pub budget: String,
    /// What spot machines are worth, where the pool sells some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<PlanSpotPrices>,
}

/// What things are worth on the spot machines of one pool, per hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanSpotPrices {
    /// A thousandth of a core.
    pub milli_core: String,
    /// A MiB.
    pub mebibyte: String,
}

impl From<&Certificate> for PlanCertificate {
    fn from(certificate: &Certificate) -> Self {
        Self {
            prices: certificate.prices.iter().map(PlanPrices::from).collect(),
            separate: certificate
                .separate
                .iter()
                .map(ToString::to_string)
                .collect(),
        }
    }
}

impl From<&PoolPrices> for PlanPrices {
    fn from(prices: &PoolPrices) -> Self {
        let price = |units| written(units, PRICE);
        Self {
            pool: prices.pool.clone(),
            milli_core: price(prices.milli_core),
            mebibyte: price(prices.mib),
            node_limit: price(prices.node_limit),
            core_limit: price(prices.core_limit),
            memory_limit: price(prices.memory_limit),
            budget: written(prices.budget, NUMBER),
            spot: prices.spot.map(|spot| PlanSpotPrices {
                milli_core: price(spot.milli_core),
                mebibyte: price(spot.mib),
            }),
        }
    }
}

impl PlanCertificate {
    /// The certificate that this is, for the bound that it is said to prove.
    pub(super) fn read(&self, lower_bound: Micros) -> Result<Certificate, PlanError> {
        let prices = self.prices.iter().enumerate();
        let prices: Result<_, _> = prices.map(|(index, prices)| prices.read(index)).collect();
        let separate = self.separate.iter().enumerate();
        let separate: Result<_, _> = separate
            .map(|(index, id)| service(id, || format!("certificate.separate[{index}]")))
            .collect();
        Ok(Certificate {
            lower_bound,
            prices: prices?,
            separate: separate?,
        })
    }
}

impl PlanPrices {
    fn read(&self, index: usize) -> Result<PoolPrices, PlanError> {
        let number = |text: &str, decimals, field: &str| {
            read(text, decimals, || {
                format!("certificate.prices[{index}].{field}")
            })
        };
        let spot = match &self.spot {
            Some(spot) => Some(SpotPrices {
                milli_core: number(&spot.milli_core, PRICE, "spot.milliCore")?,
                mib: number(&spot.mebibyte, PRICE, "spot.mebibyte")?,
            }),
            None => None,
        };
        Ok(PoolPrices {
            pool: self.pool.clone(),
            milli_core: number(&self.milli_core, PRICE, "milliCore")?,
            mib: number(&self.mebibyte, PRICE, "mebibyte")?,
            node_limit: number(&self.node_limit, PRICE, "nodeLimit")?,
            core_limit: number(&self.core_limit, PRICE, "coreLimit")?,
            memory_limit: number(&self.memory_limit, PRICE, "memoryLimit")?,
            budget: number(&self.budget, NUMBER, "budget")?,
            spot,
        })
    }
}

/// Reads an amount of money.
pub(super) fn money(text: &str, field: impl FnOnce() -> String) -> Result<Micros, PlanError> {
    read(text, AMOUNT, field)
}

/// Reads a service's `namespace/name`.
pub(super) fn service(text: &str, field: impl FnOnce() -> String) -> Result<ServiceId, PlanError> {
    ServiceId::try_from(text.to_owned()).map_err(|problem| PlanError::Field {
        field: field(),
        problem,
    })
}

/// A whole number of units of which 10 to the power of `decimals` make one.
fn written(units: i64, decimals: u32) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let one = 10u64.pow(decimals);
    let (whole, part) = (units.unsigned_abs() / one, units.unsigned_abs() % one);
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{part:0width$}", width = decimals as usize);
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Reads what [`written`] writes; nothing is rounded.
fn read(text: &str, decimals: u32, field: impl FnOnce() -> String) -> Result<i64, PlanError> {
    units(text, decimals).ok_or_else(|| PlanError::Field {
        field: field(),
        problem: format!("`{text}` is not a decimal number of at most {decimals} decimals"),
    })
}

fn units(text: &str, decimals: u32) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let width = decimals as usize;
    if !is_number(whole) || !is_number(part) || part.len() > width {
        return None;
    }
    format!("{sign}{whole}{part:0<width$}").parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::scheduler::PRICE_UNITS;
    use proptest::prelude::*;

    #[test]
    fn prices_are_written_in_units_of_money() {
        assert_eq!(10i64.pow(NUMBER), PRICE_UNITS);
        assert_eq!(written(48 * 1_000_000 * 1_000, PRICE), "0.000048");
        assert_eq!(written(1, PRICE), "0.000000000000001");
        assert_eq!(written(1_500_000_000, NUMBER), "1.5");
        assert_eq!(written(0, PRICE), "0");
        assert_eq!(written(i64::MAX, PRICE), "9223.372036854775807");
    }

    #[test]
    fn what_is_no_exact_number_is_refused_by_name() {
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "1e3",
            "+1",
            " 1",
            "1_000",
            "0x1",
            "1.0000001",
            "9223372036855",
            "--1",
            "1.-1",
        ] {
            let error = money(text, || "summary.objective".to_owned()).unwrap_err();
            let words = error.to_string();
            assert!(
                words.starts_with(&format!("summary.objective: `{text}` is not")),
                "{words}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_number_comes_back_as_it_went(units in any::<i64>(), decimals in 1u32..=15) {
            let text = written(units, decimals);
            prop_assert_eq!(read(&text, decimals, String::new).unwrap(), units);
        }

        #[test]
        fn certificates_come_back_as_they_went(
            prices in prop::collection::vec((any::<i64>(), any::<i64>(), any::<i64>()), 0..4),
            lower_bound in any::<i64>(),
        ) {
            let certificate = Certificate {
                lower_bound,
                prices: prices.iter().map(|&(a, b, c)| PoolPrices {
                    pool: "us".into(),
                    milli_core: a,
                    mib: b,
                    node_limit: c,
                    core_limit: a / 3,
                    memory_limit: b / 7,
                    budget: c / 9,
                    spot: (a % 2 == 0).then_some(SpotPrices { milli_core: b, mib: c }),
                }).collect(),
                separate: vec![ServiceId::new("shop", "api")],
            };
            let document = PlanCertificate::from(&certificate);
            let text = serde_json::to_string(&document).unwrap();
            let again: PlanCertificate = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(again.read(lower_bound).unwrap(), certificate);
        }
    }
}
