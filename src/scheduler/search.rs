//! One pass over a fleet: mend what is wrong, place what is missing, improve what was touched.

use super::assign::{self, Pricing, Search};
use super::component;
use super::constraint::{self, latency};
use super::improve;
use super::pack::Opening;
use super::prior;
use super::problem::Problem;
use super::room;
use super::state::{State, Usage};
use super::topology::Place;
use super::units::Micros;
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Replica-and-pool pairs up to which pools are compared by what they really add to the bill.
const MARGINAL_LIMIT: usize = 6_000;
/// Services without a place from which on they are placed all at once in a large fleet, where they are also
/// one in so many. Fewer are what placing at once left over, or came lately.
const BULK: usize = 64;
const BULK_ONE_IN: usize = 20;
/// Rounds in which services that others disturbed are placed anew.
const MEND_ROUNDS: usize = 3;

/// The ways to search a fleet of this size for so many services without a place: one, and more where that is
/// not too long.
pub(crate) fn searches(problem: &Problem<'_>, missing: usize) -> (Search, Vec<Search>) {
    let small = compares_really(problem);
    let bulk = is_bulk(problem, missing);
    let way = |pricing, opening| Search {
        pricing,
        opening,
        bulk: false,
    };
    let one_by_one = |pricing| [Opening::Cheapest, Opening::Efficient].map(|o| way(pricing, o));
    let [first, second] = one_by_one(if small {
        Pricing::Marginal
    } else {
        Pricing::Share
    });
    match (small, bulk) {
        (false, true) => (at_once(), Vec::new()),
        (false, false) => (first, vec![second]),
        (true, _) => {
            let mut others = vec![second];
            others.extend(one_by_one(Pricing::Share));
            others.extend(bulk.then(at_once));
            (first, others)
        }
    }
}

/// Whether so many services without a place are better placed all at once.
pub(crate) fn is_bulk(problem: &Problem<'_>, missing: usize) -> bool {
    match compares_really(problem) {
        true => missing >= 2,
        false => missing >= BULK && missing * BULK_ONE_IN >= problem.demands.len(),
    }
}

/// The way of placing services all at once.
pub(crate) fn at_once() -> Search {
    Search {
        pricing: Pricing::Share,
        opening: Opening::Efficient,
        bulk: true,
    }
}

/// Whether the fleet is small enough to compare pools by what they really add to the bill.
pub(crate) fn compares_really(problem: &Problem<'_>) -> bool {
    pairs(problem) <= MARGINAL_LIMIT
}

/// Replicas times pools, the measure of how much there is to compare.
pub(crate) fn pairs(problem: &Problem<'_>) -> usize {
    let services = &problem.snapshot.services;
    let replicas: usize = services.iter().map(|s| s.replicas as usize).sum();
    replicas.saturating_mul(problem.pools.len())
}

/// Searches one way; returns the services that have no place. Those that are `fresh` do not run yet.
pub(crate) fn run(
    state: &mut State<'_>,
    groups: &[Vec<usize>],
    search: Search,
    fresh: &[bool],
) -> BTreeSet<usize> {
    let mut unplaced = one_pass(state, groups, search);
    room::make(state, search, fresh, &mut unplaced);
    improve::improve(state, search);
    unplaced.extend(without_place(state));
    unplaced
}

/// Places what is missing and mends what is wrong, and improves nothing; returns the services for which it found
/// no place.
pub(crate) fn one_pass(
    state: &mut State<'_>,
    groups: &[Vec<usize>],
    search: Search,
) -> BTreeSet<usize> {
    let mut unplaced = BTreeSet::new();
    relieve_full_pools(state, search);
    for _ in 0..=MEND_ROUNDS {
        let waits = |s: &usize| !unplaced.contains(s) && !is_placed(state, *s);
        let waiting = groups.iter().filter(|members| members.iter().any(waits));
        let mut waiting: Vec<&Vec<usize>> = waiting.collect();
        if waiting.is_empty() {
            break;
        }
        waiting.sort_by_cached_key(|members| urgency(state.problem, members));
        for members in waiting {
            unplaced.retain(|s| !members.contains(s));
            place_group(state, members, search, &mut unplaced);
        }
    }
    unplaced
}

/// Services that are not as they are wanted.
pub(crate) fn without_place(state: &State<'_>) -> BTreeSet<usize> {
    let services = 0..state.problem.demands.len();
    services.filter(|&s| !is_placed(state, s)).collect()
}

