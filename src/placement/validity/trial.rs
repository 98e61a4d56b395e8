//! Deciding again, from the fleet as a decision leaves it.

use crate::scheduler::model::{Cluster, Pool, ServiceId, Snapshot};
use crate::scheduler::solution::{Solution, Verdict};

/// A decision that is carried out.
pub(super) struct Trial {
    carried_out: Snapshot,
    fleet: Vec<Cluster>,
    unplaced: Vec<ServiceId>,
    /// How often it was decided again.
    pub(super) solves: u32,
}

impl Trial {
    pub(super) fn new(snapshot: &Snapshot, solution: &Solution) -> Self {
        let fleet = fleet(solution);
        Self {
            carried_out: Snapshot {
                clusters: fleet.clone(),
                ..snapshot.clone()
            },
            fleet,
            unplaced: unplaced(solution),
            solves: 0,
        }
    }

    /// Whether the same is decided again when one pool changes.
    pub(super) fn same(&mut self, pool: usize, change: impl FnOnce(&mut Pool)) -> bool {
        let mut drifted = self.carried_out.clone();
        if let Some(pool) = drifted.pools.get_mut(pool) {
            change(pool);
        }
        self.solves += 1;
        let again = crate::scheduler::decide(&drifted);
        fleet(&again) == self.fleet && unplaced(&again) == self.unplaced
    }
}

/// The clusters that a decision leaves, in canonical order.
pub(super) fn fleet(solution: &Solution) -> Vec<Cluster> {
    let mut after = Snapshot {
        clusters: solution.live().map(|d| d.cluster.clone()).collect(),
        ..Snapshot::default()
    };
    after.normalise();
    after.clusters
}

/// The services that it leaves without a place.
pub(super) fn unplaced(solution: &Solution) -> Vec<ServiceId> {
    let outcomes = solution.outcomes.iter();
    let without = outcomes.filter(|o| !matches!(o.verdict, Verdict::Placed | Verdict::Unchanged));
    without.map(|o| o.service.clone()).collect()
}
