//! `lattice up`: an API server, its store and the operator in one command.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::Outcome;
use super::beside::{Beside, Clusters};
use super::error::CliError;
use super::online::{self, OnlineError};
use super::output::Output;
use crate::operator::{
    self, Options,
    control_plane::{self, Binaries, ControlPlane},
    install,
};

const HINT: &str = "Running; Ctrl-C stops it.\n";
const HINT_WITH_CLUSTERS: &str = "Running; Ctrl-C stops it. Machines go on: `lattice cloud machines` lists them, `lattice cloud down` ends them.\n";
/// The same over restarts, so that the lease is had back at once.
const IDENTITY: &str = "lattice-up";

/// Run an API server, its store and the operator, until it is stopped. The data folder keeps everything.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice up
  lattice up --data /var/lib/lattice --http 127.0.0.1:8080
  sudo lattice up --clusters")]
pub(crate) struct Args {
    /// The folder that keeps everything.
    #[arg(long, value_name = "DIR", default_value = ".lattice/up")]
    data: PathBuf,
    /// Where /metrics, /healthz and /readyz are served, if anywhere.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Only the API server and its store.
    #[arg(long)]
    no_operator: bool,
    /// Make clusters too, of machines on this host, with Cluster API's managers beside the operator. Needs root, and
    /// what `make machine-parts` builds.
    #[arg(long, conflicts_with = "no_operator")]
    clusters: bool,
    #[command(flatten)]
    made: Clusters,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        online::run(async |stop| {
            if self.clusters {
                self.made.check().await?;
            }
            let settings = Settings {
                plane: plane(self.data.clone())?,
                http: self.http,
                operator: !self.no_operator,
                clusters: self.clusters.then_some(self.made),
                is_temporary: false,
            };
            let kept = *out;
            let hint = match self.clusters {
                true => HINT_WITH_CLUSTERS,
                false => HINT,
            };
            session(settings, stop, async move |up: &Up, stop| {
                let line = format!("export KUBECONFIG={}\n", up.kubeconfig.display());
                let _ = kept.print(&line);
                kept.complain(hint);
                stop.cancelled().await;
                Ok(())
            })
            .await
        })?;
        Ok(Outcome::Done)
    }
}

/// The control plane in this folder, durable.
pub(super) fn plane(data: PathBuf) -> Result<control_plane::Options, OnlineError> {
    Ok(control_plane::Options::new(data, Binaries::find()?))
}

/// What is to run.
pub(super) struct Settings {
    pub(super) plane: control_plane::Options,
    pub(super) http: Option<SocketAddr>,
    pub(super) operator: bool,
    /// How clusters are made, if they are.
    pub(super) clusters: Option<Clusters>,
    /// Whether all of it is there only until a root manages itself.
    pub(super) is_temporary: bool,
}

/// What runs.
pub(super) struct Up {
    pub(super) kubeconfig: PathBuf,
    pub(super) client: kube::Client,
}

/// Starts everything, does the work, and stops everything whatever came of it.
pub(super) async fn session<W>(
    settings: Settings,
    stop: CancellationToken,
    work: W,
) -> Result<(), OnlineError>
where
    W: AsyncFnOnce(&Up, CancellationToken) -> Result<(), OnlineError>,
{
    let progress = spinner("starting etcd and kube-apiserver");
    let started = stop
        .run_until_cancelled(ControlPlane::start(settings.plane.clone()))
        .await;
    let Some(started) = started else {
        return Err(OnlineError::Stopped);
    };
    let mut plane = started?;
    let result = within(&mut plane, &settings, &stop, &progress, work).await;
    progress.set_message("stopping");
    let stopped = plane.stop().await;
    progress.finish_and_clear();
    result?;
    Ok(stopped?)
}

async fn within<W>(
    plane: &mut ControlPlane,
    settings: &Settings,
    stop: &CancellationToken,
    progress: &ProgressBar,
    work: W,
) -> Result<(), OnlineError>
where
    W: AsyncFnOnce(&Up, CancellationToken) -> Result<(), OnlineError>,
{
    let up = Up {
        kubeconfig: plane.kubeconfig_path(),
        client: plane.client().await?,
    };
    progress.set_message("installing the kinds");
    install::install(&up.client).await?;
    let mut beside = match &settings.clusters {
        Some(clusters) => {
            progress.set_message("starting the cloud and Cluster API's managers");
            let places = (up.kubeconfig.as_path(), plane.data_dir());
            let started = clusters.start(&up.client, places, settings.is_temporary, stop);
            Some(started.await?)
        }
        None => None,
    };
    progress.finish_and_clear();
    let result = tokio::select! {
        result = operated(&up, settings, stop, work) => result,
        error = plane.exited() => Err(error.into()),
        error = exited(&mut beside) => Err(error),
    };
    match beside {
        Some(beside) => result.and(beside.stop().await),
        None => result,
    }
}

/// Does the work while the operator runs.
async fn operated<W>(
    up: &Up,
    settings: &Settings,
    stop: &CancellationToken,
    work: W,
) -> Result<(), OnlineError>
where
    W: AsyncFnOnce(&Up, CancellationToken) -> Result<(), OnlineError>,
{
    let inner = stop.child_token();
    let operating = operate(up, settings, inner.clone());
    let mut operating = std::pin::pin!(operating);
    let first = tokio::select! {
        result = work(up, inner.clone()) => result,
        result = &mut operating => return result,
    };
    inner.cancel();
    // It lets the lease go, for which the API server still has to be there.
    first.and(operating.await)
}

/// Waits for what runs beside to end unasked.
async fn exited(beside: &mut Option<Beside>) -> OnlineError {
    match beside {
        Some(beside) => beside.exited().await,
        None => std::future::pending().await,
    }
}

/// The operator, or nothing that goes on until the stop.
async fn operate(up: &Up, settings: &Settings, stop: CancellationToken) -> Result<(), OnlineError> {
    if !settings.operator {
        stop.cancelled().await;
        return Ok(());
    }
    let options = Options {
        identity: IDENTITY.to_owned(),
        http: settings.http,
        is_temporary: settings.is_temporary,
        ..Options::default()
    };
    let options = match &settings.clusters {
        Some(clusters) => clusters.operator(options)?,
        None => options,
    };
    Ok(operator::run(up.client.clone(), options, stop).await?)
}

/// Shows on stderr, where that is a terminal, that something long is under way.
pub(super) fn spinner(message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
