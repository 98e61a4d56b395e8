//! The answer as a document, `replay.lattice.dev/v1`. Fields are added, never changed; amounts are decimal
//! strings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::Timestamp;

/// `apiVersion` of the document.
pub const REPLAY_API_VERSION: &str = "replay.lattice.dev/v1";

/// `kind` of the document.
pub const REPLAY_KIND: &str = "Replay";

/// Decisions of a log, solved again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// Always `replay.lattice.dev/v1`.
    pub api_version: String,
    /// Always `Replay`.
    pub kind: String,
    /// The solver that solved them again.
    pub solver_version: String,
    /// The policies that were put in place of those recorded, or beside them. Empty: as recorded.
    pub policies: Vec<PolicyUse>,
    /// Whether every decision came out as it was recorded: bit for bit; with other policies, with every cluster as it was.
    pub same: bool,
    /// The decisions, oldest first.
    pub decisions: Vec<ReplayedDecision>,
    /// All of them over time; absent without other policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// What a person should know besides.
    pub notes: Vec<String>,
}

/// A policy that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyUse {
    /// Its name.
    pub name: String,
    /// Whether a recorded policy of this name gave way to it.
    pub replaces: bool,
    /// Most services in its scope in any of the decisions.
    pub matched_services: u32,
}

/// What came of solving a decision again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The same, bit for bit; with other policies, every cluster as it was.
    Same,
    /// Something else.
    Different,
    /// Another version of the solver decided; nothing can be said.
    OtherSolver,
}

/// A decision and what came of solving it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayedDecision {
    /// Its number in the log; absent for a file of one decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// When it was made.
    pub time: Timestamp,
    /// How long it stood, seconds.
    pub stood_seconds: u64,
    /// The solver that made it.
    pub solver_version: String,
    /// Address of what it was made from.
    pub snapshot: String,
    /// What came of solving it again.
    pub verdict: Verdict,
    /// What differs, in words; empty if nothing does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What was decided.
    pub recorded: Figures,
    /// What other policies would have decided; absent without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Figures>,
}

/// A decision in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Cost of all nodes per hour.
    pub hourly_cost: String,
    /// Nodes, control planes included.
    pub nodes: u32,
    /// Clusters.
    pub clusters: u32,
    /// Replicas that it moves from one cluster to another.
    pub moves: u64,
    /// Services, by `namespace/name`, without a place.
    pub unplaceable: Vec<String>,
}

/// All decisions over the time that they stood.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// The time, seconds.
    pub seconds: u64,
    /// What was decided cost.
    pub recorded_cost: String,
    /// What would have been decided would have cost.
    pub replayed_cost: String,
    /// The latter less the former.
    pub cost_delta: String,
    /// Replicas that were moved.
    pub recorded_moves: u64,
    /// Replicas that would have been moved.
    pub replayed_moves: u64,
    /// Time, seconds, that services were without a place, summed over services.
    pub recorded_unplaced_seconds: u64,
    /// The same, as it would have been.
    pub replayed_unplaced_seconds: u64,
}
