//! What each service must have and would like, merged from itself and the policies over it.

use super::constraint::{compliance, fit, selector};
use super::model::{
    NodeClass, Pin, Preference, Selector, Service, ServiceId, Snapshot, Spread, Topology,
};
use super::moving::terms::Terms;
use super::offer::PoolView;
use super::topology::SAME_REGION_MS;
use super::units::Micros;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// What a service must have and would like, from itself and all policies over it.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    pub min_regions: u32,
    /// The required regions in the order written, as indices for [`Problem::names_pool`](super::problem::Problem::names_pool).
    pub required: Vec<usize>,
    pub compliance: BTreeSet<String>,
    pub spread: Vec<Spread>,
    pub preferences: Vec<Preference>,
    /// The policy whose `clusterPolicy` governs its clusters.
    pub governing: Option<usize>,
    /// What moving its replicas costs and must bring.
    pub terms: Terms,
    /// Latency limits to services of the snapshot, by index.
    pub latency: Vec<(usize, u32)>,
    /// Services that have a latency limit to this one, by index.
    pub dependents: Vec<(usize, u32)>,
    /// Clusters it is fixed to, with the replicas on each.
    pub pins: BTreeMap<String, u32>,
    /// Pools that pass selector and compliance, full or not: the domains of spread.
    pub eligible: usize,
    /// Of these, the open ones that also have a class a replica fits.
    pub usable: Rc<[usize]>,
    /// Whether it matters in which zone of a pool a replica is.
    pub zonal: bool,
    /// What the preferences charge per replica in each pool; empty without preferences.
    pub penalties: Vec<Micros>,
}

/// Pools that pass selector and compliance.
#[derive(Debug, Default)]
pub(crate) struct Eligible {
    pub pools: Vec<usize>,
    /// Of pools of which not all zones pass, those that do.
    pub zones: BTreeMap<usize, Vec<usize>>,
}

/// What several services want alike, found out once.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    sets: Vec<Eligible>,
    by_selector: BTreeMap<Selector, BTreeMap<BTreeSet<String>, usize>>,
    /// By set, and for each class whether it holds a replica.
    usable: BTreeMap<usize, BTreeMap<Vec<bool>, Rc<[usize]>>>,
    /// For each region that some service requires: its name, and whether each pool is meant by it.
    regions: Vec<(String, Vec<bool>)>,
    by_region: BTreeMap<String, usize>,
}

impl Wishes {
    /// Pools of a set, by its number in [`Demand::eligible`].
    pub fn set(&self, number: usize) -> &Eligible {
        &self.sets[number]
    }

    /// A required region by its number in [`Demand::required`].
    pub fn region(&self, number: usize) -> &(String, Vec<bool>) {
        &self.regions[number]
    }

    fn required(&mut self, snapshot: &Snapshot, region: &str) -> usize {
        if let Some(&number) = self.by_region.get(region) {
            return number;
        }
        self.regions
            .push((region.to_owned(), meant_by(snapshot, region)));
        self.by_region
            .insert(region.to_owned(), self.regions.len() - 1);
        self.regions.len() - 1
    }

    fn eligible(
        &mut self,
        snapshot: &Snapshot,
        pools: &[PoolView],
        selector: &Selector,
        labels: &BTreeSet<String>,
    ) -> usize {
        let known = self.by_selector.get(selector);
        if let Some(&set) = known.and_then(|known| known.get(labels)) {
            return set;
        }
        self.sets.push(passing(snapshot, pools, selector, labels));
        let set = self.sets.len() - 1;
        let known = self.by_selector.entry(selector.clone()).or_default();
        known.insert(labels.clone(), set);
        set
    }

    /// The open pools of a set that offer a class which a replica of this size fits. Services of which
    /// the same classes hold a replica share the list.
    fn usable(
        &mut self,
        snapshot: &Snapshot,
        pools: &[PoolView],
        eligible: usize,
        service: &Service,
    ) -> Rc<[usize]> {
        let classes = snapshot.node_classes.iter();
        let fits = |c: &NodeClass| service.size.fits(c.allocatable());
        let takes = |c: &NodeClass| service.capacity_types.contains(c.capacity_type());
        let holding: Vec<bool> = classes.map(|c| fits(c) && takes(c)).collect();
        let set = &self.sets[eligible];
        let known = self.usable.entry(eligible).or_default();
        let list = known.entry(holding).or_insert_with(|| {
            let set = set.pools.iter().copied();
            set.filter(|&p| snapshot.pools[p].closed.is_none())
                .filter(|&p| fit::fits_some(&pools[p].offers, service))
                .collect()
        });
        Rc::clone(list)
    }

    /// Whether it matters to a demand in which zone of a pool a replica is.
    pub fn is_zonal(&self, pools: &[PoolView], demand: &Demand) -> bool {
        let eligible = &self.sets[demand.eligible];
        let mut ties = demand.latency.iter().chain(&demand.dependents);
        let mut spread = demand.spread.iter();
        let several = |&p: &usize| pools[p].zones.are_several();
        (spread.any(|rule| rule.topology == Topology::Zone)
            || ties.any(|&(_, ms)| ms < SAME_REGION_MS)
            || !eligible.zones.is_empty())
            && eligible.pools.iter().any(several)
    }
}

