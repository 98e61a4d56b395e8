//! LatticeCluster: a Kubernetes cluster, made by the scheduler or declared by people.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::capacity::CapacityType;
use super::cluster_provider::ClusterProvider;
use super::cluster_status::LatticeClusterStatus;
use super::flux::FluxSpec;

/// A Kubernetes cluster.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeCluster",
    plural = "latticeclusters",
    shortname = "lc",
    category = "lattice",
    status = "LatticeClusterStatus",
    derive = "PartialEq",
    doc = "A Kubernetes cluster.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Pool", type_ = "string", json_path = ".spec.poolRef"),
    printcolumn(
        name = "K8s",
        type_ = "string",
        json_path = ".status.kubernetesVersion"
    ),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.nodes.ready"),
    printcolumn(name = "Nodes", type_ = "integer", json_path = ".status.nodes.total"),
    printcolumn(
        name = "Flux",
        type_ = "string",
        json_path = ".status.fluxVersion",
        priority = "1"
    ),
    printcolumn(name = "Hourly", type_ = "string", json_path = ".status.cost.hourly"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LatticeClusterSpec {
    /// What the machines come from and which Kubernetes they run.
    pub provider: ClusterProvider,
    /// How many machines.
    pub nodes: ClusterNodes,
    /// Name of the LatticePool whose capacity and budget the cluster uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub pool_ref: Option<String>,
    /// Address ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networking: Option<Networking>,
    /// Where children reach this cluster. With it, the cluster can have children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
    /// Whether the cluster provisions children.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<Cell>,
    /// Name of the parent's LatticeCluster. Absent on the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub cell_ref: Option<String>,
    /// Flux on the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flux: Option<FluxSpec>,
}

impl LatticeClusterSpec {
    /// Whether the cluster provisions children: `cell` says so, or there is an endpoint for them.
    pub fn is_cell(&self) -> bool {
        self.cell
            .as_ref()
            .map_or(self.endpoints.is_some(), |cell| cell.enabled)
    }
}

/// How many machines a cluster has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.controlPlane == 0 || self.controlPlane % 2 == 1",
    "message": "a control plane has an odd number of machines, or 0 when it is hosted",
    "fieldPath": ".controlPlane",
}]))]
pub struct ClusterNodes {
    /// Control plane machines: odd, or 0 when the control plane is hosted.
    #[schemars(range(min = 0, max = 9))]
    pub control_plane: u32,
    /// Worker machines beyond those in `groups`.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100000))]
    pub workers: u32,
    /// Worker machines by node class. The scheduler fills this in on its own clusters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 512),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["nodeClass", "capacityType", "zone"])
    )]
    pub groups: Vec<NodeGroup>,
    /// Name of the LatticeNodeClass of control plane machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub control_plane_class: Option<String>,
    /// Lets the scheduler change the number of workers of a declared cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<Autoscale>,
}

/// Worker machines of one class, type of capacity and zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeGroup {
    /// Name of the LatticeNodeClass.
    #[schemars(length(min = 1, max = 253))]
    pub node_class: String,
    /// On-demand or spot capacity.
    #[serde(default)]
    pub capacity_type: CapacityType,
    /// The zone that they are in, one of the pool's `zones`; empty if that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(
        length(max = 63),
        regex(pattern = r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$"),
        extend("default" = "")
    )]
    pub zone: String,
    /// Number of machines.
    #[schemars(range(min = 0, max = 100000))]
    pub count: u32,
}

/// Bounds within which the scheduler may change the number of workers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self.minWorkers <= self.maxWorkers",
    "message": "minWorkers must not be more than maxWorkers",
    "fieldPath": ".minWorkers",
}]))]
pub struct Autoscale {
    /// Fewest workers.
    #[schemars(range(min = 0, max = 100000))]
    pub min_workers: u32,
    /// Most workers.
    #[schemars(range(min = 0, max = 100000))]
    pub max_workers: u32,
}

/// Address ranges of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Networking {
    /// Addresses for Services of type LoadBalancer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<AddressPool>,
}

/// A range of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressPool {
    /// Range in CIDR notation.
    #[schemars(length(max = 64), regex(pattern = r"^[0-9A-Fa-f.:]+/[0-9]{1,3}$"))]
    pub cidr: String,
}

/// Where children reach a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// Host name or address.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// Port of the agents' stream. Default: the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// How the host is made reachable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<EndpointService>,
}

/// How a host is made reachable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EndpointService {
    /// Type of the Service.
    #[serde(rename = "type", default)]
    pub type_: EndpointServiceType,
}

/// Type of the Service before a cluster's endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EndpointServiceType {
    /// An address of its own.
    #[default]
    LoadBalancer,
    /// A port on every node.
    NodePort,
    /// Reachable from within only.
    ClusterIP,
}

/// Whether a cluster provisions children, and how they reach it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// Whether it does.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// Host name or address for agents and the bootstrap webhook. Default: `endpoints.host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub host: Option<String>,
    /// Port of the agents' stream. Default: the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub grpc_port: Option<u16>,
    /// Port of the bootstrap webhook. Default: the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub bootstrap_port: Option<u16>,
}

fn enabled() -> bool {
    true
}
