//! `requiredRegions`: at least one replica in each, where a region is written as such or as a
//! pool's name.

use crate::scheduler::problem::Problem;
use crate::scheduler::reason::{Constraint, Why};
use crate::scheduler::state::State;

/// The required regions, as written, in which the service has no replica.
pub(crate) fn missing<'a>(state: &State<'a>, s: usize) -> impl Iterator<Item = &'a str> {
    let places = state.places(s);
    let problem = state.problem;
    problem
        .service(s)
        .required_regions
        .iter()
        .filter(move |region| {
            !places
                .keys()
                .any(|place| problem.names_pool(region, place.pool))
        })
        .map(String::as_str)
}

/// What is wrong with where the service is.
pub(crate) fn check(state: &State<'_>, s: usize) -> Vec<Why> {
    missing(state, s)
        .map(|region| Why::RegionUnavailable {
            region: region.to_owned(),
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
    let service = problem.service(s);
    let mut found = Vec::new();
    for region in &service.required_regions {
        let pools: Vec<usize> = (0..problem.pools.len())
            .filter(|&p| problem.names_pool(region, p))
            .collect();
        if pools.is_empty() {
            found.push(Why::UnknownRegion {
                region: region.clone(),
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
                region: region.clone(),
                because: because.join("; "),
            });
        }
    }
    let needed = distinct(problem, &service.required_regions);
    if needed > service.replicas {
        found.push(Why::TooFewReplicas {
            constraint: Constraint::RequiredRegions,
            needed,
            replicas: service.replicas,
        });
    }
    found
}

/// Fewest replicas that can cover the regions: two entries that one pool meets need only one.
fn distinct(problem: &Problem<'_>, regions: &[String]) -> u32 {
    let mut covered: Vec<&String> = Vec::new();
    let mut needed = 0;
    for region in regions {
        if covered.contains(&region) {
            continue;
        }
        needed += 1;
        // A pool's own name and its region are met by one replica in that pool.
        let pools = (0..problem.pools.len()).filter(|&p| problem.names_pool(region, p));
        for p in pools {
            covered.extend(regions.iter().filter(|other| problem.names_pool(other, p)));
        }
    }
    needed
}
