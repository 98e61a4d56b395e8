//! Nodes that something was taken off: what is left goes into room beside them as far as there is some, the rest
//! onto a smaller node, where that pays for what moves.

use crate::scheduler::improve::{all_fine, charge, put_into_room, used_ppm};
use crate::scheduler::pack::Opening;
use crate::scheduler::problem::Offer;
use crate::scheduler::state::{Node, State};
use crate::scheduler::units::{Micros, Resources};
use std::cmp::Reverse;

/// Nodes that are looked at after one change, the least used first.
const NODES: usize = 4;

/// Makes use of the room that taking off has left.
pub(super) fn freed(state: &mut State<'_>) {
    let mut nodes: Vec<(u64, usize, usize)> = (state.freed().into_iter())
        .map(|(c, n)| {
            let node = &state.clusters[c].nodes[n];
            (used_ppm(node.used(), node.offer.allocatable), c, n)
        })
        .collect();
    nodes.sort_unstable();
    for (_, c, n) in nodes.into_iter().take(NODES) {
        // What came onto it from an earlier one may be gone with it.
        if state.clusters[c].nodes[n].live && state.clusters[c].padding() == 0 {
            reduce(state, c, n);
        }
    }
}

/// Does with a smaller node, or none, if that pays.
fn reduce(state: &mut State<'_>, c: usize, n: usize) {
    let node = state.clusters[c].nodes[n].clone();
    let charge = charge(state, std::iter::once(&node));
    if !charge.pays(node.offer.hourly) {
        return;
    }
    let (mark, pool) = (state.mark(), state.clusters[c].pool);
    let before = state.usage[pool];
    let paid: Micros = before.hourly + charged(state, &node);
    let rest = spread_out(state, c, n, &node);
    let fine = rest.is_empty() || onto_smaller(state, c, &node, &rest);
    let saved = paid - state.usage[pool].hourly - charged(state, &node);
    let fine = fine
        && charge.pays(saved)
        && state.broken_limits(pool, &before).is_empty()
        && all_fine(state, &node.tenants);
    if !fine {
        state.undo(mark);
    }
}

/// What preferences and risk charge for the services on a node.
fn charged(state: &State<'_>, node: &Node) -> Micros {
    node.tenants.iter().map(|t| state.penalty(t.0)).sum()
}

/// Gives a node up and puts what was on it into room beside it, the largest first. Returns what found none.
fn spread_out(state: &mut State<'_>, c: usize, n: usize, node: &Node) -> Vec<usize> {
    let mut replicas: Vec<usize> = Vec::new();
    for &(s, count) in &node.tenants {
        state.take_many(c, n, s, count);
        replicas.extend(std::iter::repeat_n(s, count as usize));
    }
    state.close(c, n);
    let (problem, pool) = (state.problem, state.clusters[c].pool);
    replicas.sort_by_key(|&s| (Reverse(problem.service(s).size), s));
    replicas.retain(|&s| !put_into_room(state, s, 1, pool, Opening::Efficient));
    replicas
}

/// Puts replicas onto a new node, in the same zone, that costs less than the one they were on.
fn onto_smaller(state: &mut State<'_>, c: usize, node: &Node, replicas: &[usize]) -> bool {
    let problem = state.problem;
    let mut size = Resources::default();
    for &s in replicas {
        size += problem.service(s).size;
    }
    let price = |o: &Offer| o.hourly + o.risk.saturating_mul(replicas.len() as i64);
    let takes = |o: &Offer| {
        let mut services = replicas.iter().map(|&s| problem.service(s));
        o.hourly < node.offer.hourly && size.fits(o.allocatable) && services.all(|s| o.holds(s))
    };
    let view = &problem.pools[state.clusters[c].pool];
    let offers = view.offers.iter().filter(|o| takes(o));
    let beside = offers.filter_map(|o| view.beside(o, &node.offer));
    let Some(offer) = beside.min_by_key(|o| (price(o), o.class)) else {
        return false;
    };
    let new = state.open(c, &offer);
    for &s in replicas {
        state.put(c, new, s);
    }
    true
}
