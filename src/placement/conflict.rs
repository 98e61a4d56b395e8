//! Why a service has no place, as minimal sets of constraints that cannot all be met; the cheapest
//! ways out; and what each constraint costs a service that has a place. All of it is tried: changes
//! are applied to a copy of the snapshot, and that is solved.

mod basis;
mod change;
pub mod costs;
mod filter;
mod measure;
mod member;
mod oracle;
mod quote;
mod trial;
mod words;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::basis::Settled;
pub(crate) use self::change::Change;
use self::filter::{Held, conflicts};
pub(crate) use self::member::Member;
use self::member::{About, members};
use self::oracle::{Goal, Oracle};
use self::quote::{Quote, Quoting};
use self::trial::{Effort, Trial, size, stuck};
use super::facts::Facts;
use crate::scheduler::decide;
use crate::scheduler::model::ServiceId;
use crate::scheduler::solution::Outcome;

/// Services that are looked at.
const MOST_SERVICES: usize = 20;
/// Ways out that a service is told.
const MOST_WAYS: usize = 5;
/// Times that is solved for one service.
const MOST_SOLVES: u32 = 400;
/// Services times pools, summed over all solving for a plan.
const MOST_WORK: u64 = 500_000;
/// Services times pools up to which the whole fleet is solved again; of larger ones only the
/// service, and those that latency limits tie to it, are free.
#[derive(Clone, Copy, Debug)]
struct Whole {
    tries: u64,
    quotes: u64,
}

const WHOLE: Whole = Whole {
    tries: 5_000,
    quotes: 50_000,
};

/// What is in the way of a service, and the ways out.
pub(crate) struct Analysis {
    pub members: Vec<Member>,
    sets: Vec<Held>,
    /// Whether these are all sets.
    pub complete: bool,
    /// The cheapest first.
    pub ways: Vec<Quote>,
    /// Whether the prices are those of a fleet in which everything else stays on its cluster.
    pub others_fixed: bool,
}

impl Analysis {
    /// The sets, each as its members.
    pub fn sets(&self) -> impl Iterator<Item = Vec<&Member>> {
        let of = |set: &Held| set.iter().filter_map(|m| self.members.get(*m)).collect();
        self.sets.iter().map(of)
    }
}

/// The analysis of each service without a place. Says in `warnings` where not all was tried.
pub(super) fn all(facts: &Facts<'_>, warnings: &mut Vec<String>) -> BTreeMap<ServiceId, Analysis> {
    let outcomes: Vec<&Outcome> = stuck(facts.solution).collect();
    let mut found = BTreeMap::new();
    if outcomes.is_empty() {
        return found;
    }
    if outcomes.len() > MOST_SERVICES {
        warnings.push(format!(
            "conflicts and ways out are looked for {MOST_SERVICES} of {} services without a place",
            outcomes.len()
        ));
    }
    let settled = Settled::new(facts);
    let mut work = MOST_WORK;
    let mut all_tried = true;
    for outcome in outcomes.iter().take(MOST_SERVICES) {
        let mut effort = Effort {
            solves: MOST_SOLVES,
            work,
        };
        let (analysis, whole) = analyse(facts, &settled, outcome, WHOLE, &mut effort);
        all_tried &= whole;
        work = effort.work;
        found.insert(outcome.service.clone(), analysis);
    }
    if !all_tried {
        warnings.push("not all ways out were tried: that would take too long".to_owned());
    }
    found
}

/// The analysis of one service, and whether nothing was left out for want of effort.
fn analyse(
    facts: &Facts<'_>,
    settled: &Settled,
    outcome: &Outcome,
    whole: Whole,
    effort: &mut Effort,
) -> (Analysis, bool) {
    let id = &outcome.service;
    let members = members(facts, id, &outcome.reasons, About::Place);
    let search = search(facts, settled, id, whole);
    let mut oracle = Oracle::new(&search, &members, Goal::Place);
    let conflicts = conflicts(members.len(), &mut |held| oracle.misses(held, effort));
    let others_fixed = size(facts.snapshot) > whole.quotes;
    let fleet;
    let price = if others_fixed {
        &search
    } else {
        fleet = Trial::new(facts.snapshot.clone(), facts.solution, id);
        &fleet
    };
    let quoting = Quoting {
        search: &search,
        price,
    };
    let mut ways = Vec::new();
    let mut all_tried = true;
    for correction in &conflicts.corrections {
        all_tried &= quoting.of(&members, correction, &mut ways, effort).is_ok();
    }
    ways.sort();
    ways.dedup_by(|a, b| a.changes == b.changes);
    ways.truncate(MOST_WAYS);
    let analysis = Analysis {
        members,
        sets: conflicts.sets,
        complete: conflicts.complete,
        ways,
        others_fixed,
    };
    (analysis, all_tried)
}

/// Where changes are tried: the fleet as decided, without other services that have no place, and of
/// a large fleet only the service and those tied to it.
fn search(facts: &Facts<'_>, settled: &Settled, id: &ServiceId, whole: Whole) -> Trial {
    let mut base = if size(&settled.snapshot) > whole.tries {
        basis::only(settled, &basis::tied(&settled.snapshot, id))
    } else {
        settled.snapshot.clone()
    };
    let stuck: BTreeSet<&ServiceId> = stuck(facts.solution).map(|o| &o.service).collect();
    basis::without_others(&mut base, id, &stuck);
    let solution = decide(&base);
    Trial::new(base, &solution, id)
}
