//! Improving what this decision touched, and nothing else: draining nodes into room elsewhere, merging
//! clusters that are hardly used, and exchanging nodes for the cheapest class that holds what is on
//! them. What ran before moves only where that pays, as everywhere.

use super::assign::Search;
use super::constraint::{self, latency};
use super::model::Origin;
use super::moving::terms::Charge;
use super::pack::{self, Opening, Within};
use super::problem::Offer;
use super::state::{Node, State};
use super::topology::{NEW_CLUSTER, Place};
use super::units::{Micros, PPM, Resources};

/// Rounds of all improvements together.
const ROUNDS: usize = 4;

pub(crate) fn improve(state: &mut State<'_>, search: Search) {
    for _ in 0..ROUNDS {
        let before = state.hourly();
        downsize(state);
        drain(state, search.opening);
        consolidate(state, search.opening);
        if state.hourly() == before {
            break;
        }
    }
    downsize(state);
}

/// What emptying nodes costs. What is on nodes that this search opened moves for free.
pub(crate) fn charge<'n>(state: &State<'_>, nodes: impl Iterator<Item = &'n Node>) -> Charge {
    let ran = nodes.filter(|node| node.live && node.existed);
    Charge::of(
        state.problem,
        ran.flat_map(|node| node.tenants.iter().copied()),
    )
}

fn may_change_nodes(state: &State<'_>, c: usize) -> bool {
    let cluster = &state.clusters[c];
    cluster.touched && matches!(cluster.origin, Origin::Scheduler { .. })
}

fn downsize(state: &mut State<'_>) {
    for c in 0..state.clusters.len() {
        if !may_change_nodes(state, c) {
            continue;
        }
        for n in 0..state.clusters[c].nodes.len() {
            if state.clusters[c].nodes[n].live {
                exchange(state, c, n);
            }
        }
    }
}

/// Exchanges one node for the cheapest class that holds its content, in the same zone.
fn exchange(state: &mut State<'_>, c: usize, n: usize) {
    let node = state.clusters[c].nodes[n].clone();
    let pool = state.clusters[c].pool;
    let replicas: Micros = node.tenants.iter().map(|&(_, n)| i64::from(n)).sum();
    let price = |o: &Offer| o.hourly + o.risk.saturating_mul(replicas);
    let takes = |o: &Offer| {
        let mut tenants = node.tenants.iter().map(|t| state.problem.service(t.0));
        tenants.all(|s| s.capacity_types.contains(o.capacity_type))
    };
    let mut offers: Vec<_> = state.problem.pools[pool]
        .offers
        .iter()
        .filter(|o| price(o) < price(&node.offer) && node.used().fits(o.allocatable))
        .filter(|o| takes(o))
        .filter_map(|o| state.problem.pools[pool].beside(o, &node.offer))
        .collect();
    offers.sort_by_key(|o| (price(o), o.class));
    for offer in offers {
        let saved = price(&node.offer) - price(&offer);
        if !charge(state, std::iter::once(&node)).pays(saved) {
            return;
        }
        let (mark, before) = (state.mark(), state.usage[pool]);
        for &(s, count) in &node.tenants {
            state.take_many(c, n, s, count);
        }
        state.close(c, n);
        let new = state.open(c, &offer);
        for &(s, count) in &node.tenants {
            state.put_many(c, new, s, count);
        }
        if state.broken_limits(pool, &before).is_empty() {
            return;
        }
        state.undo(mark);
    }
}

/// Empties nodes into room that others have, the least used first.
fn drain(state: &mut State<'_>, opening: Opening) {
    for pool in 0..state.by_pool.len() {
        let mut nodes: Vec<(u64, usize, usize)> = Vec::new();
        for &c in &state.by_pool[pool] {
            if !may_change_nodes(state, c) || state.clusters[c].padding() > 0 {
                continue;
            }
            for (n, node) in state.clusters[c].nodes.iter().enumerate() {
                if node.live {
                    nodes.push((used_ppm(node.used(), node.offer.allocatable), c, n));
                }
            }
        }
        nodes.sort_unstable();
        for (_, c, n) in nodes {
            drain_node(state, c, n, opening);
        }
    }
}

/// Empties one node into room that others of its pool have, where that pays and can be.
fn drain_node(state: &mut State<'_>, c: usize, n: usize, opening: Opening) {
    let node = &state.clusters[c].nodes[n];
    let price = node.offer.hourly;
    let tenants = node.tenants.clone();
    let pays = charge(state, std::iter::once(node)).pays(price);
    if !pays || !has_room(state, state.clusters[c].pool, c, n) {
        return;
    }
    let (mark, pool) = (state.mark(), state.clusters[c].pool);
    let before = state.usage[pool];
    // Nothing may come back while the node is emptied.
    let emptied = empty_node(state, c, n, &tenants, opening);
    let fits = emptied && state.broken_limits(pool, &before).is_empty();
    if !fits || !all_fine(state, &tenants) {
        state.undo(mark);
    }
}

