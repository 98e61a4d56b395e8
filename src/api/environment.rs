//! LatticeEnvironment: a stage such as prod or dev, the clusters that belong to it, and its isolation.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Condition, conditions_schema};
use super::selector::LabelSelector;

/// A stage such as prod or dev.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeEnvironment",
    plural = "latticeenvironments",
    shortname = "le",
    category = "lattice",
    status = "LatticeEnvironmentStatus",
    derive = "PartialEq",
    doc = "A stage such as prod or dev, with its clusters and its isolation.",
    printcolumn(
        name = "Clusters",
        type_ = "integer",
        json_path = ".status.clusterCount"
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
pub struct LatticeEnvironmentSpec {
    /// Clusters that belong to the environment, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    pub clusters: Vec<String>,
    /// Clusters that belong to the environment, by label, beside those named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_selector: Option<LabelSelector>,
    /// Namespaces of the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespaces: Option<EnvironmentNamespaces>,
    /// Labels that services of the environment carry, so that policies can select them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub labels: BTreeMap<String, String>,
}

impl LatticeEnvironmentSpec {
    /// Whether a cluster belongs to the environment.
    pub fn contains(&self, cluster: &str, labels: &BTreeMap<String, String>) -> bool {
        self.clusters.iter().any(|name| name == cluster)
            || self
                .cluster_selector
                .as_ref()
                .is_some_and(|selector| selector.matches(labels))
    }
}

/// Namespaces of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentNamespaces {
    /// Names of the namespaces. Empty: all of the environment's clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub names: Vec<String>,
    /// How far namespaces are kept apart.
    #[serde(default)]
    pub isolation: NamespaceIsolation,
}

/// How far namespaces are kept apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NamespaceIsolation {
    /// Services agree across namespaces as they do within one.
    #[default]
    None,
    /// Services of the environment agree only among themselves.
    Environment,
    /// Services agree only within their namespace.
    Namespace,
}

/// What is known of an environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeEnvironmentStatus {
    /// Number of clusters in the environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_count: Option<u32>,
    /// Aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
