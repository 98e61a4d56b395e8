//! What platform teams ask of services and clusters.

use super::Selector;
use crate::scheduler::units::Micros;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Rules for the services that a selector matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Unique name.
    pub name: String,
    /// Higher goes first where only one policy can govern.
    pub priority: i64,
    /// Services in scope, by their labels.
    pub selector: Selector,
    /// Replicas in at least this many regions.
    pub min_regions: Option<u32>,
    /// Compliance labels every replica's pool must have.
    pub compliance: BTreeSet<String>,
    /// Evenness over domains.
    pub spread: Vec<Spread>,
    /// Soft wishes, as money.
    pub preferences: Vec<Preference>,
    /// Size rules of clusters made for these services.
    pub cluster_policy: Option<ClusterPolicy>,
    /// What moving these services is taken to cost, and what it must bring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
}

/// What moving what runs is taken to cost, and what it must bring. What is not stated is as the policy says, else
/// as by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moving {
    /// Micro-dollars for each replica: image pull, start-up, disruption, risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_replica: Option<Micros>,
    /// Seconds within which a move must have paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon_seconds: Option<u64>,
    /// Micro-dollars that a move must bring beyond what it costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<Micros>,
}

impl Moving {
    /// By default: 0.10 a replica.
    pub const PER_REPLICA: Micros = 100_000;
    /// By default: a day.
    pub const HORIZON_SECONDS: u64 = 24 * 3600;
    /// By default: 1.
    pub const MARGIN: Micros = 1_000_000;

    pub(super) fn is_unstated(&self) -> bool {
        *self == Moving::default()
    }
}

/// Most minus fewest replicas over the eligible domains is at most `max_skew`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Spread {
    /// What a domain is.
    pub topology: Topology,
    /// Largest allowed difference; at least 1.
    pub max_skew: u32,
}

/// Kind of domain to spread over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// A pool's region.
    Region,
    /// The zone that a node is in; a pool without one is a zone of its own.
    Zone,
    /// A pool.
    Pool,
    /// A cluster.
    Cluster,
    /// A provider.
    Provider,
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Topology::Region => "region",
            Topology::Zone => "zone",
            Topology::Pool => "pool",
            Topology::Cluster => "cluster",
            Topology::Provider => "provider",
        })
    }
}

/// A weighted wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Preference {
    /// 1 to 100: percent of a replica's reference price that the worst pool is charged.
    pub weight: u32,
    /// What pools are ranked by.
    pub sort_by: SortBy,
    /// Whether large values are wanted.
    pub descending: bool,
}

/// What a preference ranks pools by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SortBy {
    /// Price of the replica's share of the cheapest node class that fits.
    Cost,
    /// Free share of the pool's caps before this decision.
    AvailableCapacity,
}

/// Size rules of clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPolicy {
    /// Fewest workers of a cluster.
    pub min_nodes: u32,
    /// Most workers of a cluster, if limited.
    pub max_nodes: Option<u32>,
    /// Share of `max_nodes` (parts per million) beyond which a new cluster is made rather than this one filled.
    pub bin_packing_threshold_ppm: Option<u64>,
    /// Merge clusters whose use of their workers is below this share (parts per million).
    pub consolidate_below_ppm: Option<u64>,
    /// Control plane of new clusters.
    pub control_plane: ControlPlaneRule,
}

/// How the control plane of a new cluster is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPlaneRule {
    /// Nodes; 0 means hosted, without node and cost.
    pub replicas: u32,
    /// Node class; without it, the cheapest with at least 2 cores and 4 GiB.
    pub class: Option<String>,
}

impl Default for ControlPlaneRule {
    fn default() -> Self {
        Self {
            replicas: 3,
            class: None,
        }
    }
}
