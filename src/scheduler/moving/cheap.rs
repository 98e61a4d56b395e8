//! Where capacity is cheap: pools in order of what they charge for the same amount of it.

use crate::scheduler::problem::Problem;
use crate::scheduler::state::{Node, State, Usage};
use crate::scheduler::units::{Micros, PPM, Resources};
use std::collections::BTreeSet;

/// Pools in which a replica is tried.
const POOLS: usize = 4;

/// Pools by price.
pub(super) struct Cheap {
    /// Pools that can sell another node, with the price of a million units of size, the cheapest first.
    order: Vec<(u64, usize)>,
    /// Nodes in each pool.
    pub nodes: Vec<usize>,
}

/// What counts as large: a core as much as 4 GiB, the usual ratio of nodes.
fn weight(size: Resources) -> u64 {
    size.milli_cores.saturating_mul(4).saturating_add(size.mib)
}

impl Cheap {
    pub fn new(state: &State<'_>) -> Self {
        let problem = state.problem;
        let mut order: Vec<(u64, usize)> = (0..problem.pools.len())
            .filter(|&p| problem.snapshot.pools[p].closed.is_none())
            .filter_map(|p| {
                let offers = problem.pools[p].offers.iter();
                let sold = offers.filter(|o| state.limits_against(p, Usage::of(o, 1)).is_empty());
                let price = sold.map(|o| {
                    let whole = u128::from(o.hourly.unsigned_abs()) * u128::from(PPM);
                    let price = whole / u128::from(weight(o.allocatable).max(1));
                    u64::try_from(price).unwrap_or(u64::MAX)
                });
                Some((price.min()?, p))
            })
            .collect();
        order.sort_unstable();
        let nodes = state.by_pool.iter().map(|clusters| {
            let nodes = clusters.iter().map(|&c| state.clusters[c].nodes.len());
            nodes.sum()
        });
        Cheap {
            order,
            nodes: nodes.collect(),
        }
    }

    /// The cheapest pools that a service may be in.
    pub fn pools(&self, problem: &Problem<'_>, s: usize) -> BTreeSet<usize> {
        self.usable(problem, s)
            .map(|(_, p)| p)
            .take(POOLS)
            .collect()
    }

    fn usable(&self, problem: &Problem<'_>, s: usize) -> impl Iterator<Item = (u64, usize)> {
        let usable = std::rc::Rc::clone(&problem.demands[s].usable);
        let order = self.order.iter().copied();
        order.filter(move |(_, p)| usable.binary_search(p).is_ok())
    }

    /// About what could be saved if what costs `whole` were without idle parts where it is cheapest. An estimate,
    /// for the order in which things are tried.
    pub fn might_save<'n>(
        &self,
        state: &State<'_>,
        whole: Micros,
        nodes: impl Iterator<Item = &'n Node>,
    ) -> Micros {
        let mut least = 0u128;
        for &(s, count) in nodes.flat_map(|node| &node.tenants) {
            let size = weight(state.problem.service(s).size);
            let price = self
                .usable(state.problem, s)
                .next()
                .map_or(0, |(price, _)| price);
            least += u128::from(price) * u128::from(size) * u128::from(count) / u128::from(PPM);
        }
        whole.saturating_sub(Micros::try_from(least).unwrap_or(Micros::MAX))
    }
}
