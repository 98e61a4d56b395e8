//! The lower bound: whether the prices that come with a plan prove what it claims.
//!
//! The argument, in full. Let every pool have prices for its milli-cores and MiB, and for the limits it
//! has. A replica, wherever it is, takes cores and memory of a node there, and is charged for them:
//! at least what it would pay in the cheapest pool where it may be. All that a node is charged is at
//! most what the node is worth, and no class is worth more than its price and what its share of the
//! limits is worth. So what all replicas pay is at most the price of all nodes, and what all limits
//! are worth together. Nodes of clusters that stay as they are count with what they really cost.
//!
//! Besides, services that have no pool in common have clusters of their own, each with a control plane and
//! at least its fewest workers. Their control planes come on top of all nodes; their workers are some of
//! these nodes, so either the one sum or the other counts.

use super::apart;
use super::services::{passes, policies};
use super::{View, Violation, say};
use crate::scheduler::capacity::CapacityTypes;
use crate::scheduler::limits::MOST_PRICE;
use crate::scheduler::model::{Cluster, NodeClass, Origin, Pool, Service};
use crate::scheduler::solution::Verdict;
use crate::scheduler::units::Resources;
use crate::scheduler::{PRICE_UNITS, PoolPrices};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    let certificate = &view.solution.certificate;
    let claimed = i128::from(certificate.lower_bound);
    if claimed == 0 {
        return;
    }
    if certificate.lower_bound > view.solution.objective {
        let detail = format!(
            "{claimed} is above the objective {}",
            view.solution.objective
        );
        say(found, "lowerBound", "the plan", detail);
    }
    let prices: BTreeMap<&str, &PoolPrices> = (certificate.prices.iter())
        .map(|p| (p.pool.as_str(), p))
        .collect();
    if let Some(price) = certificate.prices.iter().find(|p| !are_reckonable(p)) {
        let detail = "a price is below zero or too large to reckon with".to_owned();
        say(found, "lowerBound", &price.pool, detail);
        return;
    }
    let mut earned = 0i128;
    for pool in &view.snapshot.pools {
        let Some(price) = prices.get(pool.name.as_str()) else {
            say(found, "lowerBound", &pool.name, "has no price".into());
            return;
        };
        earned += pool_earns(view, pool, price, found);
    }
    let shops = Shops::new(view);
    let mut paid = 0i128;
    let mut known = BTreeMap::new();
    for service in placed(view) {
        paid += shops.pays(service, &prices, &mut known);
    }
    let workers = (paid - earned + stays(view, &prices)).div_euclid(i128::from(PRICE_UNITS));
    let (control, whole) = apart::costs(view, &shops, found);
    let proven = (workers.max(0) + control).max(whole);
    if claimed > proven {
        let detail = format!("{claimed} is claimed, {proven} is proven");
        say(found, "lowerBound", "the plan", detail);
    }
}

fn placed<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Service> {
    let has_place = |s: &&Service| {
        let outcome = view.outcome(&s.id);
        outcome.is_some_and(|o| matches!(o.verdict, Verdict::Placed | Verdict::Unchanged))
    };
    let services: Vec<&Service> = view.snapshot.services.iter().filter(has_place).collect();
    services.into_iter()
}

fn are_reckonable(price: &PoolPrices) -> bool {
    let spot = price.spot.unwrap_or_default();
    let limits = [price.node_limit, price.core_limit, price.memory_limit];
    let worths = [price.milli_core, price.mib, spot.milli_core, spot.mib];
    let all = worths.into_iter().chain(limits).chain([price.budget]);
    all.into_iter().all(|x| (0..=MOST_PRICE).contains(&x))
}

