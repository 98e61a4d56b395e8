//! A single change of what must hold.

use std::collections::BTreeSet;
use std::fmt;

use crate::placement::facts::{Facts, amount, cores, gib, monthly};
use crate::placement::snapshot::selects;
use crate::scheduler::model::{Policy, Service, ServiceId, Snapshot, Topology};
use crate::scheduler::reason::{Constraint, Why};
use crate::scheduler::solution::Outcome;
use crate::scheduler::topology::{OTHER_REGION_MS, SAME_CLUSTER_MS, SAME_REGION_MS, SAME_ZONE_MS};
use crate::scheduler::units::Micros;

/// Changes that are tried for one service.
const MOST_CANDIDATES: usize = 40;
/// Distances that are tried for one latency limit.
const MOST_DISTANCES: usize = 3;

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

/// The changes worth trying, those of constraints that the reasons name first.
pub(super) fn candidates(facts: &Facts<'_>, outcome: &Outcome) -> Vec<Change> {
    let Some(service) = facts.service(&outcome.service) else {
        return Vec::new();
    };
    let policies: Vec<&Policy> = facts
        .snapshot
        .policies
        .iter()
        .filter(|policy| selects(&policy.selector, &service.labels))
        .collect();
    let mut found = caps(facts, outcome);
    found.extend(service.required_regions.iter().cloned().map(Change::Region));
    found.extend(compliance(service, &policies));
    found.extend(of_policies(&policies));
    found.extend(selector(service));
    found.extend(latency(facts, service, outcome));
    found.extend(replicas(service, outcome));
    let named: BTreeSet<Constraint> = outcome
        .reasons
        .iter()
        .map(|reason| reason.why.constraint())
        .collect();
    found.sort_by_key(|change| !named.contains(&change.constraint()));
    found.truncate(MOST_CANDIDATES);
    found
}

/// The limits of pools that are in the way.
fn caps(facts: &Facts<'_>, outcome: &Outcome) -> Vec<Change> {
    let mut found = BTreeSet::new();
    for reason in &outcome.reasons {
        let Some(pool) = reason.pool.as_deref().and_then(|name| facts.pool(name)) else {
            continue;
        };
        let limit = |limit: Option<u64>| limit.and_then(|n| i64::try_from(n).ok());
        let (cap, from): (Cap, Option<Micros>) = match &reason.why {
            Why::NodesExhausted { .. } => (Cap::Nodes, limit(pool.caps.max_nodes)),
            Why::CoresExhausted { .. } => (Cap::Cores, limit(pool.caps.max_milli_cores)),
            Why::MemoryExhausted { .. } => (Cap::Memory, limit(pool.caps.max_mib)),
            Why::OverBudget { .. } => (Cap::Budget, pool.monthly_budget),
            // Which limit leaves room for so few is not said; each is tried.
            Why::RoomFor { .. } => {
                found.extend(every_cap(pool));
                continue;
            }
            _ => continue,
        };
        found.extend(from.map(|from| open(pool.name.clone(), cap, from)));
    }
    found.into_iter().collect()
}

fn open(pool: String, cap: Cap, from: i64) -> Change {
    Change::Cap {
        pool,
        cap,
        from,
        to: None,
    }
}

