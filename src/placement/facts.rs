//! A snapshot and its solution, indexed for those who tell of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::snapshot::selects;
use crate::scheduler::model::{Cluster, NodeClass, Policy, Pool, Service, ServiceId, Snapshot};
use crate::scheduler::share::{ClusterCost, Prices};
use crate::scheduler::solution::Solution;
use crate::scheduler::units::{HOURS_PER_MONTH, Micros, Resources, decimal};

/// Replicas of a service in one place, and what they cost there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed<'a> {
    pub pool: &'a str,
    pub cluster: &'a str,
    pub class: &'a str,
    pub replicas: u32,
    pub hourly: Micros,
}

/// What a pool or a cluster has and costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub nodes: u32,
    pub capacity: Resources,
    pub hourly: Micros,
}

pub(crate) struct Facts<'a> {
    pub snapshot: &'a Snapshot,
    pub solution: &'a Solution,
    services: BTreeMap<&'a ServiceId, &'a Service>,
    classes: BTreeMap<&'a str, &'a NodeClass>,
    placements: BTreeMap<&'a ServiceId, Vec<Placed<'a>>>,
    costs: BTreeMap<&'a str, ClusterCost>,
    usage: BTreeMap<&'a str, Usage>,
}

impl<'a> Facts<'a> {
    pub fn new(snapshot: &'a Snapshot, solution: &'a Solution) -> Self {
        let prices = Prices::new(snapshot);
        let mut facts = Facts {
            snapshot,
            solution,
            services: snapshot.services.iter().map(|s| (&s.id, s)).collect(),
            classes: snapshot
                .node_classes
                .iter()
                .map(|c| (c.name.as_str(), c))
                .collect(),
            placements: BTreeMap::new(),
            costs: BTreeMap::new(),
            usage: BTreeMap::new(),
        };
        for decision in solution.live() {
            facts.add(&decision.cluster, &prices);
        }
        for places in facts.placements.values_mut() {
            places.sort_by(|a, b| {
                (Reverse(a.replicas), a.pool, a.cluster, a.class).cmp(&(
                    Reverse(b.replicas),
                    b.pool,
                    b.cluster,
                    b.class,
                ))
            });
        }
        facts
    }

    fn add(&mut self, cluster: &'a Cluster, prices: &Prices<'_>) {
        let cost = prices.cluster(cluster);
        let mut replicas: BTreeMap<(&'a ServiceId, &'a str), u32> = BTreeMap::new();
        for group in &cluster.workers {
            for (service, n) in &group.services {
                *replicas.entry((service, &group.class)).or_default() += n * group.count;
            }
        }
        for ((service, class), replicas) in replicas {
            let share = cost.services.get(&(service.clone(), class.to_owned()));
            self.placements.entry(service).or_default().push(Placed {
                pool: &cluster.pool,
                cluster: &cluster.name,
                class,
                replicas,
                hourly: share.copied().unwrap_or(0),
            });
        }
        let size = self.size_of(cluster);
        let usage = self.usage.entry(&cluster.pool).or_default();
        usage.nodes += size.nodes;
        usage.capacity += size.capacity;
        usage.hourly += cost.total;
        self.costs.insert(&cluster.name, cost);
    }

    /// Nodes of a cluster, control plane included, and what they have; without their price.
    pub fn size_of(&self, cluster: &Cluster) -> Usage {
        let mut size = Usage::default();
        for (class, count) in machines(cluster) {
            let capacity = self.classes.get(class.as_str()).map(|c| c.capacity);
            size.nodes += count;
            size.capacity += capacity.unwrap_or_default().times(u64::from(count));
        }
        size
    }

    /// What the machines of a pool have of extended resources, by name.
    pub fn extended(&self, pool: &str) -> BTreeMap<String, u64> {
        let mut found = BTreeMap::new();
        if self.snapshot.extended.is_empty() {
            return found;
        }
        let live = self.solution.live().filter(|d| d.cluster.pool == pool);
        for (class, count) in live.flat_map(|d| machines(&d.cluster)) {
            let has = self
                .classes
                .get(class.as_str())
                .map(|c| c.capacity.extended);
            for (place, name) in self.snapshot.extended.iter().enumerate() {
                let amount = has.unwrap_or_default().get(place) * u64::from(count);
                if amount > 0 {
                    *found.entry(name.clone()).or_default() += amount;
                }
            }
        }
        found
    }

    pub fn service(&self, id: &ServiceId) -> Option<&'a Service> {
        self.services.get(id).copied()
    }

    pub fn pool(&self, name: &str) -> Option<&'a Pool> {
        self.snapshot.pools.iter().find(|pool| pool.name == name)
    }

    /// Where a service is: most replicas first, then by name.
    pub fn placed(&self, id: &ServiceId) -> &[Placed<'a>] {
        self.placements.get(id).map_or(&[], Vec::as_slice)
    }

    /// What a service costs in all its places.
    pub fn hourly(&self, id: &ServiceId) -> Micros {
        self.placed(id).iter().map(|place| place.hourly).sum()
    }

    pub fn cost(&self, cluster: &str) -> ClusterCost {
        self.costs.get(cluster).cloned().unwrap_or_default()
    }

    pub fn usage(&self, pool: &str) -> Usage {
        self.usage.get(pool).copied().unwrap_or_default()
    }

    /// The policies over a service, the governing first.
    pub fn policies(&self, service: &'a Service) -> impl Iterator<Item = &'a Policy> {
        self.snapshot
            .policies
            .iter()
            .filter(|policy| selects(&policy.selector, &service.labels))
    }
}

/// The classes of a cluster's nodes, control plane included, with how many of each.
fn machines(cluster: &Cluster) -> impl Iterator<Item = (&String, u32)> {
    let control = cluster.control_plane.iter().map(|(class, n)| (class, *n));
    let workers = cluster.workers.iter().map(|g| (&g.class, g.count));
    workers.chain(control)
}

/// A price per hour as a price per month of 720 hours.
pub(crate) fn monthly(hourly: Micros) -> i128 {
    i128::from(hourly) * i128::from(HOURS_PER_MONTH)
}

/// An amount per hour in writing.
pub(crate) fn amount(hourly: Micros) -> String {
    decimal(i128::from(hourly))
}

/// Cores in writing.
pub(crate) fn cores(milli: u64) -> String {
    decimal(i128::from(milli) * 1000)
}

/// GiB in writing.
pub(crate) fn gib(mib: u64) -> String {
    decimal(i128::from(mib) * 1_000_000 / 1024)
}
