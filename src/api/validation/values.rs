//! Values that a schema cannot describe to people: read as the operator reads them, and told as it tells them.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::Money;
use super::super::container_mount::{File, Mounts, Volume};
use super::super::node_class::{Price, RegionalPrice};
use super::super::quantity::{Cores, MemoryGi};
use super::super::selector::LabelValues;
use super::path::{Trail, Violation};

/// What an untyped value stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    Cores,
    Memory,
    Bytes,
    Money,
    Price,
    LabelValues,
    Files,
    Volumes,
}

impl Special {
    /// The one that `x-lattice-type` names.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "cores" | "cpu" => Self::Cores,
            "memory" => Self::Memory,
            "bytes" => Self::Bytes,
            "money" => Self::Money,
            "price" => Self::Price,
            "labelValues" => Self::LabelValues,
            "files" => Self::Files,
            "volumes" => Self::Volumes,
            _ => return None,
        })
    }

    /// Checks a value.
    pub(super) fn check(self, value: &Value, trail: &Trail<'_>, found: &mut Vec<Violation>) {
        let read = match self {
            Self::Cores => read::<Cores>(value),
            Self::Memory => read::<MemoryGi>(value),
            Self::Bytes => bytes(value),
            Self::Money => read::<Money>(value),
            Self::Price => return price(value, trail, found),
            Self::LabelValues => read::<LabelValues>(value).map_err(|_| {
                format!(
                    "expected a string or a list of strings, found {}",
                    describe(value)
                )
            }),
            Self::Files => return mounts::<File>(value, trail, found),
            Self::Volumes => return mounts::<Volume>(value, trail, found),
        };
        found.extend(read.err().map(|message| trail.violation(message)));
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<(), String> {
    serde::Deserialize::deserialize(value)
        .map(|_: T| ())
        .map_err(|error: serde_json::Error| error.to_string())
}

fn bytes(value: &Value) -> Result<(), String> {
    match value {
        Value::Number(number) => MemoryGi::parse_bytes(&number.to_string()),
        Value::String(text) => MemoryGi::parse_bytes(text),
        other => {
            return Err(format!(
                "expected a quantity such as 512Mi, found {}",
                describe(other)
            ));
        }
    }
    .map(|_| ())
    .map_err(|error| error.to_string())
}

/// Prices by region are looked at one by one, so that the wrong one is pointed at.
fn price(value: &Value, trail: &Trail<'_>, found: &mut Vec<Violation>) {
    let Some(object) = value.as_object() else {
        found.extend(
            read::<Money>(value)
                .err()
                .map(|message| trail.violation(message)),
        );
        return;
    };
    let before = found.len();
    let mut check = |trail: &Trail<'_>, value: &Value| {
        found.extend(
            read::<Money>(value)
                .err()
                .map(|message| trail.violation(message)),
        );
    };
    if let Some(default) = object.get("default") {
        check(&Trail::Key(trail, "default"), default);
    }
    let regions = Trail::Key(trail, "regions");
    for (region, price) in object
        .get("regions")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        check(&Trail::Key(&regions, region), price);
    }
    if found.len() == before {
        let whole = read::<RegionalPrice>(value).and_then(|()| read::<Price>(value));
        found.extend(whole.err().map(|message| trail.violation(message)));
    }
}

/// Files and volumes are looked at one by one, then together.
fn mounts<T: DeserializeOwned>(value: &Value, trail: &Trail<'_>, found: &mut Vec<Violation>) {
    let before = found.len();
    for (path, mount) in value.as_object().into_iter().flatten() {
        found.extend(
            read::<T>(mount)
                .err()
                .map(|message| Trail::Key(trail, path).violation(message)),
        );
    }
    if found.len() == before {
        found.extend(
            read::<Mounts<T>>(value)
                .err()
                .map(|message| trail.violation(message)),
        );
    }
}

/// A value in a few words.
pub(super) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the string {text:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
    }
}
