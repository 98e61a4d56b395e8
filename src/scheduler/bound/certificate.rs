//! The proof of a bound: prices in whole numbers. Anyone can check it from them and the snapshot alone.

use super::apart;
use super::ascent::Prices;
use super::groups::Rows;
use crate::scheduler::capacity::{CapacityType, CapacityTypes};
use crate::scheduler::limits::MOST_PRICE;
use crate::scheduler::model::{Origin, Service, ServiceId};
use crate::scheduler::problem::{Offer, Problem};
use crate::scheduler::state::Usage;
use crate::scheduler::units::{HOURS_PER_MONTH, Micros, Resources};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Units of a price in one micro-dollar.
pub const PRICE_UNITS: i64 = 1_000_000_000;

/// The prices of one pool, in [`PRICE_UNITS`] of a micro-dollar per hour. All are at least zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolPrices {
    /// The pool.
    pub pool: String,
    /// A milli-core.
    pub milli_core: i64,
    /// A MiB.
    pub mib: i64,
    /// One more node that the pool's limit would allow.
    pub node_limit: i64,
    /// One more milli-core.
    pub core_limit: i64,
    /// One more MiB.
    pub memory_limit: i64,
    /// One more micro-dollar an hour; a number without unit.
    pub budget: i64,
    /// What cores and memory of spot machines are worth, where the pool sells some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<SpotPrices>,
}

/// The prices of spot capacity in one pool, in [`PRICE_UNITS`] of a micro-dollar per hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpotPrices {
    /// A milli-core.
    pub milli_core: i64,
    /// A MiB.
    pub mib: i64,
}

impl PoolPrices {
    /// What a replica pays, on the cheapest machines that it may run on.
    pub(crate) fn pays(&self, service: &Service) -> i128 {
        let types = [CapacityType::OnDemand, CapacityType::Spot].into_iter();
        let types = types.filter(|&capacity| service.capacity_types.contains(capacity));
        let worth = types.map(|capacity| self.worth(service.size, capacity));
        worth.min().unwrap_or(0)
    }

    /// Whether no node of an offer is worth more than it costs.
    pub(crate) fn allows(&self, offer: &Offer) -> bool {
        self.worth(offer.allocatable, offer.capacity_type) <= self.costs(offer)
    }

    /// What a node costs with what its share of the limits would earn.
    fn costs(&self, offer: &Offer) -> i128 {
        i128::from(offer.hourly) * (i128::from(PRICE_UNITS) + i128::from(self.budget))
            + i128::from(self.node_limit)
            + i128::from(self.core_limit) * i128::from(offer.capacity.milli_cores)
            + i128::from(self.memory_limit) * i128::from(offer.capacity.mib)
    }

    /// What an amount is worth on machines of a type; those of a type without prices of its own count as
    /// on demand.
    fn worth(&self, size: Resources, capacity: CapacityType) -> i128 {
        let firm = (self.milli_core, self.mib);
        let (milli_core, mib) = match (&self.spot, capacity) {
            (Some(spot), CapacityType::Spot) => (spot.milli_core, spot.mib),
            _ => firm,
        };
        i128::from(milli_core) * i128::from(size.milli_cores)
            + i128::from(mib) * i128::from(size.mib)
    }
}

/// Prices in whole numbers, rounded so that they still prove nearly as much.
pub(crate) fn rounded(problem: &Problem<'_>, rows: &Rows, prices: &Prices) -> Vec<PoolPrices> {
    let units = |price: f64| ((price * PRICE_UNITS as f64) as i64).min(MOST_PRICE - 1);
    let mut list: Vec<PoolPrices> = (rows.pools.iter().enumerate())
        .map(|(row, &p)| {
            let worth = prices.worth[row].map(|w| if w > 0.0 { units(w) + 1 } else { 0 });
            PoolPrices {
                pool: problem.snapshot.pools[p].name.clone(),
                milli_core: units(prices.rows[row].cpu),
                mib: units(prices.rows[row].mem),
                node_limit: worth[0],
                core_limit: worth[1],
                memory_limit: worth[2],
                budget: worth[3],
                spot: None,
            }
        })
        .collect();
    list.sort_by(|a, b| a.pool.cmp(&b.pool));
    list
}

