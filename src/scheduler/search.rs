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
            let (mark, before) = (state.mark(), replicas_here(state, s, p));
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
            // What is fixed to this pool comes back into it.
            if !moved || !is_placed(state, s) || replicas_here(state, s, p) >= before {
                state.undo(mark);
            }
        }
    }
}

/// Replicas of a service in a pool.
fn replicas_here(state: &State<'_>, s: usize, p: usize) -> u32 {
    let places = state.places(s).iter();
    places.filter(|(at, _)| at.pool == p).map(|(_, n)| n).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::scheduler::check::check;
    use crate::scheduler::fixtures::{cluster, fleet, id, ruled, workers};
    use crate::scheduler::model::{Cluster, Offer, Origin, Pin, Snapshot};
    use crate::scheduler::solve;
    use crate::scheduler::units::Resources;

    fn decided(snapshot: &Snapshot) -> Vec<Cluster> {
        let solution = solve(snapshot);
        assert_eq!(check(snapshot, &solution), []);
        solution.live().map(|d| d.cluster.clone()).collect()
    }

    #[test]
    fn what_is_fixed_to_a_full_pool_stays_as_it_is() {
        let mut snapshot = fleet(&[("a", "eu"), ("b", "eu")], &[("web", 1)]);
        snapshot.pools[0].monthly_budget = Some(0);
        snapshot.services[0].moving.per_replica = Some(1_000_000_000);
        let mut by_hand = cluster("a-1", "a");
        by_hand.origin = Origin::Declared {
            resize: Some((1, 9)),
        };
        by_hand.workers = vec![workers(5, 0), workers(1, 1)];
        snapshot.clusters = vec![by_hand];
        snapshot.pins = vec![Pin {
            service: id("web"),
            cluster: "a-1".into(),
            replicas: None,
        }];
        let problem = Problem::new(&snapshot);
        let mut state = prior::load(&problem, &problem.laid());
        let before = state.usage[0];
        relieve_full_pools(&mut state, at_once());
        assert_eq!(state.usage[0], before);
        let after = decided(&snapshot);
        assert_eq!(after[0].workers, [workers(1, 1)]);
        snapshot.clusters = after.clone();
        assert_eq!(decided(&snapshot), after);
    }

    #[test]
    fn a_cluster_that_shrinks_is_not_filled_up_with_more_than_its_pool_may_have() {
        let mut snapshot = fleet(&[("a", "eu")], &[("web", 1)]);
        let mut large = snapshot.node_classes[0].clone();
        large.name = "large".into();
        large.capacity = Resources::new(16_000, 32_768);
        snapshot.node_classes.push(large);
        // What costs the least is not what has the least.
        snapshot.pools[0].offers.push(Offer {
            class: "large".into(),
            hourly: 1,
        });
        snapshot.pools[0].caps.max_milli_cores = Some(8_000);
        ruled(&mut snapshot, 2, vec![workers(2, 1)]);
        let after = decided(&snapshot);
        assert_eq!(after[0].workers, [workers(1, 0), workers(1, 1)]);
        snapshot.clusters = after.clone();
        assert_eq!(decided(&snapshot), after);
    }
}
