//! Services that latency limits tie together, and placing them jointly.

use super::assign::{self, Search, share_score};
use super::constraint::{self, latency};
use super::model::{ServiceId, Snapshot, Topology};
use super::problem::Problem;
use super::state::State;
use super::units::Micros;
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::DiGraph;
use petgraph::unionfind::UnionFind;
use std::collections::{BTreeMap, BTreeSet};

/// Most regions that a group is tried in as a whole.
const ANCHORS: usize = 8;

/// Groups of services tied by latency limits; each in an order with dependencies first.
pub(crate) fn groups(problem: &Problem<'_>) -> Vec<Vec<usize>> {
    let count = problem.demands.len();
    let mut sets = UnionFind::<usize>::new(count);
    for (s, demand) in problem.demands.iter().enumerate() {
        for &(d, _) in &demand.latency {
            sets.union(s, d);
        }
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for s in 0..count {
        groups.entry(sets.find(s)).or_default().push(s);
    }
    let mut groups: Vec<Vec<usize>> = groups
        .into_values()
        .map(|members| dependencies_first(problem, members))
        .collect();
    groups.sort();
    groups
}

/// All services that latency limits tie to one, itself included, in their order.
pub(crate) fn tied(problem: &Problem<'_>, s: usize) -> Vec<usize> {
    let mut found = BTreeSet::from([s]);
    let mut open = vec![s];
    while let Some(s) = open.pop() {
        let demand = &problem.demands[s];
        for &(other, _) in demand.latency.iter().chain(&demand.dependents) {
            if found.insert(other) {
                open.push(other);
            }
        }
    }
    found.into_iter().collect()
}

pub(crate) fn dependencies_first(problem: &Problem<'_>, members: Vec<usize>) -> Vec<usize> {
    if members.len() < 2 {
        return members;
    }
    let mut graph = DiGraph::<usize, ()>::new();
    let nodes: BTreeMap<usize, _> = members.iter().map(|&s| (s, graph.add_node(s))).collect();
    for (&s, &from) in &nodes {
        for (d, _) in &problem.demands[s].latency {
            if let Some(&to) = nodes.get(d) {
                graph.add_edge(to, from, ());
            }
        }
    }
    match toposort(&graph, None) {
        Ok(order) => order.into_iter().map(|n| graph[n]).collect(),
        // A cycle is refused at the edge; if one comes in all the same, any fixed order will do.
        Err(_) => members,
    }
}

/// Cycles of latency limits, each as the services on it. They are errors of the input.
pub fn latency_cycles(snapshot: &Snapshot) -> Vec<Vec<ServiceId>> {
    let mut graph = DiGraph::<&ServiceId, ()>::new();
    let nodes: BTreeMap<&ServiceId, _> = snapshot
        .services
        .iter()
        .map(|s| (&s.id, graph.add_node(&s.id)))
        .collect();
    let mut cycles = Vec::new();
    for service in &snapshot.services {
        for bound in &service.latency {
            if bound.dependency == service.id {
                cycles.push(vec![service.id.clone()]);
            } else if let Some(&to) = nodes.get(&bound.dependency) {
                graph.add_edge(nodes[&service.id], to, ());
            }
        }
    }
    for component in kosaraju_scc(&graph) {
        if component.len() > 1 {
            let mut ids: Vec<ServiceId> = component.iter().map(|&n| graph[n].clone()).collect();
            ids.sort();
            cycles.push(ids);
        }
    }
    cycles.sort();
    cycles
}

/// Places what is missing of a group's members all together, in the cheapest of several ways: beside
/// what they have if that can stay, else anew. Says whether it worked; if not, nothing has changed.
pub(crate) fn place(state: &mut State<'_>, members: &[usize], search: Search) -> bool {
    if with_what_is_there(state, members, search) {
        return true;
    }
    if members.iter().all(|&s| state.places(s).is_empty()) {
        return false;
    }
    let mark = state.mark();
    for &s in members {
        state.take_all(s);
    }
    let placed = with_what_is_there(state, members, search);
    if !placed {
        state.undo(mark);
    }
    placed
}

fn with_what_is_there(state: &mut State<'_>, members: &[usize], search: Search) -> bool {
    if members.len() > 1 {
        return together(state, members, search);
    }
    let mark = state.mark();
    let placed = attempt(state, members, search, None).is_some();
    if !placed {
        state.undo(mark);
    }
    placed
}

/// Tries dependencies first, dependents first, and each promising region as a whole; keeps the
/// cheapest that works.
fn together(state: &mut State<'_>, members: &[usize], search: Search) -> bool {
    let backwards: Vec<usize> = members.iter().rev().copied().collect();
    let mut ways: Vec<(&[usize], Option<BTreeSet<usize>>)> =
        vec![(members, None), (&backwards, None)];
    ways.extend(
        anchors(state.problem, members)
            .into_iter()
            .map(|pools| (members, Some(pools))),
    );
    cheapest(state, &ways, |state, (order, only)| {
        attempt(state, order, search, only.as_ref())
    })
}

/// Goes the cheapest of several ways that work, of equals the first. Says whether one does; if none, nothing has
/// changed.
pub(crate) fn cheapest<W>(
    state: &mut State<'_>,
    ways: &[W],
    go: impl Fn(&mut State<'_>, &W) -> Option<Micros>,
) -> bool {
    let mut best: Option<(Micros, &W)> = None;
    for way in ways {
        let mark = state.mark();
        if let Some(cost) = go(state, way)
            && best.is_none_or(|(least, _)| cost < least)
        {
            best = Some((cost, way));
        }
        state.undo(mark);
    }
    best.is_some_and(|(_, way)| go(state, way).is_some())
}

/// Places what is missing of services, in this order. Returns the bill with what these are charged; if it does not
/// work, some may have been placed.
pub(crate) fn attempt(
    state: &mut State<'_>,
    order: &[usize],
    search: Search,
    only: Option<&BTreeSet<usize>>,
) -> Option<Micros> {
    for &s in order {
        assign::place_service(state, s, search, only).ok()?;
    }
    let fine = order
        .iter()
        .all(|&s| constraint::all_kept(state, s) && latency::unserved(state, s).is_none());
    fine.then(|| {
        let penalties: Micros = order.iter().map(|&s| state.penalty(s)).sum();
        state.hourly() + penalties
    })
}

/// The regions in which all members have a pool, the cheapest first, as the sets of their pools.
fn anchors(problem: &Problem<'_>, members: &[usize]) -> Vec<BTreeSet<usize>> {
    let mut regions: BTreeMap<usize, (Micros, usize, BTreeSet<usize>)> = BTreeMap::new();
    for &s in members {
        let mut cheapest: BTreeMap<usize, Micros> = BTreeMap::new();
        for &p in problem.demands[s].usable.iter() {
            let Some(region) = problem.domain(p, Topology::Region) else {
                continue;
            };
            let score =
                share_score(problem, s, p).saturating_mul(i64::from(problem.service(s).replicas));
            let least = cheapest.entry(region).or_insert(score);
            *least = (*least).min(score);
            regions.entry(region).or_default().2.insert(p);
        }
        for (region, score) in cheapest {
            let entry = regions.entry(region).or_default();
            entry.0 = entry.0.saturating_add(score);
            entry.1 += 1;
        }
    }
    let mut whole: Vec<(Micros, BTreeSet<usize>)> = regions
        .into_values()
        .filter(|(_, count, _)| *count == members.len())
        .map(|(score, _, pools)| (score, pools))
        .collect();
    whole.sort();
    whole.truncate(ANCHORS);
    whole.into_iter().map(|(_, pools)| pools).collect()
}
