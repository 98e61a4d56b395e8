//! Cores and memory as people write them: plain numbers or Kubernetes quantities, kept as integers.

use std::fmt;

use kube_quantity::ParsedQuantity;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Most cores that one field may state.
pub const MAX_CORES: u64 = 1_000_000;

/// Most GiB that one field may state.
pub const MAX_GIB: u64 = 1_000_000_000;

/// Why a text is not a usable quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// The text is not a number with an optional Kubernetes suffix.
    #[error(
        "`{0}` is not a quantity; write a number such as 2 or 0.5, or a Kubernetes quantity such as {1}"
    )]
    Malformed(String, &'static str),
    /// The quantity is below zero.
    #[error("`{0}` is negative")]
    Negative(String),
    /// The quantity is beyond anything a machine or a fleet has.
    #[error("`{0}` is too large; the most that is accepted is {1}")]
    TooLarge(String, &'static str),
}

/// Processor cores in thousandths. Finer fractions are rounded up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cores(u64);

/// Memory or storage in MiB. Finer fractions are rounded up. A number without a suffix means GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryGi(u64);

impl Cores {
    /// Wraps a number of milli-cores.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The number of milli-cores.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Reads `2`, `0.5` or `500m`.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let millis = scaled(text, Decimal::ONE, Decimal::ONE_THOUSAND, "500m")?;
        (millis <= MAX_CORES * 1000)
            .then_some(Self(millis))
            .ok_or_else(|| too_large(text, "1000000 cores"))
    }
}

impl MemoryGi {
    /// Wraps a number of MiB.
    pub const fn from_mib(mib: u64) -> Self {
        Self(mib)
    }

    /// The number of MiB.
    pub const fn mib(self) -> u64 {
        self.0
    }

    /// Reads `4`, `0.5` (both GiB), `4Gi` or `512Mi`.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let unit = if has_suffix(text) {
            Decimal::ONE
        } else {
            Decimal::from(1u64 << 30)
        };
        memory(text, unit)
    }

    /// Reads a Kubernetes quantity, where a number without a suffix means bytes.
    pub fn parse_bytes(text: &str) -> Result<Self, QuantityError> {
        memory(text, Decimal::ONE)
    }
}

fn memory(text: &str, unit: Decimal) -> Result<MemoryGi, QuantityError> {
    let mib = scaled(
        text,
        unit,
        Decimal::ONE / Decimal::from(1u64 << 20),
        "512Mi",
    )?;
    (mib <= MAX_GIB * 1024)
        .then_some(MemoryGi(mib))
        .ok_or_else(|| too_large(text, "1000000000Gi"))
}

fn too_large(text: &str, most: &'static str) -> QuantityError {
    QuantityError::TooLarge(text.to_owned(), most)
}

fn has_suffix(text: &str) -> bool {
    text.ends_with(|last: char| last.is_ascii_alphabetic())
}

/// The quantity times `unit` times `per_unit`, rounded up.
fn scaled(
    text: &str,
    unit: Decimal,
    per_unit: Decimal,
    example: &'static str,
) -> Result<u64, QuantityError> {
    let malformed = || QuantityError::Malformed(text.to_owned(), example);
    let value = plain_value(text).ok_or_else(malformed)?;
    if value.is_sign_negative() && !value.is_zero() {
        return Err(QuantityError::Negative(text.to_owned()));
    }
    let scaled = value
        .checked_mul(unit)
        .and_then(|value| value.checked_mul(per_unit));
    scaled
        .and_then(|value| value.ceil().to_u64())
        .ok_or_else(|| too_large(text, "1000000 cores or 1000000000Gi"))
}

