//! An object as it is applied, and where it comes from.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// An object as it is applied by the server's side, and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// The object that it was rendered from, with the field where there is one, such as
    /// `LatticeCluster prod: spec.nodes.groups[0]`.
    pub source: String,
    /// The object.
    pub object: Value,
}

impl Manifest {
    /// The object's kind.
    pub fn kind(&self) -> &str {
        self.object["kind"].as_str().unwrap_or_default()
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }
}

/// A kind in one version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub group: &'static str,
    pub version: &'static str,
    pub name: &'static str,
}

impl Kind {
    /// A reference as Cluster API's v1beta2 kinds have them.
    pub fn reference(self, name: &str) -> Value {
        json!({"apiGroup": self.group, "kind": self.name, "name": name})
    }

    /// An object of the kind. Without a namespace it is the whole cluster's.
    pub fn object(
        self,
        namespace: Option<&str>,
        name: &str,
        labels: &BTreeMap<String, String>,
        spec: Value,
    ) -> Value {
        let mut metadata = json!({"name": name, "labels": labels});
        if let Some(namespace) = namespace {
            metadata["namespace"] = namespace.into();
        }
        json!({
            "apiVersion": format!("{}/{}", self.group, self.version),
            "kind": self.name,
            "metadata": metadata,
            "spec": spec,
        })
    }
}

/// Lays settings that people stated over what is rendered: objects are merged, anything else is replaced.
pub(super) fn overlay(onto: &mut Value, stated: &Map<String, Value>) {
    for (key, value) in stated {
        match value.as_object() {
            Some(inner) if onto[key].is_object() => overlay(&mut onto[key], inner),
            _ => onto[key] = value.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_state_goes_over_what_is_rendered() {
        let mut spec = json!({"region": "a", "vpc": {"cidr": "x", "tags": [1, 2]}});
        let stated = json!({"vpc": {"tags": [3]}, "more": {"deep": true}});
        overlay(&mut spec, stated.as_object().unwrap());
        let merged =
            json!({"region": "a", "vpc": {"cidr": "x", "tags": [3]}, "more": {"deep": true}});
        assert_eq!(spec, merged);
    }
}
