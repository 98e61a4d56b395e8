//! A plan held against the snapshot that it is said to be of.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::build::{Options, build};
use super::document::Plan;
use super::solution::solution;
use super::write::PlanError;
use crate::placement::diff;
use crate::scheduler::check::{self, LOWER_BOUND};
use crate::scheduler::model::{Cluster, Snapshot};
use crate::scheduler::solution::Verdict;

/// `apiVersion` of the document.
pub const VERIFY_API_VERSION: &str = "verify.lattice.dev/v1";

/// `kind` of the document.
pub const VERIFY_KIND: &str = "Verification";

/// The rule that figures follow from the nodes and services that the plan lists.
const FIGURES: &str = "figures";

/// Most figures that are told to be wrong, each of which follows from the same nodes and services.
const MOST_FIGURES: usize = 50;

/// What came of verifying a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Always `verify.lattice.dev/v1`.
    pub api_version: String,
    /// Always `Verification`.
    pub kind: String,
    /// Whether nothing is violated.
    pub verified: bool,
    /// Whether every service that has a place has one which meets all its constraints, within all limits.
    pub feasible: bool,
    /// Whether the certificate proves the lower bound.
    pub bound_proven: bool,
    /// What the plan says was minimised.
    pub objective: String,
    /// What the plan says no plan that places the same services can cost less than.
    pub lower_bound: Option<String>,
    /// Share of the objective that might still be saved at most.
    pub gap: Option<String>,
    /// What was held against each other.
    pub checked: Checked,
    /// What is wrong.
    pub violations: Vec<PlanViolation>,
}

/// How much was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// Services.
    pub services: u32,
    /// Services among them that the plan gives no place.
    pub unplaced: u32,
    /// Replicas that have a place.
    pub replicas: u32,
    /// Nodes, control planes included.
    pub nodes: u32,
    /// Clusters.
    pub clusters: u32,
    /// Pools.
    pub pools: u32,
    /// The rules, by name.
    pub rules: Vec<String>,
}

/// A rule that a plan breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanViolation {
    /// The rule.
    pub rule: String,
    /// What breaks it: a service, a cluster, a pool, or a field of the document.
    pub subject: String,
    /// The facts.
    pub fact: String,
}

/// Holds a plan against the snapshot that it is of: rebuilds the solution from the document, has it checked with
/// its bound, and holds every figure of the document against what follows from the solution. Its changes
/// are those from the clusters `before`.
///
/// # Errors
/// When the document cannot be read as a solution at all.
pub fn verify(
    plan: &Plan,
    snapshot: &Snapshot,
    before: &[Cluster],
) -> Result<Verification, PlanError> {
    let solution = solution(plan)?;
    let mut violations: Vec<PlanViolation> = check::check(snapshot, &solution)
        .into_iter()
        .map(|violation| PlanViolation {
            rule: violation.rule.to_owned(),
            subject: violation.subject,
            fact: violation.detail,
        })
        .collect();
    let options = Options {
        rejections: false,
        relaxations: false,
    };
    let mut due = build(snapshot, &solution, &[], options);
    due.changes = diff::changes(snapshot, before, &solution);
    if plan.summary.lower_bound.is_none() {
        // Plans of before there were bounds claim none.
        (due.summary.lower_bound, due.summary.gap) = (None, None);
    }
    figures(plan, &due, &mut violations)?;
    let holds = |wanted: &dyn Fn(&str) -> bool| violations.iter().all(|v| !wanted(&v.rule));
    let placed = |verdict| matches!(verdict, Verdict::Placed | Verdict::Unchanged);
    let unplaced = solution.outcomes.iter().filter(|o| !placed(o.verdict));
    let rules = check::RULES.iter().copied().chain([FIGURES]);
    Ok(Verification {
        api_version: VERIFY_API_VERSION.to_owned(),
        kind: VERIFY_KIND.to_owned(),
        verified: violations.is_empty(),
        feasible: holds(&|rule| rule != LOWER_BOUND && rule != FIGURES),
        bound_proven: holds(&|rule| rule == LOWER_BOUND),
        objective: due.summary.objective.clone(),
        lower_bound: plan.summary.lower_bound.clone(),
        gap: due.summary.gap.clone(),
        checked: Checked {
            services: due.summary.services,
            unplaced: u32::try_from(unplaced.count()).unwrap_or(u32::MAX),
            replicas: due.summary.replicas,
            nodes: due.summary.nodes,
            clusters: due.summary.clusters,
            pools: u32::try_from(snapshot.pools.len()).unwrap_or(u32::MAX),
            rules: rules.map(str::to_owned).collect(),
        },
        violations,
    })
}

/// Says which figures of a document are not what follows from its clusters and outcomes.
fn figures(plan: &Plan, due: &Plan, found: &mut Vec<PlanViolation>) -> Result<(), PlanError> {
    let (written, due) = (comparable(plan)?, comparable(due)?);
    let mut differences = Vec::new();
    differ("", &written, &due, &mut differences);
    let more = differences.len().saturating_sub(MOST_FIGURES);
    let told = differences.into_iter().take(MOST_FIGURES);
    found.extend(told.map(|(subject, fact)| PlanViolation {
        rule: FIGURES.to_owned(),
        subject,
        fact,
    }));
    if more > 0 {
        found.push(PlanViolation {
            rule: FIGURES.to_owned(),
            subject: "the plan".to_owned(),
            fact: format!("{more} more are wrong"),
        });
    }
    Ok(())
}

/// What of a plan follows from its solution. Warnings, rejections, reasons and ways out do not, and no one who
/// carries out a plan depends on them.
fn comparable(plan: &Plan) -> Result<Value, PlanError> {
    let mut decisions = Vec::new();
    for decision in &plan.decisions {
        let mut decision = decision.clone();
        decision.unenforced.clear();
        if decision.verdict == "Unschedulable" {
            decision.reason.clear();
        }
        decisions.push(decision);
    }
    let stuck = plan.unschedulable.iter();
    let stuck: Vec<String> = stuck
        .map(|s| format!("{}/{}", s.namespace, s.service))
        .collect();
    Ok(serde_json::json!({
        "summary": plan.summary,
        "changes": plan.changes,
        "decisions": decisions,
        "moves": plan.moves,
        "placements": plan.placements,
        "clusters": plan.clusters,
        "pools": plan.pools,
        "unschedulable": stuck,
    }))
}

fn differ(path: &str, written: &Value, due: &Value, found: &mut Vec<(String, String)>) {
    match (written, due) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key)));
            for key in keys {
                let dot = if path.is_empty() { "" } else { "." };
                let value = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                differ(&format!("{path}{dot}{key}"), &value(a), &value(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                differ(&format!("{path}[{index}]"), a, b, found);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            let fact = format!("{} are written, {} follow from the plan", a.len(), b.len());
            found.push((path.to_owned(), fact));
        }
        (a, b) if a != b => {
            let fact = format!("{a} is written, {b} follows from the plan");
            found.push((path.to_owned(), fact));
        }
        _ => {}
    }
}

/// The JSON Schema of the document.
pub fn verify_schema() -> Value {
    let mut schema = schemars::schema_for!(Verification).to_value();
    schema["$id"] = Value::from("https://lattice.dev/schema/verify.v1.json");
    for (field, value) in [("apiVersion", VERIFY_API_VERSION), ("kind", VERIFY_KIND)] {
        schema["properties"][field]["const"] = Value::from(value);
    }
    schema
}
