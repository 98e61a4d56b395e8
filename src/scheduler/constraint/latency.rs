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
