//! What is known of a cluster.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::CapacityType;
use super::cluster_agent::AgentStatus;
use super::conditions::{Condition, conditions_schema};
use super::flux::FluxStatus;
use super::money::Money;
use super::timestamp::Timestamp;

/// What is known of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeClusterStatus {
    /// The state in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ClusterPhase>,
    /// Version that the control plane runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// Installed version of Flux.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flux_version: Option<String>,
    /// How many machines there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,
    /// How Flux fares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flux: Option<FluxStatus>,
    /// Machines of the same class, role and load, taken together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_groups: Vec<NodeGroupStatus>,
    /// Machines that were asked for and do not come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortages: Vec<MachineShortage>,
    /// What the cluster costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<ClusterCost>,
    /// What its agent says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentStatus>,
    /// When the cluster was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_reconciled: Option<Timestamp>,
    /// Aspects of the cluster's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// The state of a cluster in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum ClusterPhase {
    /// Not begun.
    Pending,
    /// Machines are being made.
    Provisioning,
    /// The cluster is taking over its own Cluster API objects.
    Pivoting,
    /// The cluster manages itself.
    Ready,
    /// It cannot go on; the conditions say why.
    Failed,
    /// It is being taken down.
    Deleting,
}

/// How many machines a cluster has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeCounts {
    /// Machines that are ready.
    pub ready: u32,
    /// All machines.
    pub total: u32,
}

/// Machines of the same class, role and load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroupStatus {
    /// Name of the LatticeNodeClass; of spot capacity with `/spot` behind it.
    pub class: String,
    /// What the machines are for.
    pub role: NodeRole,
    /// Number of machines.
    pub count: u32,
    /// Replicas on each of the machines, by `namespace/name` of the service.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, u32>,
}

/// Machines of one group that do not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MachineShortage {
    /// Name of the LatticeNodeClass.
    pub node_class: String,
    /// On-demand or spot capacity.
    #[serde(default)]
    pub capacity_type: CapacityType,
    /// The zone that they are to be in; empty if it is any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub zone: String,
    /// What the machines are for.
    pub role: NodeRole,
    /// Machines of the group that are there, or on their way.
    pub coming: u32,
    /// Why the others do not come, as one word.
    pub reason: String,
    /// Why, as a sentence.
    pub message: String,
}

/// What a machine is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum NodeRole {
    /// Workloads.
    Worker,
    /// The control plane.
    ControlPlane,
}

/// What a cluster costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCost {
    /// All machines, in units of currency per hour.
    pub hourly: Money,
    /// The part that no service accounts for, in units of currency per hour.
    pub overhead_hourly: Money,
}
