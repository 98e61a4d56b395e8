//! Trying: changes are applied to a copy of a snapshot, and that is solved.

use std::collections::BTreeSet;

use super::change::Change;
use crate::placement::diff::nodes;
use crate::placement::facts::Facts;
use crate::scheduler::decide;
use crate::scheduler::model::{ServiceId, Snapshot};
use crate::scheduler::solution::{Outcome, Solution, Verdict};
use crate::scheduler::units::Micros;

/// No more may be solved for this service, or for this plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more would have to be solved than is allowed")]
pub(super) struct Spent;

/// How much may still be solved: counted, never timed, so that the same question has the same
/// answer everywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Times.
    pub solves: u32,
    /// Services times pools, summed over all solving.
    pub work: u64,
}

impl Effort {
    fn spend(&mut self, snapshot: &Snapshot) -> Result<(), Spent> {
        let size = size(snapshot);
        if self.solves == 0 || self.work < size {
            return Err(Spent);
        }
        self.solves -= 1;
        self.work -= size;
        Ok(())
    }
}

/// Services times pools.
pub(super) fn size(snapshot: &Snapshot) -> u64 {
    let services = snapshot.services.len() as u64;
    services.saturating_mul(snapshot.pools.len() as u64).max(1)
}

/// A snapshot to try changes on for one service.
pub(super) struct Trial {
    pub base: Snapshot,
    pub id: ServiceId,
    /// Services that have no place without a change either.
    pub unplaced: BTreeSet<ServiceId>,
    /// Cost per hour and nodes without a change.
    pub hourly: Micros,
    pub nodes: i64,
}

/// A changed snapshot, solved.
pub(super) struct Tried {
    pub snapshot: Snapshot,
    pub solution: Solution,
}

impl Tried {
    pub fn facts(&self) -> Facts<'_> {
        Facts::new(&self.snapshot, &self.solution)
    }
}

impl Trial {
    /// A trial on a snapshot whose solution is known.
    pub fn new(base: Snapshot, solution: &Solution, id: &ServiceId) -> Self {
        Trial {
            unplaced: stuck(solution).map(|o| o.service.clone()).collect(),
            hourly: solution.hourly,
            nodes: fleet(solution),
            id: id.clone(),
            base,
        }
    }

    /// The snapshot with changes, solved.
    pub fn with(&self, changes: &[Change], effort: &mut Effort) -> Result<Tried, Spent> {
        effort.spend(&self.base)?;
        let mut snapshot = self.base.clone();
        for change in changes {
            change.apply(&mut snapshot, &self.id);
        }
        let solution = decide(&snapshot);
        Ok(Tried { snapshot, solution })
    }

    /// The same, if the service then has a place and nothing else lost its own.
    pub fn placing(&self, changes: &[Change], effort: &mut Effort) -> Result<Option<Tried>, Spent> {
        let tried = self.with(changes, effort)?;
        Ok(self.places(&tried.solution).then_some(tried))
    }

    pub fn places(&self, solution: &Solution) -> bool {
        let known = |o: &&Outcome| o.service != self.id && self.unplaced.contains(&o.service);
        solution.outcome(&self.id).is_some() && stuck(solution).all(|o| known(&o))
    }

    /// Other services that a solution gives a place besides.
    pub fn also(&self, solution: &Solution) -> Vec<ServiceId> {
        let still: BTreeSet<&ServiceId> = stuck(solution).map(|o| &o.service).collect();
        let others = self.unplaced.iter().filter(|other| **other != self.id);
        others
            .filter(|other| solution.outcome(other).is_some() && !still.contains(other))
            .cloned()
            .collect()
    }
}

/// Outcomes without a place.
pub(super) fn stuck(solution: &Solution) -> impl Iterator<Item = &Outcome> {
    let outcomes = solution.outcomes.iter();
    outcomes.filter(|outcome| outcome.verdict == Verdict::Unschedulable)
}

/// Nodes of all clusters.
pub(super) fn fleet(solution: &Solution) -> i64 {
    solution.live().map(|d| i64::from(nodes(&d.cluster))).sum()
}
