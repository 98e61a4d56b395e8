//! LatticeService: a workload, what it needs, and nothing about where it runs.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::capacity::CapacityType;
use super::container::Container;
use super::moving::Moving;
use super::quantity::{Cores, MemoryGi, QuantityError};
use super::selector::LabelSelector;
use super::service_status::LatticeServiceStatus;

/// A workload and its needs. Containers, service and resources are as in Score.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeService",
    plural = "latticeservices",
    shortname = "ls",
    category = "lattice",
    namespaced,
    status = "LatticeServiceStatus",
    derive = "PartialEq",
    doc = "A workload and its needs.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Min", type_ = "integer", json_path = ".spec.replicas.min"),
    printcolumn(name = "Ready", type_ = "integer", json_path = ".status.health.ready"),
    printcolumn(
        name = "Pools",
        type_ = "string",
        json_path = ".status.placements[*].pool"
    ),
    printcolumn(
        name = "Hourly",
        type_ = "string",
        json_path = ".status.totalCost.hourly"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.schedulerDecision.reason",
        priority = "1"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.placement) || !has(self.placement.latency) || self.placement.latency.all(d, has(self.resources) && d in self.resources && (has(self.resources[d].direction) ? self.resources[d].direction in ['outbound', 'both'] : self.resources[d].type in ['Service', 'ExternalService']))",
    "message": "every name in placement.latency must be a dependency in resources with direction outbound or both",
    "fieldPath": ".placement.latency",
}]))]
pub struct LatticeServiceSpec {
    /// Containers of each replica, by name.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 32))]
    pub containers: BTreeMap<String, Container>,
    /// What the service offers to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServicePorts>,
    /// What the service uses or is used by, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256))]
    pub resources: BTreeMap<String, Resource>,
    /// How many replicas.
    #[serde(default)]
    pub replicas: Replicas,
    /// How a new version replaces the old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Deploy>,
    /// What a place has to be like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
}

impl LatticeServiceSpec {
    /// The size of one replica in milli-cores and MiB: what placement states, else the containers' requests.
    ///
    /// # Errors
    ///
    /// When a container's request is not a quantity.
    pub fn replica_size(&self) -> Result<(u64, u64), QuantityError> {
        if let Some(size) = self
            .placement
            .as_ref()
            .and_then(|placement| placement.resources.as_ref())
        {
            return Ok((size.cores.millis(), size.memory_gi.mib()));
        }
        let mut total = (0, 0);
        for resources in self
            .containers
            .values()
            .filter_map(|container| container.resources.as_ref())
        {
            let (cores, memory) = resources.requested()?;
            total = (
                u64::saturating_add(total.0, cores.millis()),
                u64::saturating_add(total.1, memory.mib()),
            );
        }
        Ok(total)
    }

    /// The extended resources that one replica asks for: all that its containers do.
    pub fn extended(&self) -> BTreeMap<&str, u64> {
        let containers = self.containers.values();
        let resources = containers.filter_map(|container| container.resources.as_ref());
        let mut sum: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, amount) in resources.flat_map(|resources| &resources.extended) {
            *sum.entry(name).or_default() += u64::from(*amount);
        }
        sum.retain(|_, amount| *amount > 0);
        sum
    }
}

impl LatticeService {
    /// The size of one replica in milli-cores and MiB.
    ///
    /// # Errors
    ///
    /// When a container's request is not a quantity.
    pub fn replica_size(&self) -> Result<(u64, u64), QuantityError> {
        self.spec.replica_size()
    }
}

/// What a service offers to others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServicePorts {
    /// Ports by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub ports: BTreeMap<String, ServicePort>,
}

/// A port that others can reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Port that others use.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Port in the container. Default: the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub target_port: Option<u16>,
    /// Transport protocol. Default: `TCP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
}

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// Something that the service uses or is used by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    /// `Service`, `ExternalService`, `Volume`, `Secret`, `Route` or another type that a provisioner knows.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 63))]
    pub type_: String,
    /// Variant of the type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub class: Option<String>,
    /// Name of the thing itself. Default: the resource's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub id: Option<String>,
    /// Annotations for the provisioner, free in form.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_object")]
    pub metadata: Map<String, Value>,
    /// Parameters for the provisioner, free in form.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schemars(schema_with = "free_object")]
    pub params: Map<String, Value>,
    /// Who calls whom. Default for services: outbound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Namespace of the other service. Default: this service's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
}

