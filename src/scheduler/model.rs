//! The snapshot: everything a decision depends on, by name, in integers.
//!
//! A snapshot is plain data. [`Snapshot::normalise`] puts it into its one canonical order, so that
//! two snapshots with the same content are equal, hash alike and solve alike.

use super::capacity::{CapacityType, CapacityTypes};
use super::units::{Micros, Resources};
use super::zones::zone_of;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

mod id;
mod order;
mod policy;

pub use id::{NamespacedName, ServiceId};
pub use policy::{
    ClusterPolicy, ControlPlaneRule, Moving, Policy, Preference, SortBy, Spread, Topology,
};

/// All input of one decision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Capacity that may be bought, per pool.
    pub pools: Vec<Pool>,
    /// Machine templates.
    pub node_classes: Vec<NodeClass>,
    /// Rules over services.
    pub policies: Vec<Policy>,
    /// What is to be placed.
    pub services: Vec<Service>,
    /// What exists or was decided before, with what runs on it.
    pub clusters: Vec<Cluster>,
    /// Services that people fixed to a cluster.
    pub pins: Vec<Pin>,
    /// Round trips between regions, set by the platform team; symmetric.
    pub region_latencies: Vec<RegionLatency>,
    /// Cluster names that are taken, such as those of clusters still being deleted.
    pub reserved_names: BTreeSet<String>,
    /// Names of the extended resources that amounts speak of, at most [`MOST_EXTENDED`](super::extended::MOST_EXTENDED):
    /// the first number is of the first name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub extended: BTreeSet<String>,
}

/// Capacity, prices and budget in one place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// Unique name.
    pub name: String,
    /// Provider, such as `aws`.
    pub provider: String,
    /// The `region` label, else the provider's region.
    pub region: String,
    /// The zone that all of it is in, if it is confined to one.
    pub zone: Option<String>,
    /// The zones that its nodes may be in, if there are several to choose from.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub zones: BTreeSet<String>,
    /// Labels for selectors and compliance; a list-valued label holds several values.
    pub labels: BTreeMap<String, BTreeSet<String>>,
    /// Upper limits over all clusters of the pool.
    pub caps: Caps,
    /// Most micro-dollars a month, if limited.
    pub monthly_budget: Option<Micros>,
    /// Node classes that the pool sells, with their price here.
    pub offers: Vec<Offer>,
    /// Why nothing new may be placed here, if so.
    pub closed: Option<String>,
    /// Offers, of whatever zone, of which the provider has no more for the time being. What is there of them stays.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shortages: BTreeMap<String, Shortage>,
}

/// Why an offer is not to be had.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortage {
    /// What the provider says.
    pub why: String,
    /// When it is worth while to ask again: seconds of the Unix epoch. The solver takes what is listed as short, whatever
    /// the time.
    pub until: i64,
}

impl Pool {
    /// The offers of which there is more to be had.
    pub fn sold(&self) -> impl Iterator<Item = &Offer> {
        let offers = self.offers.iter();
        offers.filter(|offer| self.shortage(&offer.class).is_none())
    }

    /// Why no more of an offer, in whatever zone, is to be had, if so.
    pub fn shortage(&self, offer: &str) -> Option<&Shortage> {
        self.shortages.get(zone_of(offer).0)
    }
}

/// Upper limits of a pool; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caps {
    /// Nodes, control planes included.
    pub max_nodes: Option<u64>,
    /// Milli-cores of all nodes.
    pub max_milli_cores: Option<u64>,
    /// MiB of all nodes.
    pub max_mib: Option<u64>,
}

/// A node class at a pool's price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Node class name.
    pub class: String,
    /// Micro-dollars per hour for one node.
    pub hourly: Micros,
}

/// A machine template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeClass {
    /// Unique name.
    pub name: String,
    /// What the machine has; counts against the pool's caps.
    pub capacity: Resources,
    /// What the system takes of it before anything is placed.
    pub reserved: Resources,
    /// Interruptions that a machine is expected to see in a month, in millionths, if it is spot capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<u64>,
    /// The zone that such a machine is in, if it is one of several that a pool has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

