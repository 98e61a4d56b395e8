//! The rules of the API server, enforced without one.
//!
//! Both read the same schemas: types, bounds, patterns, unknown fields, list keys and CEL rules are written
//! once, beside the fields they bind. Schemas are compiled at first use and kept.
//!
//! # Guarantees
//!
//! A document without a violation here is accepted by an API server that has our CRDs, and the operator can
//! read it. All violations are found at once.

mod check;
mod defaults;
mod metadata;
mod node;
mod path;
mod rules;
mod values;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

pub(crate) use self::check::did_you_mean;
use self::node::Node;
use self::path::Trail;
pub use self::path::{PathSegment, Violation};
use super::{API_VERSION, GROUP, catalog};

static SCHEMAS: LazyLock<BTreeMap<String, Node>> = LazyLock::new(|| {
    catalog::kinds()
        .iter()
        .map(|kind| (kind.name.clone(), Node::read(&kind.schema)))
        .collect()
});

/// Everything that is wrong with a document of our group. Documents of other groups are not looked at.
pub fn validate_object(document: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    match schema_of(document) {
        Ok(Some(node)) => {
            metadata::check(document, &Trail::Root, &mut found);
            check_body(node, document, &mut found);
        }
        Ok(None) => {}
        Err(violation) => found.push(violation),
    }
    found
}

/// Fills in the defaults of a document's kind, as the API server does. Unknown kinds are left alone.
pub fn apply_defaults(document: &mut Value) {
    if let Ok(Some(node)) = schema_of(document) {
        defaults::fill(node, document);
    }
}

/// The schema of a document; none if the document is not ours.
fn schema_of(document: &Value) -> Result<Option<&'static Node>, Violation> {
    let text = |key: &str| {
        document
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (version, kind) = (text("apiVersion"), text("kind"));
    let group = version.split_once('/').map_or("", |(group, _)| group);
    let api_version = Trail::Key(&Trail::Root, "apiVersion");
    if group != GROUP {
        let meant = SCHEMAS.contains_key(kind);
        let message = format!("`{kind}` is of `{API_VERSION}`, not of `{version}`");
        return if meant {
            Err(api_version.violation(message))
        } else {
            Ok(None)
        };
    }
    if version != API_VERSION {
        return Err(api_version.violation(format!(
            "`{version}` is not served; did you mean `{API_VERSION}`?"
        )));
    }
    SCHEMAS.get(kind).map(Some).ok_or_else(|| {
        let hint = check::did_you_mean(kind, SCHEMAS.keys());
        Trail::Key(&Trail::Root, "kind").violation(format!("{GROUP} has no kind `{kind}`{hint}"))
    })
}

/// Checks all but what every Kubernetes object has.
fn check_body(node: &Node, document: &Value, found: &mut Vec<Violation>) {
    let root = Trail::Root;
    for name in node
        .required
        .iter()
        .filter(|name| document.get(name.as_str()).is_none_or(Value::is_null))
    {
        found.push(root.violation(format!("`{name}` is missing")));
    }
    for (name, value) in document.as_object().into_iter().flatten() {
        let trail = Trail::Key(&root, name);
        match node.properties.get(name) {
            Some(_) if value.is_null() => {}
            Some(part) => check::check(part, value, &trail, found),
            None if matches!(name.as_str(), "apiVersion" | "kind" | "metadata") => {}
            None => {
                let hint = check::did_you_mean(name, node.properties.keys());
                found.push(trail.violation(format!("there is no field `{name}` here{hint}")));
            }
        }
    }
}

#[cfg(test)]
mod tests;
