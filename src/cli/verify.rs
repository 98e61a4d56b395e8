//! `lattice verify`: whether a plan keeps every rule, and costs as little as it says.

use std::path::PathBuf;

use super::against::Against;
use super::error::CliError;
use super::explain::read_plan;
use super::output::Output;
use super::plan::{Format, before, load};
use super::{Outcome, verify_text};
use crate::placement::plan as document;

/// Hold a plan file against manifests: whether every service that it places has what it asks for, within all limits,
/// whether its figures are right, and whether its prices prove its lower bound.
///
/// Nothing is solved and nothing in the file is taken on trust: the checker shares no code with the search.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice plan fleet/ --out plan.json
  lattice verify plan.json --against fleet/
  lattice plan fleet/ --against kubeconfig --out plan.json
  lattice verify plan.json --against fleet/ --from kubeconfig
  lattice verify plan.json --against fleet/ -o json | jq .violations

Exit codes: 0 verified, 1 not verified or an error.")]
pub(crate) struct Args {
    /// The plan: JSON or YAML, as `lattice plan --out` writes it.
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// The manifests that it is a plan of: folder, file, or `-` for stdin.
    #[arg(long, value_name = "DIR")]
    against: PathBuf,
    /// What the plan starts from, where `lattice plan` was given it as --against: `kubeconfig` for the cluster
    /// that kubectl talks to, a kubeconfig file, or a folder of manifests.
    #[arg(long, value_name = "kubeconfig|PATH")]
    from: Option<String>,
    /// How to print the answer; json and yaml are `verify.lattice.dev/v1` (see `lattice schema verify`).
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let plan = read_plan(&self.plan)?;
        let from = self.from.as_deref().map(Against::parse);
        let json = self.output == Format::Json;
        let (built, is) = load(&self.against, from.as_ref(), |findings| {
            Ok(CliError::BadInput(if json {
                findings.json()?
            } else {
                findings.render(out.color_errors)
            }))
        })?;
        let before = before(&built, is.as_ref());
        let answer =
            document::verify(&plan, &built.snapshot, &before).map_err(|source| CliError::Plan {
                path: self.plan.clone(),
                source,
            })?;
        out.print(&match self.output {
            Format::Text => verify_text::render(&answer, out.paint),
            Format::Json => serde_json::to_string_pretty(&answer)? + "\n",
            Format::Yaml => serde_saphyr::to_string(&answer)?,
        })?;
        Ok(if answer.verified {
            Outcome::Done
        } else {
            Outcome::Refused
        })
    }
}
