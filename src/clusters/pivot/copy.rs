//! An object as it is written on the target.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    FIELD_MANAGER,
    canonical::{DELETE_FOR_MOVE, carried_status},
    deed::{ORIGIN, origin},
    object::Object,
};

/// UIDs of the source as keys, UIDs of the same objects on the target as values.
pub(crate) type Renamed = BTreeMap<String, String>;

/// The copy of an object: names, content and status of the source, owners of the target. `None` while an owner
/// has no copy.
pub(crate) fn copied(object: &Object, cluster_uid: &str, renamed: &Renamed) -> Option<Object> {
    let mut copy = object.0.as_object()?.clone();
    copy.insert("metadata".to_owned(), metadata(object, renamed)?);
    match carried_status(object) {
        Some(status) => copy.insert("status".to_owned(), status),
        None => copy.remove("status"),
    };
    let mut copy = Object(Value::Object(copy));
    copy.annotate(DELETE_FOR_MOVE, None);
    copy.annotate(ORIGIN, Some(&origin(cluster_uid, object.uid())));
    Some(copy)
}

fn metadata(object: &Object, renamed: &Renamed) -> Option<Value> {
    let mut metadata = Map::new();
    for field in ["name", "namespace", "labels", "annotations", "finalizers"] {
        if let Some(value) = object.0.pointer(&format!("/metadata/{field}")) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    let mut owners = object.list("/metadata/ownerReferences").to_vec();
    for owner in &mut owners {
        let uid = renamed.get(owner["uid"].as_str()?)?;
        owner["uid"] = json!(uid);
    }
    metadata.insert("ownerReferences".to_owned(), owners.into());
    Some(metadata.into())
}

/// The copy, put in the place of what is on the target.
pub(crate) fn instead_of(mut copy: Object, held: &Object) -> Object {
    copy.set_metadata("uid", json!(held.uid()));
    copy.set_metadata("resourceVersion", json!(held.resource_version()));
    copy
}

/// What is on the target, with the status of the source.
pub(crate) fn with_status(held: &Object, source: &Object) -> Object {
    let mut object = held.clone();
    if let Some(map) = object.0.as_object_mut() {
        match carried_status(source) {
            Some(status) => map.insert("status".to_owned(), status),
            None => map.remove("status"),
        };
    }
    object
}

/// Whether the copy has to be given the field owners of the source. Only where somebody applied fields does it
/// matter who owns them: fields that a later apply leaves out go only if nobody else owns them.
pub(crate) fn lacks_field_owners(source: &Object, held: &Object) -> bool {
    let applied = |entry: &Value| entry["operation"] == "Apply";
    let written = |entry: &Value| entry["manager"] == FIELD_MANAGER;
    source.list("/metadata/managedFields").iter().any(applied)
        && held.list("/metadata/managedFields").iter().any(written)
}

/// What is on the target, with the field owners of the source.
pub(crate) fn with_field_owners(held: &Object, source: &Object, renamed: &Renamed) -> Object {
    let entries = source.list("/metadata/managedFields").iter();
    let entries: Vec<Value> = entries
        .filter(|entry| entry["manager"] != FIELD_MANAGER)
        .map(|entry| with_uids(entry, renamed))
        .collect();
    let mut object = held.clone();
    object.set_metadata("managedFields", entries.into());
    object
}

/// Owners of owner references name them by UID: `k:{"uid":"…"}`.
fn with_uids(value: &Value, renamed: &Renamed) -> Value {
    let Some(map) = value.as_object() else {
        return value.clone();
    };
    map.iter()
        .map(|(name, value)| {
            let uid = name.strip_prefix("k:{\"uid\":\"");
            let uid = uid.and_then(|rest| rest.strip_suffix("\"}"));
            let name = match uid.and_then(|uid| renamed.get(uid)) {
                Some(uid) => format!("k:{{\"uid\":\"{uid}\"}}"),
                None => name.clone(),
            };
            (name, with_uids(value, renamed))
        })
        .collect::<Map<_, _>>()
        .into()
}