/// The value in base units, exactly as written.
///
/// The parser reads its number as a binary float, so the digits and the suffix are taken apart first: the
/// parser gives the suffix's factor, the decimal type the digits.
fn plain_value(text: &str) -> Option<Decimal> {
    let split = text
        .rfind(|last: char| !last.is_ascii_alphabetic())
        .map_or(0, |index| index + 1);
    let (digits, suffix) = text.split_at(split);
    if text.len() > 32 || digits.is_empty() {
        return None;
    }
    // The parser takes an `E` after digits for the start of an exponent.
    let one = match suffix {
        "E" => "1000P".to_owned(),
        "Ei" => "1024Pi".to_owned(),
        _ => format!("1{suffix}"),
    };
    let factor = ParsedQuantity::try_from(one.as_str()).ok()?;
    let number = Decimal::from_str_exact(digits.strip_prefix('+').unwrap_or(digits))
        .or_else(|_| Decimal::from_scientific(digits))
        .ok()?;
    let unit = match suffix {
        "n" => Decimal::new(1, 9),
        "u" => Decimal::new(1, 6),
        "m" => Decimal::new(1, 3),
        _ => Decimal::from(factor.to_bytes_i128()?.to_u64()?),
    };
    number.checked_mul(unit).or(Some(Decimal::MAX))
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) {
            write!(f, "{}", self.0 / 1000)
        } else {
            write!(f, "{}m", self.0)
        }
    }
}

impl fmt::Display for MemoryGi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1024) {
            write!(f, "{}Gi", self.0 / 1024)
        } else {
            write!(f, "{}Mi", self.0)
        }
    }
}

impl Serialize for Cores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1000) {
            serializer.serialize_u64(self.0 / 1000)
        } else {
            serializer.collect_str(self)
        }
    }
}

impl Serialize for MemoryGi {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(1024) {
            serializer.serialize_u64(self.0 / 1024)
        } else {
            serializer.collect_str(self)
        }
    }
}

/// Hands a number's shortest decimal text, or a string as it is, to a parser.
pub(crate) struct NumberOrText<F>(pub(crate) F, pub(crate) &'static str);

impl<'de, T, E: fmt::Display, F: FnOnce(&str) -> Result<T, E>> de::Visitor<'de>
    for NumberOrText<F>
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_u64<R: de::Error>(self, value: u64) -> Result<T, R> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<R: de::Error>(self, value: i64) -> Result<T, R> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<R: de::Error>(self, value: f64) -> Result<T, R> {
        self.visit_str(&value.to_string())
    }

    fn visit_str<R: de::Error>(self, value: &str) -> Result<T, R> {
        (self.0)(value).map_err(R::custom)
    }
}

/// What the API server has let in must be readable: one object that is not would hide all others of its kind.
/// Its pattern cannot bound a text's value, so the value is bounded here.
pub(crate) fn at_most<T>(read: Result<T, QuantityError>, most: T) -> Result<T, QuantityError> {
    match read {
        Err(QuantityError::TooLarge(..)) => Ok(most),
        read => read,
    }
}

impl<'de> Deserialize<'de> for Cores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrText(
            |text: &str| at_most(Self::parse(text), Cores(MAX_CORES * 1000)),
            "a number of cores or a quantity such as 500m",
        ))
    }
}

impl<'de> Deserialize<'de> for MemoryGi {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrText(
            |text: &str| at_most(Self::parse(text), MemoryGi(MAX_GIB * 1024)),
            "a number of GiB or a quantity such as 512Mi",
        ))
    }
}

/// A schema for "number or string" that a structural schema can state without a type.
///
/// Kubernetes has a union of integer and string but none of number and string. Without a `type`, each keyword
/// binds only the JSON type it speaks of, so contradictory bounds shut out objects and lists.
pub(crate) fn number_or_string(marker: &str, maximum: u64, pattern: &str) -> Schema {
    json_schema!({
        "x-kubernetes-preserve-unknown-fields": true,
        "x-lattice-type": marker,
        "minimum": 0,
        "maximum": maximum,
        "pattern": pattern,
        "maxLength": 20,
        "minProperties": 1,
        "maxProperties": 0,
        "minItems": 1,
        "maxItems": 0,
        "not": {"enum": [true, false]},
    })
}

pub(crate) const QUANTITY: &str =
    r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9])?$";

impl JsonSchema for Cores {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cores".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        number_or_string("cores", MAX_CORES, QUANTITY)
    }
}

impl JsonSchema for MemoryGi {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MemoryGi".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        number_or_string("memory", MAX_GIB, QUANTITY)
    }
}

#[cfg(test)]
#[path = "quantity_tests.rs"]
mod tests;
