//! A snapshot's rules with names resolved, read straight from the documents.

use lattice::scheduler::model::{
    self, ClusterPolicy, NodeClass, Operator, Policy, Pool, Selector, ServiceId, Snapshot, SortBy,
    Topology,
};
use lattice::scheduler::units::Resources;
use std::collections::{BTreeMap, BTreeSet};

/// A class as a pool sells it.
pub struct Offer<'a> {
    pub class: &'a NodeClass,
    pub hourly: i64,
}

pub struct Service<'a> {
    pub id: ServiceId,
    pub priority: i64,
    pub replicas: u32,
    pub size: Resources,
    pub one_per_node: bool,
    /// Pools where it may be.
    pub pools: Vec<usize>,
    /// The policy whose cluster rules govern it.
    pub policy: Option<&'a str>,
    pub min_regions: u32,
    /// For each required region the pools that will do.
    pub required: Vec<Vec<usize>>,
    /// For each rule over pools its skew and the pools of each domain.
    pub spread: Vec<(u32, Vec<Vec<usize>>)>,
    /// For each rule over clusters its skew.
    pub cluster_spread: Vec<u32>,
    pub latency: Vec<(usize, u32)>,
    /// What preferences charge a replica, by pool.
    pub penalties: Vec<i64>,
}

/// Where a cluster may be made: one of those that a pool may have for a policy.
pub struct Site<'a> {
    pub pool: usize,
    pub policy: Option<&'a str>,
    pub min: u32,
    pub max: Option<u32>,
    pub control: Option<(&'a str, u32)>,
    /// Says that the site before is of the same pool and policy; it is used first.
    pub follows: bool,
}

pub struct Rules<'a> {
    pub snapshot: &'a Snapshot,
    pub services: Vec<Service<'a>>,
    pub sites: Vec<Site<'a>>,
    /// By pool, the cheapest first, then by name.
    pub offers: Vec<Vec<Offer<'a>>>,
}

impl<'a> Rules<'a> {
    pub fn new(snapshot: &'a Snapshot) -> Self {
        assert!(
            snapshot.clusters.is_empty() && snapshot.pins.is_empty(),
            "only fleets of which nothing runs yet"
        );
        let offers: Vec<Vec<Offer<'_>>> =
            snapshot.pools.iter().map(|p| sold(snapshot, p)).collect();
        let services = (snapshot.services.iter())
            .map(|s| service(snapshot, &offers, s))
            .collect();
        let mut rules = Rules {
            snapshot,
            services,
            sites: Vec::new(),
            offers,
        };
        rules.sites = rules.all_sites();
        rules
    }

    fn all_sites(&self) -> Vec<Site<'a>> {
        let policies: BTreeSet<Option<&str>> = self.services.iter().map(|s| s.policy).collect();
        let mut sites = Vec::new();
        for pool in 0..self.offers.len() {
            for &policy in &policies {
                self.sites_of(pool, policy, &mut sites);
            }
        }
        sites
    }

    fn sites_of(&self, pool: usize, policy: Option<&'a str>, sites: &mut Vec<Site<'a>>) {
        let mine = self.services.iter();
        let mine: Vec<&Service<'_>> = mine
            .filter(|s| s.policy == policy && s.pools.contains(&pool))
            .collect();
        let named = self.snapshot.policies.iter();
        let rule = named
            .filter(|p| Some(p.name.as_str()) == policy)
            .find_map(|p| p.cluster_policy.as_ref());
        let default = ClusterPolicy::default();
        let rule = rule.unwrap_or(&default);
        let wanted = &rule.control_plane;
        let control = self.offers[pool].iter().find(|o| match &wanted.class {
            Some(name) => o.class.name == *name,
            None => Resources::new(2000, 4096).fits(o.class.capacity),
        });
        if mine.is_empty() || (control.is_none() && wanted.replicas > 0) {
            return;
        }
        let replicas: u32 = mine.iter().map(|s| s.replicas).sum();
        let apart = mine.iter().any(|s| !s.cluster_spread.is_empty());
        // One cluster will do, unless its size is limited or its services have to be even over clusters.
        let count = match rule.max_nodes {
            _ if apart => replicas.min(3),
            None => 1,
            Some(most) => replicas.min(replicas.div_ceil(most.max(1)) + 1),
        };
        let site = |k: u32| Site {
            pool,
            policy,
            min: rule.min_nodes,
            max: rule.max_nodes,
            control: control.and_then(|o| {
                (wanted.replicas > 0).then_some((o.class.name.as_str(), wanted.replicas))
            }),
            follows: k > 0,
        };
        sites.extend((0..count).map(site));
    }

    pub fn price(&self, pool: usize, class: &str) -> i64 {
        let mut offers = self.offers[pool].iter();
        offers
            .find(|o| o.class.name == class)
            .map_or(0, |o| o.hourly)
    }

    /// Round trip between two sites, by what a distance is said to be.
    pub fn distance(&self, a: usize, b: usize) -> u32 {
        let (p, q) = (self.sites[a].pool, self.sites[b].pool);
        let (one, other) = (&self.snapshot.pools[p], &self.snapshot.pools[q]);
        let set = self.snapshot.region_latencies.iter().find(|l| {
            (&l.from, &l.to) == (&one.region, &other.region)
                || (&l.to, &l.from) == (&one.region, &other.region)
        });
        match () {
            () if a == b => 1,
            () if one.region != other.region => set.map_or(150, |l| l.ms),
            () if p == q || (one.zone.is_some() && one.zone == other.zone) => 2,
            () => 5,
        }
    }
}

