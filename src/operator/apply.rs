//! Writes of LatticeCluster objects.

use std::collections::BTreeMap;

use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde_json::{Value, json};

use super::{error::OperatorError, objects::gone_is_fine};
use crate::{
    api::{API_VERSION, LatticeCluster, cluster::NodeGroup},
    placement::labels::{CLUSTER_FINALIZER, MANAGED_BY, SCHEDULER, is_scheduled},
};

/// Owner of every field of a LatticeCluster's spec and metadata that the scheduler writes.
pub const FIELD_MANAGER: &str = "lattice.dev/clusters";

/// A write to a LatticeCluster.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClusterWrite {
    /// Makes a cluster, or changes what the scheduler owns of it.
    Apply(Box<LatticeCluster>),
    /// Changes the workers of a declared cluster that lets the scheduler do so.
    Resize {
        name: String,
        resource_version: Option<String>,
        workers: u32,
        groups: Vec<NodeGroup>,
    },
    /// Lets a cluster go that is being deleted and has no machines.
    Release {
        name: String,
        resource_version: Option<String>,
        finalizers: Vec<String>,
    },
}

/// Carries out one write.
pub(crate) async fn write(client: &Client, write: ClusterWrite) -> Result<(), OperatorError> {
    let clusters: Api<LatticeCluster> = Api::all(client.clone());
    let apply = PatchParams::apply(FIELD_MANAGER).force();
    match write {
        ClusterWrite::Apply(cluster) => {
            let name = cluster.name_any();
            clusters
                .patch(&name, &apply, &Patch::Apply(&document(&cluster)?))
                .await?;
        }
        ClusterWrite::Resize {
            name,
            resource_version,
            workers,
            groups,
        } => {
            // Not applied: that would make all that the person wrote the scheduler's own, or merge the groups.
            let patch = json!({
                "metadata": {"resourceVersion": resource_version},
                "spec": {"nodes": {"workers": workers, "groups": groups}},
            });
            let params = PatchParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PatchParams::default()
            };
            clusters
                .patch(&name, &params, &Patch::Merge(&patch))
                .await?;
        }
        ClusterWrite::Release {
            name,
            resource_version,
            finalizers,
        } => {
            // Under its version, so that no finalizer of somebody else's is lost.
            let patch = json!({"metadata": {
                "finalizers": finalizers,
                "resourceVersion": resource_version,
            }});
            let params = PatchParams::default();
            gone_is_fine(clusters.patch(&name, &params, &Patch::Merge(&patch)).await)?;
        }
    }
    Ok(())
}

/// Deletes a cluster that the scheduler made, if it is there. Asks the API server, for a store may not know
/// of it yet.
pub(crate) async fn delete(client: &Client, name: &str) -> Result<(), OperatorError> {
    let clusters: Api<LatticeCluster> = Api::all(client.clone());
    let Some(found) = clusters.get_opt(name).await? else {
        return Ok(());
    };
    if !is_scheduled(&found) || found.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let params = DeleteParams::default().preconditions(Preconditions {
        uid: found.uid(),
        resource_version: found.resource_version(),
    });
    Ok(gone_is_fine(clusters.delete(name, &params).await)?)
}

/// What of a cluster's object the scheduler owns.
fn document(cluster: &LatticeCluster) -> Result<Value, serde_json::Error> {
    let meta = &cluster.metadata;
    let mut metadata = json!({
        "name": meta.name,
        "labels": meta.labels,
        "finalizers": meta.finalizers,
    });
    if let Some(annotations) = meta.annotations.as_ref().filter(|map| !map.is_empty()) {
        metadata["annotations"] = serde_json::to_value(annotations)?;
    }
    Ok(json!({
        "apiVersion": API_VERSION,
        "kind": "LatticeCluster",
        "metadata": metadata,
        "spec": serde_json::to_value(&cluster.spec)?,
    }))
}

