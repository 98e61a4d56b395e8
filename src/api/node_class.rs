//! LatticeNodeClass: a machine template with its size and its price.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::capacity::Spot;
use super::conditions::{Condition, conditions_schema};
use super::extended::{ExtendedResources, GPU, extended_schema};
use super::money::{MAX_MONEY, Money};
use super::pool::default_currency;
use super::provider_type::ProviderType;
use super::quantity::{Cores, MemoryGi};

/// A machine template that pools offer.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeNodeClass",
    plural = "latticenodeclasses",
    shortname = "lnc",
    category = "lattice",
    status = "LatticeNodeClassStatus",
    derive = "PartialEq",
    doc = "A machine template that pools offer, with its size and its price.",
    printcolumn(name = "Cores", type_ = "string", json_path = ".spec.resources.cores"),
    printcolumn(
        name = "MemoryGi",
        type_ = "string",
        json_path = ".spec.resources.memoryGi"
    ),
    printcolumn(name = "Pools", type_ = "integer", json_path = ".status.pools"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LatticeNodeClassSpec {
    /// How each provider makes such a machine.
    #[serde(default, skip_serializing_if = "ProviderMachines::is_empty")]
    pub providers: ProviderMachines,
    /// What such a machine has.
    pub resources: NodeResources,
    /// What the system keeps for itself on each machine. Default: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<ReservedResources>,
    /// Price of an hour by provider. A class without a price for a provider is not offered there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "prices_schema")]
    pub cost_per_hour: BTreeMap<ProviderType, Price>,
    /// What such a machine is as spot capacity. Services run on it that say so in `placement.capacityTypes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<Spot>,
    /// ISO 4217 code of the prices.
    #[serde(default = "default_currency")]
    #[schemars(regex(pattern = r"^[A-Z]{3}$"))]
    pub currency: String,
}

impl LatticeNodeClassSpec {
    /// The price of an hour at a provider in a region, if the class is offered there.
    pub fn price(&self, provider: ProviderType, region: &str) -> Option<Money> {
        self.cost_per_hour.get(&provider)?.in_region(region)
    }
}

/// What a machine has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeResources {
    /// Cores, as a number or a quantity.
    pub cores: Cores,
    /// Memory, as a number of GiB or a quantity.
    pub memory_gi: MemoryGi,
    /// Storage for workloads, as a number of GiB or a quantity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_gi: Option<MemoryGi>,
    /// Graphics processors: `nvidia.com/gpu`, unless `extended` names another resource that ends in `/gpu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1024))]
    pub gpus: Option<u32>,
    /// Extended resources of the machine, by Kubernetes' names, such as `nvidia.com/gpu`: whole numbers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "extended_schema")]
    pub extended: ExtendedResources,
    /// Most pods that the machine runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_pods: Option<u32>,
}

impl NodeResources {
    /// All extended resources of the machine, those that `gpus` stands for included.
    pub fn all_extended(&self) -> ExtendedResources {
        let mut all = self.extended.clone();
        if let Some(gpus) = self.gpus
            && !all.keys().any(|name| name.ends_with("/gpu"))
        {
            all.insert(GPU.to_owned(), gpus);
        }
        all.retain(|_, amount| *amount > 0);
        all
    }
}

/// What the system keeps for itself on a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservedResources {
    /// Cores, as a number or a quantity.
    #[serde(default)]
    pub cores: Cores,
    /// Memory, as a number of GiB or a quantity.
    #[serde(default)]
    pub memory_gi: MemoryGi,
}

/// The price of an hour: one number, or one that differs by region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Price {
    /// The same everywhere.
    Flat(Money),
    /// By region.
    ByRegion(RegionalPrice),
}

/// Prices by region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionalPrice {
    /// Units of currency per hour in regions that are not listed. Absent: not offered there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Money>,
    /// Units of currency per hour, by the provider's name of the region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub regions: BTreeMap<String, Money>,
}

impl Price {
    /// The price of an hour in a region, if there is one.
    pub fn in_region(&self, region: &str) -> Option<Money> {
        match self {
            Self::Flat(money) => Some(*money),
            Self::ByRegion(price) => price.regions.get(region).copied().or(price.default),
        }
    }
}

/// One property a provider, so that a misspelt provider is an unknown field.
pub(super) fn prices_schema(generator: &mut SchemaGenerator) -> Schema {
    let money = Money::json_schema(generator);
    // A number, a string or an object: a union that a structural schema states by leaving the type out.
    let price = json_schema!({
        "x-kubernetes-preserve-unknown-fields": true,
        "x-lattice-type": "price",
        "properties": {"default": money, "regions": {"type": "object", "additionalProperties": money}},
        "minimum": 0,
        "maximum": MAX_MONEY,
        "pattern": r"^[0-9]+(\.[0-9]{1,6})?$",
        "maxLength": 20,
        "minItems": 1,
        "maxItems": 0,
        "not": {"enum": [true, false]},
    });
    let properties: serde_json::Map<String, Value> = ProviderType::ALL
        .iter()
        .map(|provider| (provider.as_str().to_owned(), price.clone().to_value()))
        .collect();
    json_schema!({"type": "object", "properties": properties})
}

/// How each provider makes a machine. Settings beyond the named ones are handed to the provider as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderMachines {
    /// Amazon Web Services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsMachine>,
    /// Google Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcp: Option<GcpMachine>,
    /// Microsoft Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzureMachine>,
    /// OpenStack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openstack: Option<OpenstackMachine>,
    /// Proxmox VE.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxmox: Option<ProxmoxMachine>,
    /// Containers as machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker: Option<DockerMachine>,
    /// Processes as machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalMachine>,
}

impl ProviderMachines {
    /// Whether no provider is mapped.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An EC2 instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AwsMachine {
    /// EC2 instance type, such as `m5.xlarge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// Image id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ami: Option<String>,
    /// Root volume in GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_volume_size: Option<u32>,
    /// Settings handed on as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A Compute Engine instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GcpMachine {
    /// Machine type, such as `n2-standard-4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_type: Option<String>,
    /// Image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Settings handed on as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// An Azure virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureMachine {
    /// Size, such as `Standard_D4s_v5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm_size: Option<String>,
    /// Image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Settings handed on as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A Nova server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenstackMachine {
    /// Flavor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
    /// Image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Settings handed on as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A Proxmox VE guest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProxmoxMachine {
    /// Virtual cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// Template to clone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// Settings handed on as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A container that acts as a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DockerMachine {
    /// Memory limit in Docker's notation, such as `4g`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
    /// Processor limit in cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cores>,
    /// Settings handed on as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// Processes that act as a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-preserve-unknown-fields" = true))]
pub struct LocalMachine {
    /// Settings handed on as they are.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// What is known of a node class.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeNodeClassStatus {
    /// How many pools offer the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<u32>,
    /// Aspects of the class's state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}