impl NodeClass {
    /// What services can use of one node.
    pub fn allocatable(&self) -> Resources {
        self.capacity.saturating_sub(self.reserved)
    }

    /// How firmly such a machine is had.
    pub fn capacity_type(&self) -> CapacityType {
        match self.spot {
            Some(_) => CapacityType::Spot,
            None => CapacityType::OnDemand,
        }
    }
}

/// A label selector; every part must match. Empty matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Selector {
    /// Labels that must have (or, for lists, contain) this value.
    pub match_labels: BTreeMap<String, String>,
    /// Further expressions.
    pub match_expressions: Vec<Expression>,
}

/// One expression of a selector.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Expression {
    /// Label key.
    pub key: String,
    /// What is asked of the label.
    pub operator: Operator,
    /// Values for `In` and `NotIn`.
    pub values: BTreeSet<String>,
}

/// Operator of a selector expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operator {
    /// Has one of the values.
    In,
    /// Has none of the values (or not the label).
    NotIn,
    /// Has the label.
    Exists,
    /// Has not the label.
    DoesNotExist,
}

/// What is to be placed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Namespace and name.
    pub id: ServiceId,
    /// Labels, matched by policies.
    pub labels: BTreeMap<String, String>,
    /// Higher is placed first when not all fit.
    pub priority: i64,
    /// Replicas that must be placed.
    pub replicas: u32,
    /// Size of one replica.
    pub size: Resources,
    /// Pools where it can run.
    pub pools: Selector,
    /// Regions or pools, each with at least one replica, in the order written.
    pub required_regions: Vec<String>,
    /// Compliance labels of its own.
    pub compliance: BTreeSet<String>,
    /// Whether replicas must be on different nodes.
    pub one_per_node: bool,
    /// Latency limits to other services.
    pub latency: Vec<LatencyBound>,
    /// Types of capacity that it may run on.
    #[serde(default, skip_serializing_if = "CapacityTypes::is_default")]
    pub capacity_types: CapacityTypes,
    /// What moving it is taken to cost and must bring, where that is not as its policy says.
    #[serde(default, skip_serializing_if = "Moving::is_unstated")]
    pub moving: Moving,
}

/// Every replica has a replica of `dependency` within `max_ms`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LatencyBound {
    /// The service depended upon.
    pub dependency: ServiceId,
    /// Round trip, milliseconds.
    pub max_ms: u32,
}

/// Round trip between two regions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RegionLatency {
    /// One region.
    pub from: String,
    /// The other.
    pub to: String,
    /// Milliseconds.
    pub ms: u32,
}

/// Who made a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
pub enum Origin {
    /// The scheduler, for services governed by this policy's cluster rules (or none).
    Scheduler {
        /// Policy whose cluster rules it follows.
        policy: Option<String>,
    },
    /// A person or git: used, never deleted.
    Declared {
        /// Fewest and most workers between which the scheduler may resize it; fixed without.
        resize: Option<(u32, u32)>,
    },
}

/// A cluster with what is on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Unique name.
    pub name: String,
    /// The pool it is in.
    pub pool: String,
    /// Who made it.
    pub origin: Origin,
    /// Class and number of control-plane nodes; none when hosted.
    pub control_plane: Option<(String, u32)>,
    /// Workers, equal ones grouped.
    pub workers: Vec<NodeGroup>,
}

/// Equal nodes with equal content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeGroup {
    /// Node class.
    pub class: String,
    /// Number of such nodes.
    pub count: u32,
    /// Replicas of each service on each of these nodes.
    pub services: BTreeMap<ServiceId, u32>,
}

/// A person's decision: this service on that cluster. Several for one service and cluster add up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pin {
    /// The service.
    pub service: ServiceId,
    /// The cluster.
    pub cluster: String,
    /// How many replicas; all of them without.
    pub replicas: Option<u32>,
}
