//! What would give a service without a place one: single changes, each tried by solving again.

mod candidates;
mod change;

use std::collections::{BTreeMap, BTreeSet};

use self::candidates::candidates;
use self::change::Change;
use super::diff::nodes;
use super::facts::{Facts, amount, monthly};
use super::plan::Relaxation;
use crate::scheduler::model::{ServiceId, Snapshot};
use crate::scheduler::solution::{Outcome, Solution, Verdict};
use crate::scheduler::solve;
use crate::scheduler::units::{Micros, decimal};

/// Services for which changes are looked for.
const MOST_SERVICES: usize = 20;
/// Ways out that a service is told.
const MOST_WAYS: usize = 5;
/// Services times pools beyond which solving again takes too long.
const MOST_PAIRS: u64 = 200_000;
/// Services times pools, summed over all solving again.
const MOST_WORK: u64 = 4_000_000;

/// A change that works, before it is told.
struct Way {
    hourly: Micros,
    nodes: i64,
    change: Change,
}

/// Solves again and again, within bounds.
struct Trial<'a> {
    base: Snapshot,
    facts: &'a Facts<'a>,
    unplaced: BTreeSet<&'a ServiceId>,
    pairs: u64,
    work: u64,
}

/// The ways out for each service without a place. Says in `warnings` where not all was tried.
pub(super) fn all(
    facts: &Facts<'_>,
    warnings: &mut Vec<String>,
) -> BTreeMap<ServiceId, Vec<Relaxation>> {
    let stuck: Vec<&Outcome> = facts
        .solution
        .outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Unschedulable)
        .collect();
    let mut found = BTreeMap::new();
    let sizes = (facts.snapshot.services.len(), facts.snapshot.pools.len());
    let pairs = (sizes.0 as u64).saturating_mul(sizes.1 as u64).max(1);
    if stuck.is_empty() {
        return found;
    }
    if pairs > MOST_PAIRS {
        warnings.push(format!(
            "relaxations are not looked for: {} services times {} pools are more than {MOST_PAIRS}",
            sizes.0, sizes.1
        ));
        return found;
    }
    if stuck.len() > MOST_SERVICES {
        warnings.push(format!(
            "relaxations are looked for {MOST_SERVICES} of {} services without a place",
            stuck.len()
        ));
    }
    let mut trial = Trial {
        base: settled(facts),
        facts,
        unplaced: stuck.iter().map(|outcome| &outcome.service).collect(),
        pairs,
        work: MOST_WORK,
    };
    for outcome in stuck.iter().take(MOST_SERVICES) {
        found.insert(outcome.service.clone(), trial.ways_out(outcome));
    }
    if trial.work < pairs {
        warnings.push("not all relaxations were tried: that would take too long".to_owned());
    }
    found
}

/// The snapshot as it is once the plan is carried out.
fn settled(facts: &Facts<'_>) -> Snapshot {
    let mut base = facts.snapshot.clone();
    base.clusters = facts.solution.live().map(|d| d.cluster.clone()).collect();
    base
}

impl Trial<'_> {
    fn ways_out(&mut self, outcome: &Outcome) -> Vec<Relaxation> {
        let id = &outcome.service;
        let mut ways = Vec::new();
        for change in candidates(self.facts, outcome) {
            let Some(change) = self.measured(id, change) else {
                continue;
            };
            if let Some(solution) = self.works(id, &change) {
                let before = self.facts.solution;
                ways.push(Way {
                    hourly: solution.hourly - before.hourly,
                    nodes: fleet(&solution) - fleet(before),
                    change,
                });
            }
        }
        ways.sort_by(|a, b| (a.hourly, a.nodes, &a.change).cmp(&(b.hourly, b.nodes, &b.change)));
        ways.dedup_by(|a, b| a.change == b.change);
        ways.truncate(MOST_WAYS);
        ways.into_iter().map(told).collect()
    }

    /// A change of a limit as far as it has to go: found by lifting the limit altogether.
    fn measured(&mut self, id: &ServiceId, change: Change) -> Option<Change> {
        if !change.is_open() {
            return Some(change);
        }
        let solution = self.works(id, &change)?;
        let facts = Facts::new(&self.base, &solution);
        change.closed(&facts)
    }

    /// The solution after a change, if the service then has a place and nothing else lost its own.
    fn works(&mut self, id: &ServiceId, change: &Change) -> Option<Solution> {
        self.work = self.work.checked_sub(self.pairs)?;
        let mut snapshot = self.base.clone();
        change.apply(&mut snapshot, id);
        let solution = solve(&snapshot);
        let mut left = solution
            .outcomes
            .iter()
            .filter(|outcome| outcome.verdict == Verdict::Unschedulable);
        left.all(|outcome| outcome.service != *id && self.unplaced.contains(&outcome.service))
            .then_some(solution)
    }
}

fn fleet(solution: &Solution) -> i64 {
    solution.live().map(|d| i64::from(nodes(&d.cluster))).sum()
}

fn told(way: Way) -> Relaxation {
    Relaxation {
        constraint: way.change.constraint().name().to_owned(),
        change: way.change.to_string(),
        nodes_delta: way.nodes,
        hourly_cost_delta: amount(way.hourly),
        monthly_cost_delta: decimal(monthly(way.hourly)),
    }
}

#[cfg(test)]
mod tests;
