//! Room on nodes that are there for what found none where it was allotted.

use super::Guide;
use super::allot::Share;
use super::demand::{self, Freedom};
use super::weight;
use crate::scheduler::constraint::cluster_rules::accepts;
use crate::scheduler::pack;
use crate::scheduler::problem::Problem;
use crate::scheduler::state::State;

/// The pools where a replica may be that was allotted to one, in order.
pub(crate) fn others(problem: &Problem<'_>, guide: &Guide, share: &Share) -> Vec<usize> {
    near(
        problem,
        guide,
        share,
        &problem.demands[share.service].usable,
    )
}

/// Which of these pools, in order, a replica may be in that was allotted to one.
pub(crate) fn among(
    problem: &Problem<'_>,
    guide: &Guide,
    share: &Share,
    pools: &[usize],
) -> Vec<usize> {
    let usable = &problem.demands[share.service].usable;
    let mut pools = near(problem, guide, share, pools);
    pools.retain(|p| *p == share.pool || usable.binary_search(p).is_ok());
    pools
}

/// Which of these pools, in order, are where a replica may go from the one that it was allotted to.
fn near(problem: &Problem<'_>, guide: &Guide, share: &Share, pools: &[usize]) -> Vec<usize> {
    let freedom = demand::freedom(problem, share.service);
    if freedom == Freedom::Here {
        return vec![share.pool];
    }
    let region = guide.rows.region(share.pool);
    let tied = demand::is_tied(problem, share.service);
    let near = |p: &usize| {
        freedom == Freedom::Anywhere
            || *p == share.pool
            || (guide.rows.region(*p) == region && (!tied || same_reach(problem, share, *p)))
    };
    pools.iter().copied().filter(near).collect()
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
        (std::cmp::Reverse(weight(size)), share.service, share.pool)
    });
    for share in &mut left {
        let pools = others(problem, guide, share);
        while share.replicas > 0 {
            let open = (pools.iter().flat_map(|&p| &state.by_pool[p]).copied())
                .filter(|&c| accepts(state, c, share.service));
            let tightest = pack::best_fit(state, share.service, open, |_, left| weight(left));
            let Some((c, n)) = tightest else {
                break;
            };
            state.put(c, n, share.service);
            share.replicas -= 1;
        }
    }
    left.retain(|share| share.replicas > 0);
    left
}