/// The write that gives a declared cluster its workers.
pub(crate) fn resize(cluster: &LatticeCluster) -> ClusterWrite {
    let nodes = &cluster.spec.nodes;
    ClusterWrite::Resize {
        name: cluster.name_any(),
        resource_version: cluster.resource_version(),
        workers: nodes.workers,
        groups: nodes.groups.clone(),
    }
}

/// A cluster of the scheduler with the marks that it must have, also where a person took them away.
pub(crate) fn marked(mut cluster: LatticeCluster) -> LatticeCluster {
    let labels = cluster.labels_mut();
    labels.insert(MANAGED_BY.to_owned(), SCHEDULER.to_owned());
    let finalizers = cluster.finalizers_mut();
    if !finalizers.iter().any(|f| f == CLUSTER_FINALIZER) {
        finalizers.push(CLUSTER_FINALIZER.to_owned());
    }
    cluster
}

/// The write that makes a cluster as it is wanted, if it is not.
pub(crate) fn wanted(
    desired: LatticeCluster,
    found: Option<&LatticeCluster>,
) -> Option<ClusterWrite> {
    let is = found.is_some_and(|found| {
        found.spec == desired.spec
            && has_all(found.labels(), desired.labels())
            && has_all(found.annotations(), desired.annotations())
            && desired
                .finalizers()
                .iter()
                .all(|finalizer| found.finalizers().contains(finalizer))
    });
    (!is).then(|| ClusterWrite::Apply(Box::new(desired)))
}

fn has_all(found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted
        .iter()
        .all(|(key, value)| found.get(key) == Some(value))
}

/// The write that lets a cluster go: it is being deleted, nothing is decided on it, and there are no machines,
/// because nothing makes any yet.
pub(crate) fn release(found: &LatticeCluster, decided: bool) -> Option<ClusterWrite> {
    let leaving = found.metadata.deletion_timestamp.is_some();
    let held = found.finalizers().iter().any(|f| f == CLUSTER_FINALIZER);
    (leaving && held && !decided).then(|| ClusterWrite::Release {
        name: found.name_any(),
        resource_version: found.resource_version(),
        finalizers: found
            .finalizers()
            .iter()
            .filter(|f| *f != CLUSTER_FINALIZER)
            .cloned()
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff};

    fn cluster() -> LatticeCluster {
        let spec = serde_json::from_value(json!({
            "provider": {"type": "aws", "kubernetes": {"version": "1.34.0"}},
            "nodes": {"controlPlane": 3},
        }));
        let mut cluster = LatticeCluster::new("a", spec.unwrap());
        cluster.finalizers_mut().push(CLUSTER_FINALIZER.to_owned());
        cluster
            .labels_mut()
            .insert("lattice.dev/managed-by".into(), "scheduler".into());
        cluster
    }

    #[test]
    fn what_is_as_wanted_is_not_written() {
        let mut found = cluster();
        found.labels_mut().insert("team".into(), "a".into());
        assert_eq!(wanted(cluster(), Some(&found)), None);
        assert!(wanted(cluster(), None).is_some());
        found.spec.nodes.control_plane = 1;
        assert!(wanted(cluster(), Some(&found)).is_some());
        let mut found = cluster();
        found.finalizers_mut().clear();
        assert!(wanted(cluster(), Some(&found)).is_some());
    }

    #[test]
    fn a_cluster_goes_when_it_is_deleted_and_nothing_is_decided_on_it() {
        let mut found = cluster();
        found.finalizers_mut().push("other".to_owned());
        assert_eq!(release(&found, false), None);
        found.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(release(&found, true), None);
        let write = release(&found, false);
        assert!(
            matches!(write, Some(ClusterWrite::Release { finalizers, .. }) if finalizers == ["other"])
        );
    }

    #[test]
    fn the_patch_has_only_what_the_scheduler_owns() {
        let mut desired = cluster();
        desired.metadata.resource_version = Some("7".into());
        let document = document(&desired).unwrap();
        assert_eq!(
            document["metadata"],
            json!({
                "name": "a",
                "labels": {"lattice.dev/managed-by": "scheduler"},
                "finalizers": ["lattice.dev/cluster"],
            })
        );
        assert!(document.get("status").is_none());
    }
}
