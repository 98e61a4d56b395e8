//! Why a pool or a plan was not possible: typed, with one wording for conditions, Events and text.

use super::capacity::CapacityTypes;
use super::limits::Excess;
use super::model::{ServiceId, Topology};
use super::units::{Micros, Resources};
use serde::{Deserialize, Serialize};

mod wording;

/// The constraint that a reason speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Constraint {
    /// The pool takes nothing new.
    PoolClosed,
    /// The provider has no more of what would do.
    Shortage,
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
            Constraint::Shortage => "shortage",
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
    /// What could hold a replica is not to be had for the time being.
    Shortage {
        /// The offer.
        class: String,
        /// What the provider says.
        why: String,
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
            Why::Shortage { .. } => Constraint::Shortage,
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
    fn only_price_is_soft() {
        assert!(Why::Dearer { added: 2 }.is_soft());
        assert!(!Why::NodesExhausted { used: 1, limit: 1 }.is_soft());
    }
}
