//! A single change of what must hold.

use std::fmt;

use crate::placement::facts::{Facts, amount, cores, gib, monthly};
use crate::scheduler::model::{Policy, Service, ServiceId, Snapshot, Topology};
use crate::scheduler::reason::Constraint;

/// A limit of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cap {
    Nodes,
    Cores,
    Memory,
    Budget,
}

/// A single change. A limit without `to` is lifted altogether, to see how far it has to go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    Cap {
        pool: String,
        cap: Cap,
        from: i64,
        to: Option<i64>,
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
        to: u32,
    },
    Region(String),
    Compliance {
        label: String,
        own: bool,
        policies: Vec<String>,
    },
    Selector {
        key: String,
    },
    Latency {
        dependency: ServiceId,
        from: u32,
        to: u32,
    },
    Replicas {
        from: u32,
        to: u32,
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
            Change::MinRegions { .. } => Constraint::MinRegions,
            Change::MaxSkew { .. } => Constraint::SpreadConstraint,
            Change::Region(_) => Constraint::RequiredRegions,
            Change::Compliance { .. } => Constraint::Compliance,
            Change::Selector { .. } => Constraint::PoolSelector,
            Change::Latency { .. } => Constraint::Latency,
            Change::Replicas { .. } => Constraint::Combination,
        }
    }

    /// Whether it is not yet known how far the change has to go.
    pub fn is_open(&self) -> bool {
        matches!(self, Change::Cap { to: None, .. })
    }

    /// The change as far as a solution that was found without the limit needs it.
    pub fn closed(self, facts: &Facts<'_>) -> Option<Change> {
        let Change::Cap {
            pool, cap, from, ..
        } = self
        else {
            return Some(self);
        };
        let usage = facts.usage(&pool);
        let needed = match cap {
            Cap::Nodes => i64::from(usage.nodes),
            Cap::Cores => i64::try_from(usage.capacity.milli_cores).ok()?,
            Cap::Memory => i64::try_from(usage.capacity.mib).ok()?,
            // A budget is set in whole units.
            Cap::Budget => {
                let micros = i64::try_from(monthly(usage.hourly)).ok()?;
                micros.checked_add(999_999)? / 1_000_000 * 1_000_000
            }
        };
        (needed > from).then_some(Change::Cap {
            pool,
            cap,
            from,
            to: Some(needed),
        })
    }

    pub fn apply(&self, snapshot: &mut Snapshot, id: &ServiceId) {
        match self {
            Change::Cap { pool, cap, to, .. } => lift(snapshot, pool, *cap, *to),
            Change::MinRegions { policies, to, .. } => {
                each_policy(snapshot, policies, |policy| {
                    policy.min_regions = policy.min_regions.map(|n| n.min(*to));
                });
            }
            Change::MaxSkew {
                policies,
                topology,
                to,
                ..
            } => each_policy(snapshot, policies, |policy| {
                let rules = policy.spread.iter_mut();
                for rule in rules.filter(|rule| rule.topology == *topology) {
                    rule.max_skew = rule.max_skew.max(*to);
                }
            }),
            Change::Compliance {
                label, policies, ..
            } => {
                each_policy(snapshot, policies, |policy| {
                    policy.compliance.remove(label);
                });
                of_service(snapshot, id, |service| {
                    service.compliance.remove(label);
                });
            }
            Change::Region(region) => of_service(snapshot, id, |service| {
                service.required_regions.retain(|other| other != region);
            }),
            Change::Selector { key } => of_service(snapshot, id, |service| {
                service.pools.match_labels.remove(key);
                service.pools.match_expressions.retain(|t| t.key != *key);
            }),
            Change::Latency { dependency, to, .. } => of_service(snapshot, id, |service| {
                let bounds = service.latency.iter_mut();
                for bound in bounds.filter(|bound| bound.dependency == *dependency) {
                    bound.max_ms = *to;
                }
            }),
            Change::Replicas { to, .. } => {
                of_service(snapshot, id, |service| service.replicas = *to);
            }
        }
    }
}

fn lift(snapshot: &mut Snapshot, pool: &str, cap: Cap, to: Option<i64>) {
    let limit = to.and_then(|limit| u64::try_from(limit).ok());
    for pool in snapshot.pools.iter_mut().filter(|p| p.name == pool) {
        match cap {
            Cap::Nodes => pool.caps.max_nodes = limit,
            Cap::Cores => pool.caps.max_milli_cores = limit,
            Cap::Memory => pool.caps.max_mib = limit,
            Cap::Budget => pool.monthly_budget = to,
        }
    }
}

fn each_policy(snapshot: &mut Snapshot, names: &[String], change: impl Fn(&mut Policy)) {
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

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Cap {
                pool,
                cap,
                from,
                to,
            } => {
                let to = to.unwrap_or(i64::MAX);
                let (field, from, to) = limit(*cap, *from, to);
                write!(f, "{pool}: {field} {from} → {to}")
            }
            Change::MinRegions { policies, from, to } => {
                write!(f, "{}: minRegions {from} → {to}", policies.join(" and "))
            }
            Change::MaxSkew {
                policies,
                topology,
                from,
                to,
            } => write!(
                f,
                "{}: maxSkew over {topology} {from} → {to}",
                policies.join(" and ")
            ),
            Change::Region(region) => write!(f, "requiredRegions: drop {region}"),
            Change::Compliance {
                label,
                own,
                policies,
            } => {
                let mut owners: Vec<&str> = policies.iter().map(String::as_str).collect();
                if *own {
                    owners.insert(0, "the service");
                }
                write!(f, "{}: drop compliance {label}", owners.join(" and "))
            }
            Change::Selector { key } => write!(f, "pool selector: drop {key}"),
            Change::Latency {
                dependency,
                from,
                to,
            } => write!(f, "latency to {}: {from} → {to} ms", dependency.name),
            Change::Replicas { from, to } => write!(f, "replicas.min: {from} → {to}"),
        }
    }
}

fn limit(cap: Cap, from: i64, to: i64) -> (&'static str, String, String) {
    let of = |n: i64| u64::try_from(n).unwrap_or(0);
    match cap {
        Cap::Nodes => ("maxNodes", from.to_string(), to.to_string()),
        Cap::Cores => ("maxCores", cores(of(from)), cores(of(to))),
        Cap::Memory => ("maxMemoryGi", gib(of(from)), gib(of(to))),
        Cap::Budget => ("maxMonthlyCost", amount(from), amount(to)),
    }
}
