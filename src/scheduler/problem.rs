//! The indexed view of a snapshot that the search works on: names become indices once, here, and
//! what each service must have is merged from itself and the policies over it.

use super::capacity::{self, CapacityType};
use super::constraint::{compliance, fit, selector};
use super::hopeless;
use super::layout::{self, LaidCluster};
use super::model::{
    ClusterPolicy, ControlPlaneRule, NodeClass, Preference, Selector, Service, ServiceId, Snapshot,
    SortBy, Spread, Topology,
};
use super::moving::terms::Terms;
use super::score;
use super::topology::Distances;
use super::units::{Micros, Resources};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A node class as one pool sells it.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// Index of the class in the snapshot.
    pub class: usize,
    pub hourly: Micros,
    pub capacity: Resources,
    pub allocatable: Resources,
    pub capacity_type: CapacityType,
    /// What the risk to one replica is taken to cost an hour.
    pub risk: Micros,
}

impl Offer {
    pub fn new(class: usize, node: &NodeClass, hourly: Micros) -> Self {
        Offer {
            class,
            hourly,
            capacity: node.capacity,
            allocatable: node.allocatable(),
            capacity_type: node.capacity_type(),
            risk: capacity::risk(node.spot.unwrap_or(0)),
        }
    }

    /// Whether an empty node may take a replica.
    pub fn holds(&self, service: &Service) -> bool {
        service.size.fits(self.allocatable) && service.capacity_types.contains(self.capacity_type)
    }
}

/// A pool's offers, those on demand first, each type cheapest first, and the domains it belongs to.
#[derive(Debug)]
pub(crate) struct PoolView {
    pub offers: Vec<Offer>,
    domains: BTreeMap<Topology, usize>,
}

impl PoolView {
    /// What fills clusters up, and what control planes are of.
    pub fn on_demand(&self) -> impl Iterator<Item = &Offer> {
        (self.offers.iter()).take_while(|o| o.capacity_type.is_on_demand())
    }

    pub fn offer_of(&self, class: usize) -> Option<&Offer> {
        self.offers.iter().find(|o| o.class == class)
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
    eligible_sets: Vec<Vec<usize>>,
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
        let (domain_names, domains) = domains(snapshot);
        let pools = snapshot
            .pools
            .iter()
            .zip(domains)
            .map(|(pool, domains)| PoolView {
                offers: offers(pool, snapshot, &class_index),
                domains,
            })
            .collect();
        let mut problem = Problem {
            snapshot,
            pools,
            demands: Vec::new(),
            distances: Distances::new(snapshot),
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
            demand.pins = pins.remove(&s).unwrap_or_default();
            self.demands.push(demand);
        }
        for (demand, dependents) in self.demands.iter_mut().zip(dependents) {
            demand.dependents = dependents;
        }
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
                .iter()
                .copied()
                .filter(|&p| self.snapshot.pools[p].closed.is_none())
                .filter(|&p| fit::fits_some(&self.pools[p].offers, service))
                .collect()
        });
        Rc::clone(list)
    }

    fn passing(&self, pools: &Selector, labels: &BTreeSet<String>) -> Vec<usize> {
        (0..self.snapshot.pools.len())
            .filter(|&p| {
                let pool = &self.snapshot.pools[p];
                selector::matches_pool(pools, pool) && compliance::holds(labels, pool)
            })
            .collect()
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
        &self.eligible_sets[self.demands[s].eligible]
    }

    /// The domain of a pool; for clusters there is none before they exist.
    pub fn domain(&self, pool: usize, topology: Topology) -> Option<usize> {
        self.pools[pool].domains.get(&topology).copied()
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

fn offers(
    pool: &super::model::Pool,
    snapshot: &Snapshot,
    classes: &BTreeMap<&str, usize>,
) -> Vec<Offer> {
    let mut offers: Vec<Offer> = pool
        .offers
        .iter()
        .filter_map(|offer| {
            let class = *classes.get(offer.class.as_str())?;
            let node = &snapshot.node_classes[class];
            Some(Offer::new(class, node, offer.hourly))
        })
        .collect();
    offers.sort_by_key(|o| (o.capacity_type, o.hourly, o.class));
    offers
}

type Domains = (
    BTreeMap<Topology, Vec<String>>,
    Vec<BTreeMap<Topology, usize>>,
);

fn domains(snapshot: &Snapshot) -> Domains {
    let mut names: BTreeMap<Topology, Vec<String>> = BTreeMap::new();
    let mut per_pool = vec![BTreeMap::new(); snapshot.pools.len()];
    for (p, pool) in snapshot.pools.iter().enumerate() {
        let zone = match &pool.zone {
            Some(zone) => format!("{}/{zone}", pool.region),
            None => format!("pool {}", pool.name),
        };
        for (topology, name) in [
            (Topology::Region, pool.region.clone()),
            (Topology::Zone, zone),
            (Topology::Pool, pool.name.clone()),
            (Topology::Provider, pool.provider.clone()),
        ] {
            let known = names.entry(topology).or_default();
            let at = known.iter().position(|n| *n == name).unwrap_or_else(|| {
                known.push(name);
                known.len() - 1
            });
            per_pool[p].insert(topology, at);
        }
    }
    (names, per_pool)
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
