//! What the commands share that talk to an API server: a runtime, a client, and the signals to stop.

use std::{
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::clusters::provider::{
    cloud::{CloudClientError, CloudError},
    machine::MachineError,
};
use crate::operator::{
    OperatorError, bootstrap::BootstrapError, control_plane::ControlPlaneError,
    decision_log::LogError, install::InstallError, managers::ManagersError, objects::Refused,
};

/// Threads that compute when a command is over get this long to end.
const RUNTIME_PATIENCE: Duration = Duration::from_millis(200);
/// How long one answer to a command may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// What a shell shows for a program that an interrupt ended.
const INTERRUPTED: i32 = 130;

/// Why a command that talks to an API server failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OnlineError {
    /// There is no runtime or no signal to be had.
    #[error("cannot start: {0}")]
    Start(#[source] std::io::Error),
    /// There is no API server to be found.
    #[error("no usable kubeconfig: {0}\n  set KUBECONFIG, or name the file")]
    Kubeconfig(String),
    /// The operator could not begin.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The embedded control plane.
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    /// The kinds could not be installed.
    #[error(transparent)]
    Install(#[from] InstallError),
    /// The decision log.
    #[error("the decision log: {0}")]
    Log(#[from] LogError),
    /// The API server refused.
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    /// The API server did not answer as it should.
    #[error("the API server cannot be read")]
    Read(#[source] kube::Error),
    /// Not everything was decided in time.
    #[error("after {seconds} s these have no decision yet: {waiting}")]
    Undecided {
        /// How long was waited.
        seconds: u64,
        /// What was waited for.
        waiting: String,
    },
    /// The cloud of the `local` provider.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The cloud's answer.
    #[error(transparent)]
    CloudAnswer(#[from] CloudClientError),
    /// A local machine.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// No cell says where its proxy is.
    #[error(
        "no cell serves the clusters below here: start its operator with --cell-listen and --proxy-listen"
    )]
    NoProxy,
    /// There is no cell, or none that has served yet.
    #[error(
        "no cell is here: its authority is made when its operator first serves, by --bootstrap-listen, --cell-listen or --proxy-listen"
    )]
    NoAuthority,
    /// The cell's authority.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// The cell could not know who asks.
    #[error(
        "the kubeconfig's user has no token, and a certificate ends at the API server that it is shown to\n  make one with `kubectl create token`, or name a kubeconfig that has one"
    )]
    NoToken,
    /// Cluster API's managers.
    #[error(transparent)]
    Managers(#[from] ManagersError),
    /// An API server refuses an object.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// An object is none.
    #[error("cannot read or write an object as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A file cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something that runs beside does not.
    #[error("cannot go on: {0}")]
    Ended(String),
    /// A cluster does not manage itself in time.
    #[error("after {seconds} s this is what there is of clusters: {told}")]
    NotReady {
        /// How long was waited.
        seconds: u64,
        /// What they have come to.
        told: String,
    },
    /// Somebody stopped the command before it was done.
    #[error("stopped before it was done")]
    Stopped,
    /// There is no such decision.
    #[error("{0}")]
    NoDecision(String),
    /// What was decided cannot be told.
    #[error("cannot explain: {0}")]
    Explain(String),
}

/// Runs a command to its end. It is asked to stop by the first signal; the second ends the process.
pub(crate) fn run<T, F, W>(work: W) -> Result<T, OnlineError>
where
    W: FnOnce(CancellationToken) -> F,
    F: Future<Output = Result<T, OnlineError>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(OnlineError::Start)?;
    let result = runtime.block_on(async {
        let stop = CancellationToken::new();
        let signals = [SignalKind::interrupt(), SignalKind::terminate()]
            .map(|kind| signal(kind).map_err(OnlineError::Start));
        let [interrupt, terminate] = signals;
        tokio::spawn(obey(interrupt?, terminate?, stop.clone()));
        work(stop).await
    });
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    result
}

async fn obey(mut interrupt: Signal, mut terminate: Signal, stop: CancellationToken) {
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if stop.is_cancelled() {
            std::process::exit(INTERRUPTED);
        }
        tracing::info!("stopping; once more to end at once");
        stop.cancel();
    }
}

/// Runs a command that only asks something. A signal ends it at once.
pub(crate) fn block_on<T>(
    work: impl Future<Output = Result<T, OnlineError>>,
) -> Result<T, OnlineError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(OnlineError::Start)?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(RUNTIME_PATIENCE);
    result
}

/// A client for this kubeconfig, or for what the surroundings say: `KUBECONFIG`, `~/.kube/config`, or the
/// cluster that the process runs in. `answer` is how long one may take; watches take for ever.
pub(crate) async fn client(
    kubeconfig: Option<&Path>,
    answer: Option<Duration>,
) -> Result<Client, OnlineError> {
    let options = KubeConfigOptions::default();
    let read = match kubeconfig {
        None => Config::infer().await.map_err(|error| error.to_string()),
        Some(path) => match Kubeconfig::read_from(path) {
            Ok(file) => Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
    };
    let mut config = read.map_err(OnlineError::Kubeconfig)?;
    if let Some(patience) = answer {
        config.connect_timeout = Some(patience);
        config.read_timeout = Some(patience);
    }
    if matches!(
        config.cluster_url.host(),
        Some("127.0.0.1" | "localhost" | "[::1]")
    ) {
        // Taken from HTTPS_PROXY, which says nothing about the loopback interface.
        config.proxy_url = None;
    }
    Ok(Client::try_from(config)?)
}

/// A client for an API server on a machine of this host, to which no proxy leads.
pub(crate) async fn nearby(kubeconfig: &[u8]) -> Result<Client, OnlineError> {
    let wrong = |error: &dyn std::fmt::Display| OnlineError::Kubeconfig(error.to_string());
    let text = String::from_utf8_lossy(kubeconfig);
    let file = Kubeconfig::from_yaml(&text).map_err(|error| wrong(&error))?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(|error| wrong(&error))?;
    config.proxy_url = None;
    config.connect_timeout = Some(PATIENCE);
    config.read_timeout = Some(PATIENCE);
    Ok(Client::try_from(config)?)
}
