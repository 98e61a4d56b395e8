//! The plan document, `plan.lattice.dev/v1`. Fields are added, never changed; amounts are decimal strings.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::PlanCertificate;
use super::moves::PlanMoves;
use crate::placement::diff::{Action, Changes};

/// `apiVersion` of the document.
pub const PLAN_API_VERSION: &str = "plan.lattice.dev/v1";

/// `kind` of the document.
pub const PLAN_KIND: &str = "Plan";

/// Where everything is to run, what it costs, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Always `plan.lattice.dev/v1`.
    pub api_version: String,
    /// Always `Plan`.
    pub kind: String,
    /// The whole in numbers.
    pub summary: Summary,
    /// What differs from what is.
    pub changes: Changes,
    /// The outcome of each service.
    pub decisions: Vec<Decision>,
    /// What of what runs is moved for savings, and what is not although that would save something.
    #[serde(default, skip_serializing_if = "PlanMoves::is_empty")]
    pub moves: PlanMoves,
    /// Where replicas are.
    pub placements: Vec<PlanPlacement>,
    /// Every cluster with its nodes and what is on them.
    pub clusters: Vec<PlanCluster>,
    /// Every pool with what is used of it.
    pub pools: Vec<PlanPool>,
    /// Services without a place.
    pub unschedulable: Vec<Unschedulable>,
    /// What a person should know besides.
    pub warnings: Vec<String>,
    /// What proves the lower bound.
    #[serde(default)]
    pub certificate: PlanCertificate,
    /// For each service and each pool that holds none of its replicas, all reasons.
    #[serde(default)]
    pub rejections: Vec<Rejection>,
}

impl Plan {
    /// Whether carrying out the plan changes anything.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }
}

/// A plan in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Services that were to be placed.
    pub services: u32,
    /// Replicas that have a place.
    pub replicas: u32,
    /// Nodes, control planes included.
    pub nodes: u32,
    /// Clusters.
    pub clusters: u32,
    /// Cost of all nodes per hour.
    pub hourly_cost: String,
    /// Cost of all nodes per 30 days (720 hours).
    #[serde(rename = "projected30Day")]
    pub projected_30_day: String,
    /// What was minimised: cost per hour with preferences as money.
    pub objective: String,
    /// Proven least value of the objective of any plan that places the same services.
    pub lower_bound: Option<String>,
    /// Share of the objective that might still be saved at most: what it is above the lower bound, divided by it,
    /// rounded up to a millionth. Null if the objective is 0.
    pub gap: Option<String>,
}

/// The outcome of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// Name of the service.
    pub service: String,
    /// Namespace of the service.
    pub namespace: String,
    /// `Placed`, `Unchanged`, `Escalated` or `Unschedulable`.
    pub verdict: String,
    /// The decision in a sentence.
    pub reason: String,
    /// Replicas wanted.
    pub replicas: u32,
    /// Cost of all replicas per hour.
    pub hourly_cost: String,
    /// Cost of all replicas per 30 days (720 hours).
    #[serde(rename = "projected30Day")]
    pub projected_30_day: String,
    /// The constraints that were to be met, in words.
    pub constraints: Vec<String>,
    /// Constraints that could not be enforced, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unenforced: Vec<String>,
}

/// Replicas of a service in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanPlacement {
    /// Name of the service.
    pub service: String,
    /// Namespace of the service.
    pub namespace: String,
    /// The pool.
    pub pool: String,
    /// The cluster.
    pub cluster: String,
    /// The node class; of spot capacity with `/spot` behind it.
    pub node_class: String,
    /// How many.
    pub replicas: u32,
    /// Their cost per hour.
    pub hourly_cost: String,
}

/// A cluster with its nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanCluster {
    /// Unique name.
    pub name: String,
    /// The pool it is in.
    pub pool: String,
    /// What is done with it.
    pub action: Action,
    /// The policy whose cluster rules it follows, if the scheduler made it by those of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Whether a person or git declared it, rather than the scheduler.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declared: bool,
    /// How far the scheduler may resize it, if it is declared and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resizable: Option<WorkerRange>,
    /// Cost per hour of what no service accounts for: control plane and idle nodes.
    pub overhead_hourly_cost: String,
    /// Nodes of the same class, role and content, taken together.
    pub nodes: Vec<PlanNodes>,
}

