//! `lattice plan`: what would happen.

use std::io;
use std::path::{Path, PathBuf};

use super::Outcome;
use super::against::{self, Against};
use super::error::CliError;
use super::live::Live;
use super::manifests::Manifests;
use super::output::{Output, write_file};
use super::plan_text;
use crate::placement::diff;
use crate::placement::plan::{self, Options, Plan, PlanError};
use crate::placement::snapshot::{self, Built};
use crate::scheduler::{
    self,
    model::{Cluster, Snapshot},
    solution::Solution,
};

/// Read manifests, decide where everything runs, and show what that changes. Needs no cluster and writes
/// nothing but what --out names.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice plan fleet/                              # everything from nothing
  lattice plan fleet/ --against kubeconfig         # what applying fleet/ changes there
  lattice plan fleet/ --against main-checkout/     # what a pull request changes
  lattice plan fleet/ --quick                      # sooner, 5 to 35 % above the bound
  lattice plan fleet/ -o json | jq .summary
  lattice plan fleet/ --out plan.json && lattice explain service api --plan plan.json

Exit codes: 0 nothing to do, 2 there are changes, 1 error.")]
pub(crate) struct Args {
    /// Folder, file, or `-` for stdin.
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// What is: `kubeconfig` for the cluster that kubectl talks to, a kubeconfig file, or a folder of
    /// manifests. Without it, what statuses and LatticeClusters in DIR say.
    #[arg(long, value_name = "kubeconfig|PATH")]
    against: Option<String>,
    /// How to print the plan; json and yaml are `plan.lattice.dev/v1` (see `lattice schema plan`).
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    /// Also write the plan to a file: YAML if its name says so, JSON otherwise.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show a first plan of a large fleet, in a fraction of the time: it keeps all constraints, but nothing in it is
    /// improved or moved, and its bound is a weaker one.
    #[arg(long)]
    quick: bool,
    /// List every service and reason, however many there are.
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
    Yaml,
}

/// A plan and what it was made from.
pub(super) struct Made {
    pub(super) built: Built,
    pub(super) solution: Solution,
    pub(super) plan: Plan,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let against = self.against.as_deref().map(Against::parse);
        let json = self.output == Format::Json;
        let solve = match self.quick {
            true => scheduler::first,
            false => scheduler::solve,
        };
        let made = make(&self.path, against.as_ref(), solve, |findings| {
            Ok(CliError::BadInput(if json {
                findings.json()?
            } else {
                findings.render(out.color_errors)
            }))
        })?;
        if let Some(path) = &self.out {
            let format = if is_yaml(path) {
                Format::Yaml
            } else {
                Format::Json
            };
            write_file(path, |writer| made.write(format, writer))?;
        }
        match self.output {
            Format::Text => {
                let limit = if self.all {
                    usize::MAX
                } else {
                    plan_text::LISTED
                };
                out.print(&plan_text::render(&made.plan, out.paint, limit))?;
            }
            format => out.stream(|writer| made.write(format, writer))?,
        }
        Ok(if made.plan.has_changes() {
            Outcome::Changes
        } else {
            Outcome::Done
        })
    }
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Makes the snapshot of manifests, and reads what is. `refuse` makes the error of wrong ones.
pub(super) fn load(
    path: &Path,
    against: Option<&Against>,
    refuse: impl FnOnce(super::manifests::Findings) -> Result<CliError, CliError>,
) -> Result<(Built, Option<Live>), CliError> {
    let mut manifests = Manifests::load(path)?;
    let is = against.map(Against::read).transpose()?;
    if let Some(is) = &is {
        against::overlay(&mut manifests.inputs, &is.inputs);
    }
    let mut built = snapshot::build(&manifests.inputs);
    if let Some(is) = &is {
        is.carry_over(&mut built);
    }
    let findings = manifests.examine(&built.problems);
    if findings.errors() > 0 {
        return Err(refuse(findings)?);
    }
    Ok((built, is))
}

/// Makes the plan of manifests, as `solve` decides. `refuse` makes the error of wrong ones.
pub(super) fn make(
    path: &Path,
    against: Option<&Against>,
    solve: fn(&Snapshot) -> Solution,
    refuse: impl FnOnce(super::manifests::Findings) -> Result<CliError, CliError>,
) -> Result<Made, CliError> {
    let (built, is) = load(path, against, refuse)?;
    let solution = solve(&built.snapshot);
    let options = Options {
        rejections: false,
        relaxations: true,
    };
    let mut plan = plan::build(&built.snapshot, &solution, &built.problems, options);
    let before = before(&built, is.as_ref());
    plan.changes = diff::changes(&built.snapshot, &before, &solution);
    Ok(Made {
        built,
        solution,
        plan,
    })
}

/// The clusters that changes are told against. Services that are no longer wanted are known only to what is.
pub(super) fn before(built: &Built, is: Option<&Live>) -> Vec<Cluster> {
    let Some(is) = is else {
        return built.snapshot.clusters.clone();
    };
    let mut before = snapshot::build(&is.inputs);
    is.carry_over(&mut before);
    before.snapshot.clusters
}

impl Made {
    fn write(&self, format: Format, writer: &mut dyn io::Write) -> io::Result<()> {
        let snapshot = &self.built.snapshot;
        let written = if format == Format::Yaml {
            let mut plan = self.plan.clone();
            plan::add_rejections(&mut plan, snapshot, &self.solution, &|_| true);
            plan::write_yaml(&plan, writer)
        } else {
            plan::write_json(&self.plan, snapshot, &self.solution, writer)
        };
        written.map_err(|error| match error {
            PlanError::Write(error) => error,
            other => io::Error::other(other),
        })
    }
}
