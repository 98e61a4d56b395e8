//! LatticeImageRegistry: a registry of images, its credentials and its mirrors.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Condition, conditions_schema};
use super::credentials::Credentials;

/// A registry of images.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeImageRegistry",
    plural = "latticeimageregistries",
    shortname = "lir",
    category = "lattice",
    status = "LatticeImageRegistryStatus",
    derive = "PartialEq",
    doc = "A registry of images, its credentials and its mirrors.",
    printcolumn(name = "Url", type_ = "string", json_path = ".spec.url"),
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
pub struct LatticeImageRegistrySpec {
    /// Host with an optional port and path, without a scheme: `registry.example.com/team`.
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?$")
    )]
    pub url: String,
    /// Secret of type `kubernetes.io/dockerconfigjson` in the operator's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
    /// Places to pull from first, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub mirrors: Vec<RegistryMirror>,
    /// Talks to the registry without TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure: Option<bool>,
}

/// A place that has the registry's images too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryMirror {
    /// Host with an optional port and path, without a scheme.
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?$")
    )]
    pub url: String,
    /// Clusters' region in which the mirror is used. Default: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub region: Option<String>,
}

/// What is known of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeImageRegistryStatus {
    /// Aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
