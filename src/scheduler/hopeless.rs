//! Services that no search can place, whatever else is where: known from the snapshot alone, so
//! that the search spends nothing on them.

use super::constraint::{min_regions, required_regions};
use super::model::Origin;
use super::problem::Problem;
use super::topology::{SAME_CLUSTER_MS, SAME_ZONE_MS};

/// For each service whether it is hopeless; those with fixed replicas are never judged here.
pub(crate) fn services(problem: &Problem<'_>) -> Vec<bool> {
    let all: Vec<usize> = (0..problem.demands.len()).collect();
    among(problem, &all)
}

/// The same for some services, in their order, among which is whatever they depend on.
pub(crate) fn among(problem: &Problem<'_>, services: &[usize]) -> Vec<bool> {
    let mut hopeless: Vec<bool> = services.iter().map(|&s| alone(problem, s)).collect();
    // Whoever needs a hopeless service near is hopeless too; each pass adds at least one.
    loop {
        let known = |d: usize| services.binary_search(&d).is_ok_and(|at| hopeless[at]);
        let more: Vec<usize> = (0..services.len())
            .filter(|&at| !hopeless[at] && judged(problem, services[at]))
            .filter(|&at| {
                let bounds = &problem.demands[services[at]].latency;
                bounds.iter().any(|&(d, _)| known(d))
            })
            .collect();
        if more.is_empty() {
            return hopeless;
        }
        for at in more {
            hopeless[at] = true;
        }
    }
}

fn judged(problem: &Problem<'_>, s: usize) -> bool {
    problem.service(s).replicas > 0 && problem.demands[s].pins.is_empty()
}

fn alone(problem: &Problem<'_>, s: usize) -> bool {
    if !judged(problem, s) {
        return false;
    }
    let demand = &problem.demands[s];
    // Pools that are closed or offer nothing that fits may still hold what runs there.
    let possible = problem.eligible(s);
    let no_region = demand
        .required
        .iter()
        .any(|&region| !possible.iter().any(|&p| problem.names_pool(region, p)));
    possible.is_empty()
        || no_region
        || required_regions::too_few(problem, s).is_some()
        || !min_regions::impossible(problem, s, possible).is_empty()
        || demand
            .latency
            .iter()
            .any(|&(d, ms)| !within_reach(problem, s, d, ms))
}

/// Whether some pool for `s`, and one in each region that it requires, has a pool for `d` within
/// `ms`.
fn within_reach(problem: &Problem<'_>, s: usize, d: usize, ms: u32) -> bool {
    if !judged(problem, d) {
        return true;
    }
    let anywhere = |s: usize| problem.demands[s].required.is_empty();
    // Mostly one pool will do for both of them.
    if ms >= SAME_ZONE_MS && anywhere(s) && anywhere(d) {
        let theirs = problem.eligible(d);
        let both = |p: &usize| theirs.binary_search(p).is_ok();
        if problem.eligible(s).iter().any(both) {
            return true;
        }
    }
    let theirs = spots(problem, d);
    let shared = share_clusters(problem, s, d);
    let near = |p: usize| {
        theirs.iter().any(|&q| {
            problem.distances.pools(p, q) <= ms || (p == q && shared && SAME_CLUSTER_MS <= ms)
        })
    };
    let mine: Vec<usize> = spots(problem, s).into_iter().filter(|&p| near(p)).collect();
    !mine.is_empty()
        && problem.demands[s]
            .required
            .iter()
            .all(|&region| mine.iter().any(|&p| problem.names_pool(region, p)))
}

/// The pools where replicas can be: only in the required regions when these take them all.
fn spots(problem: &Problem<'_>, s: usize) -> Vec<usize> {
    let required = &problem.demands[s].required;
    let bound = required_regions::distinct(problem, required) >= problem.service(s).replicas;
    problem
        .eligible(s)
        .iter()
        .copied()
        .filter(|&p| !bound || required.iter().any(|&region| problem.names_pool(region, p)))
        .collect()
}

/// Whether two services can ever be in one cluster: under the same cluster rules, or in one that
/// people made.
fn share_clusters(problem: &Problem<'_>, a: usize, b: usize) -> bool {
    let clusters = &problem.snapshot.clusters;
    problem.demands[a].governing == problem.demands[b].governing
        || clusters
            .iter()
            .any(|c| matches!(c.origin, Origin::Declared { .. }))
}
