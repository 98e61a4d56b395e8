//! Services that people fixed to a cluster.

use crate::scheduler::problem::Problem;
use crate::scheduler::reason::Why;
use crate::scheduler::state::State;

/// Why a pool is out of question for a service all of whose replicas are fixed elsewhere.
pub(crate) fn check_pool(problem: &Problem<'_>, s: usize, pool: usize) -> Option<Why> {
    let pins = &problem.demands[s].pins;
    let pinned: u32 = pins.values().sum();
    if pins.is_empty() || pinned < problem.service(s).replicas {
        return None;
    }
    let here = problem
        .snapshot
        .clusters
        .iter()
        .any(|c| pins.contains_key(&c.name) && problem.pool(&c.pool) == Some(pool));
    let cluster = pins.keys().next()?.clone();
    (!here).then_some(Why::PinnedElsewhere { cluster })
}

/// What is wrong with a service's fixed replicas as they are placed.
pub(crate) fn check(state: &State<'_>, s: usize) -> Vec<Why> {
    let demand = &state.problem.demands[s];
    let mut found = Vec::new();
    let pinned: u32 = demand.pins.values().sum();
    let replicas = state.problem.service(s).replicas;
    if pinned > replicas {
        found.push(Why::PinnedTooMany { pinned, replicas });
    }
    for (cluster, &wanted) in &demand.pins {
        let Some(c) = state.cluster_named(cluster) else {
            found.push(Why::PinnedToNothing {
                cluster: cluster.clone(),
            });
            continue;
        };
        if state.replicas_in(s, c) < wanted {
            found.push(Why::ClusterFixed {
                cluster: cluster.clone(),
            });
        }
    }
    found
}
