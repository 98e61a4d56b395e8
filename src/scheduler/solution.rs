//! The decision: clusters with their nodes and what is on each, and an outcome for each service.

use super::bound::certificate::Certificate;
use super::model::{Cluster, NodeGroup, ServiceId};
use super::reason::{Reason, Why};
use super::units::{Micros, PPM};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Prices are per hour, horizons are in seconds.
const SECONDS_PER_HOUR: i128 = 3600;

/// Version of the search; a replay needs the same one.
pub const SOLVER_VERSION: &str = "8";

/// The outcome of solving one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Solution {
    /// All clusters that exist afterwards, and those to be deleted; by name.
    pub clusters: Vec<ClusterDecision>,
    /// One outcome for each service, by namespace and name.
    pub outcomes: Vec<Outcome>,
    /// Cost of all nodes, micro-dollars per hour.
    pub hourly: Micros,
    /// `hourly` plus preferences as money.
    pub objective: Micros,
    /// What no plan that places the same services can cost less than, and the proof of it.
    #[serde(default)]
    pub certificate: Certificate,
    /// What of what runs is moved for savings, and what is not although it would save something.
    #[serde(default, skip_serializing_if = "Moves::is_empty")]
    pub moves: Moves,
}

/// Moves for savings: not those that a rule asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moves {
    /// Those that are made, in the order in which each was found to pay.
    pub made: Vec<Move>,
    /// The largest savings that are left on the table.
    pub left: Vec<Move>,
}

impl Moves {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty() && self.left.is_empty()
    }
}

/// Replicas that move together or not at all: it pays if what is saved within the horizon is more than price
/// and margin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// What moves.
    pub replicas: Vec<Moved>,
    /// Micro-dollars per hour that are saved.
    pub saved: Micros,
    /// Micro-dollars that moving these replicas is taken to cost.
    pub price: Micros,
    /// The shortest horizon of the services that move, in seconds.
    pub horizon_seconds: u64,
    /// The largest margin of the services that move, micro-dollars.
    pub margin: Micros,
    /// The pool whose budget it would use up so far that the next change of a price might undo it, if that is
    /// what stands against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
}

impl Move {
    /// Micro-dollars that are saved within the horizon, rounded down.
    pub fn worth(&self) -> i128 {
        i128::from(self.saved) * i128::from(self.horizon_seconds) / SECONDS_PER_HOUR
    }

    /// Whether what is saved within the horizon is more than price and margin.
    pub fn pays(&self) -> bool {
        pays(self.saved, self.horizon_seconds, self.price, self.margin)
    }
}

/// Whether so much saved per hour is, within a horizon, more than price and margin.
pub(crate) fn pays(saved: Micros, horizon_seconds: u64, price: Micros, margin: Micros) -> bool {
    let worth = i128::from(saved) * i128::from(horizon_seconds);
    worth > (i128::from(price) + i128::from(margin)) * SECONDS_PER_HOUR
}

/// Replicas of a service that go from one cluster to another, or to other nodes of the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moved {
    /// The service.
    pub service: ServiceId,
    /// How many.
    pub replicas: u32,
    /// The pool that they leave.
    pub from_pool: String,
    /// The cluster that they leave.
    pub from_cluster: String,
    /// The pool that they go to.
    pub to_pool: String,
    /// The cluster that they go to; none if it would have to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_cluster: Option<String>,
}

/// A cluster and what is to be done with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterDecision {
    /// The cluster as it is to be; a deleted one has no nodes.
    pub cluster: Cluster,
    /// What is to be done.
    pub action: ClusterAction,
}

/// What is to be done with a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClusterAction {
    /// Make it.
    Create,
    /// Its nodes change.
    Resize,
    /// Its nodes stay; what is on them may change.
    Keep,
    /// Remove it.
    Delete,
}

/// What became of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Verdict {
    /// Placed, newly or anew.
    Placed,
    /// As it was.
    Unchanged,
    /// Handed to the parent cell.
    Escalated,
    /// Cannot have what it must; keeps what it had.
    Unschedulable,
}

/// Outcome of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The service.
    pub service: ServiceId,
    /// What became of it.
    pub verdict: Verdict,
    /// Why it could not be placed; empty otherwise.
    pub reasons: Vec<Reason>,
    /// Constraints that could not be enforced, and why.
    pub unenforced: Vec<Unenforced>,
}

/// A constraint that was not enforced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unenforced {
    /// The dependency of a latency limit is not known here.
    UnknownDependency {
        /// The dependency.
        dependency: ServiceId,
    },
}

impl std::fmt::Display for Unenforced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unenforced::UnknownDependency { dependency } => write!(
                f,
                "latency to {} is not enforced: no LatticeService {dependency} is known",
                dependency.name
            ),
        }
    }
}

/// Replicas of a service on one node class of one cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Placement {
    /// The pool.
    pub pool: String,
    /// The cluster.
    pub cluster: String,
    /// The node class.
    pub class: String,
    /// How many.
    pub replicas: u32,
}

impl Solution {
    /// Where every service's replicas are, in the order pool, cluster, class.
    pub fn placements(&self) -> BTreeMap<ServiceId, Vec<Placement>> {
        placements(self.live().map(|d| &d.cluster))
    }

    /// The clusters that exist afterwards.
    pub fn live(&self) -> impl Iterator<Item = &ClusterDecision> {
        self.clusters
            .iter()
            .filter(|d| d.action != ClusterAction::Delete)
    }

    /// Share of the objective that might still be saved at most, in parts per million, rounded up. None if the
    /// objective is nothing.
    pub fn gap_ppm(&self) -> Option<i128> {
        let objective = i128::from(self.objective);
        if objective <= 0 {
            return None;
        }
        let above = objective - i128::from(self.certificate.lower_bound);
        let share = above * i128::from(PPM);
        // Rounded up, also below zero, where a claimed bound is above the objective.
        Some(-(-share).div_euclid(objective))
    }

    /// The outcome of one service.
    pub fn outcome(&self, service: &ServiceId) -> Option<&Outcome> {
        self.outcomes
            .binary_search_by(|o| o.service.cmp(service))
            .ok()
            .map(|i| &self.outcomes[i])
    }
}

/// Where every service's replicas are in these clusters.
pub fn placements<'a>(
    clusters: impl Iterator<Item = &'a Cluster>,
) -> BTreeMap<ServiceId, Vec<Placement>> {
    let mut found: BTreeMap<&ServiceId, BTreeMap<(&str, &str, &str), u32>> = BTreeMap::new();
    for cluster in clusters {
        for NodeGroup {
            class,
            count,
            services,
        } in &cluster.workers
        {
            for (service, n) in services {
                *found
                    .entry(service)
                    .or_default()
                    .entry((&cluster.pool, &cluster.name, class))
                    .or_default() += n * count;
            }
        }
    }
    found
        .into_iter()
        .map(|(service, places)| {
            let list = places
                .into_iter()
                .map(|((pool, cluster, class), replicas)| Placement {
                    pool: pool.to_owned(),
                    cluster: cluster.to_owned(),
                    class: class.to_owned(),
                    replicas,
                })
                .collect();
            (service.clone(), list)
        })
        .collect()
}

impl Reason {
    /// A reason about a pool.
    pub fn of_pool(pool: &str, why: Why) -> Self {
        Reason {
            pool: Some(pool.to_owned()),
            why,
        }
    }

    /// A reason about the service as a whole.
    pub fn of_service(why: Why) -> Self {
        Reason { pool: None, why }
    }
}