/// The order in which groups are placed: by priority, then those that ask for extended resources, then
/// those with the fewest pools, then the largest, then by name.
fn urgency(problem: &Problem<'_>, members: &[usize]) -> impl Ord + use<> {
    let services = members.iter().map(|&s| problem.service(s));
    let priority = services.clone().map(|s| s.priority).max().unwrap_or(0);
    let choices = members
        .iter()
        .map(|&s| problem.demands[s].usable.len())
        .min()
        .unwrap_or(0);
    let plain = (services.clone()).all(|s| s.size.extended.is_none());
    let size = services
        .map(|s| s.size.milli_cores.max(s.size.mib / 4))
        .max()
        .unwrap_or(0);
    (
        Reverse(priority),
        plain,
        choices,
        Reverse(size),
        members.to_vec(),
    )
}

/// Whether a service has exactly its replicas, all where they may be.
pub(crate) fn is_placed(state: &State<'_>, s: usize) -> bool {
    state.replicas(s) == state.problem.service(s).replicas && constraint::all_kept(state, s)
}

fn place_group(
    state: &mut State<'_>,
    members: &[usize],
    search: Search,
    unplaced: &mut BTreeSet<usize>,
) {
    if members.iter().all(|&s| is_placed(state, s)) {
        return;
    }
    let hopeful: Vec<usize> = (members.iter().copied())
        .filter(|&s| !state.problem.hopeless[s])
        .collect();
    unplaced.extend(members.iter().filter(|&&s| state.problem.hopeless[s]));
    if mended(state, &hopeful, search) {
        return;
    }
    // Those that can be placed are, one by one; a service that cannot have its minimum keeps what
    // it has.
    for &s in &hopeful {
        if !mended(state, &[s], search) {
            unplaced.insert(s);
        }
    }
}

/// Brings services to where they should be, all of them or none.
pub(crate) fn mended(state: &mut State<'_>, services: &[usize], search: Search) -> bool {
    let mark = state.mark();
    for &s in services {
        prior::evict_misplaced(state, s);
        shrink(state, s);
    }
    let fine =
        services.iter().all(|&s| is_placed(state, s)) || component::place(state, services, search);
    if !fine {
        state.undo(mark);
    }
    fine
}

/// Takes off replicas that the service no longer wants, the dearest first, as far as the rest
/// stays where it may be.
fn shrink(state: &mut State<'_>, s: usize) {
    let wanted = state.problem.service(s).replicas;
    while state.replicas(s) > wanted {
        let places: Vec<Place> = state.places(s).keys().copied().collect();
        let mut best: Option<((bool, Micros, usize, usize), Place)> = None;
        for place in places {
            let mark = state.mark();
            state.take_at(s, place);
            let harm = !constraint::all_kept(state, s)
                || state.problem.demands[s]
                    .dependents
                    .iter()
                    .any(|&(d, _)| !latency::check(state, d).is_empty());
            let cost = state.hourly() + state.penalty(s);
            state.undo(mark);
            let order = (harm, cost, place.cluster, place.zone);
            if best.is_none_or(|(least, _)| order < least) {
                best = Some((order, place));
            }
        }
        let Some((_, place)) = best else { return };
        state.take_at(s, place);
    }
}

/// Moves services out of pools whose limits were lowered below what is in use, the least important
/// first. What has nowhere to go stays.
fn relieve_full_pools(state: &mut State<'_>, search: Search) {
    let problem = state.problem;
    let nothing = Usage::default();
    for p in 0..problem.pools.len() {
        if state.broken_limits(p, &nothing).is_empty() {
            continue;
        }
        let mut tenants: Vec<usize> = (0..problem.demands.len())
            .filter(|&s| state.places(s).keys().any(|place| place.pool == p))
            .collect();
        tenants.sort_by_key(|&s| (problem.service(s).priority, Reverse(s)));
        let elsewhere: BTreeSet<usize> = (0..problem.pools.len()).filter(|&q| q != p).collect();
        for s in tenants {
            if state.broken_limits(p, &nothing).is_empty() {
                break;
            }
            let mark = state.mark();
            let here: Vec<usize> = state
                .places(s)
                .keys()
                .filter(|place| place.pool == p)
                .map(|place| place.cluster)
                .collect();
            for c in here {
                while state.take_one(s, c) {}
            }
            let moved = assign::place_service(state, s, search, Some(&elsewhere)).is_ok();
            if !moved || !is_placed(state, s) {
                state.undo(mark);
            }
        }
    }
}