/// What a pool's limits are worth; says where a class is worth more than it may be.
fn pool_earns(
    view: &View<'_>,
    pool: &Pool,
    price: &PoolPrices,
    found: &mut Vec<Violation>,
) -> i128 {
    let limits = [
        price.node_limit,
        price.core_limit,
        price.memory_limit,
        price.budget,
    ];
    for offer in &pool.offers {
        let Some(class) = view.class(&offer.class) else {
            continue;
        };
        let (whole, free) = (class.capacity, class.allocatable());
        let worth = worth(price, free, class.spot.is_some());
        let costs = i128::from(offer.hourly) * (i128::from(PRICE_UNITS) + i128::from(price.budget))
            + i128::from(price.node_limit)
            + i128::from(price.core_limit) * i128::from(whole.milli_cores)
            + i128::from(price.memory_limit) * i128::from(whole.mib);
        if worth > costs {
            let detail = format!("{} is worth more than it costs", offer.class);
            say(found, "lowerBound", &pool.name, detail);
        }
    }
    // What is there already may be more than a limit that was lowered since.
    let mut used = [0i128; 4];
    for cluster in view
        .snapshot
        .clusters
        .iter()
        .filter(|c| c.pool == pool.name)
    {
        for (class, n) in machines(cluster) {
            let price = pool.offers.iter().find(|o| o.class == class);
            let size = view.class(class).map(|c| c.capacity).unwrap_or_default();
            let n = i128::from(n);
            used[0] += n;
            used[1] += n * i128::from(size.milli_cores);
            used[2] += n * i128::from(size.mib);
            used[3] += n * price.map_or(0, |o| i128::from(o.hourly));
        }
    }
    let budget = pool.monthly_budget.map(|month| i128::from(month / 720));
    let caps = [
        pool.caps.max_nodes.map(i128::from),
        pool.caps.max_milli_cores.map(i128::from),
        pool.caps.max_mib.map(i128::from),
        budget,
    ];
    let worth = caps.iter().zip(used).zip(limits);
    worth
        .map(|((cap, used), price)| cap.map_or(0, |cap| cap.max(used) * i128::from(price)))
        .zip(limits.iter().zip(caps))
        .map(|(worth, (price, cap))| {
            if cap.is_none() && *price > 0 {
                say(
                    found,
                    "lowerBound",
                    &pool.name,
                    "prices a limit it has not".into(),
                );
            }
            worth
        })
        .sum()
}

/// Whether an empty machine takes a replica.
pub(super) fn takes(service: &Service, class: &NodeClass) -> bool {
    let types = service.capacity_types;
    let takes = if class.spot.is_some() {
        types.spot
    } else {
        types.on_demand
    };
    takes && service.size.fits(class.allocatable())
}

/// What an amount is worth, on spot machines at their own prices where there are some.
fn worth(price: &PoolPrices, size: Resources, spot: bool) -> i128 {
    let firm = (price.milli_core, price.mib);
    let own = price.spot.filter(|_| spot).map(|p| (p.milli_core, p.mib));
    let (milli_core, mib) = own.unwrap_or(firm);
    i128::from(milli_core) * i128::from(size.milli_cores) + i128::from(mib) * i128::from(size.mib)
}

fn machines(cluster: &Cluster) -> impl Iterator<Item = (&str, u32)> {
    let workers = cluster.workers.iter().map(|g| (g.class.as_str(), g.count));
    workers.chain(
        cluster
            .control_plane
            .iter()
            .map(|(class, n)| (class.as_str(), *n)),
    )
}

/// What declared clusters cost that stay, less what their nodes are worth.
fn stays(view: &View<'_>, prices: &BTreeMap<&str, &PoolPrices>) -> i128 {
    let mut sum = 0i128;
    for cluster in &view.snapshot.clusters {
        let Origin::Declared { resize } = &cluster.origin else {
            continue;
        };
        let Some(price) = prices.get(cluster.pool.as_str()) else {
            continue;
        };
        if let Some((class, n)) = &cluster.control_plane {
            let each = view.price(&cluster.pool, class).unwrap_or(0);
            sum += i128::from(each) * i128::from(*n) * i128::from(PRICE_UNITS);
        }
        for group in &cluster.workers {
            let sold = view.price(&cluster.pool, &group.class);
            let Some(class) = view.class(&group.class) else {
                continue;
            };
            if resize.is_some() && sold.is_some() {
                continue;
            }
            let free = class.allocatable();
            let worth = worth(price, free, class.spot.is_some());
            let costs = i128::from(sold.unwrap_or(0)) * i128::from(PRICE_UNITS);
            sum += (costs - worth) * i128::from(group.count);
        }
    }
    sum
}

