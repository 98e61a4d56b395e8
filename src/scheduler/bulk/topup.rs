//! Room on nodes that are there for what found none where it was allotted.

use super::Guide;
use super::allot::Share;
use super::demand::{self, Freedom};
use super::weight;
use crate::scheduler::bound::Effort;
use crate::scheduler::constraint::cluster_rules::accepts;
use crate::scheduler::pack;
use crate::scheduler::problem::Problem;
use crate::scheduler::state::{Node, State};
use std::collections::{BTreeMap, BTreeSet};

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

/// Nodes with room, by how much they have: a core as much as 4 GiB, and what has anything that replicas here do not ask for
/// last.
struct Rooms {
    /// By region.
    regions: BTreeMap<usize, BTreeSet<(bool, u64, usize, usize)>>,
}

impl Rooms {
    /// Those that have at least so much.
    fn new(state: &State<'_>, guide: &Guide, least: u64) -> Self {
        let mut rooms = Rooms {
            regions: BTreeMap::new(),
        };
        for &p in &guide.rows.pools {
            let region = rooms.regions.entry(guide.rows.region(p)).or_default();
            for &c in &state.by_pool[p] {
                let nodes = state.clusters[c].nodes.iter().enumerate();
                let nodes = nodes.filter(|(_, node)| node.live && weight(node.free) >= least);
                region.extend(nodes.map(|(n, node)| key(node, c, n)));
            }
        }
        rooms
    }

    /// The tightest of the nodes in some pools that take a replica.
    fn tightest(&self, state: &State<'_>, s: usize, region: usize, pools: &[usize]) -> Found {
        let service = state.problem.service(s);
        let size = weight(service.size);
        let nodes = self.regions.get(&region)?;
        [false, true].into_iter().find_map(|scarce| {
            let large = nodes.range((scarce, size, 0, 0)..(scarce, u64::MAX, 0, 0));
            large.copied().find(|&(_, _, c, n)| {
                let cluster = &state.clusters[c];
                pack::takes(service, s, &cluster.nodes[n])
                    && accepts(state, c, s)
                    && pools.binary_search(&cluster.pool).is_ok()
            })
        })
    }
}

type Found = Option<(bool, u64, usize, usize)>;

fn key(node: &Node, c: usize, n: usize) -> (bool, u64, usize, usize) {
    (!node.free.extended.is_none(), weight(node.free), c, n)
}

/// Puts what is left over into the tightest room there is, the largest first. Returns what found none.
pub(crate) fn all(state: &mut State<'_>, guide: &Guide, mut left: Vec<Share>) -> Vec<Share> {
    let problem = state.problem;
    let size = |share: &Share| weight(problem.service(share.service).size);
    let Some(least) = left.iter().map(size).min() else {
        return left;
    };
    let mut rooms = Rooms::new(state, guide, least);
    left.sort_by_key(|share| (std::cmp::Reverse(size(share)), share.service, share.pool));
    for share in &mut left {
        let pools = others(problem, guide, share);
        let here = guide.rows.region(share.pool);
        let regions: BTreeSet<usize> = pools.iter().map(|&p| guide.rows.region(p)).collect();
        while share.replicas > 0 {
            let tightest = |region: usize| {
                let found = rooms.tightest(state, share.service, region, &pools)?;
                Some((found, region))
            };
            // A plan that is to be there at once looks no further than it must.
            let near = (guide.effort == Effort::Little).then(|| tightest(here));
            let anywhere = || regions.iter().filter_map(|&region| tightest(region)).min();
            let Some((found, region)) = near.flatten().or_else(anywhere) else {
                break;
            };
            let (_, _, c, n) = found;
            // Where one fits, it stays the tightest as long as another one does.
            let node = &state.clusters[c].nodes[n];
            let service = problem.service(share.service);
            let most = if service.one_per_node {
                1
            } else {
                share.replicas
            };
            let fits = |count: &u32| service.size.times(u64::from(*count)).fits(node.free);
            let count = (1..=most).take_while(fits).count() as u32;
            state.put_many(c, n, share.service, count.max(1));
            share.replicas -= count.max(1);
            if let Some(nodes) = rooms.regions.get_mut(&region) {
                nodes.remove(&found);
                let node = &state.clusters[c].nodes[n];
                if weight(node.free) >= least {
                    nodes.insert(key(node, c, n));
                }
            }
        }
    }
    left.retain(|share| share.replicas > 0);
    left
}
