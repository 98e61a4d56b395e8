//! What a cluster's machines come from and which Kubernetes they run.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::credentials::Credentials;
use super::provider_type::ProviderType;

/// What a cluster's machines come from and which Kubernetes they run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.type) || has(self.config)",
        "message": "a provider needs a type or a config",
        "fieldPath": ".type",
    },
    {
        "rule": "!has(self.type) || !has(self.config) || (self.type == 'aws' ? has(self.config.aws) : self.type == 'gcp' ? has(self.config.gcp) : self.type == 'azure' ? has(self.config.azure) : self.type == 'openstack' ? has(self.config.openstack) : self.type == 'proxmox' ? has(self.config.proxmox) : self.type == 'docker' ? has(self.config.docker) : has(self.config.local))",
        "message": "config must be of the provider that type names",
        "fieldPath": ".config",
    },
]))]
pub struct ClusterProvider {
    /// The infrastructure. Default: the one that `config` is for.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_: Option<ProviderType>,
    /// Which Kubernetes the machines run.
    pub kubernetes: KubernetesSpec,
    /// Settings of the infrastructure, for exactly one provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ProviderConfig>,
    /// Credentials for the provider's API. Default: the pool's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

impl ClusterProvider {
    /// The infrastructure, from `type` or from `config`; none only in objects that validation refuses.
    pub fn provider_type(&self) -> Option<ProviderType> {
        self.type_
            .or_else(|| self.config.as_ref().and_then(ProviderConfig::provider_type))
    }
}

/// Which Kubernetes a cluster runs and how it is set up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KubernetesSpec {
    /// Version, such as `1.31.0`.
    #[schemars(
        length(max = 32),
        regex(pattern = r"^v?[0-9]+\.[0-9]+(\.[0-9]+)?([-+][0-9A-Za-z.+-]+)?$")
    )]
    pub version: String,
    /// What sets it up.
    #[serde(default)]
    pub bootstrap: Bootstrap,
    /// Further names and addresses in the API server's certificate.
    #[serde(rename = "certSANs", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub cert_sans: Vec<String>,
}

/// What sets Kubernetes up on a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bootstrap {
    /// kubeadm.
    #[default]
    Kubeadm,
    /// RKE2.
    Rke2,
}

/// Settings of the infrastructure, for exactly one provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "[has(self.aws), has(self.gcp), has(self.azure), has(self.openstack), has(self.proxmox), has(self.docker), has(self.local)].filter(x, x).size() == 1",
    "message": "config must be for exactly one provider",
}]))]
pub struct ProviderConfig {
    /// Amazon Web Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsConfig>,
    /// Google Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regional_settings")]
    pub gcp: Option<Map<String, Value>>,
    /// Microsoft Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regional_settings")]
    pub azure: Option<Map<String, Value>>,
    /// OpenStack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regional_settings")]
    pub openstack: Option<Map<String, Value>>,
    /// Proxmox VE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regional_settings")]
    pub proxmox: Option<Map<String, Value>>,
    /// Containers as machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regional_settings")]
    pub docker: Option<Map<String, Value>>,
    /// Processes as machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "regional_settings")]
    pub local: Option<Map<String, Value>>,
}

impl ProviderConfig {
    /// The provider that the settings are for: the first that has any.
    pub fn provider_type(&self) -> Option<ProviderType> {
        let free = |settings: &Option<Map<String, Value>>| settings.is_some();
        ProviderType::ALL
            .into_iter()
            .find(|provider| match provider {
                ProviderType::Aws => self.aws.is_some(),
                ProviderType::Gcp => free(&self.gcp),
                ProviderType::Azure => free(&self.azure),
                ProviderType::Openstack => free(&self.openstack),
                ProviderType::Proxmox => free(&self.proxmox),
                ProviderType::Docker => free(&self.docker),
                ProviderType::Local => free(&self.local),
            })
    }

    /// The provider's name of the region, where the settings state one.
    pub fn region(&self) -> Option<&str> {
        if let Some(aws) = &self.aws {
            return aws.region.as_deref();
        }
        [
            &self.gcp,
            &self.azure,
            &self.openstack,
            &self.proxmox,
            &self.docker,
            &self.local,
        ]
        .into_iter()
        .flatten()
        .find_map(|settings| settings.get("region").and_then(Value::as_str))
    }
}

/// Settings for Amazon Web Services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsConfig {
    /// Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub region: Option<String>,
    /// EC2 instance type of control plane machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cp_instance_type: Option<String>,
    /// EC2 instance type of worker machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker_instance_type: Option<String>,
    /// Root volume of control plane machines in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536))]
    pub cp_root_volume_size: Option<u32>,
    /// Root volume of worker machines in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536))]
    pub worker_root_volume_size: Option<u32>,
    /// EC2 key pair for SSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_key_name: Option<String>,
    /// Settings handed on as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// Settings of which only the region is known here; the rest is handed to the provider as it is.
fn regional_settings(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {"region": {"type": "string", "maxLength": 253, "description": "Region."}},
        "x-kubernetes-preserve-unknown-fields": true,
    })
}
