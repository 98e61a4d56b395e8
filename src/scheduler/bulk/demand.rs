//! What one service asks of the pools that its replicas are allotted to.

use crate::scheduler::model::Topology;
use crate::scheduler::problem::Problem;
use crate::scheduler::topology::SAME_ZONE_MS;
use std::rc::Rc;

/// Whether a group of services can be allotted pool by pool: what depends on clusters or on a pool's zones cannot, nor what
/// prices of cores and memory say too little of.
pub(crate) fn is_by_pool(problem: &Problem<'_>, members: &[usize]) -> bool {
    members.iter().all(|&s| {
        let demand = &problem.demands[s];
        let left_out = problem.hopeless[s] || demand.zonal;
        !left_out
            && problem.service(s).size.extended.is_none()
            && !(problem.sells_spot && problem.service(s).capacity_types.spot)
            && demand.pins.is_empty()
            && demand.latency.iter().all(|&(_, ms)| ms >= SAME_ZONE_MS)
            && (demand.spread.iter()).all(|rule| rule.topology != Topology::Cluster)
    })
}

/// For each member, the pools from which every dependency can be near. Members come dependencies first.
pub(crate) fn within_reach(problem: &Problem<'_>, members: &[usize]) -> Vec<Vec<usize>> {
    let mut lists: Vec<Vec<usize>> = Vec::with_capacity(members.len());
    for (at, &s) in members.iter().enumerate() {
        let demand = &problem.demands[s];
        let mut pools = demand.usable.to_vec();
        for &(d, ms) in &demand.latency {
            let Some(of) = members[..at].iter().position(|&m| m == d) else {
                continue;
            };
            // Where the dependency may be anywhere that this one may be, nothing is too far.
            let alike = Rc::ptr_eq(&demand.usable, &problem.demands[d].usable);
            if alike && lists[of].len() == problem.demands[d].usable.len() {
                continue;
            }
            let near = |p: usize, q: usize| p == q || problem.distances.pools(p, q) <= ms;
            pools.retain(|&p| {
                lists[of].binary_search(&p).is_ok() || lists[of].iter().any(|&q| near(p, q))
            });
        }
        lists.push(pools);
    }
    lists
}

/// Where a replica that was allotted to a pool could be instead, without another rule being broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freedom {
    /// Nowhere else: how replicas are spread over places is decided.
    Here,
    /// In the same region, and, where others are tied to it by latency, as near to them.
    Region,
    Anywhere,
}

/// The freedom that a service's rules leave each of its replicas.
pub(crate) fn freedom(problem: &Problem<'_>, s: usize) -> Freedom {
    let demand = &problem.demands[s];
    match () {
        () if !demand.spread.is_empty() || !demand.required.is_empty() => Freedom::Here,
        () if demand.min_regions > 1 || is_tied(problem, s) => Freedom::Region,
        () => Freedom::Anywhere,
    }
}

/// Whether latency ties it to another service.
pub(crate) fn is_tied(problem: &Problem<'_>, s: usize) -> bool {
    let demand = &problem.demands[s];
    !demand.latency.is_empty() || !demand.dependents.is_empty()
}
