//! Holds a value against its schema and finds everything that is wrong at once.

use std::collections::BTreeSet;

use chrono::DateTime;
use serde_json::{Map, Value};

use super::node::{ListKind, Node, Type};
use super::path::{Trail, Violation};
use super::rules;
use super::values::describe;

/// Everything in a value that its schema does not allow.
pub(super) fn check(node: &Node, value: &Value, trail: &Trail<'_>, found: &mut Vec<Violation>) {
    if let Some(special) = node.special {
        return special.check(node, value, trail, found);
    }
    let before = found.len();
    match (node.type_, value) {
        (Type::Any, _) | (Type::Boolean, Value::Bool(_)) => {}
        (Type::Object, Value::Object(object)) => check_object(node, object, trail, found),
        (Type::Array, Value::Array(list)) => check_list(node, list, trail, found),
        (Type::String | Type::IntOrString, Value::String(text)) => {
            check_text(node, text, trail, found)
        }
        (Type::Integer | Type::IntOrString, Value::Number(number)) if !number.is_f64() => {
            check_number(node, number, trail, found);
        }
        (Type::Number, Value::Number(number)) => check_number(node, number, trail, found),
        _ => found.push(trail.violation(format!(
            "expected {}, found {}",
            expected(node.type_),
            describe(value)
        ))),
    }
    // A rule over a value of the wrong shape would only repeat what has been found.
    if found.len() == before {
        for (rule, message) in rules::broken(node, value) {
            let mut path = trail.segments();
            path.extend(rule.field.iter().cloned());
            found.push(Violation { path, message });
        }
    }
}

fn expected(type_: Type) -> &'static str {
    match type_ {
        Type::Object => "a map",
        Type::Array => "a list",
        Type::String => "a string",
        Type::Integer => "an integer",
        Type::Number => "a number",
        Type::Boolean => "true or false",
        Type::IntOrString => "an integer or a string",
        Type::Any => "anything",
    }
}

pub(super) fn check_object(
    node: &Node,
    object: &Map<String, Value>,
    trail: &Trail<'_>,
    found: &mut Vec<Violation>,
) {
    // The API server drops a null before it looks at anything else.
    let is_missing = |name: &&String| object.get(*name).is_none_or(Value::is_null);
    for name in node.required.iter().filter(is_missing) {
        found.push(trail.violation(format!("`{name}` is missing")));
    }
    check_size(
        node,
        object.len() as u64,
        ["entry", "entries"],
        trail,
        found,
    );
    for (name, value) in object {
        let trail = Trail::Key(trail, name);
        match node.property(name) {
            Some(_) if value.is_null() => {}
            Some(property) => check(property, value, &trail, found),
            None if node.open => {}
            None => {
                let hint = did_you_mean(name, node.properties.keys());
                found.push(trail.violation(format!("there is no field `{name}` here{hint}")));
            }
        }
    }
}

pub(super) fn check_list(
    node: &Node,
    list: &[Value],
    trail: &Trail<'_>,
    found: &mut Vec<Violation>,
) {
    check_size(node, list.len() as u64, ["entry", "entries"], trail, found);
    if let Some(entries) = &node.items {
        for (index, value) in list.iter().enumerate() {
            check(entries, value, &Trail::Index(trail, index), found);
        }
    }
    let keys = match &node.list {
        ListKind::Plain => return,
        ListKind::Set => None,
        ListKind::Map(keys) => Some(keys),
    };
    let mut seen = BTreeSet::new();
    for (index, value) in list.iter().enumerate() {
        let identity = match keys {
            None => value.to_string(),
            Some(keys) => {
                let parts = keys
                    .iter()
                    .map(|key| key_part(node, value, key).to_string());
                parts.collect::<Vec<_>>().join(", ")
            }
        };
        if !seen.insert(identity.clone()) {
            let what = keys.map_or(String::new(), |keys| format!("{} ", keys.join(", ")));
            found.push(
                Trail::Index(trail, index).violation(format!("{what}{identity} is listed twice")),
            );
        }
    }
}

/// What an entry has for one of the keys of its list, or the key's default.
fn key_part<'a>(list: &'a Node, entry: &'a Value, key: &str) -> &'a Value {
    let schema = list
        .items
        .as_ref()
        .and_then(|entries| entries.property(key));
    let default = schema.and_then(|schema| schema.default.as_ref());
    entry.get(key).or(default).unwrap_or(&Value::Null)
}

fn check_size(
    node: &Node,
    size: u64,
    unit: [&str; 2],
    trail: &Trail<'_>,
    found: &mut Vec<Violation>,
) {
    let unit_of = |count: u64| if count == 1 { unit[0] } else { unit[1] };
    if let Some(least) = node.least.filter(|least| size < *least) {
        found.push(trail.violation(format!("needs at least {least} {}", unit_of(least))));
    }
    if let Some(most) = node.most.filter(|most| size > *most) {
        found.push(trail.violation(format!(
            "has {size} {}, at most {most} are allowed",
            unit_of(size)
        )));
    }
}

fn check_text(node: &Node, text: &str, trail: &Trail<'_>, found: &mut Vec<Violation>) {
    if !node.allowed.is_empty() && !node.allowed.iter().any(|allowed| allowed == text) {
        let hint = did_you_mean(text, node.allowed.iter());
        let message = format!("`{text}` is not one of {}{hint}", node.allowed.join(", "));
        found.push(trail.violation(message));
    }
    if node.least.is_some() || node.most.is_some() {
        check_size(
            node,
            text.chars().count() as u64,
            ["character", "characters"],
            trail,
            found,
        );
    }
    if let Some(pattern) = node
        .pattern
        .as_ref()
        .filter(|pattern| !pattern.is_match(text))
    {
        found.push(trail.violation(format!("`{text}` does not match {}", pattern.as_str())));
    }
    if node.is_time && DateTime::parse_from_rfc3339(text).is_err() {
        found.push(trail.violation(format!(
            "`{text}` is not a time such as 2024-01-15T10:30:00Z"
        )));
    }
}

fn check_number(
    node: &Node,
    number: &serde_json::Number,
    trail: &Trail<'_>,
    found: &mut Vec<Violation>,
) {
    let value = number.as_f64().unwrap_or(f64::INFINITY);
    if let Some(minimum) = node.minimum.filter(|minimum| value < *minimum) {
        found.push(trail.violation(format!(
            "{number} is too small, the least that is allowed is {minimum}"
        )));
    }
    if let Some(maximum) = node.maximum.filter(|maximum| value > *maximum) {
        found.push(trail.violation(format!(
            "{number} is too large, the most that is allowed is {maximum}"
        )));
    }
}

/// A hint at the nearest of the known names, if one is near.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    let wanted = name.to_lowercase();
    let near = known.map(|known| (strsim::jaro_winkler(&wanted, &known.to_lowercase()), known));
    let nearest = near
        .filter(|(likeness, _)| *likeness > 0.82)
        .max_by(|left, right| left.0.total_cmp(&right.0));
    nearest.map_or(String::new(), |(_, known)| {
        format!("; did you mean `{known}`?")
    })
}
