//! Small fleets of which nothing runs yet, to the optimum: branch and bound over how many replicas of each
//! service are in which pool, where the nodes of a pool are bought by dynamic programming over what is
//! left to place.
//!
//! The search starts from the plan of the general one and only ever finds better ones. When its steps are
//! spent, the best so far stands.

mod fill;
mod load;
mod pool;
mod spot;
mod tree;

use super::layout::LaidCluster;
use super::output;
use super::problem::Problem;
use super::state::{ClusterState, State};
use super::units::Micros;
use load::Load;
use pool::{Bought, PoolSearch};
use spot::Spot;
use std::collections::BTreeSet;
use std::rc::Rc;
use tree::Tree;

/// Largest fleets that are looked at.
const SERVICES: usize = 10;
const POOLS: usize = 5;
const REPLICAS: u32 = 20;
/// Most ways to distribute all services' replicas, each service for itself, over the pools.
const SPOTS: usize = 3_000;
/// Steps of the whole search. A step is a way to fill a node or a distribution looked at.
const STEPS: u64 = 200_000;

/// No steps are left.
#[derive(Debug)]
pub(crate) struct Spent;

/// What bounds the search.
pub(crate) struct Steps(u64);

impl Steps {
    fn take(&mut self) -> Result<(), Spent> {
        self.0 = self.0.checked_sub(1).ok_or(Spent)?;
        Ok(())
    }
}

/// A better plan than one that costs this much and leaves these without a place, if one is found.
pub(crate) fn better(
    problem: &Problem<'_>,
    clusters: &[LaidCluster],
    unplaced: &BTreeSet<usize>,
    objective: Micros,
) -> Option<Vec<LaidCluster>> {
    if !is_small(problem) {
        return None;
    }
    let mut pools: Vec<PoolSearch> = (0..problem.pools.len())
        .map(|p| PoolSearch::new(problem, p))
        .collect();
    let spots = spot::all(problem, &pools)?;
    let start = spot::taken(problem, clusters, &spots);
    let mut steps = Steps(STEPS);
    let mut tree = Tree::new(problem, &mut pools, &spots, (unplaced, objective));
    tree.around(&start, &mut steps);
    // The best so far stands, whether or not all was looked at.
    let _all = tree.search(&mut steps);
    let found = tree.into_best()?;
    build(problem, &mut pools, &found)
}

fn is_small(problem: &Problem<'_>) -> bool {
    let snapshot = problem.snapshot;
    snapshot.clusters.is_empty()
        // One replica may be on machines of either type, each at its own risk.
        && !problem.sells_spot
        && problem.demands.iter().all(|demand| !demand.zonal)
        && snapshot.pins.is_empty()
        && snapshot.services.len() <= SERVICES
        && snapshot.pools.len() <= POOLS
        && snapshot.services.iter().all(|s| s.replicas <= REPLICAS)
}

/// The clusters of a distribution.
fn build(
    problem: &Problem<'_>,
    pools: &mut [PoolSearch],
    found: &[Option<Rc<Spot>>],
) -> Option<Vec<LaidCluster>> {
    let mut state = State::new(problem);
    for (p, pool) in pools.iter_mut().enumerate() {
        let mut load = Load::default();
        for (s, spot) in found.iter().enumerate() {
            let n = spot.as_ref().map_or(0, |spot| spot.replicas_in(p));
            load = load.plus(Load::of(s, n));
        }
        let bought = pool.buy(load, &mut Steps(STEPS)).ok()??;
        for (group, count) in &bought.clusters {
            let nodes = bought.nodes.iter().filter(|node| node.group == *group);
            let nodes: Vec<&Bought> = nodes.collect();
            found_clusters(&mut state, p, pool, (*group, *count), &nodes);
        }
    }
    Some(output::live(&state))
}

/// Shares nodes out over so many clusters, as evenly as they go.
fn found_clusters(
    state: &mut State<'_>,
    p: usize,
    pool: &PoolSearch,
    (group, count): (usize, u32),
    mut nodes: &[&Bought],
) {
    let group = &pool.groups[group];
    for left in (1..=count as usize).rev() {
        let (mine, others) = nodes.split_at(nodes.len().div_ceil(left));
        nodes = others;
        let cluster = ClusterState::new(state.problem, p, group.policy, group.control.clone());
        let c = state.found(cluster);
        for node in mine {
            let n = state.open(c, &group.offers[node.offer]);
            for s in 0..state.problem.demands.len() {
                for _ in 0..node.way.replicas(s) {
                    state.put(c, n, s);
                }
            }
        }
    }
}
