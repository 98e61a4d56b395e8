//! Why a pool or a plan was not possible: typed, with one wording for conditions, Events and text.

use super::capacity::CapacityTypes;
use super::limits::Excess;
use super::model::{ServiceId, Topology};
use super::units::{Micros, Resources, cores, decimal, gib};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The constraint that a reason speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Constraint {
    /// The pool takes nothing new.
    PoolClosed,
    /// The service's pool selector.
    PoolSelector,
    /// Compliance labels.
    Compliance,
    /// A person fixed the service to a cluster.
    Pin,
    /// `requiredRegions`.
    RequiredRegions,
    /// `minRegions`.
    MinRegions,
    /// `spreadConstraint`.
    SpreadConstraint,
    /// Latency to a dependency.
    Latency,
    /// A replica fits no node.
    Fit,
    /// On-demand or spot capacity.
    CapacityType,
    /// The pool's `maxNodes`.
    MaxNodes,
    /// The pool's `maxCores`.
    MaxCores,
    /// The pool's `maxMemoryGi`.
    MaxMemory,
    /// The pool's `maxMonthlyCost`.
    Budget,
    /// `clusterPolicy` sizes.
    ClusterSize,
    /// No control plane can be had.
    ControlPlane,
    /// Nothing forbids the pool; another one is better.
    Cost,
    /// The constraints together leave no place that the bounded search found.
    Combination,
}

impl Constraint {
    /// The name as in JSON and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Constraint::PoolClosed => "poolClosed",
            Constraint::PoolSelector => "poolSelector",
            Constraint::Compliance => "compliance",
            Constraint::Pin => "pin",
            Constraint::RequiredRegions => "requiredRegions",
            Constraint::MinRegions => "minRegions",
            Constraint::SpreadConstraint => "spreadConstraint",
            Constraint::Latency => "latency",
            Constraint::Fit => "fit",
            Constraint::CapacityType => "capacityType",
            Constraint::MaxNodes => "maxNodes",
            Constraint::MaxCores => "maxCores",
            Constraint::MaxMemory => "maxMemory",
            Constraint::Budget => "budget",
            Constraint::ClusterSize => "clusterSize",
            Constraint::ControlPlane => "controlPlane",
            Constraint::Cost => "cost",
            Constraint::Combination => "combination",
        }
    }
}

/// One reason, with the facts it rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Why {
    /// There is no pool at all.
    NoPool,
    /// The pool is closed to new placements.
    Closed {
        /// As said by the pool's owner.
        reason: String,
    },
    /// A selector term that the pool's labels do not meet.
    Selector {
        /// The term, such as `tier=production`.
        term: String,
        /// What the pool has for that key, if anything.
        found: Option<String>,
    },
    /// A compliance label that the pool lacks.
    NoCompliance {
        /// The label.
        label: String,
    },
    /// The service is fixed to a cluster that is elsewhere.
    PinnedElsewhere {
        /// The cluster.
        cluster: String,
    },
    /// The service is fixed to a cluster that is not there.
    PinnedToNothing {
        /// The cluster.
        cluster: String,
    },
    /// More replicas are fixed than the service has.
    PinnedTooMany {
        /// Replicas fixed.
        pinned: u32,
        /// Replicas wanted.
        replicas: u32,
    },
    /// A required region has no pool at all.
    UnknownRegion {
        /// The region as written.
        region: String,
    },
    /// No pool of a required region will do.
    RegionUnavailable {
        /// The region as written.
        region: String,
        /// Its pools with their first reason each.
        because: String,
    },
    /// More places are required than there are replicas.
    TooFewReplicas {
        /// The constraint.
        constraint: Constraint,
        /// Places required.
        needed: u32,
        /// Replicas.
        replicas: u32,
    },
    /// Fewer regions are possible than required.
    TooFewRegions {
        /// Regions required.
        needed: u32,
        /// Regions in which a pool will do.
        possible: Vec<String>,
    },
    /// Replicas cannot be spread as evenly as asked.
    Skew {
        /// Kind of domain.
        topology: Topology,
        /// Allowed difference.
        max_skew: u32,
        /// Fewest replicas, and the domain where that is.
        fewest: (String, u32),
        /// Most replicas, and the domain where that is.
        most: (String, u32),
    },
    /// No replica of a dependency is near enough.
    TooFar {
        /// The dependency.
        dependency: ServiceId,
        /// Limit, ms.
        max_ms: u32,
        /// Nearest distance from here, ms; none when the dependency is not placed.
        nearest_ms: Option<u32>,
    },
    /// The replica is larger than what any offered node class leaves.
    TooLarge {
        /// One replica.
        size: Resources,
        /// The largest offered class and what it leaves for services.
        largest: Option<(String, Resources)>,
    },
    /// Nothing of the types of capacity that the service may run on is offered.
    NoCapacityType {
        /// These types.
        wanted: CapacityTypes,
    },
    /// No offered node class has enough of an extended resource.
    LacksExtended {
        /// The resource, such as `nvidia.com/gpu`.
        resource: String,
        /// What one replica asks for.
        wanted: u64,
        /// The most that a class leaves for services.
        most: u64,
    },
    /// The pool's limit of nodes.
    NodesExhausted {
        /// In use.
        used: u64,
        /// Limit.
        limit: u64,
    },
    /// The pool's limit of cores, in milli-cores.
    CoresExhausted {
        /// In use.
        used: u64,
        /// Limit.
        limit: u64,
    },
    /// The pool's limit of memory, in MiB.
    MemoryExhausted {
        /// In use.
        used: u64,
        /// Limit.
        limit: u64,
    },
    /// The pool's budget, micro-dollars a month.
    OverBudget {
        /// Projected with this replica.
        projected: i128,
        /// Limit.
        limit: Micros,
    },
    /// Clusters are full and no further one can be made.
    ClustersFull {
        /// Most workers of a cluster.
        max_nodes: u32,
    },
    /// A declared cluster has no room and may not grow.
    ClusterFixed {
        /// The cluster.
        cluster: String,
    },
    /// A replica is on a cluster under other cluster rules than the service's own.
    OtherClusterRules {
        /// The cluster.
        cluster: String,
    },
    /// No class for a control plane.
    NoControlPlane {
        /// What was looked for.
        wanted: String,
    },
    /// There is room, but not for all.
    RoomFor {
        /// Replicas that fit.
        fits: u32,
        /// Replicas wanted.
        replicas: u32,
    },
    /// Allowed, yet a replica here instead of where it is would not lower the bill.
    Dearer {
        /// What it would add, micro-dollars per hour, preferences included.
        added: Micros,
    },
    /// Each constraint alone can be met; together no place was found.
    NoCombination {
        /// Steps searched.
        steps: u64,
    },
    /// A number of the fleet is beyond what is reckoned with, so that nothing is decided.
    BeyondLimits {
        /// The number.
        excess: Excess,
    },
}

