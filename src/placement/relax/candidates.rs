//! The single changes worth trying for a service without a place.

use std::collections::BTreeSet;

use super::change::{Cap, Change};
use crate::placement::facts::Facts;
use crate::placement::snapshot::selects;
use crate::scheduler::model::{Policy, Pool, Service, Topology};
use crate::scheduler::reason::{Constraint, Why};
use crate::scheduler::solution::Outcome;
use crate::scheduler::topology::{OTHER_REGION_MS, SAME_CLUSTER_MS, SAME_REGION_MS, SAME_ZONE_MS};
use crate::scheduler::units::Micros;

/// Changes that are tried for one service.
const MOST_CANDIDATES: usize = 40;
/// Distances that are tried for one latency limit.
const MOST_DISTANCES: usize = 3;

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

fn every_cap(pool: &Pool) -> Vec<Change> {
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
