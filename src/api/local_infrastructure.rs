//! The infrastructure kinds of the `local` provider, as Cluster API's v1beta2 contract wants them.
//!
//! Nobody writes these by hand: they are rendered, or made by Cluster API from a template. So they belong to
//! Cluster API's group, are not among the kinds that manifests are held against, and come with the CRDs only.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::CapacityType;
use super::conditions::{Condition, conditions_schema};
use super::quantity::{Cores, MemoryGi};

/// The API group of the kinds here.
pub const INFRASTRUCTURE_GROUP: &str = "infrastructure.cluster.x-k8s.io";

/// The one version of the kinds here.
pub const INFRASTRUCTURE_VERSION: &str = "v1alpha1";

/// What a provider's CRDs carry, so that Cluster API finds their version and `clusterctl` moves their objects.
pub(super) const CRD_LABELS: [(&str, &str); 3] = [
    ("cluster.x-k8s.io/provider", "infrastructure-local"),
    ("cluster.x-k8s.io/v1beta2", INFRASTRUCTURE_VERSION),
    ("clusterctl.cluster.x-k8s.io", ""),
];

/// The network and endpoint of a cluster whose machines are processes on a host.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "LocalCluster",
    plural = "localclusters",
    namespaced,
    category = "cluster-api",
    status = "LocalClusterStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "The network and endpoint of a cluster whose machines are processes on a host.",
    printcolumn(
        name = "Endpoint",
        type_ = "string",
        json_path = ".spec.controlPlaneEndpoint.host"
    ),
    printcolumn(
        name = "Provisioned",
        type_ = "boolean",
        json_path = ".status.initialization.provisioned"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LocalClusterSpec {
    /// Where the API server is reached. The provider fills it in where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane_endpoint: Option<LocalEndpoint>,
    /// How the host's daemon is reached. Default: the daemon of the host that the controller runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<LocalCredentialsRef>,
    /// The region that the daemon plays, for its quotas and failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub region: Option<String>,
    /// The zones that machines may be in. They become the cluster's failure domains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        inner(length(min = 1, max = 63)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub zones: Vec<String>,
}

/// A host and a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalEndpoint {
    /// Host name or address.
    #[schemars(length(min = 1, max = 512))]
    pub host: String,
    /// Port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// The Secret with what opens the host's daemon: `url`, `ca.crt` and `token`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalCredentialsRef {
    /// Name of the Secret, in the namespace of the LocalCluster.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// What is known of a LocalCluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalClusterStatus {
    /// How far the first provisioning is; Cluster API waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialization: Option<LocalInitialization>,
    /// Where machines may be, so that Cluster API spreads the control plane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 100),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub failure_domains: Vec<LocalFailureDomain>,
    /// Aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
}

/// How far the first provisioning is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalInitialization {
    /// Whether the infrastructure is there. Once true, it stays so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<bool>,
}

/// A place where machines may be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalFailureDomain {
    /// Name of the zone.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Whether control plane machines may be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_plane: Option<bool>,
}

/// A machine that is a set of processes on a host.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "LocalMachine",
    plural = "localmachines",
    namespaced,
    category = "cluster-api",
    status = "LocalMachineStatus",
    derive = "PartialEq",
    derive = "Default",
    doc = "A machine that is a set of processes on a host.",
    printcolumn(name = "ProviderID", type_ = "string", json_path = ".spec.providerID"),
    printcolumn(
        name = "Provisioned",
        type_ = "boolean",
        json_path = ".status.initialization.provisioned"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LocalMachineSpec {
    /// The machine's name at the provider, as its Node states it. The provider fills it in.
    #[serde(
        rename = "providerID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(length(min = 1, max = 512))]
    pub provider_id: Option<String>,
    /// Type of the machine, for the daemon's quotas: the name of its LatticeNodeClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub instance_type: Option<String>,
    /// Cores that the machine's node offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<Cores>,
    /// Memory that the machine's node offers, in GiB or as a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_gi: Option<MemoryGi>,
    /// The zone to be in, where the Machine names no failure domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub zone: Option<String>,
    /// On-demand machines stay; the daemon may take spot machines back.
    #[serde(default)]
    pub capacity_type: CapacityType,
    /// Further settings for the daemon, as they stand in the node class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = {"type": "string", "maxLength": 256}))]
    pub settings: BTreeMap<String, String>,
}

/// What is known of a LocalMachine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalMachineStatus {
    /// How far the first provisioning is; Cluster API waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initialization: Option<LocalInitialization>,
    /// Addresses of the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub addresses: Vec<LocalMachineAddress>,
    /// The zone that the machine is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub failure_domain: Option<String>,
    /// Aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
}

/// An address of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalMachineAddress {
    /// What kind of address it is.
    #[serde(rename = "type")]
    pub type_: LocalAddressType,
    /// The address.
    #[schemars(length(min = 1, max = 256))]
    pub address: String,
}

/// What kind of address a machine's address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LocalAddressType {
    /// The host name.
    Hostname,
    /// An address that is reached from outside.
    ExternalIP,
    /// An address that is reached from the cluster's other machines.
    InternalIP,
    /// A name that is resolved outside.
    ExternalDNS,
    /// A name that is resolved by the cluster's other machines.
    InternalDNS,
}

/// What LocalMachines are made from. A template's machine never changes; another one takes another template.
#[derive(
    CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema,
)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "LocalMachineTemplate",
    plural = "localmachinetemplates",
    namespaced,
    category = "cluster-api",
    derive = "PartialEq",
    derive = "Default",
    doc = "What LocalMachines are made from.",
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LocalMachineTemplateSpec {
    /// The machine.
    #[schemars(extend("x-kubernetes-validations" = [{
        "rule": "self == oldSelf",
        "message": "a machine template never changes; make another one and refer to that",
    }]))]
    pub template: LocalMachineTemplateResource,
}

/// A machine as a template has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalMachineTemplateResource {
    /// Labels and annotations of the machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<LocalTemplateMetadata>,
    /// What they are.
    pub spec: LocalMachineSpec,
}

/// Labels and annotations of what a template makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalTemplateMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = {"type": "string", "maxLength": 4096}))]
    pub annotations: BTreeMap<String, String>,
}
