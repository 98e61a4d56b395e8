//! `lattice log`: the decisions that a log holds, and all of them in a folder.

use std::path::PathBuf;

use super::Outcome;
use super::error::CliError;
use super::history::{History, HistoryError, export};
use super::output::Output;
use super::plan_text::count;
use super::replay_text::lasting;
use super::table::table;

/// List the decisions of the log, or export them for `lattice replay` and `lattice explain --at` to read elsewhere.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  lattice log
  lattice log export log/
  lattice log log/"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// An exported log; without it, the log of an API server.
    #[arg(value_name = "LOG")]
    log: Option<PathBuf>,
    /// Which API server; without it, KUBECONFIG, ~/.kube/config or the cluster it runs in.
    #[arg(long, value_name = "FILE", conflicts_with = "log")]
    kubeconfig: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Write every decision, with all that it was made from, into a folder.
    Export {
        /// The folder.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Which API server; without it, KUBECONFIG, ~/.kube/config or the cluster it runs in.
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
    },
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        match self.command {
            Some(Command::Export { folder, kubeconfig }) => {
                let history = History::open(None, kubeconfig.as_deref())?;
                if history.listed().is_empty() {
                    return Err(HistoryError::Empty.into());
                }
                let decisions = history.packed(history.listed())?;
                export::write(&folder, &decisions, history.until())?;
                let written = count(decisions.len() as u64, "decision");
                out.print(&format!("{}: {written}\n", folder.display()))?;
            }
            None => {
                let history = History::open(self.log.as_deref(), self.kubeconfig.as_deref())?;
                if history.listed().is_empty() {
                    return Err(HistoryError::Empty.into());
                }
                out.print(&list(&history))?;
            }
        }
        Ok(Outcome::Done)
    }
}

fn list(history: &History) -> String {
    let header = ["DECISION", "TIME", "STOOD", "SOLVER", "BY", "SNAPSHOT"];
    let rows = history.listed().iter().map(|listed| {
        vec![
            listed.id.map_or("-".to_owned(), |id| id.to_string()),
            listed.time.to_string(),
            lasting(listed.stood),
            listed.solver_version.clone(),
            listed.holder.clone(),
            listed.snapshot.clone(),
        ]
    });
    table(&header, &[], rows)
}
