//! Where capacity is cheap: pools in order of what they charge for the same amount of it.

use crate::scheduler::problem::Problem;
use crate::scheduler::state::{Node, State, Usage};
use crate::scheduler::units::{Micros, PPM, Resources};
use std::collections::{BTreeMap, BTreeSet};

/// Pools in which a replica is tried.
const POOLS: usize = 4;

/// Pools that can sell another node, with the price of a million units of size, the cheapest first.
pub(super) struct Cheap {
    /// The first of them that are in each list of pools which services may use, by its address.
    first: BTreeMap<*const usize, Vec<(u64, usize)>>,
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
        let mut first = BTreeMap::new();
        for demand in &problem.demands {
            // Lists are shared, so the same list is the same address.
            first.entry(demand.usable.as_ptr()).or_insert_with(|| {
                let order = order.iter().copied();
                let usable = order.filter(|(_, p)| demand.usable.binary_search(p).is_ok());
                usable.take(POOLS).collect()
            });
        }
        let nodes = state.by_pool.iter().map(|clusters| {
            let nodes = clusters.iter().map(|&c| state.clusters[c].nodes.len());
            nodes.sum()
        });
        Cheap {
            first,
            nodes: nodes.collect(),
        }
    }

    /// The cheapest pools that a service may be in.
    pub fn pools(&self, problem: &Problem<'_>, s: usize) -> BTreeSet<usize> {
        self.usable(problem, s).iter().map(|(_, p)| *p).collect()
    }

    fn usable(&self, problem: &Problem<'_>, s: usize) -> &[(u64, usize)] {
        let list = problem.demands[s].usable.as_ptr();
        self.first.get(&list).map_or(&[], Vec::as_slice)
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
            let cheapest = self.usable(state.problem, s).first();
            let price = cheapest.map_or(0, |(price, _)| *price);
            least += u128::from(price) * u128::from(size) * u128::from(count) / u128::from(PPM);
        }
        whole.saturating_sub(Micros::try_from(least).unwrap_or(Micros::MAX))
    }
}
