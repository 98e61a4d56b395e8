//! Solution to what is to be done and written: clusters and the statuses of every kind.
//!
//! A pure function of objects, snapshot, solution and time. What has been decided before and still holds
//! keeps its times, so that deciding the same again writes nothing.

mod alternatives;
mod catalog;
mod cluster;
mod cluster_status;
mod pool;
mod service;

use std::collections::BTreeMap;

use super::facts::Facts;
use super::inputs::Inputs;
use super::snapshot::Built;
use crate::api::conditions::{self, Observation};
use crate::api::{
    Condition, ConditionStatus, LatticeCluster, LatticeClusterStatus, LatticeNodeClassStatus,
    LatticePlacementPolicyStatus, LatticePoolStatus, LatticeServiceStatus, Timestamp,
};
use crate::scheduler::model::ServiceId;
use crate::scheduler::solution::Solution;

pub use self::alternatives::{Alternatives, alternatives};
pub use self::cluster::DEFAULT_KUBERNETES_VERSION;

/// The aspect of a service that it has a place.
pub const SCHEDULED: &str = "Scheduled";

/// The aspect of a pool that its cost comes near its budget.
pub const BUDGET_ALERT: &str = "BudgetAlert";

/// What is to be done with a LatticeCluster.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make this object.
    CreateCluster(Box<LatticeCluster>),
    /// Change the object to this: only `spec.nodes` differs from what was read.
    UpdateCluster(Box<LatticeCluster>),
    /// Delete the object, which the scheduler made.
    DeleteCluster(String),
}

impl Action {
    /// Name of the cluster.
    pub fn cluster(&self) -> &str {
        match self {
            Action::CreateCluster(cluster) | Action::UpdateCluster(cluster) => {
                cluster.metadata.name.as_deref().unwrap_or_default()
            }
            Action::DeleteCluster(name) => name,
        }
    }
}

/// All that a decision leads to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decisions {
    /// What is to be done, in this order: creations, updates, deletions, each by name.
    pub actions: Vec<Action>,
    /// Status of each LatticeService.
    pub services: BTreeMap<ServiceId, LatticeServiceStatus>,
    /// Status of each LatticePool.
    pub pools: BTreeMap<String, LatticePoolStatus>,
    /// Status of each LatticeCluster that is inventory, those to be created included.
    pub clusters: BTreeMap<String, LatticeClusterStatus>,
    /// Status of each LatticePlacementPolicy.
    pub policies: BTreeMap<String, LatticePlacementPolicyStatus>,
    /// Status of each LatticeNodeClass.
    pub node_classes: BTreeMap<String, LatticeNodeClassStatus>,
}

/// Turns a solution into what is to be done and written. `built` is made from `inputs`, and `solution` from
/// `built.snapshot`. A service without an entry in `alternatives` keeps those of its status.
pub fn decide(
    inputs: &Inputs,
    built: &Built,
    solution: &Solution,
    alternatives: &Alternatives,
    now: Timestamp,
) -> Decisions {
    let facts = Facts::new(&built.snapshot, solution);
    Decisions {
        actions: cluster::actions(inputs, &facts),
        services: service::statuses(inputs, built, &facts, alternatives, now),
        pools: pool::statuses(inputs, built, &facts, now),
        clusters: cluster_status::statuses(inputs, built, &facts, now),
        policies: catalog::policies(inputs, built, now),
        node_classes: catalog::node_classes(inputs, built, now),
    }
}

/// Records a set of conditions over those known before.
fn observe(
    known: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
    seen: &[(&str, ConditionStatus, &str, String)],
) -> Vec<Condition> {
    let mut all = known.to_vec();
    for (type_, status, reason, message) in seen {
        let observation = Observation {
            type_,
            status: *status,
            reason,
            message: message.clone(),
            observed_generation: generation,
        };
        conditions::set(&mut all, observation, now);
    }
    all
}

/// The errors of one object in a sentence; none if there are none.
fn errors<'a>(problems: impl Iterator<Item = &'a super::problem::Problem>) -> Option<String> {
    let errors: Vec<String> = problems
        .filter(|problem| problem.severity == super::problem::Severity::Error)
        .map(super::problem::Problem::located)
        .collect();
    (!errors.is_empty()).then(|| errors.join("; "))
}

#[cfg(test)]
mod tests;
