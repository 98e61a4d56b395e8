//! `lattice schema`: the contracts of machine-readable output.

use super::Outcome;
use super::error::CliError;
use super::output::Output;
use crate::placement::{history, plan, whatif};

/// Print the JSON Schema of what `-o json` prints.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice schema plan > plan.schema.json")]
pub(crate) struct Args {
    /// Which one.
    #[arg(value_enum)]
    document: Document,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Document {
    /// `plan.lattice.dev/v1`, printed by `lattice plan`.
    Plan,
    /// `replay.lattice.dev/v1`, printed by `lattice replay`.
    Replay,
    /// `simulate.lattice.dev/v1`, printed by `lattice simulate`.
    Simulate,
    /// `verify.lattice.dev/v1`, printed by `lattice verify`.
    Verify,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let schema = match self.document {
            Document::Plan => plan::plan_schema(),
            Document::Replay => history::replay_schema(),
            Document::Verify => plan::verify_schema(),
            Document::Simulate => whatif::simulation_schema(),
        };
        out.print(&(serde_json::to_string_pretty(&schema)? + "\n"))?;
        Ok(Outcome::Done)
    }
}
