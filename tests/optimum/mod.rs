//! What the best plan of a small fleet is, found without the scheduler: the rules as a mixed integer program over all
//! ways to fill a node, solved by HiGHS. Only fleets of which nothing runs yet.

mod milp;
mod plan;
mod rules;
mod ways;

use lattice::scheduler::model::{ServiceId, Snapshot};
use lattice::scheduler::solution::Solution;
use std::collections::{BTreeMap, BTreeSet};

/// Services without a place by priority, the highest first.
pub type Missing = BTreeMap<std::cmp::Reverse<i64>, u32>;

/// The fewest services that have to go without a place, the more important first.
pub fn fewest_missing(snapshot: &Snapshot) -> Missing {
    let rules = rules::Rules::new(snapshot);
    let values = milp::solve(&rules, milp::Goal::PlaceMost);
    let values = values.unwrap_or_else(|| panic!("to place nothing is always possible"));
    let placed = (0..rules.services.len()).filter(|&s| values.is_placed(s));
    missing(
        snapshot,
        &placed.map(|s| rules.services[s].id.clone()).collect(),
    )
}

/// The services that are not among the placed, by priority.
pub fn missing(snapshot: &Snapshot, placed: &BTreeSet<ServiceId>) -> Missing {
    let mut missing = Missing::new();
    for service in &snapshot.services {
        let here = missing
            .entry(std::cmp::Reverse(service.priority))
            .or_default();
        *here += u32::from(!placed.contains(&service.id));
    }
    missing
}

/// The cheapest plan that places just these services; none where that cannot be.
pub fn cheapest(snapshot: &Snapshot, placed: &BTreeSet<ServiceId>) -> Option<Solution> {
    let rules = rules::Rules::new(snapshot);
    let values = milp::solve(&rules, milp::Goal::Cheapest(placed))?;
    Some(plan::read(snapshot, &rules, &values))
}
