//! Ranking by what is in use of a pool's caps before this decision.

use crate::scheduler::model::{Cluster, Snapshot};
use crate::scheduler::problem::Problem;
use crate::scheduler::units::{PPM, Resources};

/// The share of a pool that is free, in parts per million: of its scarcest capped resource.
/// An uncapped pool is all free.
pub(crate) fn rank(problem: &Problem<'_>, pool: usize) -> u64 {
    let snapshot = problem.snapshot;
    let spec = &snapshot.pools[pool];
    let (mut nodes, mut used) = (0u64, Resources::default());
    for cluster in snapshot.clusters.iter().filter(|c| c.pool == spec.name) {
        let (n, size) = machines(snapshot, problem, cluster);
        nodes += n;
        used += size;
    }
    [
        (spec.caps.max_nodes, nodes),
        (spec.caps.max_milli_cores, used.milli_cores),
        (spec.caps.max_mib, used.mib),
    ]
    .into_iter()
    .filter_map(|(limit, used)| {
        let limit = limit?.max(1);
        let free = limit.saturating_sub(used);
        Some((u128::from(free) * u128::from(PPM) / u128::from(limit)) as u64)
    })
    .min()
    .unwrap_or(PPM)
}

fn machines(snapshot: &Snapshot, problem: &Problem<'_>, cluster: &Cluster) -> (u64, Resources) {
    let workers = cluster.workers.iter().map(|g| (g.class.as_str(), g.count));
    let control = cluster.control_plane.iter().map(|(c, n)| (c.as_str(), *n));
    let mut total = (0, Resources::default());
    for (class, count) in workers.chain(control) {
        if let Some(k) = problem.class(class) {
            total.0 += u64::from(count);
            total.1 += snapshot.node_classes[k].capacity.times(u64::from(count));
        }
    }
    total
}
