//! Values that a schema cannot describe to people: read as the operator reads them, and told as it tells them.

use std::collections::BTreeSet;
use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::Money;
use super::super::container_mount::{File, Mount, Volume};
use super::super::quantity::{Cores, MemoryGi};
use super::super::selector::LabelValues;
use super::check;
use super::node::Node;
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
    pub(super) fn check(
        self,
        node: &Node,
        value: &Value,
        trail: &Trail<'_>,
        found: &mut Vec<Violation>,
    ) {
        let said = match self {
            Self::Cores => said(
                value,
                Cores::parse,
                "a number of cores or a quantity such as 500m",
            ),
            Self::Memory => said(
                value,
                MemoryGi::parse,
                "a number of GiB or a quantity such as 512Mi",
            ),
            Self::Bytes => said(value, MemoryGi::parse_bytes, "a quantity such as 512Mi"),
            Self::Money => said(value, Money::parse, "an amount such as 0.192"),
            Self::Price if value.is_object() => return price(node, value, trail, found),
            Self::Price => said(value, Money::parse, "an amount such as 0.192"),
            Self::LabelValues => read::<LabelValues>(value).map_err(|_| {
                format!(
                    "expected a string or a list of strings, found {}",
                    describe(value)
                )
            }),
            Self::Files => return mounts::<File>(node, value, trail, found),
            Self::Volumes => return mounts::<Volume>(node, value, trail, found),
        };
        found.extend(said.err().map(|message| trail.violation(message)));
    }
}

/// Reads a number or a text by a parser that is stricter than what the operator can read.
fn said<T, E: Display>(
    value: &Value,
    parse: fn(&str) -> Result<T, E>,
    expected: &str,
) -> Result<(), String> {
    let read = match value {
        Value::Number(number) => parse(&number.to_string()),
        Value::String(text) => parse(text),
        other => return Err(format!("expected {expected}, found {}", describe(other))),
    };
    read.map(drop).map_err(|error| error.to_string())
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<(), String> {
    serde::Deserialize::deserialize(value)
        .map(|_: T| ())
        .map_err(|error: serde_json::Error| error.to_string())
}

/// Prices by region; fields beyond those of the schema are refused, although the server keeps them.
fn price(node: &Node, value: &Value, trail: &Trail<'_>, found: &mut Vec<Violation>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let trail = Trail::Key(trail, name);
        match node.properties.get(name) {
            Some(property) => check::check(property, value, &trail, found),
            None => {
                let hint = check::did_you_mean(name, node.properties.keys());
                found.push(trail.violation(format!("there is no field `{name}` here{hint}")));
            }
        }
    }
}

/// Files and volumes, in either form; each is looked at by itself.
fn mounts<T: Mount + DeserializeOwned>(
    node: &Node,
    value: &Value,
    trail: &Trail<'_>,
    found: &mut Vec<Violation>,
) {
    let before = found.len();
    match value {
        Value::Object(object) => check::check_object(node, object, trail, found),
        Value::Array(list) => check::check_list(node, list, trail, found),
        other => found.push(trail.violation(format!(
            "expected a map by path in the container, or a list of entries with `target`, found {}",
            describe(other)
        ))),
    }
    if found.len() > before {
        return;
    }
    let object = |mount: &Value| {
        T::deserialize(mount)
            .ok()
            .and_then(|mount| mount.objection())
    };
    for (path, mount) in value.as_object().into_iter().flatten() {
        found.extend(object(mount).map(|message| Trail::Key(trail, path).violation(message)));
    }
    let mut targets = BTreeSet::new();
    for (index, mount) in value.as_array().into_iter().flatten().enumerate() {
        let trail = Trail::Index(trail, index);
        found.extend(object(mount).map(|message| trail.violation(message)));
        if let Some(target) = mount
            .get("target")
            .and_then(Value::as_str)
            .filter(|target| !targets.insert(*target))
        {
            found.push(trail.violation(format!("`{target}` is mounted twice")));
        }
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
