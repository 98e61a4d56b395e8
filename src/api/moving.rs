//! What moving what runs is taken to cost, and what it must bring.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::money::Money;

/// When what runs is moved for savings: if what is saved within the horizon is more than the replicas cost to move
/// and a margin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moving {
    /// What moving one replica is taken to cost, in the currency of prices: image pull, start-up, disruption and
    /// risk. Default: 0.10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_replica: Option<Money>,
    /// How soon a move must have paid, such as `24h` or `7d`. Nothing is moved for savings with `0h`. Default: `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Horizon>,
    /// What a move must bring beyond what it costs, in the currency of prices. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Money>,
}

/// A length of time in days, hours, minutes and seconds, in this order: `24h`, `1d12h`, `90m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Horizon(u64);

/// Units, with their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Most digits of one number.
const DIGITS: usize = 4;

/// The text is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a length of time; write days, hours, minutes or seconds such as 24h, 7d or 1d12h"
)]
pub struct HorizonError(String);

impl Horizon {
    /// So many seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The number of seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// Reads `24h`, `7d` or `1d12h`.
    ///
    /// # Errors
    /// When the text is something else.
    pub fn parse(text: &str) -> Result<Self, HorizonError> {
        let wrong = || HorizonError(text.to_owned());
        let (mut rest, mut seconds) = (text, 0);
        for (unit, each) in UNITS {
            let digits = rest.chars().take_while(char::is_ascii_digit).count();
            if (1..=DIGITS).contains(&digits) && rest[digits..].starts_with(unit) {
                let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
                seconds += number * each;
                rest = &rest[digits + 1..];
            }
        }
        (rest.is_empty() && !text.is_empty())
            .then_some(Self(seconds))
            .ok_or_else(wrong)
    }
}

impl fmt::Display for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |each: &u64| self.0.is_multiple_of(*each);
        // Hours are what prices are for.
        let units = UNITS.iter().filter(|(unit, _)| *unit != 'd');
        match units.into_iter().find(|(_, each)| whole(each)) {
            Some((unit, each)) => write!(f, "{}{unit}", self.0 / each),
            None => write!(f, "{}s", self.0),
        }
    }
}

impl Serialize for Horizon {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // In the fewest units, so that what was read can be read again.
        let mut text = String::new();
        let mut left = self.0;
        for (unit, each) in UNITS {
            if left >= each {
                text.push_str(&format!("{}{unit}", left / each));
                left %= each;
            }
        }
        serializer.serialize_str(if text.is_empty() { "0h" } else { &text })
    }
}

impl<'de> Deserialize<'de> for Horizon {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl JsonSchema for Horizon {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Horizon".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 2,
            "maxLength": 20,
            "pattern": "^([0-9]{1,4}d)?([0-9]{1,4}h)?([0-9]{1,4}m)?([0-9]{1,4}s)?$",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written() {
        let cases = [
            ("24h", 86_400, "24h"),
            ("7d", 604_800, "168h"),
            ("0h", 0, "0h"),
        ];
        for (text, seconds, told) in cases {
            let read: Horizon = serde_json::from_value(text.into()).unwrap();
            assert_eq!((read.seconds(), read.to_string().as_str()), (seconds, told));
        }
        assert_eq!(Horizon::parse("1d12h").unwrap().seconds(), 129_600);
        assert_eq!(Horizon::parse("90m").unwrap().to_string(), "90m");
        assert_eq!(Horizon::parse("1m1s").unwrap().to_string(), "61s");
    }

    #[test]
    fn what_is_written_reads_the_same() {
        for seconds in [0, 1, 60, 3_599, 86_400, 129_661, 9_999 * 86_400] {
            let text = serde_json::to_value(Horizon(seconds)).unwrap();
            let read: Horizon = serde_json::from_value(text).unwrap();
            assert_eq!(read.seconds(), seconds);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "24", "h", "1h1d", "24 h", "-1h", "1.5h", "10000d", "1w"] {
            let error = Horizon::parse(text).unwrap_err();
            assert!(error.to_string().contains("such as 24h"), "{text}");
        }
    }
}
