//! LatticeCluster to inventory.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::names::Unique;
use super::{Problem, nodes, packing};
use crate::api::LatticeCluster;
use crate::placement::labels;
use crate::placement::problem::nearest;
use crate::scheduler::model::{Cluster, Origin, Snapshot};

pub(super) const CLUSTER: &str = "LatticeCluster";

/// Adds the clusters that are inventory, and reserves the names of the others.
pub(super) fn add(names: &Unique<'_>, snapshot: &mut Snapshot, problems: &mut Vec<Problem>) {
    let mut tenants = packing::tenants(names, snapshot);
    for (name, cluster) in &names.clusters {
        match pool_of(name, cluster, snapshot, problems) {
            Some(pool) => {
                let tenants = tenants.remove(name.as_str()).unwrap_or_default();
                let built = one((name, cluster, pool), tenants, names, snapshot, problems);
                snapshot.clusters.push(built);
            }
            None => {
                snapshot.reserved_names.insert(name.clone());
            }
        }
    }
}

/// The pool of a cluster that is inventory.
fn pool_of(
    name: &str,
    cluster: &LatticeCluster,
    snapshot: &Snapshot,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    if cluster.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let pool = cluster.spec.pool_ref.as_ref()?;
    if snapshot.pools.iter().any(|p| p.name == *pool) {
        return Some(pool.clone());
    }
    let message = format!("there is no LatticePool `{pool}`");
    let near = nearest(pool, snapshot.pools.iter().map(|p| p.name.as_str()));
    problems.push(Problem::error(CLUSTER, name, &["spec", "poolRef"], message).suggest(near));
    None
}

fn one(
    (name, cluster, pool): (&str, &LatticeCluster, String),
    tenants: packing::Tenants,
    names: &Unique<'_>,
    snapshot: &Snapshot,
    problems: &mut Vec<Problem>,
) -> Cluster {
    let machines = nodes::read(name, cluster, names, problems);
    let workers = nodes::witness(cluster, &machines.workers)
        .unwrap_or_else(|| packing::pack(&machines.workers, &tenants, snapshot));
    Cluster {
        name: name.to_owned(),
        pool,
        origin: origin(cluster),
        control_plane: machines.control_plane,
        workers,
    }
}

fn origin(cluster: &LatticeCluster) -> Origin {
    if is_scheduled(cluster) {
        return Origin::Scheduler {
            policy: marked(cluster, labels::POLICY),
        };
    }
    Origin::Declared {
        resize: cluster
            .spec
            .nodes
            .autoscale
            .as_ref()
            .map(|bounds| (bounds.min_workers, bounds.max_workers)),
    }
}

/// Whether the scheduler made the cluster.
fn is_scheduled(cluster: &LatticeCluster) -> bool {
    let owner = cluster.labels().get(labels::MANAGED_BY);
    owner.is_some_and(|owner| owner == labels::SCHEDULER)
}

/// A mark that is a label, or an annotation where it is too long for one.
fn marked(cluster: &LatticeCluster, key: &str) -> Option<String> {
    let of = |marks: &BTreeMap<String, String>| marks.get(key).cloned();
    of(cluster.labels()).or_else(|| of(cluster.annotations()))
}