/// The demands of all services. What preferences charge is not in them yet.
pub(crate) fn all(snapshot: &Snapshot, pools: &[PoolView], wishes: &mut Wishes) -> Vec<Demand> {
    let number = |id: &ServiceId| {
        let found = snapshot.services.binary_search_by(|s| s.id.cmp(id));
        found.ok()
    };
    let mut pinned: BTreeMap<&ServiceId, Vec<&Pin>> = BTreeMap::new();
    for pin in &snapshot.pins {
        pinned.entry(&pin.service).or_default().push(pin);
    }
    let mut demands: Vec<Demand> = (snapshot.services.iter())
        .map(|service| {
            let mut demand = one(snapshot, pools, wishes, service);
            demand.latency = latency(service, &number);
            let pins = pinned.get(&service.id).into_iter().flatten().copied();
            demand.pins = fixed(service, pins);
            demand
        })
        .collect();
    for s in 0..demands.len() {
        for i in 0..demands[s].latency.len() {
            let (d, max_ms) = demands[s].latency[i];
            demands[d].dependents.push((s, max_ms));
        }
    }
    for demand in &mut demands {
        demand.zonal = wishes.is_zonal(pools, demand);
    }
    demands
}

/// The demand of one service without what others have to do with it: latency, zones, pins, and what preferences
/// charge.
pub(crate) fn one(
    snapshot: &Snapshot,
    pools: &[PoolView],
    wishes: &mut Wishes,
    service: &Service,
) -> Demand {
    let mut demand = merge_policies(snapshot, service);
    for region in &service.required_regions {
        demand.required.push(wishes.required(snapshot, region));
    }
    demand.eligible = wishes.eligible(snapshot, pools, &service.pools, &demand.compliance);
    demand.usable = wishes.usable(snapshot, pools, demand.eligible, service);
    demand
}

/// The latency limits of a service to those that are known.
pub(crate) fn latency(
    service: &Service,
    known: &dyn Fn(&ServiceId) -> Option<usize>,
) -> Vec<(usize, u32)> {
    let bounds = service.latency.iter();
    bounds
        .filter_map(|bound| Some((known(&bound.dependency)?, bound.max_ms)))
        .collect()
}

/// Clusters that a service is fixed to by its pins, with the replicas on each.
pub(crate) fn fixed<'p>(
    service: &Service,
    pins: impl Iterator<Item = &'p Pin>,
) -> BTreeMap<String, u32> {
    let mut fixed: BTreeMap<String, u32> = BTreeMap::new();
    for pin in pins {
        *fixed.entry(pin.cluster.clone()).or_default() += pin.replicas.unwrap_or(service.replicas);
    }
    fixed
}

fn passing(
    snapshot: &Snapshot,
    views: &[PoolView],
    pools: &Selector,
    labels: &BTreeSet<String>,
) -> Eligible {
    let mut eligible = Eligible::default();
    for (p, pool) in snapshot.pools.iter().enumerate() {
        if !selector::matches_pool(pools, pool) || !compliance::holds(labels, pool) {
            continue;
        }
        eligible.pools.push(p);
        let domains = views[p].zones.domains.iter();
        let passing: Vec<usize> = (pool.zones.iter().zip(domains))
            .filter(|(zone, _)| selector::matches_zone(pools, pool, zone))
            .map(|(_, domain)| *domain)
            .collect();
        if passing.len() < pool.zones.len() {
            eligible.zones.insert(p, passing);
        }
    }
    eligible
}

fn meant_by(snapshot: &Snapshot, region: &str) -> Vec<bool> {
    let pools = snapshot.pools.iter();
    pools
        .map(|pool| pool.region == region || pool.name == region)
        .collect()
}

fn merge_policies(snapshot: &Snapshot, service: &Service) -> Demand {
    let mut demand = Demand {
        compliance: service.compliance.clone(),
        ..Demand::default()
    };
    let mut moving = None;
    // Policies are in order of priority, then name: the first that has them gives preferences,
    // cluster rules and the terms of moving; requirements of all of them add up.
    for (i, policy) in snapshot.policies.iter().enumerate() {
        if !selector::matches_labels(&policy.selector, &service.labels) {
            continue;
        }
        demand.min_regions = demand.min_regions.max(policy.min_regions.unwrap_or(0));
        demand.compliance.extend(policy.compliance.iter().cloned());
        demand.spread.extend(policy.spread.iter().copied());
        if demand.preferences.is_empty() {
            demand.preferences.clone_from(&policy.preferences);
        }
        if demand.governing.is_none() && policy.cluster_policy.is_some() {
            demand.governing = Some(i);
        }
        moving = moving.or(policy.moving);
    }
    demand.terms = Terms::of(service.moving, moving.unwrap_or_default());
    demand.spread.sort();
    demand.spread.dedup();
    demand
}
