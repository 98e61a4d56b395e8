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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::fixtures::{fleet, placed, words};
    use crate::scheduler::model::Snapshot;

    fn needing(regions: &[&str], replicas: u32) -> Snapshot {
        let pools = [("a", "eu"), ("b", "eu"), ("c", "us")];
        let mut snapshot = fleet(&pools, &[("web", replicas)]);
        snapshot.services[0].required_regions = regions.iter().map(|r| (*r).into()).collect();
        snapshot
    }

    #[test]
    fn a_region_is_met_by_its_name_or_that_of_a_pool() {
        let of = |regions: &[&str], replicas: &[(usize, &str)]| {
            let snapshot = needing(regions, 2);
            let problem = Problem::new(&snapshot);
            words(check(&placed(&problem, replicas), 0))
        };
        assert_eq!(of(&["eu", "us"], &[(0, "b-1"), (0, "c-1")]), [""; 0]);
        assert_eq!(of(&["b", "eu"], &[(0, "b-1")]), [""; 0]);
        assert_eq!(
            of(&["us", "a"], &[(0, "b-1")]),
            [
                "Required region us: has no replica",
                "Required region a: has no replica"
            ],
            "in the order written"
        );
    }

    fn impossible_for(regions: &[&str], replicas: u32, closed: &[usize]) -> Vec<String> {
        let snapshot = needing(regions, replicas);
        let problem = Problem::new(&snapshot);
        let first = |p: usize| {
            closed.contains(&p).then(|| Why::Closed {
                reason: format!("reason {p}"),
            })
        };
        words(impossible(&problem, 0, &first))
    }

    #[test]
    fn a_region_without_an_open_pool_is_impossible() {
        assert_eq!(impossible_for(&["eu"], 1, &[0]), [""; 0], "b is open");
        assert_eq!(
            impossible_for(&["eu"], 1, &[0, 1]),
            [
                "Required region eu: a: Takes no new services: reason 0; b: Takes no new services: reason 1"
            ]
        );
        assert_eq!(
            impossible_for(&["mars"], 1, &[]),
            ["Required region mars: no pool has this region or name"]
        );
    }

    #[test]
    fn more_regions_than_replicas_are_impossible_unless_one_pool_meets_several() {
        assert_eq!(impossible_for(&["eu", "us"], 2, &[]), [""; 0]);
        assert_eq!(
            impossible_for(&["eu", "us"], 1, &[]),
            ["requiredRegions asks for 2 places, the service has 1 replica"]
        );
        assert_eq!(impossible_for(&["b", "eu"], 1, &[]), [""; 0]);
    }
}