/// The bound that prices prove for a plan in which these services have their place, in micro-dollars per
/// hour. Prices that would prove too much are lowered first.
pub(crate) fn prove(
    problem: &Problem<'_>,
    rows: &Rows,
    mut prices: Vec<PoolPrices>,
    services: &[usize],
) -> Certificate {
    for (p, price) in prices.iter_mut().enumerate() {
        make_valid(problem, p, price);
    }
    let lists = Lists::new(problem);
    let charged = charges(problem, rows, &prices, services, &lists);
    let used = in_use(problem);
    let credited: i128 = (prices.iter().enumerate())
        .map(|(p, price)| credit(problem, p, price, &used[p]))
        .sum();
    let fixed = fixed(problem, &prices);
    let (apart, separate) =
        apart::separate(problem, rows, services, &lists.by_service, &lists.lists);
    let workers = (charged - credited + fixed).div_euclid(i128::from(PRICE_UNITS));
    let bound = (workers.max(0) + i128::from(apart.control)).max(i128::from(apart.whole));
    Certificate {
        lower_bound: i64::try_from(bound).unwrap_or(i64::MAX),
        prices,
        separate: (separate.into_iter())
            .map(|s| problem.service(s).id.clone())
            .collect(),
    }
}

/// A bound and what proves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Micro-dollars per hour: no plan that places the same services has a smaller objective.
    pub lower_bound: Micros,
    /// One entry a pool, by name.
    pub prices: Vec<PoolPrices>,
    /// Services of which no two may share a cluster: each needs control planes of its own.
    pub separate: Vec<ServiceId>,
}

/// No class may be worth more than it costs, with what its share of the limits would earn.
fn make_valid(problem: &Problem<'_>, p: usize, price: &mut PoolPrices) {
    let pool = &problem.snapshot.pools[p];
    for offer in problem.pools[p].sold_or_kept() {
        // Those on demand come first, so what spot machines are worth begins with prices that hold for them.
        let on_demand = offer.capacity_type.is_on_demand();
        let (milli_core, mib) = (price.milli_core, price.mib);
        if !on_demand && price.spot.is_none() {
            price.spot = Some(SpotPrices { milli_core, mib });
        }
        let worth = price.worth(offer.allocatable, offer.capacity_type);
        let costs = price.costs(offer);
        if worth <= costs {
            continue;
        }
        let more = i64::try_from(i128::from(price.node_limit) + worth - costs);
        let more = more.ok().filter(|more| *more <= MOST_PRICE);
        let scaled = |units: i64| scaled(units, costs, worth);
        match &mut price.spot {
            Some(spot) if !on_demand => {
                spot.milli_core = scaled(spot.milli_core);
                spot.mib = scaled(spot.mib);
            }
            _ => match more.filter(|_| pool.caps.max_nodes.is_some()) {
                Some(more) => price.node_limit = more,
                None => {
                    price.milli_core = scaled(price.milli_core);
                    price.mib = scaled(price.mib);
                }
            },
        }
    }
}

/// So many units in the proportion of costs to worth, rounded down; of the largest numbers, the last digits are
/// given up.
fn scaled(units: i64, costs: i128, worth: i128) -> i64 {
    // Units are below 2^63, so costs may have 64 bits.
    let cut = (i128::BITS - worth.leading_zeros()).saturating_sub(64);
    let lost = i128::from(cut > 0);
    (i128::from(units) * (costs >> cut) / ((worth >> cut) + lost).max(1)) as i64
}

/// What the machines of each pool are before the decision, whatever of them is wanted.
fn in_use(problem: &Problem<'_>) -> Vec<Usage> {
    let mut used = vec![Usage::default(); problem.pools.len()];
    for cluster in &problem.snapshot.clusters {
        let Some(p) = problem.pool(&cluster.pool) else {
            continue;
        };
        let workers = cluster.workers.iter().map(|g| (g.class.as_str(), g.count));
        let control = cluster.control_plane.iter().map(|(c, n)| (c.as_str(), *n));
        for (class, n) in workers.chain(control) {
            let class = problem.class(class);
            let capacity = class.map(|c| problem.snapshot.node_classes[c].capacity);
            let offer = class.and_then(|c| problem.pools[p].offer_of(c));
            used[p].add(Usage {
                nodes: n.into(),
                size: capacity.unwrap_or_default().times(n.into()),
                hourly: offer.map_or(0, |offer| offer.hourly) * i64::from(n),
            });
        }
    }
    used
}

/// The most that a pool's nodes can earn above their price within its limits. What is there already may
/// exceed limits that were lowered since.
fn credit(problem: &Problem<'_>, p: usize, price: &PoolPrices, used: &Usage) -> i128 {
    let pool = &problem.snapshot.pools[p];
    let budget = pool
        .monthly_budget
        .map(|monthly| (monthly / HOURS_PER_MONTH).max(0) as u64);
    let of = |units: i64, limit: Option<u64>, used: u64| {
        i128::from(units) * i128::from(limit.map_or(0, |limit| limit.max(used)))
    };
    of(price.node_limit, pool.caps.max_nodes, used.nodes)
        + of(
            price.core_limit,
            pool.caps.max_milli_cores,
            used.size.milli_cores,
        )
        + of(price.memory_limit, pool.caps.max_mib, used.size.mib)
        + of(price.budget, budget, used.hourly.max(0) as u64)
}

