//! Moves for savings in writing, and back.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::money;
use super::write::PlanError;
use crate::api::moving::Horizon;
use crate::placement::facts::amount;
use crate::scheduler::model::ServiceId;
use crate::scheduler::solution::{Move, Moved, Moves};
use crate::scheduler::units::decimal;

/// Groups of replicas that a sentence names.
const NAMED: usize = 3;

/// What of what runs is moved for savings, and what is not although that would save something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanMoves {
    /// What is moved, in the order in which each was found to pay.
    #[serde(default)]
    pub made: Vec<PlanMove>,
    /// The largest savings that are left on the table, one for each service.
    #[serde(default)]
    pub left: Vec<PlanMove>,
}

/// Replicas that move together or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanMove {
    /// What it saves and costs, in a sentence.
    pub reason: String,
    /// What is saved per hour.
    pub saved_hourly_cost: String,
    /// What is saved within the horizon.
    pub worth: String,
    /// What moving these replicas is taken to cost.
    pub price: String,
    /// What the move must bring beyond that.
    pub margin: String,
    /// Seconds within which it must have paid.
    pub horizon_seconds: u64,
    /// The pool whose budget it would nearly use up, if that is what stands against it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
    /// What moves.
    pub replicas: Vec<PlanMoved>,
}

/// Replicas of a service that go from one cluster to another, or to other nodes of the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanMoved {
    /// Name of the service.
    pub service: String,
    /// Namespace of the service.
    pub namespace: String,
    /// How many.
    pub replicas: u32,
    /// The pool that they leave.
    pub from_pool: String,
    /// The cluster that they leave.
    pub from_cluster: String,
    /// The pool that they go to.
    pub to_pool: String,
    /// The cluster that they go to; absent if it would have to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_cluster: Option<String>,
}

impl PlanMoves {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty() && self.left.is_empty()
    }

    /// The moves that this tells of.
    pub(super) fn read(&self) -> Result<Moves, PlanError> {
        let all = |list: &[PlanMove], name: &str| -> Result<Vec<Move>, PlanError> {
            let list = list.iter().enumerate();
            list.map(|(i, told)| told.read(|field| format!("moves.{name}[{i}].{field}")))
                .collect()
        };
        Ok(Moves {
            made: all(&self.made, "made")?,
            left: all(&self.left, "left")?,
        })
    }
}

impl From<&Moves> for PlanMoves {
    fn from(moves: &Moves) -> Self {
        let told = |found: &Move, reason: fn(&Move) -> String| PlanMove {
            reason: reason(found),
            saved_hourly_cost: amount(found.saved),
            worth: decimal(found.worth()),
            price: amount(found.price),
            margin: amount(found.margin),
            horizon_seconds: found.horizon_seconds,
            held_by: found.held_by.clone(),
            replicas: found.replicas.iter().map(PlanMoved::from).collect(),
        };
        PlanMoves {
            made: moves.made.iter().map(|m| told(m, why_made)).collect(),
            left: moves.left.iter().map(|m| told(m, why_left)).collect(),
        }
    }
}

impl From<&Moved> for PlanMoved {
    fn from(moved: &Moved) -> Self {
        PlanMoved {
            service: moved.service.name.clone(),
            namespace: moved.service.namespace.clone(),
            replicas: moved.replicas,
            from_pool: moved.from_pool.clone(),
            from_cluster: moved.from_cluster.clone(),
            to_pool: moved.to_pool.clone(),
            to_cluster: moved.to_cluster.clone(),
        }
    }
}

impl PlanMove {
    fn read(&self, at: impl Fn(&str) -> String) -> Result<Move, PlanError> {
        Ok(Move {
            replicas: self.replicas.iter().map(PlanMoved::read).collect(),
            saved: money(&self.saved_hourly_cost, || at("savedHourlyCost"))?,
            price: money(&self.price, || at("price"))?,
            horizon_seconds: self.horizon_seconds,
            margin: money(&self.margin, || at("margin"))?,
            held_by: self.held_by.clone(),
        })
    }
}

impl PlanMoved {
    fn read(&self) -> Moved {
        Moved {
            service: ServiceId::new(&self.namespace, &self.service),
            replicas: self.replicas,
            from_pool: self.from_pool.clone(),
            from_cluster: self.from_cluster.clone(),
            to_pool: self.to_pool.clone(),
            to_cluster: self.to_cluster.clone(),
        }
    }
}

fn why_made(made: &Move) -> String {
    format!(
        "moving {} saves {}/h: {} within {}, more than the {} that moving costs and the margin of {}",
        what(made),
        amount(made.saved),
        decimal(made.worth()),
        Horizon::from_seconds(made.horizon_seconds),
        amount(made.price),
        amount(made.margin),
    )
}

fn why_left(left: &Move) -> String {
    let could = format!(
        "{}/h could be saved by moving {}",
        amount(left.saved),
        what(left)
    );
    match &left.held_by {
        Some(pool) => format!(
            "{could}; that would leave {pool} less than a twentieth of its budget, and a change of prices would undo it"
        ),
        None => format!(
            "{could}; moving costs {} and must bring {} more, the horizon of {} pays only {}",
            amount(left.price),
            amount(left.margin),
            Horizon::from_seconds(left.horizon_seconds),
            decimal(left.worth()),
        ),
    }
}

/// What moves from where to where.
fn what(told: &Move) -> String {
    let mut groups: BTreeMap<(&ServiceId, &str, &str), u32> = BTreeMap::new();
    for moved in &told.replicas {
        let key = (
            &moved.service,
            moved.from_pool.as_str(),
            moved.to_pool.as_str(),
        );
        let n = groups.entry(key).or_default();
        *n = n.saturating_add(moved.replicas);
    }
    let named = groups.iter().take(NAMED).map(|((service, from, to), n)| {
        let replicas = if *n == 1 { "replica" } else { "replicas" };
        match from == to {
            true => format!("{n} {replicas} of {service} within {from}"),
            false => format!("{n} {replicas} of {service} from {from} to {to}"),
        }
    });
    let mut named: Vec<String> = named.collect();
    let more: u32 = (groups.values().skip(NAMED)).fold(0, |sum, n| sum.saturating_add(*n));
    if more > 0 {
        named.push(format!("{more} more"));
    }
    crate::placement::text::listed(&named)
}
