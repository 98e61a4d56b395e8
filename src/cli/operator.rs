//! `lattice operator`: watches, decides and acts until it is stopped.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use chrono::TimeDelta;

use super::Outcome;
use super::error::CliError;
use super::online;
use super::output::Output;
use crate::operator::{self, Options, bootstrap, cell, decision_log::Keep, install, proxy};

/// Run the operator against an API server, until it is stopped.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice operator --kubeconfig .lattice/up/kubeconfig --install-crds
  lattice operator --http 0.0.0.0:8080 --identity $(POD_NAME)")]
pub(crate) struct Args {
    /// Which API server; without it, KUBECONFIG, ~/.kube/config or the cluster it runs in.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Where /metrics, /healthz and /readyz are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Name among the operators; one that survives a restart gets its lease back at once.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    identity: Option<String>,
    /// Lead without a lease. The decision log still lets only one write.
    #[arg(long)]
    no_leader_election: bool,
    /// How long a lease is valid.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..=3600))]
    lease_seconds: u64,
    /// How many decisions the log keeps.
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
    decision_log_size: u16,
    /// How far back the log tells, if no other limit is reached before.
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    decision_log_days: u16,
    /// How much the log may take of the API server's store.
    #[arg(long, value_name = "MIB", default_value_t = 128, value_parser = clap::value_parser!(u16).range(1..=4096))]
    decision_log_mib: u16,
    /// Changes closer together than this are decided on together.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    quiet_ms: u64,
    #[command(flatten)]
    bootstrap: Bootstrap,
    #[command(flatten)]
    cell: Cell,
    /// The folder of the local provider's cloud on this host, for LocalClusters that name no credentials.
    #[arg(long, value_name = "DIR")]
    cloud: Option<PathBuf>,
    /// Install the kinds first, or bring them up to date.
    #[arg(long)]
    install_crds: bool,
}

/// How the first machines of new clusters make themselves known here.
#[derive(Debug, clap::Args)]
#[group(id = "bootstrap")]
struct Bootstrap {
    /// Where new clusters call: the webhook's address. Without it, clusters that are made here have no parent.
    #[arg(long, value_name = "ADDRESS", requires_all = ["bootstrap_host", "image"])]
    bootstrap_listen: Option<SocketAddr>,
    /// Name or address under which new clusters reach the webhook; several for its certificate, of which they
    /// are told the first.
    #[arg(long, value_name = "HOST", requires = "bootstrap_listen")]
    bootstrap_host: Vec<String>,
    /// Host and port under which agents reach this operator, for new clusters; without it, the webhook's host and
    /// the port of --cell-listen, or 8443.
    #[arg(long, value_name = "HOST:PORT", requires = "bootstrap_listen")]
    agent_endpoint: Option<String>,
    /// Lattice's image for new clusters.
    #[arg(long, value_name = "IMAGE", requires = "bootstrap_listen")]
    image: Option<String>,
}

/// How agents of clusters reach this operator.
#[derive(Debug, clap::Args)]
#[group(id = "cell")]
struct Cell {
    /// Where agents of the clusters below are served: the address of their stream.
    #[arg(long, value_name = "ADDRESS")]
    cell_listen: Option<SocketAddr>,
    /// Name or address under which agents reach it, for its certificate; without it, those of --bootstrap-host.
    #[arg(long, value_name = "HOST", requires = "cell_listen")]
    cell_host: Vec<String>,
    /// What agents see this operator called.
    #[arg(
        long,
        value_name = "NAME",
        requires = "cell_listen",
        default_value = "cell"
    )]
    cell_name: String,
    /// Where the API servers of the clusters below are reached, at /clusters/NAME/.
    #[arg(long, value_name = "ADDRESS", requires = "cell_listen")]
    proxy_listen: Option<SocketAddr>,
    /// Name or address under which callers reach that, for its certificate and `lattice kubeconfig`; without it,
    /// those of --cell-host.
    #[arg(long, value_name = "HOST", requires = "proxy_listen")]
    proxy_host: Vec<String>,
}

impl Cell {
    fn hosts(&self, bootstrap: &Bootstrap) -> Vec<String> {
        match self.cell_host.is_empty() {
            true => bootstrap.bootstrap_host.clone(),
            false => self.cell_host.clone(),
        }
    }

    fn proxy(&self, bootstrap: &Bootstrap) -> Option<proxy::Options> {
        let hosts = match self.proxy_host.is_empty() {
            true => self.hosts(bootstrap),
            false => self.proxy_host.clone(),
        };
        Some(proxy::Options {
            listen: self.proxy_listen?,
            hosts,
        })
    }

    fn options(self, bootstrap: &Bootstrap) -> Option<cell::Options> {
        Some(cell::Options {
            listen: self.cell_listen?,
            hosts: self.hosts(bootstrap),
            name: self.cell_name,
        })
    }
}

impl Bootstrap {
    fn options(self, cell_port: Option<u16>) -> Option<bootstrap::Options> {
        let host = self.bootstrap_host.first()?.clone();
        Some(bootstrap::Options {
            listen: self.bootstrap_listen?,
            hosts: self.bootstrap_host,
            endpoint: self
                .agent_endpoint
                .unwrap_or(format!("{host}:{}", cell_port.unwrap_or(cell::PORT))),
            image: self.image?,
        })
    }
}

impl Args {
    pub(crate) fn run(self, _: &Output) -> Result<Outcome, CliError> {
        let cell_port = self.cell.cell_listen.map(|address| address.port());
        let options = Options {
            http: Some(self.http),
            lease_seconds: (!self.no_leader_election).then_some(self.lease_seconds),
            keep: Keep {
                decisions: usize::from(self.decision_log_size),
                bytes: usize::from(self.decision_log_mib) << 20,
                age: TimeDelta::days(i64::from(self.decision_log_days)),
            },
            identity: self.identity.unwrap_or(Options::default().identity),
            quiet: Duration::from_millis(self.quiet_ms),
            proxy: self.cell.proxy(&self.bootstrap),
            cell: self.cell.options(&self.bootstrap),
            bootstrap: self.bootstrap.options(cell_port),
            cloud: self.cloud,
            is_temporary: false,
        };
        online::run(async |stop| {
            let client = online::client(self.kubeconfig.as_deref(), None).await?;
            if self.install_crds {
                install::install(&client).await?;
            }
            Ok(operator::run(client, options, stop).await?)
        })?;
        Ok(Outcome::Done)
    }
}
