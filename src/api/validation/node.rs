//! Schemas made ready for walking: patterns and rules are compiled once.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::rules::Rule;
use super::values::Special;

/// What JSON type a value has to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    /// An integer or a string.
    IntOrString,
    /// Anything; checked by its [`Special`] rules, if it has any.
    Any,
}

/// Which entries of a list may not be repeated.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    Plain,
    Set,
    Map(Vec<String>),
}

/// One value's schema.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) type_: Type,
    pub(super) special: Option<Special>,
    pub(super) open: bool,
    pub(super) properties: BTreeMap<String, Node>,
    pub(super) entries: Option<Box<Node>>,
    pub(super) items: Option<Box<Node>>,
    pub(super) required: Vec<String>,
    pub(super) allowed: Vec<String>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) pattern: Option<Regex>,
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
    pub(super) is_time: bool,
    pub(super) list: ListKind,
    pub(super) default: Option<Value>,
    pub(super) rules: Vec<Rule>,
}

impl Node {
    /// Reads a schema. Keywords that do not parse are left out; a test holds that there are none.
    pub(super) fn read(schema: &Value) -> Self {
        let type_ = type_of(schema);
        let texts = |key: &str| -> Vec<String> {
            let list = schema.get(key).and_then(Value::as_array);
            list.into_iter()
                .flatten()
                .filter_map(|value| value.as_str().map(str::to_owned))
                .collect()
        };
        let child = |key: &str| {
            schema
                .get(key)
                .filter(|child| child.is_object())
                .map(|child| Box::new(Self::read(child)))
        };
        let (least, most) = match type_ {
            Type::Object => ("minProperties", "maxProperties"),
            Type::Array => ("minItems", "maxItems"),
            // What is left open excludes types by bounds that contradict each other; only this one is meant.
            Type::Any => ("", "maxItems"),
            _ => ("minLength", "maxLength"),
        };
        Self {
            type_,
            special: schema
                .get("x-lattice-type")
                .and_then(Value::as_str)
                .and_then(Special::named),
            open: schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true)),
            properties: schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .map(|(name, schema)| (name.clone(), Self::read(schema)))
                .collect(),
            entries: child("additionalProperties"),
            items: child("items"),
            required: texts("required"),
            allowed: texts("enum"),
            minimum: schema.get("minimum").and_then(Value::as_f64),
            maximum: schema.get("maximum").and_then(Value::as_f64),
            pattern: schema
                .get("pattern")
                .and_then(Value::as_str)
                .and_then(|pattern| Regex::new(pattern).ok()),
            least: schema.get(least).and_then(Value::as_u64),
            most: schema.get(most).and_then(Value::as_u64),
            is_time: schema.get("format").and_then(Value::as_str) == Some("date-time"),
            list: match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
                Some("set") => ListKind::Set,
                Some("map") => ListKind::Map(texts("x-kubernetes-list-map-keys")),
                _ => ListKind::Plain,
            },
            default: schema.get("default").cloned(),
            rules: schema
                .get("x-kubernetes-validations")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Rule::read)
                .collect(),
        }
    }

    /// The schema of a property or of any entry of a map.
    pub(super) fn property(&self, name: &str) -> Option<&Self> {
        self.properties.get(name).or(self.entries.as_deref())
    }
}

fn type_of(schema: &Value) -> Type {
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return Type::IntOrString;
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("object") => Type::Object,
        Some("array") => Type::Array,
        Some("string") => Type::String,
        Some("integer") => Type::Integer,
        Some("number") => Type::Number,
        Some("boolean") => Type::Boolean,
        _ => Type::Any,
    }
}
