//! LatticeServiceConfig: variables and defaults shared by the services it selects.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Condition, conditions_schema};
use super::container::ContainerResources;
use super::selector::LabelSelector;

/// Variables and defaults shared by the services of a namespace that it selects.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeServiceConfig",
    plural = "latticeserviceconfigs",
    shortname = "lscfg",
    category = "lattice",
    namespaced,
    status = "LatticeServiceConfigStatus",
    derive = "PartialEq",
    doc = "Variables and defaults shared by the services of a namespace that it selects.",
    printcolumn(name = "Priority", type_ = "integer", json_path = ".spec.priority"),
    printcolumn(
        name = "Services",
        type_ = "integer",
        json_path = ".status.matchedServices"
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
pub struct LatticeServiceConfigSpec {
    /// The services, by label. Empty: all of the namespace.
    #[serde(default)]
    pub selector: LabelSelector,
    /// Of several in scope, the one with the highest number decides; ties by name.
    #[serde(default)]
    #[schemars(range(min = -1000000000, max = 1000000000))]
    pub priority: i32,
    /// Environment variables of every container that does not set them itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 512))]
    pub variables: BTreeMap<String, String>,
    /// Amounts for containers that state none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ContainerResources>,
    /// Labels added to the services' pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: BTreeMap<String, String>,
    /// Annotations added to the services' pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,
}

/// What is known of a shared configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeServiceConfigStatus {
    /// Number of services in scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matched_services: Option<u32>,
    /// Aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
