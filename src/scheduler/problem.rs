//! The indexed view of a snapshot that the search works on: names become indices once, here, and
//! what each service must have is merged from itself and the policies over it.

use super::constraint::{compliance, fit, selector};
use super::domains;
use super::hopeless;
use super::layout::{self, LaidCluster};
use super::model::{
    ClusterPolicy, ControlPlaneRule, NodeClass, Preference, Selector, Service, ServiceId, Snapshot,
    SortBy, Spread, Topology,
};
use super::moving::terms::Terms;
pub(crate) use super::offer::{Offer, PoolView};
use super::score;
use super::topology::{Distances, Place, SAME_REGION_MS};
use super::units::{Micros, Resources};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Pools that pass selector and compliance.
#[derive(Default)]
struct Eligible {
    pools: Vec<usize>,
    /// Of pools of which not all zones pass, those that do.
    zones: BTreeMap<usize, Vec<usize>>,
}

impl Eligible {
    fn has_zones(&self, pools: &[PoolView]) -> bool {
        self.pools.iter().any(|&p| pools[p].zones.are_several())
    }
}

/// What a service must have and would like, from itself and all policies over it.
#[derive(Debug)]
pub(crate) struct Demand {
    pub min_regions: u32,
    /// The required regions in the order written, as indices for [`Problem::names_pool`].
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
    penalties: Vec<Micros>,
}

/// A snapshot with indices.
pub(crate) struct Problem<'a> {
    pub snapshot: &'a Snapshot,
    pub pools: Vec<PoolView>,
    pub demands: Vec<Demand>,
    pub distances: Distances,
    pub no_policy: ClusterPolicy,
    /// Whether some pool sells spot capacity.
    pub sells_spot: bool,
    /// Services that no search can place.
    pub hopeless: Vec<bool>,
    /// Names that no new cluster may have.
    pub taken_names: BTreeSet<&'a str>,
    /// Names of the domains of each topology, by domain index.
    pub domain_names: BTreeMap<Topology, Vec<String>>,
    eligible_sets: Vec<Eligible>,
    /// For each region that some service requires: its name, and whether each pool is meant by it.
    required_regions: Vec<(&'a str, Vec<bool>)>,
    class_index: BTreeMap<&'a str, usize>,
    pool_index: BTreeMap<&'a str, usize>,
}