fn every_cap(pool: &crate::scheduler::model::Pool) -> Vec<Change> {
    let of = |cap, limit: Option<u64>| {
        let from = limit.and_then(|n| i64::try_from(n).ok())?;
        Some(open(pool.name.clone(), cap, from))
    };
    let budget = pool.monthly_budget;
    [
        of(Cap::Nodes, pool.caps.max_nodes),
        of(Cap::Cores, pool.caps.max_milli_cores),
        of(Cap::Memory, pool.caps.max_mib),
        budget.map(|from| open(pool.name.clone(), Cap::Budget, from)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn compliance(service: &Service, policies: &[&Policy]) -> Vec<Change> {
    let of_policies = policies.iter().flat_map(|policy| &policy.compliance);
    let labels: BTreeSet<&String> = service.compliance.iter().chain(of_policies).collect();
    labels
        .into_iter()
        .map(|label| Change::Compliance {
            label: label.clone(),
            own: service.compliance.contains(label),
            policies: policies
                .iter()
                .filter(|policy| policy.compliance.contains(label))
                .map(|policy| policy.name.clone())
                .collect(),
        })
        .collect()
}

/// One region fewer, and one more replica of difference.
fn of_policies(policies: &[&Policy]) -> Vec<Change> {
    let mut found = Vec::new();
    let most = policies
        .iter()
        .filter_map(|policy| policy.min_regions)
        .max();
    if let Some(from) = most.filter(|n| *n > 1) {
        let strictest = policies.iter().filter(|p| p.min_regions == Some(from));
        found.push(Change::MinRegions {
            policies: strictest.map(|p| p.name.clone()).collect(),
            from,
            to: from - 1,
        });
    }
    let rules = policies.iter().flat_map(|policy| &policy.spread);
    let topologies: BTreeSet<Topology> = rules.clone().map(|rule| rule.topology).collect();
    for topology in topologies {
        let over = rules.clone().filter(|rule| rule.topology == topology);
        let Some(from) = over.map(|rule| rule.max_skew).min() else {
            continue;
        };
        let strict = |policy: &&&Policy| {
            let mut rules = policy.spread.iter();
            rules.any(|rule| rule.topology == topology && rule.max_skew == from)
        };
        found.push(Change::MaxSkew {
            policies: policies
                .iter()
                .filter(strict)
                .map(|p| p.name.clone())
                .collect(),
            topology,
            from,
            to: from + 1,
        });
    }
    found
}

fn selector(service: &Service) -> Vec<Change> {
    let expressions = service.pools.match_expressions.iter().map(|term| &term.key);
    let keys: BTreeSet<&String> = service
        .pools
        .match_labels
        .keys()
        .chain(expressions)
        .collect();
    keys.into_iter()
        .map(|key| Change::Selector { key: key.clone() })
        .collect()
}

/// The next distances beyond each limit.
fn latency(facts: &Facts<'_>, service: &Service, outcome: &Outcome) -> Vec<Change> {
    let pairs = facts.snapshot.region_latencies.iter();
    let mut distances: BTreeSet<u32> = pairs.map(|pair| pair.ms).collect();
    distances.extend([
        SAME_CLUSTER_MS,
        SAME_ZONE_MS,
        SAME_REGION_MS,
        OTHER_REGION_MS,
    ]);
    let mut found = Vec::new();
    for bound in &service.latency {
        let said = outcome.reasons.iter().filter_map(|r| match &r.why {
            Why::TooFar {
                dependency,
                nearest_ms,
                ..
            } if *dependency == bound.dependency => *nearest_ms,
            _ => None,
        });
        let beyond = |ms: &u32| *ms > bound.max_ms;
        let mut tried: BTreeSet<u32> = said.filter(beyond).collect();
        tried.extend(distances.iter().copied().filter(beyond));
        for to in tried.into_iter().take(MOST_DISTANCES) {
            found.push(Change::Latency {
                dependency: bound.dependency.clone(),
                from: bound.max_ms,
                to,
            });
        }
    }
    found
}

/// As many replicas as there is room or need for.
fn replicas(service: &Service, outcome: &Outcome) -> Vec<Change> {
    let from = service.replicas;
    let mut tried: BTreeSet<u32> = BTreeSet::new();
    let mut room = 0u32;
    for reason in &outcome.reasons {
        match &reason.why {
            Why::TooFewReplicas { needed, .. } => {
                tried.insert(*needed);
            }
            Why::RoomFor { fits, .. } => room = room.saturating_add(*fits),
            _ => {}
        }
    }
    tried.insert(room);
    tried.extend(from.checked_sub(1));
    tried
        .into_iter()
        .filter(|to| *to > 0 && *to != from && (*to < from || *to > room))
        .map(|to| Change::Replicas { from, to })
        .collect()
}
