//! What objects have to do with each other besides owning each other.

use serde_json::Value;

use super::{
    kind::{ADDONS_GROUP, CORE_GROUP},
    object::{Key, Object, group_of},
    view::View,
};
use crate::clusters::labels;

/// What follows the cluster's name in the names of its Secrets.
const SECRETS: [&str; 6] = [
    "kubeconfig",
    "ca",
    "etcd",
    "sa",
    "proxy",
    "apiserver-etcd-client",
];

/// The cluster to which an object belongs although nothing owns it.
pub(crate) fn cluster_of<'a>(object: &'a Object, key: &'a Key) -> Option<&'a str> {
    if key.is(ADDONS_GROUP, "ClusterResourceSetBinding") {
        return Some(object.text("/spec/clusterName"));
    }
    if !object.list("/metadata/ownerReferences").is_empty() {
        return None;
    }
    object.label(labels::CAPI_CLUSTER).or_else(|| {
        let named = SECRETS.iter().find_map(|purpose| {
            let rest = key.name.strip_suffix(purpose)?;
            rest.strip_suffix('-')
        });
        named.filter(|_| key.is("", "Secret"))
    })
}

/// The class of a cluster.
pub(crate) fn class_of(cluster: &Object, key: &Key) -> Option<Key> {
    let name = cluster.text("/spec/topology/classRef/name");
    let namespace = match cluster.text("/spec/topology/classRef/namespace") {
        "" => key.namespace.as_str(),
        namespace => namespace,
    };
    (!name.is_empty()).then(|| Key::new(CORE_GROUP, "ClusterClass", namespace, name))
}

/// Objects without an owner to which this one refers as Cluster API does: by group, kind and name. Identities, which have
/// no namespace, are referred to without the group too.
pub(crate) fn referenced<'a>(object: &Object, key: &Key, view: &'a View) -> Vec<&'a Key> {
    let mut found = Vec::new();
    if let Some(spec) = object.0.get("spec") {
        collect(spec, &mut found);
    }
    let ownerless = view
        .objects
        .iter()
        .filter(|(_, object)| object.list("/metadata/ownerReferences").is_empty())
        .map(|(key, _)| key);
    let names = |reference: &Reference, other: &Key| {
        let global = other.namespace.is_empty();
        let near = global || other.namespace == key.namespace;
        let group = reference.group.map_or(global, |group| other.group == group);
        near && group && reference.kind == other.kind && reference.name == other.name
    };
    if found.is_empty() {
        return Vec::new();
    }
    ownerless
        .filter(|other| found.iter().any(|reference| names(reference, other)))
        .collect()
}

/// What stands in a spec where another object is meant.
struct Reference<'a> {
    group: Option<&'a str>,
    kind: &'a str,
    name: &'a str,
}

fn collect<'a>(value: &'a Value, found: &mut Vec<Reference<'a>>) {
    match value {
        Value::Object(map) => {
            let text = |field: &str| map.get(field).and_then(Value::as_str);
            if let (Some(kind), Some(name)) = (text("kind"), text("name")) {
                let group = text("apiGroup").or_else(|| text("apiVersion").map(group_of));
                found.push(Reference { group, kind, name });
            }
            map.values().for_each(|value| collect(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}
