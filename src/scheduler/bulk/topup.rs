//! Room on nodes that are there for what found none where it was allotted.

use super::Guide;
use super::allot::Share;
use crate::scheduler::constraint::cluster_rules::accepts;
use crate::scheduler::problem::Problem;
use crate::scheduler::state::State;

/// The pools where a replica may be that was allotted to one, without another rule being broken: anywhere
/// for a service without rules about places, else in the same region, else only there.
pub(crate) fn others(problem: &Problem<'_>, guide: &Guide, share: &Share) -> Vec<usize> {
    let demand = &problem.demands[share.service];
    let tied = !demand.latency.is_empty() || !demand.dependents.is_empty();
    if !demand.spread.is_empty() || !demand.required.is_empty() {
        return vec![share.pool];
    }
    let region = guide.rows.region(share.pool);
    let anywhere = demand.min_regions < 2 && !tied;
    let near = |&p: &usize| {
        anywhere
            || p == share.pool
            || (guide.rows.region(p) == region && (!tied || same_reach(problem, share, p)))
    };
    demand.usable.iter().copied().filter(near).collect()
}

/// Whether a pool is as near to everything that the service is tied to as the one it was allotted to.
fn same_reach(problem: &Problem<'_>, share: &Share, p: usize) -> bool {
    let demand = &problem.demands[share.service];
    let ties = demand.latency.iter().chain(&demand.dependents);
    let apart = problem.distances.pools(share.pool, p);
    ties.map(|&(_, ms)| ms).all(|ms| apart <= ms)
}

/// Puts what is left over into the tightest room there is, the largest first. Returns what found none.
pub(crate) fn all(state: &mut State<'_>, guide: &Guide, mut left: Vec<Share>) -> Vec<Share> {
    let problem = state.problem;
    left.sort_by_key(|share| {
        let size = problem.service(share.service).size;
        (
            std::cmp::Reverse(size.milli_cores * 4 + size.mib),
            share.service,
            share.pool,
        )
    });
    for share in &mut left {
        let pools = others(problem, guide, share);
        while share.replicas > 0 {
            let Some((c, n)) = tightest(state, share.service, &pools) else {
                break;
            };
            state.put(c, n, share.service);
            share.replicas -= 1;
        }
    }
    left.retain(|share| share.replicas > 0);
    left
}

fn tightest(state: &State<'_>, s: usize, pools: &[usize]) -> Option<(usize, usize)> {
    let service = state.problem.service(s);
    let mut best: Option<(u64, usize, usize)> = None;
    for &c in pools.iter().flat_map(|&p| &state.by_pool[p]) {
        let cluster = &state.clusters[c];
        if !cluster.may_have_room(service.size) || !accepts(state, c, s) {
            continue;
        }
        let mut fits = false;
        for (n, node) in cluster.nodes.iter().enumerate() {
            let alone = service.one_per_node && node.holds(s);
            if !node.live || alone || !service.size.fits(node.free) {
                continue;
            }
            fits = true;
            let rest = node.free - service.size;
            let left = rest.milli_cores * 4 + rest.mib;
            if best.is_none_or(|(least, _, _)| left < least) {
                best = Some((left, c, n));
            }
        }
        if !fits {
            cluster.measure_room();
        }
    }
    best.map(|(_, c, n)| (c, n))
}
