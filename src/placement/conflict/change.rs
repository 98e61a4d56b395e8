//! A change of what must hold, and what it does to a snapshot.

use crate::scheduler::capacity::CapacityTypes;
use crate::scheduler::model::{
    ClusterPolicy, NodeClass, Offer, Policy, Pool, Service, ServiceId, Snapshot, Topology,
};
use crate::scheduler::reason::Constraint;
use crate::scheduler::units::{Micros, Resources};

/// The pool label that holds what a pool complies with.
const COMPLIANCE: &str = "compliance";

/// A limit of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cap {
    Nodes,
    Cores,
    Memory,
    Budget,
}

/// A machine that a pool does not offer yet: one it does, so many times as large and as dear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Larger {
    pub pool: String,
    pub base: String,
    pub times: u64,
    pub capacity: Resources,
    pub reserved: Resources,
    pub hourly: Micros,
    pub spot: Option<u64>,
}

impl Larger {
    /// The name that the class goes by while it is tried.
    pub fn class(&self) -> String {
        format!("{}-times-{}", self.base, self.times)
    }
}

/// A change. A limit without `to` is lifted altogether, a rule without `to` dropped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    Cap {
        pool: String,
        cap: Cap,
        from: i64,
        to: Option<i64>,
    },
    ClusterSize {
        policy: String,
        from: u32,
        to: Option<u32>,
    },
    FewestNodes {
        policy: String,
        from: u32,
        to: u32,
    },
    ControlPlane {
        policy: String,
        from: u32,
        to: u32,
    },
    MinRegions {
        policies: Vec<String>,
        from: u32,
        to: u32,
    },
    MaxSkew {
        policies: Vec<String>,
        topology: Topology,
        from: u32,
        to: Option<u32>,
    },
    Region(String),
    Compliance {
        label: String,
        own: bool,
        policies: Vec<String>,
    },
    Label {
        label: String,
        pools: Vec<String>,
    },
    Selector {
        key: String,
    },
    Latency {
        dependency: ServiceId,
        from: u32,
        to: Option<u32>,
    },
    Replicas {
        from: u32,
        to: u32,
    },
    AnyNode,
    Unpin {
        cluster: String,
    },
    Reopen {
        pool: String,
        why: String,
    },
    /// The provider has more of it again.
    Restock {
        pool: String,
        offer: String,
        why: String,
    },
    Machine(Vec<Larger>),
    /// The types of capacity that the service may run on: all of them.
    AnyCapacity {
        from: CapacityTypes,
    },
    /// What a replica asks for of an extended resource.
    Extended {
        resource: String,
        from: u64,
        to: u64,
    },
}

impl Change {
    pub fn constraint(&self) -> Constraint {
        match self {
            Change::Cap { cap, .. } => match cap {
                Cap::Nodes => Constraint::MaxNodes,
                Cap::Cores => Constraint::MaxCores,
                Cap::Memory => Constraint::MaxMemory,
                Cap::Budget => Constraint::Budget,
            },
            Change::ClusterSize { .. } | Change::FewestNodes { .. } => Constraint::ClusterSize,
            Change::ControlPlane { .. } => Constraint::ControlPlane,
            Change::MinRegions { .. } => Constraint::MinRegions,
            Change::MaxSkew { .. } => Constraint::SpreadConstraint,
            Change::Region(_) => Constraint::RequiredRegions,
            Change::Compliance { .. } | Change::Label { .. } => Constraint::Compliance,
            Change::Selector { .. } => Constraint::PoolSelector,
            Change::Latency { .. } => Constraint::Latency,
            Change::Replicas { .. } | Change::AnyNode => Constraint::Combination,
            Change::Unpin { .. } => Constraint::Pin,
            Change::Reopen { .. } => Constraint::PoolClosed,
            Change::Restock { .. } => Constraint::Shortage,
            Change::AnyCapacity { .. } => Constraint::CapacityType,
            Change::Machine(_) | Change::Extended { .. } => Constraint::Fit,
        }
    }

