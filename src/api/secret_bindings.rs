//! LatticeSecretBindings: which Secrets stand behind a service's resources of type `Secret`.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Condition, conditions_schema};

/// Which Secrets stand behind a service's resources.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeSecretBindings",
    plural = "latticesecretbindings",
    shortname = "lsb",
    category = "lattice",
    namespaced,
    status = "LatticeSecretBindingsStatus",
    derive = "PartialEq",
    doc = "Which Secrets stand behind a service's resources.",
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.serviceRef"),
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
pub struct LatticeSecretBindingsSpec {
    /// Name of the LatticeService in the same namespace.
    #[schemars(length(min = 1, max = 253))]
    pub service_ref: String,
    /// Secrets by the name of the service's resource.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 256))]
    pub bindings: BTreeMap<String, SecretBinding>,
}

/// A Secret in the service's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretBinding {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub secret_ref: String,
    /// Keys of the Secret by the names under which the service knows them. Empty: all, under their own names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256))]
    pub keys: BTreeMap<String, String>,
    /// Starts the service without the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional: Option<bool>,
}

/// What is known of the bindings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeSecretBindingsStatus {
    /// Names of Secrets that are not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
