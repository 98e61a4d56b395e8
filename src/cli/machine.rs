//! `lattice machine`: what the cloud daemon starts in a machine's namespaces. Nobody else calls it.

use std::path::PathBuf;

use super::Outcome;
use super::error::CliError;
use super::online::{self, OnlineError};
use super::output::Output;
use crate::clusters::provider::machine;

/// Be the first process of a local machine.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {
    /// The machine's folder; with --pod the file that describes a pod.
    place: PathBuf,
    /// Become a pod that is a process.
    #[arg(long)]
    pod: bool,
}

impl Args {
    pub(crate) fn run(self, _: &Output) -> Result<Outcome, CliError> {
        if self.pod {
            let never = online::block_on(async { Ok(machine::run_pod(&self.place).await?) })?;
            match never {}
        }
        // Before there are threads, each of which would keep the folders it has seen.
        let folder = machine::enter(&self.place).map_err(OnlineError::from)?;
        online::block_on(async { Ok(machine::run(&folder).await?) })?;
        Ok(Outcome::Done)
    }
}