impl<'a> Problem<'a> {
    /// Indexes a snapshot, which must be in canonical order.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let class_index = index(snapshot.node_classes.iter().map(|c| c.name.as_str()));
        let pool_index = index(snapshot.pools.iter().map(|p| p.name.as_str()));
        let (domain_names, domains) = domains::of(snapshot);
        let pools = snapshot
            .pools
            .iter()
            .zip(&domains)
            .map(|(pool, domains)| PoolView::new(snapshot, pool, domains, &class_index))
            .collect();
        let mut problem = Problem {
            snapshot,
            pools,
            demands: Vec::new(),
            distances: Distances::new(snapshot, &domains),
            no_policy: ClusterPolicy::default(),
            sells_spot: snapshot.node_classes.iter().any(|c| c.spot.is_some()),
            hopeless: Vec::new(),
            taken_names: (snapshot.reserved_names.iter().map(String::as_str))
                .chain(snapshot.clusters.iter().map(|c| c.name.as_str()))
                .collect(),
            domain_names,
            eligible_sets: Vec::new(),
            required_regions: Vec::new(),
            class_index,
            pool_index,
        };
        problem.merge_demands();
        let free: Vec<u64> = (0..problem.pools.len())
            .map(|p| score::available_capacity::rank(&problem, p))
            .collect();
        for s in 0..problem.demands.len() {
            problem.demands[s].penalties = score::penalties(&problem, s, &free);
        }
        problem.hopeless = hopeless::services(&problem);
        problem
    }

    fn merge_demands(&mut self) {
        let snapshot = self.snapshot;
        let services = index_ids(&snapshot.services);
        let mut dependents: Vec<Vec<(usize, u32)>> = vec![Vec::new(); snapshot.services.len()];
        let mut pins: BTreeMap<usize, BTreeMap<String, u32>> = BTreeMap::new();
        for pin in &snapshot.pins {
            if let Some(&s) = services.get(&pin.service) {
                let n = pin.replicas.unwrap_or(snapshot.services[s].replicas);
                *pins
                    .entry(s)
                    .or_default()
                    .entry(pin.cluster.clone())
                    .or_default() += n;
            }
        }
        let mut memo: BTreeMap<(Selector, BTreeSet<String>), usize> = BTreeMap::new();
        let mut usable = BTreeMap::new();
        let mut regions: BTreeMap<&str, usize> = BTreeMap::new();
        for (s, service) in snapshot.services.iter().enumerate() {
            let mut demand = merge_policies(snapshot, service);
            for region in &service.required_regions {
                let number = *regions.entry(region).or_insert_with(|| {
                    self.required_regions
                        .push((region, meant_by(snapshot, region)));
                    self.required_regions.len() - 1
                });
                demand.required.push(number);
            }
            for bound in &service.latency {
                if let Some(&d) = services.get(&bound.dependency) {
                    demand.latency.push((d, bound.max_ms));
                    dependents[d].push((s, bound.max_ms));
                }
            }
            let key = (service.pools.clone(), demand.compliance.clone());
            demand.eligible = match memo.get(&key) {
                Some(&set) => set,
                None => {
                    self.eligible_sets.push(self.passing(&key.0, &key.1));
                    memo.insert(key, self.eligible_sets.len() - 1);
                    self.eligible_sets.len() - 1
                }
            };
            demand.usable = self.usable(demand.eligible, service, &mut usable);
            demand.zonal = self.is_zonal(&demand);
            demand.pins = pins.remove(&s).unwrap_or_default();
            self.demands.push(demand);
        }
        for (demand, dependents) in self.demands.iter_mut().zip(dependents) {
            demand.zonal |= dependents.iter().any(|&(_, ms)| ms < SAME_REGION_MS)
                && self.eligible_sets[demand.eligible].has_zones(&self.pools);
            demand.dependents = dependents;
        }
    }

    fn is_zonal(&self, demand: &Demand) -> bool {
        let eligible = &self.eligible_sets[demand.eligible];
        let mut spread = demand.spread.iter();
        eligible.has_zones(&self.pools)
            && (spread.any(|rule| rule.topology == Topology::Zone)
                || demand.latency.iter().any(|&(_, ms)| ms < SAME_REGION_MS)
                || !eligible.zones.is_empty())
    }

    /// The open pools of a set that offer a class which a replica of this size fits. Services of which
    /// the same classes hold a replica share the list.
    fn usable(
        &self,
        eligible: usize,
        service: &Service,
        known: &mut BTreeMap<(usize, Vec<bool>), Rc<[usize]>>,
    ) -> Rc<[usize]> {
        let classes = self.snapshot.node_classes.iter();
        let fits = |c: &NodeClass| service.size.fits(c.allocatable());
        let takes = |c: &NodeClass| service.capacity_types.contains(c.capacity_type());
        let holding: Vec<bool> = classes.map(|c| fits(c) && takes(c)).collect();
        let list = known.entry((eligible, holding)).or_insert_with(|| {
            self.eligible_sets[eligible]
                .pools
                .iter()
                .copied()
                .filter(|&p| self.snapshot.pools[p].closed.is_none())
                .filter(|&p| fit::fits_some(&self.pools[p].offers, service))
                .collect()
        });
        Rc::clone(list)
    }

    fn passing(&self, pools: &Selector, labels: &BTreeSet<String>) -> Eligible {
        let mut eligible = Eligible::default();
        for (p, pool) in self.snapshot.pools.iter().enumerate() {
            if !selector::matches_pool(pools, pool) || !compliance::holds(labels, pool) {
                continue;
            }
            eligible.pools.push(p);
            let domains = self.pools[p].zones.domains.iter();
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

    pub fn service(&self, s: usize) -> &'a Service {
        &self.snapshot.services[s]
    }

    /// The clusters of the snapshot, by index.
    pub fn laid(&self) -> Vec<LaidCluster> {
        layout::read(self, &self.snapshot.clusters)
    }

    pub fn service_named(&self, id: &ServiceId) -> Option<usize> {
        let services = &self.snapshot.services;
        services.binary_search_by(|s| s.id.cmp(id)).ok()
    }

    pub fn class(&self, name: &str) -> Option<usize> {
        self.class_index.get(name).copied()
    }

    pub fn pool(&self, name: &str) -> Option<usize> {
        self.pool_index.get(name).copied()
    }

    /// Pools that pass a service's selector and compliance, full or not.
    pub fn eligible(&self, s: usize) -> &[usize] {
        &self.eligible_sets[self.demands[s].eligible].pools
    }

    /// The zones of a pool, by domain, that pass a service's selector.
    pub fn zones(&self, s: usize, pool: usize) -> &[usize] {
        let chosen = self.eligible_sets[self.demands[s].eligible]
            .zones
            .get(&pool);
        chosen.unwrap_or(&self.pools[pool].zones.domains)
    }

    /// Whether a service's selector lets it be in a zone of a pool that it lets it be in; of nodes of which the
    /// zone is not known, only if it lets it be in all of them.
    pub fn may_be_in(&self, s: usize, place: Place) -> bool {
        let chosen = &self.eligible_sets[self.demands[s].eligible].zones;
        chosen.is_empty()
            || chosen
                .get(&place.pool)
                .is_none_or(|zones| zones.contains(&place.zone))
    }

    /// The place of a node in a cluster.
    pub fn place(&self, pool: usize, cluster: usize, node: &Offer) -> Place {
        Place {
            pool,
            cluster,
            zone: self.pools[pool].zones.domain(node.zone),
        }
    }

    /// The domain of a pool; for clusters there is none before they exist, nor one zone of several.
    pub fn domain(&self, pool: usize, topology: Topology) -> Option<usize> {
        self.pools[pool].domain(topology)
    }

    /// The cluster rules that a policy (or none) gives.
    pub fn cluster_policy(&self, policy: Option<usize>) -> &ClusterPolicy {
        policy
            .and_then(|p| self.snapshot.policies[p].cluster_policy.as_ref())
            .unwrap_or(&self.no_policy)
    }

    /// Whether a required region names this pool: by its region, or by its own name.
    pub fn names_pool(&self, required: usize, pool: usize) -> bool {
        self.required_regions[required].1[pool]
    }

    /// A required region as it is written.
    pub fn required_region(&self, required: usize) -> &'a str {
        self.required_regions[required].0
    }

    /// Class, capacity and price of one control-plane node in a pool, or what was looked for.
    pub fn control_plane(
        &self,
        pool: usize,
        rule: &ControlPlaneRule,
    ) -> Result<Option<(Offer, u32)>, String> {
        if rule.replicas == 0 {
            return Ok(None);
        }
        let smallest = Resources::new(2000, 4096);
        let mut offers = self.pools[pool].on_demand();
        let found = match &rule.class {
            Some(name) => offers.find(|o| self.snapshot.node_classes[o.class].name == *name),
            None => offers.find(|o| smallest.fits(o.capacity)),
        };
        match (found, &rule.class) {
            (Some(offer), _) => Ok(Some((offer.clone(), rule.replicas))),
            (None, Some(name)) => Err(format!("class {name} is not offered")),
            (None, None) => Err("none has 2 cores and 4 Gi".to_owned()),
        }
    }

    /// Whether what preferences charge depends on what is where.
    pub fn depends_on_clusters(&self) -> bool {
        let mut preferences = self.demands.iter().flat_map(|d| &d.preferences);
        preferences.any(|p| p.sort_by == SortBy::AvailableCapacity)
    }

    /// The preference penalty of one replica in a pool, micro-dollars per hour.
    pub fn penalty(&self, s: usize, pool: usize) -> Micros {
        self.demands[s].penalties.get(pool).copied().unwrap_or(0)
    }
}

fn meant_by(snapshot: &Snapshot, region: &str) -> Vec<bool> {
    let pools = snapshot.pools.iter();
    pools
        .map(|pool| pool.region == region || pool.name == region)
        .collect()
}

fn index<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    names.enumerate().map(|(i, name)| (name, i)).collect()
}

fn index_ids(services: &[Service]) -> BTreeMap<&ServiceId, usize> {
    services
        .iter()
        .enumerate()
        .map(|(i, s)| (&s.id, i))
        .collect()
}

fn merge_policies(snapshot: &Snapshot, service: &Service) -> Demand {
    let mut demand = Demand {
        min_regions: 0,
        required: Vec::new(),
        compliance: service.compliance.clone(),
        spread: Vec::new(),
        preferences: Vec::new(),
        governing: None,
        terms: Terms::default(),
        latency: Vec::new(),
        dependents: Vec::new(),
        pins: BTreeMap::new(),
        eligible: 0,
        usable: Rc::default(),
        zonal: false,
        penalties: Vec::new(),
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
