//! What is the same of an object on both sides, and the digest of it.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Map, Value, json};

use super::{
    deed::{ORIGIN, PAUSED_FOR_MOVE},
    graph::Graph,
    kind::CORE_GROUP,
    object::{Key, Object},
    pause::{PAUSED_ANNOTATION, is_paused_itself},
    view::View,
};

/// Set on what is deleted because it has moved; providers' webhooks look for it.
pub const DELETE_FOR_MOVE: &str = "clusterctl.cluster.x-k8s.io/delete-for-move";

/// An object without what depends on the side that holds it: owners by name instead of UID, no bookkeeping
/// of the API server, no pause.
#[must_use]
pub fn form(object: &Object, owners: &BTreeMap<&str, &Key>) -> Value {
    let mut form = essence(object, owners);
    if let Some(map) = form.as_object_mut() {
        map.insert("finalizers".to_owned(), finalizers(object));
        if let Some(status) = carried_status(object) {
            map.insert("status".to_owned(), status);
        }
    }
    form
}

/// The same without status, which may trail behind, and finalizers, which are taken off on the way out.
#[must_use]
pub fn essence(object: &Object, owners: &BTreeMap<&str, &Key>) -> Value {
    let mut form: Map<String, Value> = object
        .content()
        .into_iter()
        .map(|(field, value)| (field.to_owned(), value.clone()))
        .collect();
    let key = object.key();
    if key.is(CORE_GROUP, "Cluster")
        && let Some(spec) = form.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.remove("paused");
    }
    form.insert(
        "metadata".to_owned(),
        json!({
            "name": key.name,
            "namespace": key.namespace,
            "labels": object.0.pointer("/metadata/labels").unwrap_or(&json!({})),
            "annotations": annotations(object, &key),
            "owners": owned_by(object, owners),
        }),
    );
    Value::Object(form)
}

fn annotations(object: &Object, key: &Key) -> Value {
    let all = object.0.pointer("/metadata/annotations");
    let kept = all.and_then(Value::as_object).into_iter().flatten();
    let kept = kept.filter(|(name, _)| {
        let ours = [ORIGIN, PAUSED_FOR_MOVE, DELETE_FOR_MOVE].contains(&name.as_str());
        let pause = is_paused_itself(key) && *name == PAUSED_ANNOTATION;
        !ours && !pause
    });
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect::<Map<_, _>>()
        .into()
}

fn finalizers(object: &Object) -> Value {
    let mut finalizers = object.list("/metadata/finalizers").to_vec();
    finalizers.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    finalizers.into()
}

/// Owners by name. One whose UID is not known is written as such, and so is equal to nothing on the other side.
fn owned_by(object: &Object, owners: &BTreeMap<&str, &Key>) -> Value {
    let mut found: Vec<String> = object
        .list("/metadata/ownerReferences")
        .iter()
        .map(|reference| {
            let uid = reference["uid"].as_str().unwrap_or_default();
            let owner = owners
                .get(uid)
                .map_or_else(|| uid.to_owned(), |key| key.to_string());
            let flag = |field: &str| reference[field].as_bool().unwrap_or_default();
            let api_version = reference["apiVersion"].as_str().unwrap_or_default();
            let (controller, block) = (flag("controller"), flag("blockOwnerDeletion"));
            format!("{api_version} {owner} controller={controller} block={block}")
        })
        .collect();
    found.sort();
    found.into()
}

/// The status as it moves: without what a controller says of the side that it runs on. `None` if nothing is left.
#[must_use]
pub fn carried_status(object: &Object) -> Option<Value> {
    let mut status = object.0.get("status")?.as_object()?.clone();
    status.remove("observedGeneration");
    prune_conditions(&mut status);
    if let Some(old) = status
        .get_mut("deprecated")
        .and_then(|deprecated| deprecated.get_mut("v1beta1"))
        .and_then(Value::as_object_mut)
    {
        prune_conditions(old);
    }
    (!status.is_empty()).then_some(Value::Object(status))
}

/// Whether a controller has paused, and of which generation it speaks, is about this side only.
fn prune_conditions(status: &mut Map<String, Value>) {
    let Some(conditions) = status.get_mut("conditions").and_then(Value::as_array_mut) else {
        return;
    };
    conditions
        .retain(|condition| condition["type"] != "Paused" && condition["type"] != "PausedV1Beta2");
    for condition in conditions.iter_mut().filter_map(Value::as_object_mut) {
        condition.remove("observedGeneration");
    }
    if conditions.is_empty() {
        status.remove("conditions");
    }
}

/// The digest of a value, whatever order its fields are in.
#[must_use]
pub fn digest(value: &Value) -> String {
    let mut bytes = Vec::new();
    write(value, &mut bytes);
    let mut context = Context::new(&SHA256);
    context.update(&bytes);
    let hex = context.finish();
    let hex: String = hex
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// The digest of all that moves, the same on both sides when they hold the same.
#[must_use]
pub fn graph_digest(graph: &Graph, view: &View) -> String {
    let owners = view.uids();
    let forms: BTreeMap<String, Value> = graph
        .moved()
        .filter_map(|key| Some((key, view.objects.get(key)?)))
        .map(|(key, object)| (format!("{}/{key}", key.group), form(object, &owners)))
        .collect();
    digest(&json!(forms))
}

/// JSON with sorted fields.
fn write(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, &Value> = map.iter().collect();
            bytes.push(b'{');
            for (name, value) in sorted {
                bytes.extend_from_slice(json!(name).to_string().as_bytes());
                bytes.push(b':');
                write(value, bytes);
                bytes.push(b',');
            }
            bytes.push(b'}');
        }
        Value::Array(list) => {
            bytes.push(b'[');
            for value in list {
                write(value, bytes);
                bytes.push(b',');
            }
            bytes.push(b']');
        }
        plain => bytes.extend_from_slice(plain.to_string().as_bytes()),
    }
}
