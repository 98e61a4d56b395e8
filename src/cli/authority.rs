//! `lattice authority`: the certificate authorities of a cell.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::Outcome;
use super::error::CliError;
use super::online::{self, OnlineError, PATIENCE};
use super::output::Output;
use super::table::table;
use crate::clusters::bootstrap::{Authorities, AuthorityError, Facts};
use crate::operator::bootstrap::authority::{forget, look, rotate};

/// Show the authority by which a cell certifies its agents and itself, or give it another one.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice authority show
  lattice authority rotate     # no stream is dropped, and nobody has to be told
  lattice authority forget     # a day later: every agent that was connected has renewed")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    /// The cell's kubeconfig; without it, KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum Command {
    /// List the authority that certifies, and those before it that still count.
    Show,
    /// Certify by a new authority from now on. Agents take it up when they renew, within a day; those that are away longer still
    /// know the cell, and are known to it.
    Rotate,
    /// Have only the present authority count. Agents with a certificate of an earlier one are cut off, and have to register anew,
    /// unless they renew first.
    Forget,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let Self {
            command,
            kubeconfig,
        } = self;
        let done = online::block_on(async {
            let client = online::client(kubeconfig.as_deref(), Some(PATIENCE)).await?;
            let Some(found) = look(&client).await? else {
                return Err(OnlineError::NoAuthority);
            };
            Ok(match command {
                Command::Show => found,
                Command::Rotate => rotate(&client).await?,
                Command::Forget => forget(&client).await?,
            })
        });
        let listed = listed(&done?).map_err(|error| OnlineError::Bootstrap(error.into()))?;
        out.print(&listed)?;
        Ok(Outcome::Done)
    }
}

fn listed(all: &Authorities) -> Result<String, AuthorityError> {
    let earlier = all.earlier().iter();
    let earlier = earlier.map(|one| ("still counts", one.certificate.as_str()));
    let current = [("certifies", all.current().certificate())];
    let rows = current
        .into_iter()
        .chain(earlier)
        .map(|(what, certificate)| {
            let facts = Facts::of(certificate)?;
            let day = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M").to_string();
            let (since, until) = (day(facts.since), day(facts.until));
            Ok(vec![what.to_owned(), since, until, facts.fingerprint])
        });
    let rows: Vec<_> = rows.collect::<Result<_, AuthorityError>>()?;
    Ok(table(
        &["AUTHORITY", "SINCE", "UNTIL", "SHA-256"],
        &[],
        rows,
    ))
}