impl Why {
    /// The constraint that this reason belongs to.
    pub fn constraint(&self) -> Constraint {
        match self {
            Why::Closed { .. } => Constraint::PoolClosed,
            Why::NoPool | Why::Selector { .. } => Constraint::PoolSelector,
            Why::NoCompliance { .. } => Constraint::Compliance,
            Why::PinnedElsewhere { .. }
            | Why::PinnedToNothing { .. }
            | Why::PinnedTooMany { .. } => Constraint::Pin,
            Why::UnknownRegion { .. } | Why::RegionUnavailable { .. } => {
                Constraint::RequiredRegions
            }
            Why::TooFewReplicas { constraint, .. } => *constraint,
            Why::TooFewRegions { .. } => Constraint::MinRegions,
            Why::Skew { .. } => Constraint::SpreadConstraint,
            Why::TooFar { .. } => Constraint::Latency,
            Why::NoCapacityType { .. } => Constraint::CapacityType,
            Why::TooLarge { .. } | Why::LacksExtended { .. } => Constraint::Fit,
            Why::NodesExhausted { .. } => Constraint::MaxNodes,
            Why::CoresExhausted { .. } => Constraint::MaxCores,
            Why::MemoryExhausted { .. } => Constraint::MaxMemory,
            Why::OverBudget { .. } => Constraint::Budget,
            Why::ClustersFull { .. } | Why::ClusterFixed { .. } | Why::OtherClusterRules { .. } => {
                Constraint::ClusterSize
            }
            Why::NoControlPlane { .. } => Constraint::ControlPlane,
            Why::Dearer { .. } => Constraint::Cost,
            Why::RoomFor { .. } | Why::NoCombination { .. } | Why::BeyondLimits { .. } => {
                Constraint::Combination
            }
        }
    }