/// Fewest and most workers of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerRange {
    /// Fewest.
    pub min_workers: u32,
    /// Most.
    pub max_workers: u32,
}

/// What a node is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Services.
    Worker,
    /// The control plane.
    ControlPlane,
}

/// Equal nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanNodes {
    /// The node class; of spot capacity with `/spot` behind it.
    pub class: String,
    /// What the nodes are for.
    pub role: Role,
    /// How many.
    pub count: u32,
    /// Replicas on each of them, by `namespace/name`.
    pub services: BTreeMap<String, u32>,
}

/// What is used of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanPool {
    /// Unique name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its provider.
    pub provider: String,
    /// Nodes, control planes included.
    pub nodes: u32,
    /// Cores of these nodes.
    pub cores: String,
    /// GiB of these nodes.
    pub memory_gi: String,
    /// Extended resources of these nodes, such as `nvidia.com/gpu`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extended: BTreeMap<String, u64>,
    /// Cost of these nodes per hour.
    pub hourly_cost: String,
    /// Cost of these nodes per month of 720 hours.
    pub projected_month_cost: String,
    /// Most that the pool may cost a month.
    pub budget: Option<String>,
    /// Most nodes.
    pub max_nodes: Option<u64>,
    /// Most cores.
    pub max_cores: Option<String>,
    /// Most GiB.
    pub max_memory_gi: Option<String>,
    /// Why nothing new is placed here, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}

/// A service without a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unschedulable {
    /// Name of the service.
    pub service: String,
    /// Namespace of the service.
    pub namespace: String,
    /// Every reason of every pool, and those about the service as a whole.
    pub reasons: Vec<PlanReason>,
    /// The constraints of all `conflictSets`.
    pub conflicts: Vec<String>,
    /// Minimal sets of constraints that cannot all be met. One member of each set has to give way;
    /// where there is one set, any one member will do. Tried by solving again.
    #[serde(default)]
    pub conflict_sets: Vec<ConflictSet>,
    /// Whether `conflictSets` are all there are.
    #[serde(default)]
    pub conflicts_complete: bool,
    /// Changes after which the service has a place, cheapest first; each was tried by solving again.
    pub relaxations: Vec<Relaxation>,
}

/// Constraints that cannot all be met, even without all others; without any one of them they can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConflictSet {
    /// The constraints.
    pub members: Vec<PlanConstraint>,
}

/// A constraint, or a change of one, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanConstraint {
    /// Its kind, such as `compliance`.
    pub constraint: String,
    /// The words.
    pub message: String,
}

/// A reason against a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanReason {
    /// The constraint that it belongs to.
    pub constraint: String,
    /// The pool it is about; absent when it is about the service as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The reason in words.
    pub message: String,
    /// What a replica there instead would add per hour, where that is the only reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_hourly_cost: Option<String>,
}

/// A change after which a service has a place, and its price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Relaxation {
    /// The constraint that is relaxed; of several changes, the first one's.
    pub constraint: String,
    /// The change, such as `us-east: maxNodes 100 → 102`; several are all needed.
    pub change: String,
    /// The changes one by one.
    #[serde(default)]
    pub changes: Vec<PlanConstraint>,
    /// Nodes more (or fewer) than in this plan.
    pub nodes_delta: i64,
    /// Cost per hour more (or less) than in this plan.
    pub hourly_cost_delta: String,
    /// Cost per month of 720 hours more (or less) than in this plan.
    pub monthly_cost_delta: String,
    /// Other services without a place, as `namespace/name`, that get one by it as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_places: Vec<String>,
    /// Whether the price is that of a fleet, too large to be solved again as a whole, in which
    /// everything else stays on its cluster.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub others_fixed: bool,
}

/// Why a pool holds none of a service's replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// Name of the service.
    pub service: String,
    /// Namespace of the service.
    pub namespace: String,
    /// The pool.
    pub pool: String,
    /// All reasons.
    pub reasons: Vec<PlanReason>,
}