/// What clusters cost that stay as they are, less what is on their nodes at these prices.
fn fixed(problem: &Problem<'_>, prices: &[PoolPrices]) -> i128 {
    let mut sum = 0;
    for cluster in &problem.snapshot.clusters {
        let Origin::Declared { resize } = &cluster.origin else {
            continue;
        };
        let Some(p) = problem.pool(&cluster.pool) else {
            continue;
        };
        if let Some((class, n)) = &cluster.control_plane
            && let Some(offer) = problem
                .class(class)
                .and_then(|c| problem.pools[p].offer_of(c))
        {
            sum += i128::from(offer.hourly) * i128::from(*n) * i128::from(PRICE_UNITS);
        }
        for group in &cluster.workers {
            let Some(class) = problem.class(&group.class) else {
                continue;
            };
            let offer = problem.pools[p].offer_of(class);
            // A node that may be given up is as good as one that may be bought.
            if resize.is_some() && offer.is_some() {
                continue;
            }
            let node = &problem.snapshot.node_classes[class];
            let worth = prices[p].worth(node.allocatable(), node.capacity_type());
            let costs = offer.map_or(0, |offer| i128::from(offer.hourly));
            sum += (costs * i128::from(PRICE_UNITS) - worth) * i128::from(group.count);
        }
    }
    sum
}

/// What the services pay at least, each wherever it is cheapest for it.
fn charges(
    problem: &Problem<'_>,
    rows: &Rows,
    prices: &[PoolPrices],
    services: &[usize],
    lists: &Lists,
) -> i128 {
    // Services of one size with the same pools and regions pay the same.
    type Alike = (usize, Resources, CapacityTypes, u32);
    let mut alike: BTreeMap<Alike, (usize, u64, u64)> = BTreeMap::new();
    for &s in services {
        let (service, demand) = (problem.service(s), &problem.demands[s]);
        let apart = demand.min_regions.max(1);
        if service.replicas == 0 {
            continue;
        }
        let list = lists.by_service[s];
        let entry = alike
            .entry((list, service.size, service.capacity_types, apart))
            .or_insert((s, 0, 0));
        entry.1 += 1;
        entry.2 += u64::from(service.replicas);
    }
    let mut sum = 0;
    for ((list, _, _, apart), (s, count, replicas)) in alike {
        let least = least_by_region(problem, rows, prices, s, &lists.lists[list]);
        sum += paid(&least, count, replicas, apart);
    }
    sum
}

/// So many services with so many replicas in all, each in at least `apart` regions.
fn paid(least: &[i128], count: u64, replicas: u64, apart: u32) -> i128 {
    let Some(cheapest) = least.first() else {
        return 0;
    };
    let others = least.iter().take(apart as usize).skip(1);
    let more: i128 = others.map(|price| price - cheapest).sum();
    cheapest * i128::from(replicas) + more * i128::from(count)
}

/// What one replica pays in each region, the cheapest first.
fn least_by_region(
    problem: &Problem<'_>,
    rows: &Rows,
    prices: &[PoolPrices],
    s: usize,
    pools: &[usize],
) -> Vec<i128> {
    let service = problem.service(s);
    let mut least: Vec<(usize, i128)> = Vec::new();
    for &p in pools {
        let pays = prices[p].pays(service);
        let region = rows.region(p);
        match least.iter_mut().find(|(known, _)| *known == region) {
            Some((_, known)) => *known = pays.min(*known),
            None => least.push((region, pays)),
        }
    }
    let mut least: Vec<i128> = least.into_iter().map(|(_, pays)| pays).collect();
    least.sort_unstable();
    least
}

/// Where a service can be: the pools where it may be placed, and, since what runs may stay, those
/// of its eligible pools that have clusters.
struct Lists {
    lists: Vec<Vec<usize>>,
    by_service: Vec<usize>,
}

impl Lists {
    fn new(problem: &Problem<'_>) -> Self {
        let clusters = problem.snapshot.clusters.iter();
        let peopled: BTreeSet<usize> = clusters.filter_map(|c| problem.pool(&c.pool)).collect();
        let mut all = Lists {
            lists: Vec::new(),
            by_service: Vec::new(),
        };
        let mut known: BTreeMap<(usize, *const usize, usize), usize> = BTreeMap::new();
        for (s, demand) in problem.demands.iter().enumerate() {
            let key = (demand.eligible, demand.usable.as_ptr(), demand.usable.len());
            let at = *known.entry(key).or_insert_with(|| {
                let eligible = problem.eligible(s).iter().copied();
                let pools = eligible
                    .filter(|p| peopled.contains(p) || demand.usable.binary_search(p).is_ok());
                all.lists.push(pools.collect());
                all.lists.len() - 1
            });
            all.by_service.push(at);
        }
        all
    }
}
