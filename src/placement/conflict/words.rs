//! Changes in writing.

use std::fmt;

use super::change::{Cap, Change, Larger};
use crate::placement::facts::{amount, cores, gib};
use crate::placement::text::listed;
use crate::scheduler::capacity::CapacityTypes;

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Cap {
                pool,
                cap,
                from,
                to,
            } => {
                let field = field(*cap);
                write!(
                    f,
                    "{pool}: {field} {} → {}",
                    limit(*cap, Some(*from)),
                    limit(*cap, *to)
                )
            }
            Change::ClusterSize { policy, from, to } => {
                let to = to.map_or("unlimited".to_owned(), |n| n.to_string());
                write!(f, "{policy}: clusterPolicy.maxNodes {from} → {to}")
            }
            Change::FewestNodes { policy, from, to } => {
                write!(f, "{policy}: clusterPolicy.minNodes {from} → {to}")
            }
            Change::ControlPlane { policy, from, to } => write!(
                f,
                "{policy}: clusterPolicy.controlPlane.replicas {from} → {to}"
            ),
            Change::MinRegions { policies, from, to } => {
                write!(f, "{}: minRegions {from} → {to}", listed(policies))
            }
            Change::MaxSkew {
                policies,
                topology,
                from,
                to,
            } => {
                let owners = listed(policies);
                match to {
                    Some(to) => write!(f, "{owners}: maxSkew over {topology} {from} → {to}"),
                    None => write!(f, "{owners}: drop maxSkew {from} over {topology}"),
                }
            }
            Change::Region(region) => write!(f, "requiredRegions: drop {region}"),
            Change::Compliance {
                label,
                own,
                policies,
            } => {
                write!(f, "{}: drop compliance {label}", owners(*own, policies))
            }
            Change::Label { label, pools } => {
                write!(f, "{}: add compliance {label}", listed(pools))
            }
            Change::Selector { key } => write!(f, "pool selector: drop {key}"),
            Change::Latency {
                dependency,
                from,
                to: Some(to),
            } => write!(f, "latency to {}: {from} → {to} ms", dependency.name),
            Change::Latency {
                dependency, from, ..
            } => write!(
                f,
                "latency to {}: drop the limit of {from} ms",
                dependency.name
            ),
            Change::Replicas { from, to } => write!(f, "replicas.min: {from} → {to}"),
            Change::AnyNode => f.write_str("replicaSpread: node → none"),
            Change::Unpin { cluster } => write!(f, "pin: lift it from cluster {cluster}"),
            Change::Reopen { pool, why } => write!(f, "{pool}: open it again ({why})"),
            Change::Restock { pool, offer, why } => {
                write!(f, "{pool}: wait until {offer} is to be had again ({why})")
            }
            Change::AnyCapacity { from } => {
                write!(f, "capacityTypes: {from} → {}", CapacityTypes::ALL)
            }
            Change::Extended {
                resource,
                from,
                to: 0,
            } => write!(f, "containers: drop the {from} {resource} asked for"),
            Change::Extended { resource, from, to } => {
                write!(f, "containers: {resource} {from} → {to}")
            }
            Change::Machine(larger) => {
                let machines: Vec<String> = alike(larger).iter().map(|m| machine(m)).collect();
                f.write_str(&machines.join(" + "))
            }
        }
    }
}

/// Machines of the same size.
fn alike(larger: &[Larger]) -> Vec<Vec<&Larger>> {
    let mut found: Vec<Vec<&Larger>> = Vec::new();
    for one in larger {
        let class = one.class();
        match found.iter_mut().find(|same| same[0].class() == class) {
            Some(same) => same.push(one),
            None => found.push(vec![one]),
        }
    }
    found
}

fn machine(same: &[&Larger]) -> String {
    let Some(first) = same.first() else {
        return String::new();
    };
    let pools: Vec<&str> = same.iter().map(|one| one.pool.as_str()).collect();
    let mut prices: Vec<String> = same
        .iter()
        .map(|one| format!("{}/h", amount(one.hourly)))
        .collect();
    prices.dedup();
    format!(
        "{}: offer a node class of {} cores / {} Gi ({} × {} in size and price, {})",
        listed(&pools),
        cores(first.capacity.milli_cores),
        gib(first.capacity.mib),
        first.times,
        first.base,
        listed(&prices)
    )
}

/// Who asks for something: the service itself, policies, or both.
pub(super) fn owners(own: bool, policies: &[String]) -> String {
    let mut owners: Vec<&str> = policies.iter().map(String::as_str).collect();
    if own {
        owners.insert(0, "the service");
    }
    listed(&owners)
}

/// The field of a pool that holds a limit.
pub(super) fn field(cap: Cap) -> &'static str {
    match cap {
        Cap::Nodes => "maxNodes",
        Cap::Cores => "maxCores",
        Cap::Memory => "maxMemoryGi",
        Cap::Budget => "maxMonthlyCost",
    }
}

/// A limit as in its field.
pub(super) fn limit(cap: Cap, value: Option<i64>) -> String {
    let Some(n) = value else {
        return "unlimited".to_owned();
    };
    let of = |n: i64| u64::try_from(n).unwrap_or(0);
    match cap {
        Cap::Nodes => n.to_string(),
        Cap::Cores => cores(of(n)),
        Cap::Memory => gib(of(n)),
        Cap::Budget => amount(n),
    }
}
