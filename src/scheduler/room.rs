//! Making room for a service that found none: others that were only just placed, and could be in more
//! places, go elsewhere.

use super::assign::{self, Search};
use super::search::is_placed;
use super::state::State;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Pools looked at for one service.
const POOLS: usize = 6;
/// Services that may have to go for one service, and how many go before the next try.
const EVICTIONS: usize = 32;
const AT_A_TIME: usize = 4;
/// Tries altogether in one search.
const TRIES: usize = 4_000;

/// Places what it can of `unplaced`, moving only services of which `fresh` says that they do not run yet.
pub(crate) fn make(
    state: &mut State<'_>,
    search: Search,
    fresh: &[bool],
    unplaced: &mut BTreeSet<usize>,
) {
    let mut tries = TRIES;
    let mut waiting: Vec<usize> = unplaced.iter().copied().collect();
    waiting.sort_by_key(|&s| Reverse(state.problem.service(s).priority));
    for s in waiting {
        if state.problem.hopeless[s] || !alone(state, s) {
            continue;
        }
        for p in pools(state, s) {
            if tries == 0 {
                return;
            }
            if in_pool(state, s, p, search, fresh, &mut tries) {
                unplaced.remove(&s);
                break;
            }
        }
    }
}

/// Services tied to others are placed with them or not at all.
fn alone(state: &State<'_>, s: usize) -> bool {
    let demand = &state.problem.demands[s];
    demand.latency.is_empty() && demand.dependents.is_empty() && demand.pins.is_empty()
}

fn pools(state: &State<'_>, s: usize) -> Vec<usize> {
    let problem = state.problem;
    let mut pools: Vec<usize> = problem.demands[s].usable.to_vec();
    pools.sort_by_cached_key(|&p| (assign::share_score(problem, s, p), p));
    pools.truncate(POOLS);
    pools
}

fn in_pool(
    state: &mut State<'_>,
    s: usize,
    p: usize,
    search: Search,
    fresh: &[bool],
    tries: &mut usize,
) -> bool {
    let leaving = movable(state, s, p, fresh);
    let mark = state.mark();
    let mut gone = Vec::new();
    for some in leaving.chunks(AT_A_TIME) {
        for &other in some {
            state.take_all(other);
            gone.push(other);
        }
        *tries = tries.saturating_sub(1);
        let placed = assign::place_service(state, s, search, None).is_ok() && is_placed(state, s);
        if !placed {
            continue;
        }
        let elsewhere = gone.iter().all(|&other| {
            assign::place_service(state, other, search, None).is_ok() && is_placed(state, other)
        });
        if elsewhere {
            return true;
        }
        break;
    }
    state.undo(mark);
    false
}

/// Services in a pool that may go: no more important, with more pools to choose from, and tied to nothing.
fn movable(state: &State<'_>, s: usize, p: usize, fresh: &[bool]) -> Vec<usize> {
    let problem = state.problem;
    let choices = |s: usize| problem.demands[s].usable.len();
    let mut found = BTreeSet::new();
    for &c in &state.by_pool[p] {
        let nodes = state.clusters[c].nodes.iter().filter(|node| node.live);
        found.extend(nodes.flat_map(|node| node.tenants.iter().map(|t| t.0)));
    }
    let mut list: Vec<usize> = found
        .into_iter()
        .filter(|&other| {
            fresh[other]
                && choices(other) > choices(s)
                && problem.service(other).priority <= problem.service(s).priority
                && alone(state, other)
        })
        .collect();
    let larger = |other: usize| problem.service(other).size.fits(problem.service(s).size);
    list.sort_by_key(|&other| (Reverse(choices(other)), larger(other), other));
    list.truncate(EVICTIONS);
    list
}
