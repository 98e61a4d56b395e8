//! `requiredRegions`: at least one replica in each, where a region is written as such or as a
//! pool's name.

use crate::scheduler::problem::Problem;
use crate::scheduler::reason::{Constraint, Why};
use crate::scheduler::state::State;

/// The required regions in which the service has no replica.
pub(crate) fn missing(state: &State<'_>, s: usize) -> impl Iterator<Item = usize> {
    let places = state.places(s);
    let problem = state.problem;
    problem.demands[s]
        .required
        .iter()
        .copied()
        .filter(move |&region| {
            !places
                .keys()
                .any(|place| problem.names_pool(region, place.pool))
        })
}

/// What is wrong with where the service is.
pub(crate) fn check(state: &State<'_>, s: usize) -> Vec<Why> {
    missing(state, s)
        .map(|region| Why::RegionUnavailable {
            region: state.problem.required_region(region).to_owned(),
            because: "has no replica".to_owned(),
        })
        .collect()
}

/// What makes the requirement impossible, whatever else is placed. `first_reason` says what is the
/// matter with a pool.
pub(crate) fn impossible(
    problem: &Problem<'_>,
    s: usize,
    first_reason: &dyn Fn(usize) -> Option<Why>,
) -> Vec<Why> {
    let required = &problem.demands[s].required;
    let mut found = Vec::new();
    for &region in required {
        let written = problem.required_region(region);
        let pools: Vec<usize> = (0..problem.pools.len())
            .filter(|&p| problem.names_pool(region, p))
            .collect();
        if pools.is_empty() {
            found.push(Why::UnknownRegion {
                region: written.to_owned(),
            });
            continue;
        }
        let reasons: Vec<Option<Why>> = pools.iter().map(|&p| first_reason(p)).collect();
        if reasons.iter().all(Option::is_some) {
            let because: Vec<String> = pools
                .iter()
                .zip(reasons.into_iter().flatten())
                .map(|(&p, why)| format!("{}: {why}", problem.snapshot.pools[p].name))
                .collect();
            found.push(Why::RegionUnavailable {
                region: written.to_owned(),
                because: because.join("; "),
            });
        }
    }
    found.extend(too_few(problem, s));
    found
}

/// Why the service has too few replicas for its required regions, if so.
pub(crate) fn too_few(problem: &Problem<'_>, s: usize) -> Option<Why> {
    let replicas = problem.service(s).replicas;
    let needed = distinct(problem, &problem.demands[s].required);
    (needed > replicas).then_some(Why::TooFewReplicas {
        constraint: Constraint::RequiredRegions,
        needed,
        replicas,
    })
}

/// Fewest replicas that can cover the regions: two entries that one pool meets need only one.
pub(crate) fn distinct(problem: &Problem<'_>, regions: &[usize]) -> u32 {
    let mut covered: Vec<usize> = Vec::new();
    let mut needed = 0;
    for &region in regions {
        if covered.contains(&region) {
            continue;
        }
        needed += 1;
        // A pool's own name and its region are met by one replica in that pool.
        let pools = (0..problem.pools.len()).filter(|&p| problem.names_pool(region, p));
        for p in pools {
            covered.extend(
                regions
                    .iter()
                    .filter(|other| problem.names_pool(**other, p)),
            );
        }
    }
    needed
}
