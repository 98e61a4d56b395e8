//! LatticePlacementPolicy: what holds for the services it selects, and how their clusters are sized.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Condition, conditions_schema};
use super::moving::Moving;
use super::ratio::Ratio;
use super::selector::LabelSelector;

/// Rules for the placement of the services it selects.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticePlacementPolicy",
    plural = "latticeplacementpolicies",
    shortname = "lpp",
    category = "lattice",
    status = "LatticePlacementPolicyStatus",
    derive = "PartialEq",
    doc = "Rules for the placement of the services it selects.",
    printcolumn(name = "Priority", type_ = "integer", json_path = ".spec.priority"),
    printcolumn(
        name = "Min-Regions",
        type_ = "integer",
        json_path = ".spec.requirements.minRegions"
    ),
    printcolumn(
        name = "Services",
        type_ = "integer",
        json_path = ".status.matchedServices"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LatticePlacementPolicySpec {
    /// Of several policies in scope, the one with the highest number gives preferences and cluster sizes.
    #[serde(default)]
    #[schemars(range(min = -1000000000, max = 1000000000))]
    pub priority: i32,
    /// The services that the policy is about, by label. Empty: all.
    #[serde(default)]
    pub selector: LabelSelector,
    /// What must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirements: Option<Requirements>,
    /// What is preferred, given what must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub preferences: Vec<WeightedPreference>,
    /// How clusters for these services are sized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_policy: Option<ClusterPolicy>,
    /// When what runs is moved for savings. Of several policies in scope, the first that states it counts, as for
    /// preferences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
}

/// What must hold for every service in scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Requirements {
    /// Fewest regions with a replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub min_regions: Option<u32>,
    /// Compliance labels that every replica's pool must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub compliance: Vec<String>,
    /// How evenly replicas are spread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread_constraint: Option<SpreadConstraint>,
    /// Further spreads, over other topologies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 5),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["topologyKey"])
    )]
    pub spread_constraints: Vec<SpreadConstraint>,
}

impl Requirements {
    /// All spreads, the single one first.
    pub fn spreads(&self) -> impl Iterator<Item = &SpreadConstraint> {
        self.spread_constraint
            .iter()
            .chain(&self.spread_constraints)
    }
}

/// Bounds how unevenly replicas are spread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SpreadConstraint {
    /// What replicas are spread over.
    pub topology_key: TopologyKey,
    /// Most replicas in a domain minus fewest.
    #[schemars(range(min = 1, max = 10000))]
    pub max_skew: u32,
}

/// What replicas are spread over.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum TopologyKey {
    /// Regions.
    Region,
    /// Zones.
    Zone,
    /// Pools.
    Pool,
    /// Clusters.
    Cluster,
    /// Providers.
    Provider,
}

/// A preference and how much it counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WeightedPreference {
    /// How much it counts beside the others.
    #[schemars(range(min = 1, max = 100))]
    pub weight: u32,
    /// What is preferred.
    pub preference: Preference,
}

/// An order among pools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Preference {
    /// What pools are ordered by.
    pub sort_by: SortBy,
    /// Which end comes first. Default: ascending for cost, descending for available capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<SortOrder>,
}

impl Preference {
    /// The order, with the default that suits what is sorted by.
    pub fn effective_order(&self) -> SortOrder {
        self.order.unwrap_or(match self.sort_by {
            SortBy::Cost => SortOrder::Ascending,
            SortBy::AvailableCapacity => SortOrder::Descending,
        })
    }
}

/// What pools are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum SortBy {
    /// Price of an hour.
    Cost,
    /// What is still free.
    AvailableCapacity,
}

/// Which end of an order comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SortOrder {
    /// Least first.
    Ascending,
    /// Most first.
    Descending,
}

/// How clusters that the scheduler makes are sized.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.minNodes) || !has(self.maxNodes) || self.minNodes <= self.maxNodes",
    "message": "minNodes must not be more than maxNodes",
    "fieldPath": ".minNodes",
}]))]
pub struct ClusterPolicy {
    /// Fewest worker nodes of a cluster. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100000))]
    pub min_nodes: Option<u32>,
    /// Most worker nodes of a cluster. Default: the pool's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100000))]
    pub max_nodes: Option<u32>,
    /// Share of a cluster in use beyond which a new cluster is made instead. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        range(min = 0, max = 1),
        extend("x-kubernetes-validations" = [{"rule": "self > 0.0", "message": "must be above 0"}])
    )]
    pub bin_packing_threshold: Option<Ratio>,
    /// Merging of clusters that are little used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consolidation: Option<Consolidation>,
    /// The control plane of each cluster. Default: 3 of the cheapest class with at least 2 cores and 4 GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<ControlPlanePolicy>,
    /// Kubernetes version of new clusters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        regex(pattern = r"^v?[0-9]+\.[0-9]+(\.[0-9]+)?([-+][0-9A-Za-z.+-]+)?$")
    )]
    pub kubernetes_version: Option<String>,
}

/// Merging of clusters that are little used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Consolidation {
    /// Whether clusters are merged at all.
    #[serde(default)]
    pub enabled: bool,
    /// Share in use below which a cluster is a candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub min_utilization: Option<Ratio>,
}

/// The control plane of clusters that the scheduler makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.replicas) || self.replicas == 0 || self.replicas % 2 == 1",
    "message": "a control plane has an odd number of replicas, or 0 when it is hosted",
    "fieldPath": ".replicas",
}]))]
pub struct ControlPlanePolicy {
    /// Number of machines: odd, or 0 when the control plane is hosted and costs no node.
    #[serde(default = "default_control_plane_replicas")]
    #[schemars(range(min = 0, max = 9))]
    pub replicas: u32,
    /// Node class of its machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub node_class: Option<String>,
}

fn default_control_plane_replicas() -> u32 {
    3
}

/// What is known of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticePlacementPolicyStatus {
    /// Number of services in scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_services: Option<u32>,
    /// Aspects of the policy's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