    /// Whether it is a matter of price only.
    pub fn is_soft(&self) -> bool {
        self.constraint() == Constraint::Cost
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NoPool => write!(f, "There is no LatticePool"),
            Why::Closed { reason } => write!(f, "Takes no new services: {reason}"),
            Why::Selector { term, found: None } => write!(f, "Selector {term}: no such label"),
            Why::Selector {
                term,
                found: Some(found),
            } => write!(f, "Selector {term}: has {found}"),
            Why::NoCompliance { label } => {
                write!(f, "No {} compliance label", label.to_uppercase())
            }
            Why::PinnedElsewhere { cluster } => write!(f, "Pinned to cluster {cluster}"),
            Why::PinnedToNothing { cluster } => {
                write!(f, "Pinned to cluster {cluster}, which is not in any pool")
            }
            Why::PinnedTooMany { pinned, replicas } => {
                write!(
                    f,
                    "{pinned} replicas are pinned, the service has {replicas}"
                )
            }
            Why::UnknownRegion { region } => {
                write!(
                    f,
                    "Required region {region}: no pool has this region or name"
                )
            }
            Why::RegionUnavailable { region, because } => {
                write!(f, "Required region {region}: {because}")
            }
            Why::TooFewReplicas {
                constraint,
                needed,
                replicas,
            } => write!(
                f,
                "{} asks for {needed} places, the service has {replicas} {}",
                constraint.name(),
                if *replicas == 1 {
                    "replica"
                } else {
                    "replicas"
                }
            ),
            Why::TooFewRegions { needed, possible } if possible.is_empty() => {
                write!(f, "minRegions {needed}: no region is possible")
            }
            Why::TooFewRegions { needed, possible } => write!(
                f,
                "minRegions {needed}: only {} possible ({})",
                possible.len(),
                possible.join(", ")
            ),
            Why::Skew {
                topology,
                max_skew,
                fewest,
                most,
            } => write!(
                f,
                "Spread over {topology} with maxSkew {max_skew}: {} gets {}, {} can have only {}",
                most.0, most.1, fewest.0, fewest.1
            ),
            Why::TooFar {
                dependency,
                max_ms,
                nearest_ms: Some(ms),
            } => write!(
                f,
                "{} ms to the nearest replica of {}, limit {max_ms} ms",
                ms, dependency.name
            ),
            Why::TooFar {
                dependency, max_ms, ..
            } => write!(
                f,
                "Needs {} within {max_ms} ms, which has no place",
                dependency.name
            ),
            Why::TooLarge {
                size,
                largest: Some((class, room)),
            } => write!(
                f,
                "A replica of {} cores / {} Gi fits no node class: the largest, {class}, leaves {} cores / {} Gi",
                cores(size.milli_cores),
                gib(size.mib),
                cores(room.milli_cores),
                gib(room.mib)
            ),
            Why::TooLarge { .. } => write!(f, "Offers no node class at a known price"),
            Why::NoCapacityType { wanted } => write!(f, "Offers no {wanted} capacity"),
            Why::LacksExtended {
                resource, most: 0, ..
            } => write!(f, "No node class with {resource}"),
            Why::LacksExtended {
                resource,
                wanted,
                most,
            } => write!(
                f,
                "No node class with {wanted} {resource}: the most is {most}"
            ),
            Why::NodesExhausted { used, limit } => {
                write!(f, "maxNodes {limit}: {used} in use")
            }
            Why::CoresExhausted { used, limit } => {
                write!(f, "maxCores {}: {} in use", cores(*limit), cores(*used))
            }
            Why::MemoryExhausted { used, limit } => {
                write!(f, "maxMemoryGi {}: {} in use", gib(*limit), gib(*used))
            }
            Why::OverBudget { projected, limit } => write!(
                f,
                "Budget {}/month: would come to {}",
                decimal(i128::from(*limit)),
                decimal(*projected)
            ),
            Why::ClustersFull { max_nodes } => write!(
                f,
                "Clusters are full at {max_nodes} nodes and no further one can be made"
            ),
            Why::ClusterFixed { cluster } => {
                write!(f, "Cluster {cluster} has no room and may not be resized")
            }
            Why::OtherClusterRules { cluster } => write!(
                f,
                "Cluster {cluster} follows another policy's clusterPolicy than this service"
            ),
            Why::NoControlPlane { wanted } => {
                write!(f, "No node class for a control plane: {wanted}")
            }
            Why::RoomFor { fits, replicas } => {
                write!(f, "Has room for {fits} of {replicas} replicas")
            }
            Why::Dearer { added: 0 } => write!(f, "A replica here instead costs the same"),
            Why::Dearer { added } if *added < 0 => write!(
                f,
                "A replica here instead saves {}/h, which does not pay for moving what runs",
                decimal(-i128::from(*added))
            ),
            Why::Dearer { added } => write!(
                f,
                "A replica here instead costs {}/h more",
                decimal(i128::from(*added))
            ),
            Why::NoCombination { steps } => write!(
                f,
                "Each constraint can be met alone, but no place meets all of them together ({steps} steps searched)"
            ),
            Why::BeyondLimits { excess } => write!(f, "Nothing is decided: {excess}"),
        }
    }
}

/// A reason and the pool it is about, if it is about one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reason {
    /// The pool, or none when it is about the service as a whole.
    pub pool: Option<String>,
    /// What is the matter.
    pub why: Why,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wording_names_the_facts() {
        let why = Why::NoCompliance {
            label: "gdpr".into(),
        };
        assert_eq!(why.to_string(), "No GDPR compliance label");
        assert_eq!(why.constraint().name(), "compliance");
        let why = Why::TooLarge {
            size: Resources::new(8000, 65536),
            largest: Some(("large".into(), Resources::new(8000, 32768))),
        };
        assert_eq!(
            why.to_string(),
            "A replica of 8 cores / 64 Gi fits no node class: the largest, large, leaves 8 cores / 32 Gi"
        );
        let why = Why::OverBudget {
            projected: 10_500_250_000,
            limit: 10_000_000_000,
        };
        assert_eq!(
            why.to_string(),
            "Budget 10000/month: would come to 10500.25"
        );
    }

    #[test]
    fn only_price_is_soft() {
        assert!(Why::Dearer { added: 2 }.is_soft());
        assert!(!Why::NodesExhausted { used: 1, limit: 1 }.is_soft());
    }
}