impl Resource {
    /// Whether it is another service, in or outside the fleet.
    pub fn is_service(&self) -> bool {
        matches!(self.type_.as_str(), "Service" | "ExternalService")
    }

    /// Whether this service calls it.
    pub fn is_outbound(&self) -> bool {
        match self.direction {
            Some(direction) => direction != Direction::Inbound,
            None => self.is_service(),
        }
    }

    /// Whether it calls this service.
    pub fn is_inbound(&self) -> bool {
        matches!(self.direction, Some(Direction::Inbound | Direction::Both))
    }
}

/// An object of any shape, kept as it is.
pub(crate) fn free_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// Who calls whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// This service calls the other.
    Outbound,
    /// The other calls this service.
    Inbound,
    /// Each calls the other.
    Both,
}

/// How many replicas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.max) || !has(self.min) || self.min <= self.max",
    "message": "replicas.min must not be more than replicas.max",
    "fieldPath": ".min",
}]))]
pub struct Replicas {
    /// Number that must be placed.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100000))]
    pub min: u32,
    /// Most that the service may be scaled to. Default: `min`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100000))]
    pub max: Option<u32>,
}

fn one() -> u32 {
    1
}

impl Default for Replicas {
    fn default() -> Self {
        Self { min: 1, max: None }
    }
}

/// How a new version replaces the old.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.canary) == (has(self.strategy) && self.strategy == 'canary')",
    "message": "canary steps go with strategy canary, and only with it",
    "fieldPath": ".canary",
}]))]
pub struct Deploy {
    /// The order of events.
    #[serde(default)]
    pub strategy: DeployStrategy,
    /// Most replicas beyond the wanted number, as a number or a percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[0-9]{1,3}%$", "minimum" = 0, "maximum" = 100000, "maxLength" = 4))]
    pub max_surge: Option<IntOrString>,
    /// Most replicas short of the wanted number, as a number or a percentage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("pattern" = "^[0-9]{1,3}%$", "minimum" = 0, "maximum" = 100000, "maxLength" = 4))]
    pub max_unavailable: Option<IntOrString>,
    /// Steps of a canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
}

/// The order in which a new version replaces the old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeployStrategy {
    /// A few replicas at a time.
    #[default]
    Rolling,
    /// A growing share of the traffic.
    Canary,
    /// All of the old go before the new come.
    Recreate,
}

/// Steps of a canary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// Steps in order.
    #[schemars(length(min = 1, max = 32))]
    pub steps: Vec<CanaryStep>,
}

/// A step of a canary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryStep {
    /// Percentage of the traffic that the new version gets.
    #[schemars(range(min = 0, max = 100))]
    pub weight: u32,
    /// Seconds to stay at this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 604800))]
    pub pause_seconds: Option<u32>,
}

/// What a place has to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// Pools that the service may run in, by label. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<LabelSelector>,
    /// Regions, or pools by name, that must each have at least one replica.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    pub required_regions: Vec<String>,
    /// Size of one replica. Default: the sum of the containers' requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ReplicaResources>,
    /// How near dependencies have to be, by their name in `resources`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub latency: BTreeMap<String, LatencyBound>,
    /// Compliance labels that every replica's pool must have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub compliance: Vec<String>,
    /// Whether replicas share nodes.
    #[serde(default)]
    pub replica_spread: ReplicaSpread,
    /// Types of capacity that the replicas may run on. Default: on-demand only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 2), extend("x-kubernetes-list-type" = "set"))]
    pub capacity_types: Vec<CapacityType>,
    /// Services with a higher number are placed first when not all fit. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1000000000, max = 1000000000))]
    pub priority: Option<i32>,
    /// When the service is moved for savings, where that is not as its policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<Moving>,
}

/// Size of one replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaResources {
    /// Cores, as a number or a quantity.
    pub cores: Cores,
    /// Memory, as a number of GiB or a quantity.
    pub memory_gi: MemoryGi,
}

/// How near a dependency has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatencyBound {
    /// Most milliseconds there and back.
    #[schemars(range(min = 0, max = 60000))]
    pub max_ms: u32,
}

/// Whether replicas of a service share nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaSpread {
    /// Each replica has a node that no other replica of the service is on.
    #[default]
    Node,
    /// Replicas may share a node.
    None,
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
