//! `lattice crds`: the CRDs that the types describe.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::CliError;
use super::output::Output;
use super::{Outcome, generated};
use crate::api;

/// Print, write or check the CustomResourceDefinitions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice crds | kubectl apply --server-side -f -
  lattice crds crds            # write one file a kind into crds/
  lattice crds crds --check    # exit 1 if crds/ has drifted")]
pub(crate) struct Args {
    /// Folder to write to; without it everything is printed.
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Write nothing; fail if the folder does not hold exactly the CRDs of this version.
    #[arg(long, requires = "folder")]
    check: bool,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let files: BTreeMap<_, _> = api::crds_yaml()?.into_iter().collect();
        match &self.folder {
            None => {
                let documents: Vec<_> = files.values().map(String::as_str).collect();
                out.print(&documents.join("---\n"))?;
                Ok(Outcome::Done)
            }
            Some(folder) if self.check => generated::check(folder, "yaml", &files, out),
            Some(folder) => generated::write(folder, &files),
        }
    }
}
