//! What objects have to do with each other besides owning each other.

use serde_json::Value;

use super::{
    kind::{ADDONS_GROUP, CORE_GROUP},
    object::{Key, Object},
    view::View,
};

/// Label by which Cluster API and people say to which cluster an object belongs.
pub(crate) const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";

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
    object.label(CLUSTER_NAME_LABEL).or_else(|| {
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

/// Objects without an owner to which this one refers as Cluster API does: by group, kind and name.
pub(crate) fn referenced<'a>(object: &Object, key: &Key, view: &'a View) -> Vec<&'a Key> {
    let mut found = Vec::new();
    if let Some(spec) = object.0.get("spec") {
        collect(spec, &key.namespace, &mut found);
    }
    let known = found
        .iter()
        .filter_map(|key| view.objects.get_key_value(key));
    known
        .filter(|(_, object)| object.list("/metadata/ownerReferences").is_empty())
        .map(|(key, _)| key)
        .collect()
}

fn collect(value: &Value, namespace: &str, found: &mut Vec<Key>) {
    match value {
        Value::Object(map) => {
            let text = |field: &str| map.get(field).and_then(Value::as_str);
            if let (Some(group), Some(kind), Some(name)) =
                (text("apiGroup"), text("kind"), text("name"))
            {
                found.push(Key::new(group, kind, namespace, name));
            }
            for value in map.values() {
                collect(value, namespace, found);
            }
        }
        Value::Array(list) => list
            .iter()
            .for_each(|value| collect(value, namespace, found)),
        _ => {}
    }
}
