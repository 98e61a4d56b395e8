//! Which parts of a document are objects of ours.

use serde_json::Value;

use super::tree::{Content, Node};
use crate::api::{self, API_VERSION, GROUP};

/// The objects of a document: itself, or the items of a `List`.
pub(super) fn of(root: &Node) -> Vec<&Node> {
    let is_list = root.text("kind").is_some_and(|kind| kind.ends_with("List"))
        && root
            .text("apiVersion")
            .is_some_and(|v| v == "v1" || v == API_VERSION);
    match root.entry("items").filter(|_| is_list) {
        Some(items) => items.value.items().iter().collect(),
        None => vec![root],
    }
}

/// What an object is to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Of our group, or meant to be.
    Ours,
    /// Of another group, or no Kubernetes object.
    Other,
    /// Of our group by what it says, but the field is missing.
    Lacks(&'static str),
    /// Not even a mapping.
    Text,
}

pub(super) fn classify(object: &Node) -> Class {
    match &object.content {
        Content::Scalar(Value::Null) | Content::List(_) => return Class::Other,
        Content::Scalar(_) => return Class::Text,
        Content::Map(_) => {}
    }
    let known = |kind: &str| api::kind(kind).is_some();
    match (object.text("apiVersion"), object.text("kind")) {
        (Some(version), None) if is_near(version) => Class::Lacks("kind"),
        (None, Some(kind)) if known(kind) => Class::Lacks("apiVersion"),
        (Some(version), Some(kind)) if is_near(version) || known(kind) => Class::Ours,
        _ => Class::Other,
    }
}

/// Whether a version is of our group, or of one that is only misspelt.
fn is_near(version: &str) -> bool {
    let group = version.split('/').next().unwrap_or_default();
    group == GROUP || strsim::levenshtein(group, GROUP) <= 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::parse::Documents;
    use super::*;

    fn class(text: &str) -> Class {
        classify(&Documents::of(text).next().unwrap().root.unwrap())
    }

    #[test]
    fn ours_are_told_from_others() {
        assert_eq!(
            class("{apiVersion: lattice.dev/v1alpha1, kind: LatticePool}"),
            Class::Ours
        );
        assert_eq!(
            class("{apiVersion: latice.dev/v1, kind: LatticePol}"),
            Class::Ours
        );
        assert_eq!(class("{apiVersion: v2, kind: LatticePool}"), Class::Ours);
        assert_eq!(class("{apiVersion: v1, kind: ConfigMap}"), Class::Other);
        assert_eq!(class("{replicas: 3}"), Class::Other);
        assert_eq!(class("[1, 2]"), Class::Other);
        assert_eq!(class("{kind: LatticePool}"), Class::Lacks("apiVersion"));
        assert_eq!(
            class("{apiVersion: lattice.dev/v1alpha1}"),
            Class::Lacks("kind")
        );
        assert_eq!(class("hello"), Class::Text);
    }

    #[test]
    fn lists_are_unpacked() {
        let text = "{apiVersion: v1, kind: List, items: [{a: 1}, {b: 2}]}";
        let document = Documents::of(text).next().unwrap().root.unwrap();
        assert_eq!(of(&document).len(), 2);
        let text = "{apiVersion: v1, kind: ConfigMapList, items: []}";
        let document = Documents::of(text).next().unwrap().root.unwrap();
        assert!(of(&document).is_empty());
    }
}