/// A quick look at whether the rest of the pool has as much room as the node holds.
pub(crate) fn has_room(state: &State<'_>, pool: usize, c: usize, n: usize) -> bool {
    let mut room = Resources::default();
    for &other in &state.by_pool[pool] {
        for (m, node) in state.clusters[other].nodes.iter().enumerate() {
            if node.live && (other, m) != (c, n) {
                room += node.free;
            }
        }
    }
    state.clusters[c].nodes[n].used().fits(room)
}

fn empty_node(
    state: &mut State<'_>,
    c: usize,
    n: usize,
    tenants: &[(usize, u32)],
    opening: Opening,
) -> bool {
    let pool = state.clusters[c].pool;
    for &(s, count) in tenants {
        state.take_many(c, n, s, count);
    }
    state.close(c, n);
    let mut tenants = tenants.iter();
    tenants.all(|&(s, count)| put_into_room(state, s, count, pool, opening))
}

/// Puts replicas onto nodes that a pool has; on "no" some may have been.
pub(crate) fn put_into_room(
    state: &mut State<'_>,
    s: usize,
    count: u32,
    pool: usize,
    opening: Opening,
) -> bool {
    let anywhere = |_: &State<'_>, place: Place| place.cluster != NEW_CLUSTER;
    let within = Within {
        allowed: &anywhere,
        buy: false,
        opening,
    };
    (0..count).all(|_| pack::place(state, s, pool, &within).is_ok())
}

pub(crate) fn all_fine(state: &State<'_>, tenants: &[(usize, u32)]) -> bool {
    tenants
        .iter()
        .all(|&(s, _)| constraint::all_kept(state, s) && latency::unserved(state, s).is_none())
}

/// Moves everything off a cluster that its policy finds too little used, where that saves money.
fn consolidate(state: &mut State<'_>, opening: Opening) {
    for c in 0..state.clusters.len() {
        let cluster = &state.clusters[c];
        if !may_change_nodes(state, c) || cluster.replicas() == 0 || !may_merge(state, c) {
            continue;
        }
        let (mark, before, pool) = (state.mark(), state.hourly(), cluster.pool);
        let charge = charge(state, cluster.nodes.iter());
        let tenants = tenants_of(state, c);
        let moved = merge_away(state, c, pool, &tenants, opening);
        let saved = before - state.hourly();
        if !moved || !charge.pays(saved) || !all_fine(state, &tenants) {
            state.undo(mark);
        }
    }
}

/// Whether a cluster is so little used that its policy has it merged into others.
pub(crate) fn may_merge(state: &State<'_>, c: usize) -> bool {
    let rules = state.problem.cluster_policy(state.clusters[c].policy);
    let threshold = rules.consolidate_below_ppm;
    threshold.is_some_and(|threshold| utilisation_ppm(state, c) < threshold)
}

fn tenants_of(state: &State<'_>, c: usize) -> Vec<(usize, u32)> {
    (0..state.problem.demands.len())
        .map(|s| (s, state.replicas_in(s, c)))
        .filter(|(_, n)| *n > 0)
        .collect()
}

fn merge_away(
    state: &mut State<'_>,
    c: usize,
    pool: usize,
    tenants: &[(usize, u32)],
    opening: Opening,
) -> bool {
    let elsewhere =
        |_: &State<'_>, place: Place| place.cluster != NEW_CLUSTER && place.cluster != c;
    let within = Within {
        allowed: &elsewhere,
        buy: true,
        opening,
    };
    tenants.iter().all(|&(s, count)| {
        (0..count).all(|_| state.take_one(s, c) && pack::place(state, s, pool, &within).is_ok())
    })
}

/// The use of a cluster's workers, padding included, by the scarcer resource.
fn utilisation_ppm(state: &State<'_>, c: usize) -> u64 {
    let cluster = &state.clusters[c];
    let (mut used, mut whole) = (Resources::default(), Resources::default());
    for node in cluster.nodes.iter().filter(|n| n.live) {
        used += node.used();
        whole += node.offer.allocatable;
    }
    for (offer, n) in cluster.filling() {
        whole += offer.allocatable.times(u64::from(n));
    }
    used_ppm(used, whole)
}

pub(crate) fn used_ppm(used: Resources, whole: Resources) -> u64 {
    let share = |used: u64, whole: u64| {
        (u128::from(used) * u128::from(PPM) / u128::from(whole.max(1))) as u64
    };
    share(used.milli_cores, whole.milli_cores).max(share(used.mib, whole.mib))
}
