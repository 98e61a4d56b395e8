//! Kubernetes objects as JSON, and what a move asks of them.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Which object, on whichever side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// API group; empty for the core.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for what has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// The key of an object of this group and kind.
    #[must_use]
    pub fn new(group: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: group.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// Whether the object is of this group and kind.
    #[must_use]
    pub fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

/// An owner reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// UID of the owner.
    pub uid: String,
    /// What the reference says the owner is; the namespace is the dependent's.
    pub key: Key,
}

/// An object as an API server gave it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Object(pub Value);

impl Object {
    /// Which object this is.
    #[must_use]
    pub fn key(&self) -> Key {
        Key {
            group: group_of(self.text("/apiVersion")).to_owned(),
            kind: self.text("/kind").to_owned(),
            namespace: self.text("/metadata/namespace").to_owned(),
            name: self.text("/metadata/name").to_owned(),
        }
    }

    /// A text in the object; empty where there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.0
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Whether the object says `true` there.
    #[must_use]
    pub fn is_true(&self, pointer: &str) -> bool {
        self.0.pointer(pointer).and_then(Value::as_bool) == Some(true)
    }

    /// The UID.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.text("/metadata/uid")
    }

    /// The resource version.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.text("/metadata/resourceVersion")
    }

    /// Whether somebody has deleted the object and finalizers still hold it.
    #[must_use]
    pub fn is_being_deleted(&self) -> bool {
        !self.text("/metadata/deletionTimestamp").is_empty()
    }

    /// A label's value.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.entry("labels", name)
    }

    /// An annotation's value.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.entry("annotations", name)
    }

    fn entry(&self, map: &str, name: &str) -> Option<&str> {
        self.0.get("metadata")?.get(map)?.get(name)?.as_str()
    }

    /// Sets an annotation, or takes it away.
    pub fn annotate(&mut self, name: &str, value: Option<&str>) {
        let Some(metadata) = self.0.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        if let Some(annotations) = annotations.as_object_mut() {
            match value {
                Some(value) => {
                    annotations.insert(name.to_owned(), json!(value));
                }
                None => {
                    annotations.remove(name);
                }
            }
        }
    }

    /// Sets a field of the metadata.
    pub fn set_metadata(&mut self, field: &str, value: Value) {
        if let Some(metadata) = self.0.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert(field.to_owned(), value);
        }
    }

    /// The owner references.
    #[must_use]
    pub fn owners(&self) -> Vec<Owner> {
        let namespace = self.text("/metadata/namespace");
        self.list("/metadata/ownerReferences")
            .iter()
            .map(|reference| {
                let text = |field: &str| reference[field].as_str().unwrap_or_default();
                let group = group_of(text("apiVersion"));
                Owner {
                    uid: text("uid").to_owned(),
                    key: Key::new(group, text("kind"), namespace, text("name")),
                }
            })
            .collect()
    }

    /// A list in the object; empty where there is none.
    #[must_use]
    pub fn list(&self, pointer: &str) -> &[Value] {
        let found = self.0.pointer(pointer).and_then(Value::as_array);
        found.map_or(&[], Vec::as_slice)
    }

    /// The condition of this type.
    #[must_use]
    pub fn condition(&self, type_: &str) -> Option<&Value> {
        let mut conditions = self.list("/status/conditions").iter();
        conditions.find(|condition| condition["type"] == type_)
    }

    /// Everything but metadata and status, by field.
    #[must_use]
    pub fn content(&self) -> BTreeMap<&str, &Value> {
        let fields = self.0.as_object().into_iter().flat_map(Map::iter);
        fields
            .filter(|(field, _)| *field != "metadata" && *field != "status")
            .map(|(field, value)| (field.as_str(), value))
            .collect()
    }
}

/// The group of an `apiVersion`; empty for the core's `v1`.
pub(crate) fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}
