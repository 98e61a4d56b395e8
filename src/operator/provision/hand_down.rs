//! What a cluster that manages itself is told by its parent: what is wanted of it, and all that this refers to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt, api::DynamicObject};
use serde_json::{Value, json};

use super::error::ProvisionError;
use crate::{
    api::{LatticeCluster, LatticeNodeClass, LatticePool},
    clusters::render::Rendered,
    operator::{decision_log::NAMESPACE, objects},
};

/// Owner of the fields that the parent states in a child.
pub(crate) const FIELD_MANAGER: &str = "lattice.dev/parent";

/// What was told to whom.
#[derive(Default)]
pub(super) struct HandedDown(Mutex<BTreeMap<String, Vec<Value>>>);

impl HandedDown {
    /// Tells the cluster, if it is not what it was told last.
    pub(super) async fn tell(
        &self,
        (parent, child): (&Client, &Client),
        cluster: &LatticeCluster,
        (pools, classes): (&[LatticePool], &[LatticeNodeClass]),
        rendered: Option<&Rendered>,
    ) -> Result<(), ProvisionError> {
        let name = cluster.name_any();
        let mut told = Vec::new();
        if let Some(copy) = rendered.and_then(|rendered| rendered.credentials.as_ref()) {
            told.extend(credentials(parent, &copy.from).await?);
        }
        told.extend(wanted(cluster, pools, classes)?);
        if self.lock().get(&name) == Some(&told) {
            return Ok(());
        }
        for object in &told {
            let object: DynamicObject = serde_json::from_value(object.clone())?;
            objects::apply(child, FIELD_MANAGER, &object).await?;
        }
        self.lock().insert(name, told);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<Value>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cluster with its pool and node classes, as they are written and without where they come from: to itself a
/// cluster is declared, whoever made it, so its own scheduler leaves it alone.
fn wanted(
    cluster: &LatticeCluster,
    pools: &[LatticePool],
    classes: &[LatticeNodeClass],
) -> Result<Vec<Value>, ProvisionError> {
    let nodes = &cluster.spec.nodes;
    let named: BTreeSet<&String> = nodes
        .groups
        .iter()
        .map(|group| &group.node_class)
        .chain(&nodes.control_plane_class)
        .collect();
    let mut objects = Vec::new();
    for pool in pools
        .iter()
        .filter(|pool| pool.metadata.name == cluster.spec.pool_ref)
    {
        objects.push(serde_json::to_value(pool)?);
    }
    for class in classes
        .iter()
        .filter(|class| named.contains(&class.name_any()))
    {
        objects.push(serde_json::to_value(class)?);
    }
    objects.push(serde_json::to_value(cluster)?);
    for object in &mut objects {
        object["metadata"] = json!({"name": object["metadata"]["name"]});
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
    }
    Ok(objects)
}

async fn credentials(parent: &Client, name: &str) -> Result<Option<Value>, ProvisionError> {
    let secrets: Api<Secret> = Api::namespaced(parent.clone(), NAMESPACE);
    let Some(secret) = secrets.get_opt(name).await? else {
        return Ok(None);
    };
    let mut value = serde_json::to_value(secret)?;
    value["metadata"] = json!({"name": name, "namespace": NAMESPACE});
    Ok(Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_told_what_it_refers_to_and_nothing_of_its_parent() {
        let read = |value: Value| serde_json::from_value(value).unwrap();
        let cluster: LatticeCluster = serde_json::from_value(json!({
            "apiVersion": "lattice.dev/v1alpha1", "kind": "LatticeCluster",
            "metadata": {"name": "a", "uid": "u", "finalizers": ["f"], "labels": {"lattice.dev/managed-by": "scheduler"}},
            "spec": {
                "provider": {"kubernetes": {"version": "1.36.3"}},
                "poolRef": "p",
                "nodes": {"controlPlane": 1, "controlPlaneClass": "m", "groups": [{"nodeClass": "s", "count": 1}]},
            },
            "status": {"phase": "Ready"},
        }))
        .unwrap();
        let class = |name: &str| -> LatticeNodeClass {
            read(json!({
                "apiVersion": "lattice.dev/v1alpha1", "kind": "LatticeNodeClass", "metadata": {"name": name},
                "spec": {"resources": {"cores": 1, "memoryGi": 1}, "providers": {}},
            }))
        };
        let objects = wanted(&cluster, &[], &[class("l"), class("m"), class("s")]).unwrap();
        let names: Vec<_> = objects.iter().map(|o| o["metadata"].to_string()).collect();
        assert_eq!(
            names,
            [r#"{"name":"m"}"#, r#"{"name":"s"}"#, r#"{"name":"a"}"#]
        );
        assert_eq!(objects[2]["spec"]["poolRef"], "p");
        assert!(objects.iter().all(|object| object.get("status").is_none()));
    }
}
