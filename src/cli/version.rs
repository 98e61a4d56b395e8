//! `lattice version`: what this binary is.

use serde::Serialize;

use super::Outcome;
use super::error::CliError;
use super::output::Output;
use crate::api;
use crate::scheduler::solution::SOLVER_VERSION;

/// Print the version of this binary, of its solver and of its kinds, and the state of its cryptography.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice version
  lattice version -o json")]
pub(crate) struct Args {
    /// How to print it.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Serialize)]
struct Version {
    lattice: &'static str,
    solver: &'static str,
    api: &'static str,
    fips: bool,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let version = Version {
            lattice: env!("CARGO_PKG_VERSION"),
            solver: SOLVER_VERSION,
            api: api::API_VERSION,
            fips: rustls::crypto::CryptoProvider::get_default()
                .is_some_and(|provider| provider.fips()),
        };
        out.print(&match self.output {
            Format::Json => serde_json::to_string_pretty(&version)? + "\n",
            Format::Text => text(&version),
        })?;
        Ok(Outcome::Done)
    }
}

fn text(version: &Version) -> String {
    let fips = if version.fips { "on" } else { "off" };
    format!(
        "lattice {}\nsolver  {}\napi     {}\nfips    {fips} (aws-lc)\n",
        version.lattice, version.solver, version.api
    )
}