    pub fn apply(&self, snapshot: &mut Snapshot, id: &ServiceId) {
        match self {
            Change::Cap { pool, cap, to, .. } => of_pools(snapshot, &[pool], |pool| {
                lift(pool, *cap, *to);
            }),
            Change::ClusterSize { policy, to, .. } => {
                rule(snapshot, policy, |rules| rules.max_nodes = *to);
            }
            Change::FewestNodes { policy, to, .. } => {
                rule(snapshot, policy, |rules| rules.min_nodes = *to);
            }
            Change::ControlPlane { policy, to, .. } => {
                rule(snapshot, policy, |rules| rules.control_plane.replicas = *to);
            }
            Change::MinRegions { policies, to, .. } => of_policies(snapshot, policies, |policy| {
                policy.min_regions = policy.min_regions.map(|n| n.min(*to));
            }),
            Change::MaxSkew {
                policies,
                topology,
                to,
                ..
            } => of_policies(snapshot, policies, |policy| {
                loosen(policy, *topology, *to);
            }),
            Change::Compliance {
                label, policies, ..
            } => {
                of_policies(snapshot, policies, |policy| {
                    policy.compliance.remove(label);
                });
                of_service(snapshot, id, |service| {
                    service.compliance.remove(label);
                });
            }
            Change::Label { label, pools } => of_pools(snapshot, pools, |pool| {
                let held = pool.labels.entry(COMPLIANCE.to_owned()).or_default();
                held.insert(label.clone());
            }),
            Change::Region(region) => of_service(snapshot, id, |service| {
                service.required_regions.retain(|other| other != region);
            }),
            Change::Selector { key } => of_service(snapshot, id, |service| {
                service.pools.match_labels.remove(key);
                service.pools.match_expressions.retain(|t| t.key != *key);
            }),
            Change::Latency { dependency, to, .. } => of_service(snapshot, id, |service| {
                distance(service, dependency, *to);
            }),
            Change::Replicas { to, .. } => {
                of_service(snapshot, id, |service| service.replicas = *to);
            }
            Change::AnyNode => of_service(snapshot, id, |service| service.one_per_node = false),
            Change::Unpin { cluster } => {
                let pins = &mut snapshot.pins;
                pins.retain(|pin| pin.service != *id || pin.cluster != *cluster);
            }
            Change::Reopen { pool, .. } => of_pools(snapshot, &[pool], |pool| pool.closed = None),
            Change::Restock { pool, offer, .. } => of_pools(snapshot, &[pool], |pool| {
                pool.shortages.remove(offer);
            }),
            Change::Machine(larger) => larger.iter().for_each(|one| offer(snapshot, one)),
            Change::AnyCapacity { .. } => of_service(snapshot, id, |service| {
                service.capacity_types = CapacityTypes::ALL;
            }),
            Change::Extended { resource, to, .. } => {
                let place = snapshot.extended.iter().position(|name| name == resource);
                of_service(snapshot, id, |service| {
                    if let Some(place) = place {
                        service.size.extended = service.size.extended.at(place, *to);
                    }
                });
            }
        }
    }
}

fn lift(pool: &mut Pool, cap: Cap, to: Option<i64>) {
    let limit = to.and_then(|limit| u64::try_from(limit).ok());
    match cap {
        Cap::Nodes => pool.caps.max_nodes = limit,
        Cap::Cores => pool.caps.max_milli_cores = limit,
        Cap::Memory => pool.caps.max_mib = limit,
        Cap::Budget => pool.monthly_budget = to,
    }
}

fn rule(snapshot: &mut Snapshot, policy: &str, change: impl Fn(&mut ClusterPolicy)) {
    let policies = snapshot.policies.iter_mut();
    policies
        .filter(|p| p.name == policy)
        .filter_map(|p| p.cluster_policy.as_mut())
        .for_each(change);
}

fn loosen(policy: &mut Policy, topology: Topology, to: Option<u32>) {
    match to {
        None => policy.spread.retain(|rule| rule.topology != topology),
        Some(to) => {
            let rules = policy.spread.iter_mut();
            for rule in rules.filter(|rule| rule.topology == topology) {
                rule.max_skew = rule.max_skew.max(to);
            }
        }
    }
}

fn distance(service: &mut Service, dependency: &ServiceId, to: Option<u32>) {
    match to {
        None => service.latency.retain(|b| b.dependency != *dependency),
        Some(to) => {
            let bounds = service.latency.iter_mut();
            for bound in bounds.filter(|bound| bound.dependency == *dependency) {
                bound.max_ms = to;
            }
        }
    }
}

fn offer(snapshot: &mut Snapshot, larger: &Larger) {
    let name = larger.class();
    if !snapshot.node_classes.iter().any(|c| c.name == name) {
        snapshot.node_classes.push(NodeClass {
            name: name.clone(),
            capacity: larger.capacity,
            reserved: larger.reserved,
            spot: larger.spot,
            zone: None,
        });
    }
    of_pools(snapshot, &[&larger.pool], |pool| {
        pool.offers.push(Offer {
            class: name.clone(),
            hourly: larger.hourly,
        });
    });
    snapshot.sell_in_zones();
}

fn of_pools<T: AsRef<str>>(snapshot: &mut Snapshot, names: &[T], change: impl Fn(&mut Pool)) {
    let pools = snapshot.pools.iter_mut();
    pools
        .filter(|pool| names.iter().any(|name| name.as_ref() == pool.name))
        .for_each(change);
}

fn of_policies(snapshot: &mut Snapshot, names: &[String], change: impl Fn(&mut Policy)) {
    let policies = snapshot.policies.iter_mut();
    policies
        .filter(|policy| names.contains(&policy.name))
        .for_each(change);
}

fn of_service(snapshot: &mut Snapshot, id: &ServiceId, change: impl Fn(&mut Service)) {
    let services = snapshot.services.iter_mut();
    services
        .filter(|service| service.id == *id)
        .for_each(change);
}
