//! LatticeServicePlacement: a service put on a cluster by people.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Condition, conditions_schema};
use super::git::GitOverride;
use super::registration::DeploymentValues;

/// A service put on a cluster by people.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeServicePlacement",
    plural = "latticeserviceplacements",
    shortname = "lsp",
    category = "lattice",
    namespaced,
    status = "LatticeServicePlacementStatus",
    derive = "PartialEq",
    doc = "A service put on a cluster by people.",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.serviceRef"),
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.cluster"),
    printcolumn(name = "Tag", type_ = "string", json_path = ".spec.sourceOverride.tag"),
    printcolumn(
        name = "Replicas",
        type_ = "integer",
        json_path = ".spec.overrides.replicas"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LatticeServicePlacementSpec {
    /// Name of the LatticeServiceRegistration, looked up from this cluster upwards, or of the LatticeService in
    /// the same namespace that `cluster` pins.
    #[schemars(length(min = 1, max = 253))]
    pub service_ref: String,
    /// Pins the LatticeService of that name in the same namespace to this LatticeCluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub cluster: Option<String>,
    /// What differs from the registration's source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_override: Option<GitOverride>,
    /// What differs from the registration's defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<DeploymentValues>,
}

/// What is known of a placement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeServicePlacementStatus {
    /// Revision that was last applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
