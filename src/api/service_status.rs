//! Where a service runs, what it costs there, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Condition, conditions_schema};
use super::cost::{HourlyCost, TotalCost};
use super::money::Money;
use super::timestamp::Timestamp;

/// What is known of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeServiceStatus {
    /// The state in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ServicePhase>,
    /// Where the replicas are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placements: Vec<PlacementStatus>,
    /// The place that it has in another cell, where it found none here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<Escalation>,
    /// Cost of all placements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_cost: Option<TotalCost>,
    /// How many replicas work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<ServiceHealth>,
    /// When the placements were last decided anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_scheduled: Option<Timestamp>,
    /// Why the placements are what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduler_decision: Option<SchedulerDecision>,
    /// Aspects of the service's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// The state of a service in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum ServicePhase {
    /// Not looked at yet.
    Pending,
    /// A place is found, replicas are not all up.
    Scheduled,
    /// All replicas are up.
    Running,
    /// The parent has been asked for a place.
    Waiting,
    /// There is no place; the decision says why.
    Unschedulable,
    /// Placed, and not able to run.
    Failed,
}

/// Replicas of a service in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacementStatus {
    /// Name of the LatticePool.
    pub pool: String,
    /// Name of the LatticeCluster.
    pub cluster: String,
    /// Number of replicas there.
    pub replicas: u32,
    /// Name of the LatticeNodeClass that they run on; of spot capacity with `/spot` behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Cost of these replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<HourlyCost>,
}

/// A service's place in another cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Escalation {
    /// The cells from this one to the one that has the service.
    pub path: Vec<String>,
    /// What it costs there, in units of currency per hour.
    pub hourly: Money,
}

/// How many replicas work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceHealth {
    /// Replicas that have been ready for a while.
    pub available: u32,
    /// Replicas that are ready.
    pub ready: u32,
}

/// Why the placements are what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchedulerDecision {
    /// The decision in a sentence.
    pub reason: String,
    /// Pools that were not chosen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Alternative>,
}

/// A pool that was not chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alternative {
    /// Name of the LatticePool.
    pub pool: String,
    /// Why not, all reasons.
    pub rejected: String,
}
