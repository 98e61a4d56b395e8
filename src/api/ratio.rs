//! Shares of a whole, kept in parts per million so that no float reaches a decision.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const WHOLE_PPM: u32 = 1_000_000;

/// A share of a whole in parts per million, written as a number: 0.8. Statuses may go beyond 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(u32);

impl Ratio {
    /// Wraps a number of parts per million.
    pub const fn from_ppm(ppm: u32) -> Self {
        Self(ppm)
    }

    /// The number of parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// `part` of `whole`, rounded down; nothing of nothing is nothing.
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self(0);
        }
        let ppm = u128::from(part) * u128::from(WHOLE_PPM) / u128::from(whole);
        Self(u32::try_from(ppm).unwrap_or(u32::MAX))
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / f64::from(WHOLE_PPM))
    }
}

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(WHOLE_PPM) {
            serializer.serialize_u32(self.0 / WHOLE_PPM)
        } else {
            // One correctly rounded division gives the float nearest to the decimal, which prints as the decimal.
            serializer.serialize_f64(f64::from(self.0) / f64::from(WHOLE_PPM))
        }
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        let ppm = (number * f64::from(WHOLE_PPM)).round();
        if (0.0..=f64::from(u32::MAX)).contains(&ppm) {
            Ok(Self(ppm as u32))
        } else {
            Err(de::Error::custom(format!(
                "`{number}` is not a share such as 0.8"
            )))
        }
    }
}

impl JsonSchema for Ratio {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ratio".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": 0, "maximum": 4294})
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn prints_what_was_written() {
        for text in ["0.8", "0.45", "0.36", "1", "0", "0.333333", "1.25"] {
            let ratio: Ratio = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&ratio).unwrap(), text);
        }
        assert_eq!(serde_json::from_str::<Ratio>("0.8").unwrap().ppm(), 800_000);
    }

    #[test]
    fn refuses_what_is_no_share() {
        assert!(serde_json::from_str::<Ratio>("-0.1").is_err());
        assert!(serde_json::from_str::<Ratio>("1e9").is_err());
    }

    #[test]
    fn divides_without_overflow() {
        assert_eq!(Ratio::of(45, 100).ppm(), 450_000);
        assert_eq!(Ratio::of(u64::MAX, u64::MAX).ppm(), WHOLE_PPM);
        assert_eq!(Ratio::of(1, 0), Ratio::default());
    }
}
