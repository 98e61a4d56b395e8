//! What moves between the clusters that are and those that a scenario leaves.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Moves;
use crate::placement::diff::{self, Action, ClusterChange};
use crate::placement::facts::amount;
use crate::scheduler::model::{Cluster, Snapshot};
use crate::scheduler::share::Prices;
use crate::scheduler::solution::{Solution, placements};

/// Counts what moves. A replica moves when it goes from one cluster to another.
pub(crate) fn moves(before: &[Cluster], solution: &Solution) -> Moves {
    let (was, is) = (placements(before.iter()), solution.placements());
    let ids: BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let mut moves = Moves::default();
    for id in ids {
        let mut balance: BTreeMap<&str, i64> = BTreeMap::new();
        for place in was.get(id).into_iter().flatten() {
            *balance.entry(&place.cluster).or_default() -= i64::from(place.replicas);
        }
        for place in is.get(id).into_iter().flatten() {
            *balance.entry(&place.cluster).or_default() += i64::from(place.replicas);
        }
        let gone: i64 = balance.values().filter(|n| **n < 0).map(|n| -n).sum();
        let come: i64 = balance.values().filter(|n| **n > 0).sum();
        let moved = gone.min(come);
        moves.services += u32::from(moved > 0);
        moves.replicas += moved.unsigned_abs();
        moves.started += (come - moved).unsigned_abs();
        moves.gone += (gone - moved).unsigned_abs();
    }
    moves
}

/// The clusters whose nodes change, those that are gone included; what each costs is told at the prices of its
/// own snapshot.
pub(super) fn clusters(
    (base, before): (&Snapshot, &[Cluster]),
    (changed, solution): (&Snapshot, &Solution),
) -> Vec<ClusterChange> {
    let (old, new) = (Prices::new(base), Prices::new(changed));
    let was: BTreeMap<&str, &Cluster> = before.iter().map(|c| (c.name.as_str(), c)).collect();
    let is: BTreeMap<&str, &Cluster> = solution
        .live()
        .map(|decision| (decision.cluster.name.as_str(), &decision.cluster))
        .collect();
    let names: BTreeSet<&str> = was.keys().chain(is.keys()).copied().collect();
    names
        .into_iter()
        .filter_map(|name| {
            let (from, to) = (was.get(name).copied(), is.get(name).copied());
            let action = match (from, to) {
                (None, _) => Action::Create,
                (Some(_), None) => Action::Delete,
                (Some(from), Some(to)) if machines(from) != machines(to) => Action::Resize,
                _ => return None,
            };
            let cluster = to.or(from)?;
            let cost = |prices: &Prices<'_>, cluster: Option<&Cluster>| {
                cluster.map_or(0, |cluster| prices.cluster(cluster).total)
            };
            Some(ClusterChange {
                name: name.to_owned(),
                pool: cluster.pool.clone(),
                action,
                nodes_before: from.map_or(0, diff::nodes),
                nodes_after: to.map_or(0, diff::nodes),
                hourly_cost_delta: amount(cost(&new, to) - cost(&old, from)),
            })
        })
        .collect()
}

/// Nodes by class.
fn machines(cluster: &Cluster) -> (BTreeMap<&str, u32>, Option<&(String, u32)>) {
    let mut workers: BTreeMap<&str, u32> = BTreeMap::new();
    for group in &cluster.workers {
        *workers.entry(&group.class).or_default() += group.count;
    }
    (workers, cluster.control_plane.as_ref())
}
