//! An object without what belongs to where it was read.

use serde_json::{Map, Value};

/// Fields of the metadata that say what it is, and not where it has been.
const KEPT: [&str; 4] = ["name", "namespace", "labels", "annotations"];
/// Annotations by which others put something into an object, or remember what they put there.
const FOREIGN: [&str; 3] = [
    "cert-manager.io/inject-ca-from",
    "deployment.kubernetes.io/revision",
    "kubectl.kubernetes.io/last-applied-configuration",
];

/// The object as somebody would write it.
pub(super) fn of(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
            metadata.retain(|key, _| KEPT.contains(&key.as_str()));
            if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
                annotations.retain(|key, _| !FOREIGN.contains(&key.as_str()));
            }
        }
    }
    match object["kind"].as_str() {
        Some("Service") => {
            // Each API server gives out addresses of its own.
            without(&mut object["spec"], &["clusterIP", "clusterIPs"]);
        }
        Some("ClusterRole") if object.get("aggregationRule").is_some() => {
            // A controller fills them in.
            without(&mut object, &["rules"]);
        }
        Some("ServiceAccount") => without(&mut object, &["secrets"]),
        _ => {}
    }
    object
}

fn without(object: &mut Value, keys: &[&str]) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|key: &String, _| !keys.contains(&key.as_str()));
    }
}

/// The map below a key, made if it is not there.
pub(super) fn map<'a>(object: &'a mut Value, key: &str) -> Option<&'a mut Map<String, Value>> {
    let fields = object.as_object_mut()?;
    let below = fields
        .entry(key)
        .or_insert_with(|| Value::Object(Map::new()));
    below.as_object_mut()
}
