//! The indexed view of a snapshot that the search works on: names become indices once, here, and
//! what each service must have is merged from itself and the policies over it.

use super::capacity::{self, CapacityType};
use super::constraint::{compliance, fit, selector};
use super::domains;
use super::hopeless;
use super::layout::{self, LaidCluster};
use super::model::{
    ClusterPolicy, ControlPlaneRule, NodeClass, Pool, Preference, Selector, Service, ServiceId,
    Snapshot, SortBy, Spread, Topology,
};
use super::moving::terms::Terms;
use super::score;
use super::topology::{Distances, Place, SAME_REGION_MS};
use super::units::{Micros, Resources};
use super::zones::in_zone;
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
    /// Which of its pool's zones it is in; none where the pool has no several, and until one is chosen.
    pub zone: Option<usize>,
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
            zone: None,
        }
    }

    /// Whether an empty node may take a replica.
    pub fn holds(&self, service: &Service) -> bool {
        service.size.fits(self.allocatable) && service.capacity_types.contains(self.capacity_type)
    }
}

/// A pool's offers, those on demand first, each type cheapest first, and the domains it belongs to. Of several
/// zones the offers are the same, and listed once, without a zone.
#[derive(Debug)]
pub(crate) struct PoolView {
    pub offers: Vec<Offer>,
    pub zones: Zones,
    domains: BTreeMap<Topology, usize>,
}

impl PoolView {
    /// What fills clusters up, and what control planes are of.
    pub fn on_demand(&self) -> impl Iterator<Item = &Offer> {
        (self.offers.iter()).take_while(|o| o.capacity_type.is_on_demand())
    }

    pub fn offer_of(&self, class: usize) -> Option<&Offer> {
        let mut all = self.offers.iter().chain(self.zones.offers.iter().flatten());
        all.find(|o| o.class == class)
    }

    /// The same offer in one of the pool's zones.
    pub fn in_zone(&self, offer: &Offer, zone: usize) -> Option<&Offer> {
        let at = self.offers.iter().position(|o| o.class == offer.class)?;
        self.zones.offers.get(zone)?.get(at)
    }

    /// The same offer where another node is, if that is known.
    pub fn beside(&self, offer: &Offer, node: &Offer) -> Option<Offer> {
        match (self.zones.are_several(), node.zone) {
            (false, _) => Some(offer.clone()),
            (true, Some(zone)) => self.in_zone(offer, zone).cloned(),
            (true, None) => None,
        }
    }
}

/// The zones of a pool: several to choose from, or the one that all of it is.
#[derive(Debug)]
pub(crate) struct Zones {
    /// The domains: of several zones, in the order of the snapshot.
    pub domains: Vec<usize>,
    /// For each of several zones the pool's offers there, in the order of its offers.
    offers: Vec<Vec<Offer>>,
    /// The domain of nodes of which the zone is not known.
    unknown: usize,
}

impl Zones {
    /// Whether there is a choice to make.
    pub fn are_several(&self) -> bool {
        !self.offers.is_empty()
    }

    /// The domain of a node.
    pub fn domain(&self, zone: Option<usize>) -> usize {
        zone.map_or(self.unknown, |zone| self.domains[zone])
    }

    /// The domains that a node may be in.
    pub fn all(&self) -> impl Iterator<Item = usize> {
        let unknown = (!self.domains.contains(&self.unknown)).then_some(self.unknown);
        self.domains.iter().copied().chain(unknown)
    }

    /// How many there are to choose from.
    pub fn count(&self) -> usize {
        self.offers.len()
    }
}

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
            .map(|(pool, domains)| {
                let (offers, by_zone) = offers(pool, snapshot, &class_index);
                PoolView {
                    offers,
                    zones: Zones {
                        offers: by_zone,
                        domains: domains.zones.clone(),
                        unknown: domains.unknown_zone,
                    },
                    domains: domains.whole.clone(),
                }
            })
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

/// What a pool sells in whatever zone, and the same in each of its zones.
fn offers(
    pool: &Pool,
    snapshot: &Snapshot,
    classes: &BTreeMap<&str, usize>,
) -> (Vec<Offer>, Vec<Vec<Offer>>) {
    let sold: BTreeMap<&str, Offer> = (pool.offers.iter())
        .filter_map(|offer| {
            let class = *classes.get(offer.class.as_str())?;
            let node = &snapshot.node_classes[class];
            Some((offer.class.as_str(), Offer::new(class, node, offer.hourly)))
        })
        .collect();
    let name = |o: &Offer| snapshot.node_classes[o.class].name.as_str();
    let in_every_zone = |offer: &Offer| {
        let mut zones = pool.zones.iter();
        zones.all(|zone| sold.contains_key(in_zone(name(offer), zone).as_str()))
    };
    let mut offers: Vec<Offer> = (sold.values())
        .filter(|offer| snapshot.node_classes[offer.class].zone.is_none())
        .filter(|offer| in_every_zone(offer))
        .cloned()
        .collect();
    offers.sort_by_key(|o| (o.capacity_type, o.hourly, o.class));
    let there = |at: usize, zone: &String| -> Vec<Offer> {
        let zoned = offers
            .iter()
            .filter_map(|o| sold.get(in_zone(name(o), zone).as_str()));
        let zoned = zoned.cloned().map(|o| Offer {
            zone: Some(at),
            ..o
        });
        zoned.collect()
    };
    let zones = pool.zones.iter().enumerate();
    let by_zone = zones.map(|(at, zone)| there(at, zone)).collect();
    (offers, by_zone)
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
