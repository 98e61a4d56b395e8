//! The answer as a document, `simulate.lattice.dev/v1`. Fields are added, never changed; amounts are decimal
//! strings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::placement::diff::{ClusterChange, ServiceChange};
use crate::placement::plan::{PlanReason, Summary};

/// `apiVersion` of the document.
pub const SIMULATION_API_VERSION: &str = "simulate.lattice.dev/v1";

/// `kind` of the document.
pub const SIMULATION_KIND: &str = "Simulation";

/// What would follow, scenario by scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Simulation {
    /// Always `simulate.lattice.dev/v1`.
    pub api_version: String,
    /// Always `Simulation`.
    pub kind: String,
    /// The fleet as planned, which every scenario starts from.
    pub base: Base,
    /// Whether everything that has a place in the plan keeps one in every scenario.
    pub placeable: bool,
    /// The scenarios, each on its own, in the order asked.
    pub scenarios: Vec<Report>,
    /// How far the fleet can grow, for each sweep.
    pub growth: Vec<Growth>,
    /// What a person should know besides.
    pub warnings: Vec<String>,
}

/// The fleet as planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Base {
    /// The plan in numbers.
    pub summary: Summary,
    /// Services, by `namespace/name`, that have no place in the plan as it is.
    pub unplaceable: Vec<String>,
    /// What is free in the plan.
    pub headroom: Headroom,
}

/// What would follow from one scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The changes in a line.
    pub name: String,
    /// The changes.
    pub changes: Vec<Change>,
    /// Whether everything that has a place in the plan keeps one.
    pub placeable: bool,
    /// The fleet afterwards in numbers.
    pub summary: Summary,
    /// What it costs.
    pub cost: Cost,
    /// Services that have a place in the plan and none here, the most telling reason first.
    pub unplaceable: Vec<Unplaceable>,
    /// Services, by `namespace/name`, that have no place in the plan and one here.
    pub newly_placed: Vec<String>,
    /// The constraint that binds first; null if none does.
    pub first_constraint: Option<Binding>,
    /// The limit that is nearest to being reached, or the furthest exceeded; null if no pool has limits.
    pub nearest_limit: Option<Limit>,
    /// What has to move.
    pub moves: Moves,
    /// Services whose places change.
    pub services: Vec<ServiceChange>,
    /// Clusters that are made, resized or gone.
    pub clusters: Vec<ClusterChange>,
    /// What is free afterwards.
    pub headroom: Headroom,
}

/// A change that a scenario makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    tag = "change"
)]
pub enum Change {
    /// Pools are gone, with all their clusters.
    Lose {
        /// `pool`, `region` or `provider`.
        scope: String,
        /// Its name.
        name: String,
        /// The pools that are gone.
        pools: Vec<String>,
    },
    /// Nodes cost more or less.
    Price {
        /// `pool`, `region` or `provider`.
        scope: String,
        /// Its name.
        name: String,
        /// The pools whose prices change.
        pools: Vec<String>,
        /// How many times as much.
        factor: String,
    },
    /// Services ask for more or fewer replicas.
    Grow {
        /// How many times as many; rounded up for each service.
        factor: String,
        /// Labels of the services that grow; absent when all do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        selector: Option<String>,
    },
}

/// Cost before and after, per hour and per month of 720 hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Per hour, as planned.
    pub hourly_before: String,
    /// Per hour in the scenario.
    pub hourly_after: String,
    /// The difference per hour.
    pub hourly_delta: String,
    /// Per month, as planned.
    pub monthly_before: String,
    /// Per month in the scenario.
    pub monthly_after: String,
    /// The difference per month.
    pub monthly_delta: String,
}

/// A service that loses its place, or cannot have the replicas it then asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unplaceable {
    /// Name of the service.
    pub service: String,
    /// Namespace of the service.
    pub namespace: String,
    /// Its priority.
    pub priority: i64,
    /// Replicas that it asks for in the scenario.
    pub replicas: u32,
    /// Replicas that keep a place.
    pub placed: u32,
    /// The reason that tells most.
    pub reason: PlanReason,
    /// Every reason of every pool, and those about the service as a whole.
    pub reasons: Vec<PlanReason>,
}

/// A constraint that binds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Its name, as in plans.
    pub constraint: String,
    /// The pools whose limit it is; several where it has to go in all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<String>,
    /// The policy whose requirement it is; absent when it is the service's own or a pool's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The service, `namespace/name`, that it keeps from having its place; absent when everything has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The facts in words.
    pub message: String,
}

/// A pool's limit and what is used of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    /// The pool.
    pub pool: String,
    /// `maxNodes`, `maxCores`, `maxMemory` or `budget`.
    pub constraint: String,
    /// What is used.
    pub used: String,
    /// The limit.
    pub most: String,
    /// How much of it is used, in percent, rounded up to a tenth.
    pub percent: String,
}

/// What has to move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Moves {
    /// Services of which a replica moves to another cluster.
    pub services: u32,
    /// Replicas that move to another cluster.
    pub replicas: u64,
    /// Replicas that are started besides.
    pub started: u64,
    /// Replicas that are gone without being replaced.
    pub gone: u64,
}

/// How far the fleet can grow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Growth {
    /// What holds besides the growth; `no change` if nothing does.
    pub under: String,
    /// The greatest factor tried at which everything keeps a place; null if there is none.
    pub placeable: Option<String>,
    /// The first factor tried at which something has none; null if none was reached.
    pub unplaceable: Option<String>,
}

/// What is free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Headroom {
    /// Pool by pool.
    pub pools: Vec<PoolHeadroom>,
    /// By the labels of pools: what the pools that have it have together.
    pub labels: Vec<LabelHeadroom>,
}

/// What is free in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PoolHeadroom {
    /// The pool.
    pub pool: String,
    /// Its region.
    pub region: String,
    /// Its provider.
    pub provider: String,
    /// What is free; negative where a limit is exceeded.
    pub room: Room,
    /// Why nothing new is placed here, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
}

/// What is free in pools with the same label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelHeadroom {
    /// The label, `key=value`.
    pub label: String,
    /// How many pools have it.
    pub pools: u32,
    /// What is free in those that take something new.
    pub room: Room,
}

/// What is free: what may still be bought under the limits, null where there is none, and what is idle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Room {
    /// Nodes.
    pub nodes: Option<i64>,
    /// Cores of nodes.
    pub cores: Option<String>,
    /// GiB of nodes.
    pub memory_gi: Option<String>,
    /// Money a month.
    pub monthly_budget: Option<String>,
    /// Cores of nodes that are there and that no replica asks for.
    pub idle_cores: String,
    /// GiB of nodes that are there and that no replica asks for.
    pub idle_memory_gi: String,
}
