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

/// Whether a service has replicas in enough regions.
pub(crate) fn in_enough(state: &State<'_>, s: usize) -> bool {
    let region = |pool: usize| state.problem.domain(pool, Topology::Region);
    let pools = || state.places(s).keys().map(|place| place.pool);
    let new = |at: usize, pool: usize| {
        let here = region(pool);
        here.is_some() && pools().take(at).all(|before| region(before) != here)
    };
    let found = pools().enumerate().filter(|&(at, pool)| new(at, pool));
    found.count() as u32 >= state.problem.demands[s].min_regions
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
    if needed == 0 {
        return Vec::new();
    }
    let replicas = problem.service(s).replicas;
    let mut found = Vec::new();
    if replicas >= needed && are_in(problem, possible, needed) {
        return found;
    }
    let regions: BTreeSet<usize> = possible
        .iter()
        .filter_map(|&p| problem.domain(p, Topology::Region))
        .collect();
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

/// Whether pools are in so many regions; looks no further than it must.
fn are_in(problem: &Problem<'_>, pools: &[usize], needed: u32) -> bool {
    let mut regions = BTreeSet::new();
    pools.iter().any(|&p| {
        regions.extend(problem.domain(p, Topology::Region));
        regions.len() as u32 >= needed
    })
}

fn names(problem: &Problem<'_>, regions: BTreeSet<usize>) -> Vec<String> {
    let known = problem.domain_names.get(&Topology::Region);
    regions
        .into_iter()
        .filter_map(|r| known.and_then(|k| k.get(r)).cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::fixtures::{fleet, placed, words};
    use crate::scheduler::model::{Policy, Snapshot};

    fn needing(min_regions: u32, replicas: u32) -> Snapshot {
        let mut snapshot = fleet(
            &[("a", "eu"), ("b", "eu"), ("c", "us")],
            &[("web", replicas)],
        );
        snapshot.policies.push(Policy {
            name: "wide".into(),
            min_regions: Some(min_regions),
            ..Policy::default()
        });
        snapshot
    }

    #[test]
    fn two_pools_of_a_region_are_one_region() {
        let snapshot = needing(2, 2);
        let problem = Problem::new(&snapshot);
        let of = |replicas: &[(usize, &str)]| words(check(&placed(&problem, replicas), 0));
        assert_eq!(of(&[(0, "a-1"), (0, "c-1")]), [""; 0]);
        assert_eq!(
            of(&[(0, "a-1"), (0, "b-1")]),
            ["minRegions 2: only 1 possible (eu)"]
        );
        assert_eq!(of(&[]), ["minRegions 2: no region is possible"]);
    }

    #[test]
    fn too_few_replicas_or_regions_make_it_impossible() {
        let of = |min_regions, replicas, possible: &[usize]| {
            let snapshot = needing(min_regions, replicas);
            words(impossible(&Problem::new(&snapshot), 0, possible))
        };
        assert_eq!(of(2, 2, &[0, 2]), [""; 0]);
        assert_eq!(
            of(2, 1, &[0, 2]),
            ["minRegions asks for 2 places, the service has 1 replica"]
        );
        assert_eq!(of(2, 2, &[0, 1]), ["minRegions 2: only 1 possible (eu)"]);
        assert_eq!(of(3, 2, &[0, 2]).len(), 2, "both are told");
    }
}
