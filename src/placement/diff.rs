//! What differs between the clusters that are and those that a solution wants.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::facts::amount;
use crate::scheduler::model::{Cluster, ServiceId, Snapshot};
use crate::scheduler::share::Prices;
use crate::scheduler::solution::{ClusterAction, ClusterDecision, Placement, Solution, placements};
use crate::scheduler::units::Micros;

/// Everything that a plan changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// Services whose places change, by namespace and name.
    pub services: Vec<ServiceChange>,
    /// Clusters that are made, resized or removed, by name.
    pub clusters: Vec<ClusterChange>,
    /// What the fleet costs per hour afterwards, less what it costs now.
    pub hourly_cost_delta: String,
}

impl Changes {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.clusters.is_empty()
    }
}

/// What becomes of a service.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum ServiceChangeKind {
    /// It had no replica and gets some.
    Added,
    /// It had replicas and has none any more.
    Removed,
    /// It has more or fewer replicas.
    Scaled,
    /// It has as many replicas, elsewhere.
    Moved,
}

/// A service whose places change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceChange {
    /// Name of the service.
    pub service: String,
    /// Namespace of the service.
    pub namespace: String,
    /// What becomes of it.
    pub change: ServiceChangeKind,
    /// Where it is.
    pub from: Vec<Place>,
    /// Where it will be.
    pub to: Vec<Place>,
}

/// Replicas in one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The pool.
    pub pool: String,
    /// The cluster.
    pub cluster: String,
    /// The node class.
    pub node_class: String,
    /// How many.
    pub replicas: u32,
}

/// A cluster that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterChange {
    /// Name of the cluster.
    pub name: String,
    /// The pool it is in.
    pub pool: String,
    /// `create`, `resize` or `delete`.
    pub action: Action,
    /// Nodes now, control plane included.
    pub nodes_before: u32,
    /// Nodes afterwards, control plane included.
    pub nodes_after: u32,
    /// What it costs per hour afterwards, less what it costs now.
    pub hourly_cost_delta: String,
}

/// What is done with a cluster.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// Its nodes change.
    Resize,
    /// Its nodes stay.
    Keep,
    /// It is removed.
    Delete,
}

impl From<ClusterAction> for Action {
    fn from(action: ClusterAction) -> Self {
        match action {
            ClusterAction::Create => Self::Create,
            ClusterAction::Resize => Self::Resize,
            ClusterAction::Keep => Self::Keep,
            ClusterAction::Delete => Self::Delete,
        }
    }
}

/// What a solution changes of the clusters `before`, at the snapshot's prices.
pub fn changes(snapshot: &Snapshot, before: &[Cluster], solution: &Solution) -> Changes {
    let prices = Prices::new(snapshot);
    let was: BTreeMap<&str, &Cluster> = before.iter().map(|c| (c.name.as_str(), c)).collect();
    let total: Micros = before.iter().map(|c| prices.cluster(c).total).sum();
    let clusters = solution
        .clusters
        .iter()
        .filter(|d| d.action != ClusterAction::Keep)
        .map(|d| cluster_change(d, was.get(d.cluster.name.as_str()).copied(), &prices))
        .collect();
    Changes {
        services: service_changes(&placements(before.iter()), &solution.placements()),
        clusters,
        hourly_cost_delta: amount(solution.hourly - total),
    }
}

fn cluster_change(
    decision: &ClusterDecision,
    before: Option<&Cluster>,
    prices: &Prices<'_>,
) -> ClusterChange {
    let after = &decision.cluster;
    let deleted = decision.action == ClusterAction::Delete;
    let cost = |cluster: &Cluster| prices.cluster(cluster).total;
    let was = before.map_or(0, cost);
    let is = if deleted { 0 } else { cost(after) };
    ClusterChange {
        name: after.name.clone(),
        pool: after.pool.clone(),
        action: decision.action.into(),
        nodes_before: before.map_or(0, nodes),
        nodes_after: if deleted { 0 } else { nodes(after) },
        hourly_cost_delta: amount(is - was),
    }
}

/// Nodes of a cluster, control plane included.
pub(crate) fn nodes(cluster: &Cluster) -> u32 {
    let control = cluster.control_plane.as_ref().map_or(0, |(_, n)| *n);
    control + cluster.workers.iter().map(|g| g.count).sum::<u32>()
}

pub(crate) type Places = BTreeMap<ServiceId, Vec<Placement>>;

/// The services whose places differ.
pub(crate) fn service_changes(before: &Places, after: &Places) -> Vec<ServiceChange> {
    let ids: BTreeSet<&ServiceId> = before.keys().chain(after.keys()).collect();
    let none = Vec::new();
    ids.into_iter()
        .filter_map(|id| {
            let (from, to) = (
                before.get(id).unwrap_or(&none),
                after.get(id).unwrap_or(&none),
            );
            (from != to).then(|| service_change(id, from, to))
        })
        .collect()
}

fn service_change(id: &ServiceId, from: &[Placement], to: &[Placement]) -> ServiceChange {
    let count = |places: &[Placement]| places.iter().map(|p| p.replicas).sum::<u32>();
    let change = match (count(from), count(to)) {
        (0, _) => ServiceChangeKind::Added,
        (_, 0) => ServiceChangeKind::Removed,
        (was, is) if was != is => ServiceChangeKind::Scaled,
        _ => ServiceChangeKind::Moved,
    };
    ServiceChange {
        service: id.name.clone(),
        namespace: id.namespace.clone(),
        change,
        from: from.iter().map(place).collect(),
        to: to.iter().map(place).collect(),
    }
}

fn place(placement: &Placement) -> Place {
    Place {
        pool: placement.pool.clone(),
        cluster: placement.cluster.clone(),
        node_class: placement.class.clone(),
        replicas: placement.replicas,
    }
}