fn sold<'a>(snapshot: &'a Snapshot, pool: &Pool) -> Vec<Offer<'a>> {
    let mut offers: Vec<Offer<'_>> = (pool.offers.iter())
        .filter_map(|offer| {
            let mut classes = snapshot.node_classes.iter();
            let class = classes.find(|c| c.name == offer.class)?;
            Some(Offer {
                class,
                hourly: offer.hourly,
            })
        })
        .collect();
    offers.sort_by_key(|o| (o.hourly, o.class.name.as_str()));
    offers
}

fn service<'a>(
    snapshot: &'a Snapshot,
    offers: &[Vec<Offer<'_>>],
    service: &model::Service,
) -> Service<'a> {
    let mut policies: Vec<&Policy> = (snapshot.policies.iter())
        .filter(|p| {
            selects(&p.selector, &|key| {
                service.labels.get(key).into_iter().collect()
            })
        })
        .collect();
    policies.sort_by_key(|p| (std::cmp::Reverse(p.priority), &p.name));
    let eligible: Vec<usize> = (0..snapshot.pools.len())
        .filter(|&p| passes(service, &policies, &snapshot.pools[p]))
        .collect();
    let holds = |p: usize| {
        let mut offers = offers[p].iter();
        offers.any(|o| service.size.fits(o.class.allocatable()))
    };
    let pools: Vec<usize> = (eligible.iter().copied())
        .filter(|&p| snapshot.pools[p].closed.is_none() && holds(p))
        .collect();
    let all = || policies.iter().flat_map(|p| p.spread.iter());
    let named = |region: &String| {
        let meant = |p: &Pool| p.region == *region || p.name == *region;
        (0..snapshot.pools.len())
            .filter(|&p| meant(&snapshot.pools[p]))
            .collect()
    };
    let known = |id: &ServiceId| snapshot.services.iter().position(|s| s.id == *id);
    Service {
        id: service.id.clone(),
        priority: service.priority,
        replicas: service.replicas,
        size: service.size,
        one_per_node: service.one_per_node,
        policy: (policies.iter())
            .find(|p| p.cluster_policy.is_some())
            .map(|p| p.name.as_str()),
        min_regions: policies
            .iter()
            .filter_map(|p| p.min_regions)
            .max()
            .unwrap_or(0),
        required: service.required_regions.iter().map(named).collect(),
        spread: all()
            .filter(|rule| rule.topology != Topology::Cluster)
            .map(|rule| (rule.max_skew, domains(snapshot, &eligible, rule.topology)))
            .collect(),
        cluster_spread: all()
            .filter(|rule| rule.topology == Topology::Cluster)
            .map(|rule| rule.max_skew)
            .collect(),
        latency: (service.latency.iter())
            .filter_map(|bound| Some((known(&bound.dependency)?, bound.max_ms)))
            .collect(),
        penalties: penalties(snapshot, offers, service, &policies, &pools),
        pools,
    }
}

