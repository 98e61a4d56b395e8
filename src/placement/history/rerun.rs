//! What would have been: decisions that build on each other, rather than on those recorded.

use std::collections::{BTreeMap, BTreeSet};

use crate::placement::record::DecisionRecord;
use crate::scheduler::model::{Cluster, Origin, Snapshot};
use crate::scheduler::solution::{ClusterAction, Solution};

/// A decision as it was, and as it would have been.
pub(super) struct Pair {
    pub(super) recorded: Solution,
    pub(super) replayed: Solution,
}

/// The clusters that the next decision would have found, had the last one been the replayed one.
///
/// What the scheduler made is what the replayed decision left, less what somebody removed between the two
/// recorded ones. What people declare is as recorded where they changed it, or else as the replayed decision
/// sized and filled it.
pub(super) fn found(last: &Pair, next: &DecisionRecord) -> Vec<Cluster> {
    let pools: BTreeSet<&str> = next
        .snapshot
        .pools
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    let seen = by_name(next.snapshot.clusters.iter());
    let was = by_name(last.recorded.live().map(|d| &d.cluster));
    let mut clusters: BTreeMap<&str, &Cluster> = seen
        .iter()
        .filter(|(_, cluster)| is_declared(cluster))
        .map(|(name, cluster)| (*name, *cluster))
        .collect();
    for cluster in last.replayed.live().map(|d| &d.cluster) {
        let name = cluster.name.as_str();
        let (was, seen) = (was.get(name), seen.get(name));
        let stays = match seen {
            Some(seen) if is_declared(cluster) => {
                is_declared(seen) && was.is_some_and(|was| sizes(was) == sizes(seen))
            }
            None if is_declared(cluster) => false,
            _ => seen.is_some() || was.is_none(),
        };
        if stays && pools.contains(cluster.pool.as_str()) {
            clusters.insert(name, cluster);
        }
    }
    clusters.into_values().cloned().collect()
}

/// Names that are still taken by what the replayed decision removes.
pub(super) fn leaving(last: &Pair) -> impl Iterator<Item = &str> {
    let clusters = last.replayed.clusters.iter();
    clusters
        .filter(|decision| decision.action == ClusterAction::Delete)
        .map(|decision| decision.cluster.name.as_str())
}

/// The snapshot as the replayed decisions would have found it.
pub(super) fn as_found(last: Option<&Pair>, next: &DecisionRecord) -> Snapshot {
    let mut snapshot = next.snapshot.clone();
    if let Some(last) = last {
        snapshot.clusters = found(last, next);
        snapshot
            .reserved_names
            .extend(leaving(last).map(str::to_owned));
    }
    snapshot
}

fn by_name<'a>(clusters: impl Iterator<Item = &'a Cluster>) -> BTreeMap<&'a str, &'a Cluster> {
    clusters.map(|c| (c.name.as_str(), c)).collect()
}

fn is_declared(cluster: &Cluster) -> bool {
    matches!(cluster.origin, Origin::Declared { .. })
}

fn sizes(cluster: &Cluster) -> (&str, BTreeMap<&str, u32>) {
    let mut sizes = BTreeMap::new();
    for group in &cluster.workers {
        *sizes.entry(group.class.as_str()).or_default() += group.count;
    }
    (&cluster.pool, sizes)
}
