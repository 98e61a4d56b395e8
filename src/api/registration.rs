//! LatticeServiceRegistration: a service in the catalogue, with the repository that defines it.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Condition, conditions_schema};
use super::container::ContainerResources;
use super::git::GitSource;

/// A service in the catalogue.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeServiceRegistration",
    plural = "latticeserviceregistrations",
    shortname = "lsr",
    category = "lattice",
    status = "LatticeServiceRegistrationStatus",
    derive = "PartialEq",
    doc = "A service in the catalogue, with the repository that defines it.",
    printcolumn(name = "Url", type_ = "string", json_path = ".spec.source.git.url"),
    printcolumn(name = "Path", type_ = "string", json_path = ".spec.source.git.path"),
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
pub struct LatticeServiceRegistrationSpec {
    /// Where the service is defined.
    pub source: RegistrationSource,
    /// Values for placements that state none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<DeploymentValues>,
}

/// Where a service is defined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationSource {
    /// A folder of a git repository.
    pub git: GitSource,
}

/// Values of a service's deployment on one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentValues {
    /// Number of replicas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100000))]
    pub replicas: Option<u32>,
    /// What each replica asks for and may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ContainerResources>,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 512))]
    pub env: BTreeMap<String, String>,
}

impl DeploymentValues {
    /// These values over others: numbers and resources replace, variables are added.
    pub fn over(&self, defaults: &Self) -> Self {
        let mut env = defaults.env.clone();
        env.extend(self.env.clone());
        Self {
            replicas: self.replicas.or(defaults.replicas),
            resources: self
                .resources
                .clone()
                .or_else(|| defaults.resources.clone()),
            env,
        }
    }
}

/// What is known of a registration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeServiceRegistrationStatus {
    /// Aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
