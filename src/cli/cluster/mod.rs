//! `lattice cluster`: what a cell knows of all clusters below it.

mod text;
mod view;

use std::path::{Path, PathBuf};

use chrono::Utc;

use self::view::View;
use super::Outcome;
use super::error::CliError;
use super::live;
use super::online::{self, OnlineError, PATIENCE};
use super::output::Output;
use crate::api::LatticeCluster;
use crate::operator::last_led;

/// Show the clusters below a cell: state, machines, versions, capacity and cost, and how old each figure is.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice cluster list
  lattice cluster tree
  lattice cluster get eu/west              # a cluster below the cell `eu`
  lattice cluster list -o json")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// All clusters below, a line each.
    List(Common),
    /// The same as a tree, with what it all comes to.
    Tree(Common),
    /// One cluster, and what is below it.
    Get {
        /// Name of the cluster; of one further below, the names that lead to it with `/` between them.
        #[arg(value_name = "CLUSTER")]
        cluster: String,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, clap::Args)]
struct Common {
    /// How to print it.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
    /// The cell's kubeconfig; without it, KUBECONFIG, ~/.kube/config or the cluster it runs in.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let (common, wanted, draw): (_, _, fn(&View) -> String) = match self.command {
            Command::List(common) => (common, None, text::list),
            Command::Tree(common) => (common, None, text::tree),
            Command::Get { cluster, common } => (common, Some(cluster), text::one),
        };
        let mut view = online::block_on(view(common.kubeconfig.as_deref()))?;
        if let Some(path) = wanted {
            view = view.at(&path).map_err(CliError::NotThere)?;
        }
        out.print(&match common.output {
            Format::Text => draw(&view),
            Format::Json => serde_json::to_string_pretty(&view)? + "\n",
        })?;
        Ok(Outcome::Done)
    }
}

async fn view(kubeconfig: Option<&Path>) -> Result<View, OnlineError> {
    let client = online::client(kubeconfig, Some(PATIENCE)).await?;
    let clusters: Vec<LatticeCluster> = live::list(&client).await?;
    let led = last_led(&client).await?;
    Ok(View::new(&clusters, led, Utc::now()))
}
