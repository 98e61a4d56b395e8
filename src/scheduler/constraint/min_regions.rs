//! `minRegions`: replicas in at least that many regions.

use crate::scheduler::model::Topology;
use crate::scheduler::problem::Problem;
use crate::scheduler::reason::{Constraint, Why};
use crate::scheduler::state::State;
use std::collections::BTreeSet;

/// The regions, by domain, in which a service has replicas.
pub(crate) fn used(state: &State<'_>, s: usize) -> BTreeSet<usize> {
    state
        .places(s)
        .keys()
        .filter_map(|place| state.problem.domain(place.pool, Topology::Region))
        .collect()
}

/// What is wrong with where the service is.
pub(crate) fn check(state: &State<'_>, s: usize) -> Option<Why> {
    let needed = state.problem.demands[s].min_regions;
    let used = used(state, s);
    ((used.len() as u32) < needed).then(|| Why::TooFewRegions {
        needed,
        possible: names(state.problem, used),
    })
}

/// What makes the requirement impossible, given the pools that are possible at all.
pub(crate) fn impossible(problem: &Problem<'_>, s: usize, possible: &[usize]) -> Vec<Why> {
    let needed = problem.demands[s].min_regions;
    let replicas = problem.service(s).replicas;
    let regions: BTreeSet<usize> = possible
        .iter()
        .filter_map(|&p| problem.domain(p, Topology::Region))
        .collect();
    let mut found = Vec::new();
    if replicas < needed {
        found.push(Why::TooFewReplicas {
            constraint: Constraint::MinRegions,
            needed,
            replicas,
        });
    }
    if (regions.len() as u32) < needed {
        found.push(Why::TooFewRegions {
            needed,
            possible: names(problem, regions),
        });
    }
    found
}

fn names(problem: &Problem<'_>, regions: BTreeSet<usize>) -> Vec<String> {
    let known = problem.domain_names.get(&Topology::Region);
    regions
        .into_iter()
        .filter_map(|r| known.and_then(|k| k.get(r)).cloned())
        .collect()
}
