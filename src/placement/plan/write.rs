//! The plan in writing: JSON of any size as a stream, YAML, and its schema.

use std::io::{self, Write};

use serde_json::Value;

use super::build::rejection;
use super::document::Plan;
use crate::scheduler::explain;
use crate::scheduler::model::{ServiceId, Snapshot};
use crate::scheduler::solution::Solution;

/// How the JSON of a plan without rejections ends: they are its last field.
const END: &str = "[]\n}";

/// Why a plan could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Writing failed.
    #[error("the plan cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The plan does not have the form of JSON.
    #[error("the plan cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The plan does not have the form of YAML.
    #[error("the plan cannot be written as YAML: {0}")]
    Yaml(String),
    /// The text is not a plan.
    #[error("this is not a plan: {0}")]
    Read(String),
    /// A field does not hold what it should.
    #[error("{field}: {problem}")]
    Field {
        /// Where.
        field: String,
        /// What is wrong.
        problem: String,
    },
    /// The document is of another kind or version.
    #[error("this is a {0} of {1}, not a Plan of plan.lattice.dev/v1")]
    Foreign(String, String),
}

/// Writes a plan as JSON. The rejections come from `snapshot` and `solution` one by one, so that a
/// million of them need no memory; those in `plan` are not looked at.
///
/// # Errors
/// When `out` fails.
pub fn write_json(
    plan: &Plan,
    snapshot: &Snapshot,
    solution: &Solution,
    out: &mut dyn Write,
) -> Result<(), PlanError> {
    let frame;
    let bare = if plan.rejections.is_empty() {
        plan
    } else {
        let mut copy = plan.clone();
        copy.rejections.clear();
        frame = copy;
        &frame
    };
    let text = serde_json::to_string_pretty(bare)?;
    out.write_all(text.strip_suffix(END).unwrap_or(&text).as_bytes())?;
    let mut before = "[\n    ";
    let everything = |_: &ServiceId| true;
    explain::rejections(snapshot, solution, &everything, &mut |id, pool, reasons| {
        out.write_all(before.as_bytes())?;
        before = ",\n    ";
        serde_json::to_writer(&mut *out, &rejection(id, pool, &reasons))?;
        Ok::<(), PlanError>(())
    })?;
    let end = if before.starts_with('[') {
        END
    } else {
        "\n  ]\n}"
    };
    out.write_all(end.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Writes a plan, as it is, as YAML.
///
/// # Errors
/// When `out` fails.
pub fn write_yaml(plan: &Plan, out: &mut dyn Write) -> Result<(), PlanError> {
    let text = serde_saphyr::to_string(plan).map_err(|error| PlanError::Yaml(error.to_string()))?;
    out.write_all(text.as_bytes())?;
    Ok(())
}

/// Reads a plan from JSON or YAML.
///
/// # Errors
/// When the text is not a plan of this version.
pub fn read(text: &str) -> Result<Plan, PlanError> {
    let plan: Plan = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| PlanError::Read(error.to_string()))?
    } else {
        serde_saphyr::from_str(text).map_err(|error| PlanError::Read(error.to_string()))?
    };
    if plan.api_version != super::PLAN_API_VERSION || plan.kind != super::PLAN_KIND {
        return Err(PlanError::Foreign(plan.kind, plan.api_version));
    }
    Ok(plan)
}

/// The JSON Schema of the document.
pub fn plan_schema() -> Value {
    let mut schema = schemars::schema_for!(Plan).to_value();
    schema["$id"] = Value::from("https://lattice.dev/schema/plan.v1.json");
    let constants = [
        ("apiVersion", super::PLAN_API_VERSION),
        ("kind", super::PLAN_KIND),
    ];
    for (field, value) in constants {
        schema["properties"][field]["const"] = Value::from(value);
    }
    schema
}