/// A selector and compliance, as text, that decide which pools will do.
type Wish = String;

/// Where services may be.
pub(super) struct Shops<'v, 'a> {
    view: &'v View<'a>,
    peopled: BTreeSet<&'a str>,
    eligible: BTreeMap<Wish, Vec<&'a Pool>>,
}

impl<'v, 'a> Shops<'v, 'a> {
    fn new(view: &'v View<'a>) -> Self {
        let mut shops = Shops {
            view,
            peopled: view
                .snapshot
                .clusters
                .iter()
                .map(|c| c.pool.as_str())
                .collect(),
            eligible: BTreeMap::new(),
        };
        for service in placed(view) {
            let rules = policies(view, service);
            shops
                .eligible
                .entry(shops.wish(service))
                .or_insert_with(|| {
                    let pools = view.snapshot.pools.iter();
                    pools.filter(|p| passes(service, &rules, p)).collect()
                });
        }
        shops
    }

    fn wish(&self, service: &Service) -> Wish {
        let rules = policies(self.view, service);
        let mut labels: BTreeSet<&str> = service.compliance.iter().map(String::as_str).collect();
        labels.extend(
            rules
                .iter()
                .flat_map(|p| p.compliance.iter().map(String::as_str)),
        );
        format!("{:?} {labels:?}", service.pools)
    }

    /// The pools where a service may be: open ones that sell a class which holds a replica, and those that
    /// have a cluster, since what runs may stay.
    pub(super) fn of(&self, service: &Service) -> Vec<&'a Pool> {
        let list = self.eligible.get(&self.wish(service));
        let may = |pool: &&Pool| {
            let sells = pool.sold().any(|offer| {
                let class = self.view.class(&offer.class);
                class.is_some_and(|class| takes(service, class))
            });
            self.peopled.contains(pool.name.as_str()) || (pool.closed.is_none() && sells)
        };
        list.into_iter().flatten().copied().filter(may).collect()
    }

    /// The least that a service pays, with the regions that it must be in.
    fn pays(
        &self,
        service: &Service,
        prices: &BTreeMap<&str, &PoolPrices>,
        known: &mut BTreeMap<(Wish, Resources, CapacityTypes), Vec<i128>>,
    ) -> i128 {
        let key = (self.wish(service), service.size, service.capacity_types);
        let each = known.entry(key).or_insert_with(|| {
            let mut least: BTreeMap<&str, i128> = BTreeMap::new();
            for pool in self.of(service) {
                let price = prices[pool.name.as_str()];
                let types = service.capacity_types;
                let firm = types.on_demand.then(|| worth(price, service.size, false));
                let spot = types.spot.then(|| worth(price, service.size, true));
                let pays = firm.into_iter().chain(spot).min().unwrap_or(0);
                let here = least.entry(pool.region.as_str()).or_insert(pays);
                *here = pays.min(*here);
            }
            let mut each: Vec<i128> = least.into_values().collect();
            each.sort_unstable();
            each
        });
        let apart = regions(self.view, service);
        let Some(first) = each.first().filter(|_| service.replicas > 0) else {
            return 0;
        };
        let elsewhere: i128 = each.iter().skip(1).take(apart - 1).map(|x| x - first).sum();
        first * i128::from(service.replicas) + elsewhere
    }
}

pub(super) fn regions(view: &View<'_>, service: &Service) -> usize {
    let rules = policies(view, service);
    let most = rules.iter().filter_map(|p| p.min_regions).max();
    most.unwrap_or(1).max(1) as usize
}