fn selects<'l>(selector: &Selector, values: &dyn Fn(&str) -> Vec<&'l String>) -> bool {
    let labels = selector.match_labels.iter();
    let expressions = selector.match_expressions.iter();
    labels.into_iter().all(|(k, v)| values(k).contains(&v))
        && expressions.into_iter().all(|e| {
            let found = values(&e.key);
            let listed = found.iter().any(|v| e.values.contains(*v));
            match e.operator {
                Operator::In => listed,
                Operator::NotIn => !listed,
                Operator::Exists => !found.is_empty(),
                Operator::DoesNotExist => found.is_empty(),
            }
        })
}

fn passes(service: &model::Service, policies: &[&Policy], pool: &Pool) -> bool {
    let values = |key: &str| pool.labels.get(key).into_iter().flatten().collect();
    let held: BTreeSet<&String> = pool
        .labels
        .get("compliance")
        .into_iter()
        .flatten()
        .collect();
    let mut asked = policies
        .iter()
        .flat_map(|p| &p.compliance)
        .chain(&service.compliance);
    selects(&service.pools, &values) && asked.all(|label| held.contains(label))
}

/// The eligible pools of each domain.
fn domains(snapshot: &Snapshot, eligible: &[usize], topology: Topology) -> Vec<Vec<usize>> {
    /// A place's name, the zone within it, and the pool where that is a domain of its own.
    type Domain<'a> = (&'a str, Option<&'a str>, Option<usize>);
    let mut domains: BTreeMap<Domain<'_>, Vec<usize>> = BTreeMap::new();
    for &p in eligible {
        let pool = &snapshot.pools[p];
        let key = match (topology, pool.zone.as_deref()) {
            (Topology::Region, _) => (pool.region.as_str(), None, None),
            (Topology::Provider, _) => (pool.provider.as_str(), None, None),
            (Topology::Zone, Some(zone)) => (pool.region.as_str(), Some(zone), None),
            _ => ("", None, Some(p)),
        };
        domains.entry(key).or_default().push(p);
    }
    domains.into_values().collect()
}

/// What a replica is charged in each pool: in the worst one its weight in percent of what the cheapest share of a node
/// costs, in the best one nothing. Where nothing runs, all of every pool is available.
fn penalties(
    snapshot: &Snapshot,
    offers: &[Vec<Offer<'_>>],
    service: &model::Service,
    policies: &[&Policy],
    pools: &[usize],
) -> Vec<i64> {
    let mut wishes = policies.iter().map(|p| &p.preferences);
    let wishes = wishes.find(|list| !list.is_empty());
    let share = |p: usize| {
        let fitting = (offers[p].iter()).filter(|o| service.size.fits(o.class.allocatable()));
        // Rounded up.
        let part = |price: i64, used: u64, room: u64| {
            (price * used as i64 + room as i64 - 1) / room as i64
        };
        fitting
            .map(|o| {
                let room = o.class.allocatable();
                let cores = part(o.hourly, service.size.milli_cores, room.milli_cores);
                cores.max(part(o.hourly, service.size.mib, room.mib))
            })
            .min()
    };
    let shares: BTreeMap<usize, i64> = (pools.iter())
        .filter_map(|&p| Some((p, share(p)?)))
        .collect();
    let least = shares.values().min().copied().unwrap_or(0);
    let most = shares.values().max().copied().unwrap_or(0);
    let charge = |p: usize| -> i64 {
        let Some(own) = shares.get(&p) else { return 0 };
        let wishes = wishes.into_iter().flatten();
        wishes
            .map(|wish| {
                let rank = match wish.sort_by {
                    SortBy::AvailableCapacity => 1_000_000,
                    SortBy::Cost if most > least => (own - least) * 1_000_000 / (most - least),
                    SortBy::Cost => 0,
                };
                let bad = if wish.descending {
                    1_000_000 - rank
                } else {
                    rank
                };
                (i128::from(least) * i128::from(wish.weight) * i128::from(bad) / 100_000_000) as i64
            })
            .sum()
    };
    (0..snapshot.pools.len()).map(charge).collect()
}
