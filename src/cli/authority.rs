//! `lattice authority`: the certificate authorities of a cell.

use std::path::PathBuf;

use comfy_table::{ContentArrangement, Table, presets};

use super::Outcome;
use super::error::CliError;
use super::online::{self, OnlineError, PATIENCE};
use super::output::Output;
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
        let table = table(&done?).map_err(|error| OnlineError::Bootstrap(error.into()))?;
        out.print(&table)?;
        Ok(Outcome::Done)
    }
}

fn table(all: &Authorities) -> Result<String, AuthorityError> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(["AUTHORITY", "SINCE", "UNTIL", "SHA-256"]);
    let earlier = all.earlier().iter();
    let earlier = earlier.map(|one| ("still counts", one.certificate.as_str()));
    for (what, certificate) in [("certifies", all.current().certificate())]
        .into_iter()
        .chain(earlier)
    {
        let facts = Facts::of(certificate)?;
        let day = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d %H:%M").to_string();
        table.add_row([
            what.to_owned(),
            day(facts.since),
            day(facts.until),
            facts.fingerprint,
        ]);
    }
    let lines: Vec<String> = table.lines().map(|l| l.trim_end().to_owned()).collect();
    Ok(lines.join("\n") + "\n")
}
