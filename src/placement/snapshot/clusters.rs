//! LatticeCluster to inventory.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::names::Unique;
use super::{Problem, nodes, packing};
use crate::api::LatticeCluster;
use crate::placement::labels;
use crate::placement::problem::nearest;
use crate::scheduler::limits::{MOST_MACHINES, MOST_REPLICAS};
use crate::scheduler::model::{Cluster, Origin, Snapshot};

pub(super) const CLUSTER: &str = "LatticeCluster";

/// Adds the clusters that are inventory, and reserves the names of the others.
pub(super) fn add(names: &Unique<'_>, snapshot: &mut Snapshot, problems: &mut Vec<Problem>) {
    let mut tenants = packing::tenants(names, snapshot);
    let (mut left, mut held) = (MOST_MACHINES, 0u64);
    for (name, cluster) in &names.clusters {
        let pool = pool_of(name, cluster, snapshot, problems);
        let known = pool.filter(|_| few_enough(name, cluster, &mut left, problems));
        match known {
            Some(pool) => {
                let tenants = tenants.remove(name.as_str()).unwrap_or_default();
                let inventory = (names, &*snapshot);
                let built = one(
                    (name, cluster, pool),
                    tenants,
                    inventory,
                    &mut held,
                    problems,
                );
                snapshot.clusters.push(built);
            }
            None => {
                snapshot.reserved_names.insert(name.clone());
            }
        }
    }
}

/// Whether the machines of a cluster are no more than what is left of all machines together.
fn few_enough(
    name: &str,
    cluster: &LatticeCluster,
    left: &mut u64,
    problems: &mut Vec<Problem>,
) -> bool {
    let nodes = &cluster.spec.nodes;
    let groups = nodes.groups.iter().map(|group| u64::from(group.count));
    let workers = groups.sum::<u64>() + u64::from(nodes.workers);
    let fewest = nodes.autoscale.as_ref().map_or(0, |s| s.min_workers);
    let machines = workers.max(fewest.into()) + u64::from(nodes.control_plane);
    if machines <= *left {
        *left -= machines;
        return true;
    }
    let message = format!(
        "with {machines} machines, this and the clusters before it have more than the {MOST_MACHINES} machines that \
         can be reckoned with, so it is left out"
    );
    problems.push(Problem::error(CLUSTER, name, &["spec", "nodes"], message));
    false
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
    (names, snapshot): (&Unique<'_>, &Snapshot),
    held: &mut u64,
    problems: &mut Vec<Problem>,
) -> Cluster {
    let zones = (snapshot.pools.iter())
        .find(|p| p.name == pool)
        .map(|p| &p.zones);
    let mut machines = nodes::read(name, cluster, names, problems);
    machines.settle_zones(zones, labels::is_scheduled(cluster));
    let workers = nodes::witness(cluster, &machines.workers)
        // A status that tells of more than there can be is not believed.
        .filter(|groups| {
            *held = held.saturating_add(nodes::held(groups));
            *held <= MOST_REPLICAS
        })
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
    if labels::is_scheduled(cluster) {
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

/// A mark that is a label, or an annotation where it is too long for one.
fn marked(cluster: &LatticeCluster, key: &str) -> Option<String> {
    let of = |marks: &BTreeMap<String, String>| marks.get(key).cloned();
    of(cluster.labels()).or_else(|| of(cluster.annotations()))
}
