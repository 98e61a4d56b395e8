//! LatticeRepoConfig: settings of a fleet repository, kept in a file and never in an API server.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster_provider::Bootstrap;
use super::flux::FluxSpec;

/// Settings of a fleet repository, in `.lattice/config.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeRepoConfig {
    /// Group and version.
    #[schemars(skip)]
    pub api_version: String,
    /// `LatticeRepoConfig`.
    #[schemars(skip)]
    pub kind: String,
    /// Name and labels.
    #[serde(default)]
    #[schemars(skip)]
    pub metadata: ObjectMeta,
    /// The settings.
    pub spec: LatticeRepoConfigSpec,
}

/// Settings of a fleet repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeRepoConfigSpec {
    /// The repository itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<RepoGit>,
    /// Flux on all clusters that say nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flux: Option<FluxSpec>,
    /// Values for clusters that state none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<RepoDefaults>,
}

/// A fleet repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepoGit {
    /// Address over HTTPS or SSH. Default: the checkout's remote `origin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub url: Option<String>,
    /// Branch that clusters follow.
    #[serde(default = "default_branch")]
    #[schemars(length(min = 1, max = 244))]
    pub default_branch: String,
    /// Whether changes have to go through a pull request.
    #[serde(rename = "requirePR", default)]
    pub require_pr: bool,
    /// Name of the Secret with the deploy key (`ssh-privatekey`) or the token (`token`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret: Option<String>,
}

fn default_branch() -> String {
    "main".to_owned()
}

/// Values for clusters that state none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepoDefaults {
    /// Provider settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderDefaults>,
}

/// Provider settings for clusters that state none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderDefaults {
    /// Which Kubernetes clusters run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesDefaults>,
}

/// Which Kubernetes clusters run that state none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesDefaults {
    /// Version, such as `1.31.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        regex(pattern = r"^v?[0-9]+\.[0-9]+(\.[0-9]+)?([-+][0-9A-Za-z.+-]+)?$")
    )]
    pub version: Option<String>,
    /// What sets it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Bootstrap>,
}
