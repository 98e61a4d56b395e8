//! What the API server asks of names and labels.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::path::{Trail, Violation};
use super::values::describe;

static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$").ok()
});

static LABEL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$").ok());

fn matches(pattern: &Option<Regex>, text: &str) -> bool {
    pattern
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(text))
}

/// Checks the name and the labels of a document.
pub(super) fn check(document: &Value, trail: &Trail<'_>, found: &mut Vec<Violation>) {
    let Some(metadata) = document.get("metadata") else {
        found.push(trail.violation("`metadata` is missing"));
        return;
    };
    let trail = Trail::Key(trail, "metadata");
    match metadata.get("name") {
        None if metadata.get("generateName").is_some() => {}
        None => found.push(trail.violation("`name` is missing")),
        Some(Value::String(name)) if name.len() <= 253 && matches(&NAME, name) => {}
        Some(name) => {
            let message = "a name is at most 253 lower-case letters, digits, `-` and `.`, and begins and ends with a \
                           letter or digit; found ";
            found
                .push(Trail::Key(&trail, "name").violation(format!("{message}{}", describe(name))));
        }
    }
    let labels = Trail::Key(&trail, "labels");
    for (key, value) in metadata
        .get("labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if !value
            .as_str()
            .is_some_and(|value| value.len() <= 63 && matches(&LABEL, value))
        {
            let message = "a label's value is a string of at most 63 letters, digits, `-`, `_` and `.`; found ";
            found.push(Trail::Key(&labels, key).violation(format!("{message}{}", describe(value))));
        }
    }
}
