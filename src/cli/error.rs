//! Why a command could not be done.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::history::HistoryError;
use super::install::InstallError;
use super::online::OnlineError;
use crate::operator::crypto::CryptoError;
use crate::placement::history::PolicyError;
use crate::placement::plan::PlanError;
use crate::placement::text::ExplainError;
use crate::placement::whatif::WhatIfError;

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The process may not use cryptography.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A command that talks to an API server failed.
    #[error(transparent)]
    Online(#[from] OnlineError),
    /// The first cluster cannot be made.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// A decision log does not hold what is asked for.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Policies cannot be tried.
    #[error("{}: {source}", path.display())]
    Policies { path: PathBuf, source: PolicyError },
    /// A file or folder could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    /// There is nothing to work on.
    #[error("no Lattice manifests found below {}{}", path.display(), passed_over(*others))]
    NoManifests {
        path: PathBuf,
        /// Documents that are not ours.
        others: usize,
    },
    /// Manifests are wrong; what is wrong has been made ready to be shown.
    #[error("the manifests are wrong")]
    BadInput(String),
    /// What was asked about is not in the plan.
    #[error("{error}{}{known}", if known.is_empty() { "" } else { "\n  " })]
    Explain { error: ExplainError, known: String },
    /// A question about what would be cannot be answered.
    #[error(transparent)]
    WhatIf(#[from] WhatIfError),
    /// The value of a flag is wrong.
    #[error("{flag}: {source}")]
    Flag {
        flag: &'static str,
        source: WhatIfError,
    },
    /// More was asked for than there is of this kind.
    #[error("{0}")]
    NotThere(String),
    /// A file does not hold a plan.
    #[error("{} is not a plan that this version reads", path.display())]
    Plan { path: PathBuf, source: PlanError },
    /// Stdout could not be written to.
    #[error("cannot write to stdout")]
    Stdout(#[source] std::io::Error),
    /// A document could not be written as YAML.
    #[error("cannot write YAML")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// A document could not be written as JSON.
    #[error("cannot write JSON")]
    Json(#[from] serde_json::Error),
}

impl CliError {
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Read {
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Write {
            path: path.to_owned(),
            source,
        }
    }

    /// The error and what caused it, for a person.
    pub(crate) fn report(&self) -> String {
        if let Self::BadInput(findings) = self {
            return findings.clone();
        }
        let mut text = format!("error: {self}");
        let mut cause = self.source();
        while let Some(error) = cause {
            let words = error.to_string();
            // Some errors repeat what caused them in their own words.
            if !text.contains(&words) {
                let _ = write!(text, "\n  caused by: {words}");
            }
            cause = error.source();
        }
        text.push('\n');
        text
    }
}

fn passed_over(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " (1 document of another kind was passed over)".to_owned(),
        more => format!(" ({more} documents of other kinds were passed over)"),
    }
}
