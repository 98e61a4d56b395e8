//! Latency: for each limit, every replica has a replica of the dependency near enough.

use crate::scheduler::reason::Why;
use crate::scheduler::state::State;
use crate::scheduler::topology::Place;

/// Distance from a place to the nearest replica of a service, ms.
pub(crate) fn nearest(state: &State<'_>, from: Place, to: usize) -> Option<u32> {
    state
        .places(to)
        .keys()
        .map(|&place| state.problem.distances.places(from, place))
        .min()
}

/// Whether a replica of `s` at `place` is near enough to those of its dependencies that are placed.
pub(crate) fn reaches(state: &State<'_>, s: usize, place: Place) -> bool {
    state.problem.demands[s]
        .latency
        .iter()
        .all(|&(d, max_ms)| nearest(state, place, d).is_none_or(|ms| ms <= max_ms))
}

/// Whether a place is near enough to a replica of each dependency.
pub(crate) fn is_near(state: &State<'_>, s: usize, place: Place) -> bool {
    let mut bounds = state.problem.demands[s].latency.iter();
    bounds.all(|&(d, max_ms)| nearest(state, place, d).is_some_and(|ms| ms <= max_ms))
}

/// Places of dependents of `s` that no replica of `s` is near enough to, with the limit.
pub(crate) fn unserved(state: &State<'_>, s: usize) -> Option<(Place, u32)> {
    for &(dependent, max_ms) in &state.problem.demands[s].dependents {
        for &place in state.places(dependent).keys() {
            if nearest(state, place, s).is_none_or(|ms| ms > max_ms) {
                return Some((place, max_ms));
            }
        }
    }
    None
}

/// What is wrong with where the service is, towards its dependencies.
pub(crate) fn check(state: &State<'_>, s: usize) -> Vec<Why> {
    let mut found = Vec::new();
    for &(d, max_ms) in &state.problem.demands[s].latency {
        let worst = state
            .places(s)
            .keys()
            .map(|&place| nearest(state, place, d))
            .filter(|ms| ms.is_none_or(|ms| ms > max_ms))
            .max();
        if let Some(nearest_ms) = worst {
            found.push(Why::TooFar {
                dependency: state.problem.service(d).id.clone(),
                max_ms,
                nearest_ms,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::fixtures::{fleet, id, placed, words};
    use crate::scheduler::model::{LatencyBound, RegionLatency, Snapshot};
    use crate::scheduler::problem::Problem;

    const WEB: usize = 0;
    const DATABASE: usize = 1;

    /// `web` needs the database within so many ms; `eu` and `us` are 80 ms apart.
    fn needing(max_ms: u32) -> Snapshot {
        let pools = [("a", "eu"), ("b", "eu"), ("c", "us")];
        let mut snapshot = fleet(&pools, &[("web", 2), ("database", 1)]);
        snapshot.services[WEB].latency.push(LatencyBound {
            dependency: id("database"),
            max_ms,
        });
        snapshot.region_latencies.push(RegionLatency {
            from: "eu".into(),
            to: "us".into(),
            ms: 80,
        });
        snapshot
    }

    #[test]
    fn every_replica_counts_and_of_the_dependency_the_nearest() {
        let of = |max_ms, replicas: &[(usize, &str)]| {
            let snapshot = needing(max_ms);
            let problem = Problem::new(&snapshot);
            words(check(&placed(&problem, replicas), WEB))
        };
        let near_and_far = [(WEB, "a-1"), (WEB, "c-1"), (DATABASE, "b-1")];
        assert_eq!(of(80, &near_and_far), [""; 0]);
        assert_eq!(
            of(79, &near_and_far),
            ["80 ms to the nearest replica of database, limit 79 ms"]
        );
        let two = [(WEB, "a-1"), (DATABASE, "c-1"), (DATABASE, "b-1")];
        assert_eq!(of(5, &two), [""; 0], "the near one will do");
    }

    #[test]
    fn a_dependency_without_a_place_is_in_nobodys_way_but_is_missed() {
        let snapshot = needing(50);
        let problem = Problem::new(&snapshot);
        let state = placed(&problem, &[(WEB, "a-1")]);
        let place = *state.places(WEB).keys().next().unwrap();
        assert_eq!(nearest(&state, place, DATABASE), None);
        assert!(reaches(&state, WEB, place));
        assert_eq!(
            words(check(&state, WEB)),
            ["Needs database within 50 ms, which has no place"]
        );
    }

    #[test]
    fn a_place_is_held_against_dependencies_and_dependents() {
        let snapshot = needing(50);
        let problem = Problem::new(&snapshot);
        let state = placed(&problem, &[(WEB, "a-1"), (DATABASE, "c-1")]);
        let web = *state.places(WEB).keys().next().unwrap();
        let database = *state.places(DATABASE).keys().next().unwrap();
        assert!(!reaches(&state, WEB, web));
        assert!(reaches(&state, WEB, database), "beside it");
        assert!(reaches(&state, DATABASE, web), "which itself needs nothing");
        assert_eq!(unserved(&state, DATABASE), Some((web, 50)));
        assert_eq!(unserved(&state, WEB), None);
    }
}
