//! LatticePool: capacity, budget and rules of one place where machines can be had.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::conditions::{Condition, conditions_schema};
use super::credentials::Credentials;
use super::money::Money;
use super::provider_type::ProviderType;
use super::quantity::{Cores, MemoryGi};
use super::ratio::Ratio;
use super::selector::LabelValues;

/// Capacity that services can be placed on, in one region of one provider.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticePool",
    plural = "latticepools",
    shortname = "lp",
    category = "lattice",
    status = "LatticePoolStatus",
    derive = "PartialEq",
    doc = "Capacity that services can be placed on, in one region of one provider.",
    printcolumn(name = "Provider", type_ = "string", json_path = ".spec.provider.type"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.provider.region"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Nodes",
        type_ = "integer",
        json_path = ".status.capacity.allocatedNodes"
    ),
    printcolumn(name = "Max", type_ = "integer", json_path = ".spec.capacity.maxNodes"),
    printcolumn(
        name = "Projected",
        type_ = "string",
        json_path = ".status.budget.projectedMonthCost"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LatticePoolSpec {
    /// Where the machines come from.
    pub provider: PoolProvider,
    /// Limits over all clusters of the pool, control planes included.
    #[serde(default, skip_serializing_if = "PoolCapacity::is_unlimited")]
    pub capacity: PoolCapacity,
    /// Limits on money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<PoolBudget>,
    /// Names of the LatticeNodeClasses that the pool offers.
    #[schemars(length(max = 512), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    pub node_classes: Vec<String>,
    /// Labels that placement matches against. A list means that the pool has all of its values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: BTreeMap<String, LabelValues>,
    /// Round trips to other regions. Stated by either side, it holds for both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 512),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["region"])
    )]
    pub latency: Vec<RegionLatency>,
    /// Where clusters made in this pool find their platform add-ons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flux: Option<PoolFlux>,
    /// Keeps what runs, places nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// Where a pool's machines come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.zone) || !has(self.zones) || size(self.zones) == 0",
    "message": "a pool is confined to one `zone` or has several `zones`, not both",
    "fieldPath": ".zones",
}]))]
pub struct PoolProvider {
    /// The infrastructure.
    #[serde(rename = "type")]
    pub type_: ProviderType,
    /// The provider's name of the region, such as `us-east-1`.
    #[schemars(length(min = 1, max = 253))]
    pub region: String,
    /// The provider's name of the zone, if the pool is confined to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub zone: Option<String>,
    /// The provider's names of the zones, if the pool has several: each worker is in one of them, and the
    /// scheduler says in which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub zones: Vec<String>,
    /// Credentials for the provider's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// Settings of every cluster in the pool, as in `provider.config` of a LatticeCluster for this provider. What the cluster
    /// states goes first.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "settings_schema")]
    pub settings: Map<String, Value>,
}

fn settings_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Limits over all clusters of a pool. What is absent is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolCapacity {
    /// Most nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000000))]
    pub max_nodes: Option<u32>,
    /// Most cores, as a number or a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cores: Option<Cores>,
    /// Most memory, as a number of GiB or a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_memory_gi: Option<MemoryGi>,
}

impl PoolCapacity {
    /// Whether nothing is limited.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// Limits on money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolBudget {
    /// Most that the pool may cost in a month of 720 hours, in `currency`.
    pub max_monthly_cost: Money,
    /// ISO 4217 code.
    #[serde(default = "default_currency")]
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    pub currency: String,
    /// Share of the budget at which a warning is raised.
    #[serde(default = "default_alert_threshold")]
    #[schemars(
        range(min = 0, max = 1),
        extend("x-kubernetes-validations" = [{"rule": "self > 0.0", "message": "must be above 0"}])
    )]
    pub alert_threshold: Ratio,
}

/// The currency of amounts that name none.
pub(crate) fn default_currency() -> String {
    "USD".to_owned()
}

fn default_alert_threshold() -> Ratio {
    Ratio::from_ppm(800_000)
}

/// The round trip to another region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegionLatency {
    /// The other region.
    #[schemars(length(min = 1, max = 253))]
    pub region: String,
    /// Milliseconds there and back.
    #[schemars(range(min = 0, max = 60000))]
    pub ms: u32,
}

/// Where clusters made in a pool find their platform add-ons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolFlux {
    /// Path in the fleet's git repository.
    #[schemars(length(min = 1, max = 2048))]
    pub path: String,
}

/// What is known of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticePoolStatus {
    /// The state in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<PoolPhase>,
    /// What is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<AllocatedCapacity>,
    /// What is in use as shares of the limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilization: Option<PoolUtilization>,
    /// Money spent and expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<BudgetStatus>,
    /// How good the decision is that the pool's clusters are part of; absent while nothing runs here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<DecisionQuality>,
    /// Clusters in the pool, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub clusters: Vec<PoolCluster>,
    /// Aspects of the pool's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// The state of a pool in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum PoolPhase {
    /// Not looked at yet.
    Pending,
    /// Usable.
    Ready,
    /// Usable in part; the conditions say what is amiss.
    Degraded,
    /// Not usable; the conditions say why.
    Failed,
}

/// What of a pool is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AllocatedCapacity {
    /// Nodes, control planes included.
    pub allocated_nodes: u32,
    /// Cores of these nodes.
    pub allocated_cores: Cores,
    /// Memory of these nodes, in GiB or as a quantity.
    pub allocated_memory_gi: MemoryGi,
}

/// What of a pool is in use, as shares of its limits; absent where there is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolUtilization {
    /// Share of `maxNodes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Ratio>,
    /// Share of `maxCores`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<Ratio>,
    /// Share of `maxMemoryGi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Ratio>,
}

/// Money spent and expected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BudgetStatus {
    /// Spent since the month began, in the budget's currency.
    pub current_month_cost: Money,
    /// What 720 hours of what now runs cost, in the budget's currency.
    pub projected_month_cost: Money,
    /// The projected cost as a share of the budget: 0.82 is 82 percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilization_percent: Option<Ratio>,
}

/// How near a decision on the whole fleet is to the best there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionQuality {
    /// What was minimised: cost of the whole fleet per hour, with preferences as money.
    pub objective: Money,
    /// Proven least value of the objective of any decision that places the same services.
    pub lower_bound: Money,
    /// Share of the objective that might still be saved at most: 0.01 is one percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Ratio>,
}

/// A cluster in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolCluster {
    /// Name of the LatticeCluster.
    pub name: String,
    /// Nodes, control plane included.
    pub nodes: u32,
    /// Services with replicas on it.
    pub services: u32,
}
