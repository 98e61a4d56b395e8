//! A real etcd and kube-apiserver as child processes of ours, kept in one folder.
//!
//! `lattice up` and the tests run on this where there is no cluster to run in. The folder holds
//! everything: the store, certificates, chosen ports, logs and the administrator's kubeconfig. Starting
//! again in the same folder finds the same objects. Nothing listens beyond 127.0.0.1, and every port asks
//! for a client certificate. There is no controller manager: owner references are not garbage-collected and
//! namespaces do not finish their deletion.

mod arguments;
mod binaries;
mod error;
mod guard;
mod kubeconfig;
mod layout;
mod lock;
mod orphans;
mod pki;
mod ports;
mod process;
mod readiness;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::Utc;

pub(crate) use self::layout::write_private;
pub(crate) use self::process::Process;
pub use self::{binaries::Binaries, error::ControlPlaneError};
use self::{guard::Guard, layout::Layout, lock::Lock, ports::Ports};
use crate::operator::crypto;

/// How often a start is tried again because somebody else was quicker to take a port.
const PORT_ATTEMPTS: u32 = 3;
/// Enough to answer what was asked. It would go on for a minute waiting for watches to end on their own,
/// and has nothing to lose: what it acknowledged is in the store.
const API_SERVER_PATIENCE: Duration = Duration::from_secs(3);
const STORE_PATIENCE: Duration = Duration::from_secs(10);
const PORTS_PATIENCE: Duration = Duration::from_secs(5);

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that holds everything of this control plane. Made if it is not there.
    pub data_dir: PathBuf,
    /// The programs to run.
    pub binaries: Binaries,
    /// Whether what was answered is on the disk. Off is faster and for data that nobody will miss.
    pub fsync: bool,
    /// How long each program may take until it serves.
    pub ready_within: Duration,
}

impl Options {
    /// Durable, with two minutes to get ready.
    #[must_use]
    pub fn new(data_dir: impl Into<PathBuf>, binaries: Binaries) -> Self {
        Self {
            data_dir: data_dir.into(),
            binaries,
            fsync: true,
            ready_within: Duration::from_secs(120),
        }
    }
}

/// A running control plane. Dropping it kills its processes; [`ControlPlane::stop`] is the gentle way.
#[derive(Debug)]
pub struct ControlPlane {
    layout: Layout,
    ports: Ports,
    etcd: Process,
    api_server: Process,
    guard: Guard,
    // Last, so that the folder is released only after the processes are gone.
    _lock: Lock,
}

impl ControlPlane {
    /// Starts etcd and kube-apiserver in the folder and waits until they serve. What an earlier run left
    /// behind there is stopped first.
    ///
    /// # Errors
    /// If the folder is in use or cannot be used, or a program does not start or ends early; the error then
    /// carries the end of its log.
    pub async fn start(options: Options) -> Result<Self, ControlPlaneError> {
        crypto::install_fips_provider()?;
        let layout = Layout::prepare(&options.data_dir)?;
        let lock = Lock::take(&layout)?;
        orphans::stop(&layout).await?;
        pki::ensure(&layout, Utc::now())?;
        let mut attempt = 1;
        loop {
            match launch(&layout, &options).await {
                Ok((ports, etcd, api_server, guard)) => {
                    return Ok(Self {
                        layout,
                        ports,
                        etcd,
                        api_server,
                        guard,
                        _lock: lock,
                    });
                }
                Err(error) => {
                    // What did start was killed; it must also be gone before anybody goes on.
                    orphans::stop(&layout).await?;
                    if !error.lost_a_port() || attempt == PORT_ATTEMPTS {
                        return Err(error);
                    }
                    tracing::info!(attempt, "a chosen port was taken, choosing others");
                    ports::forget(&layout.ports())?;
                    attempt += 1;
                }
            }
        }
    }

    /// The administrator's kubeconfig. It names the current port, so it is written anew by every start.
    #[must_use]
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.layout.kubeconfig()
    }

    /// The folder, with every symbolic link resolved.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.layout.root()
    }

    /// Where the API is served.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api)
    }

    /// The loopback ports it listens on: the API's, and the store's two.
    #[must_use]
    pub fn ports(&self) -> [u16; 3] {
        self.ports.all()
    }

    /// An administrator's client. It belongs to the runtime it is made in.
    ///
    /// # Errors
    /// If the kubeconfig was tampered with.
    pub async fn client(&self) -> Result<kube::Client, ControlPlaneError> {
        kubeconfig::client(&self.layout.kubeconfig()).await
    }

    /// Waits until one of the programs ends without having been asked to, and says which and how. What
    /// still runs then is to be stopped with [`ControlPlane::stop`].
    pub async fn exited(&mut self) -> ControlPlaneError {
        tokio::select! {
            error = self.api_server.ended() => error,
            error = self.etcd.ended() => error,
        }
    }

    /// Stops the API server, then the store, and returns when their ports are free again.
    ///
    /// # Errors
    /// If a program cannot be stopped, or something keeps listening.
    pub async fn stop(mut self) -> Result<(), ControlPlaneError> {
        // Both are stopped, whatever the first says.
        let api_server = self.api_server.stop(API_SERVER_PATIENCE).await;
        let etcd = self.etcd.stop(STORE_PATIENCE).await;
        self.guard.dismiss().await?;
        api_server.and(etcd)?;
        released(self.ports).await
    }
}

/// The administrator's client for a control plane that another process started, by its kubeconfig.
///
/// # Errors
/// If there is no such file, or it is no kubeconfig.
pub async fn client_for(kubeconfig: &Path) -> Result<kube::Client, ControlPlaneError> {
    kubeconfig::client(kubeconfig).await
}

/// Removes the folder of a control plane that nobody needs any more, and ends what still runs out of it.
///
/// # Errors
/// If the folder is in use, or cannot be removed.
pub async fn discard(data_dir: &Path) -> Result<(), ControlPlaneError> {
    let layout = Layout::prepare(data_dir)?;
    let _lock = Lock::take(&layout)?;
    orphans::stop(&layout).await?;
    std::fs::remove_dir_all(layout.root()).map_err(ControlPlaneError::file("remove", layout.root()))
}

async fn launch(
    layout: &Layout,
    options: &Options,
) -> Result<(Ports, Process, Process, Guard), ControlPlaneError> {
    let ports = ports::settle(&layout.ports())?;
    kubeconfig::write(layout, ports.api)?;
    let mut etcd = Process::start(
        "etcd",
        &options.binaries.etcd,
        &arguments::etcd(layout, ports, options.fsync),
        layout.log("etcd"),
    )?;
    // Until both run there is a guard for the first, so that no moment is without one.
    let first_guard = Guard::over(layout, &[("etcd", etcd.pid())])?;
    readiness::listening(&mut etcd, ports.store, options.ready_within).await?;
    let mut api_server = Process::start(
        "kube-apiserver",
        &options.binaries.kube_apiserver,
        &arguments::kube_apiserver(layout, ports),
        layout.log("kube-apiserver"),
    )?;
    let both = [("kube-apiserver", api_server.pid()), ("etcd", etcd.pid())];
    let guard = Guard::over(layout, &both)?;
    first_guard.dismiss().await?;
    let kubeconfig = layout.kubeconfig();
    readiness::serving(&mut api_server, &kubeconfig, options.ready_within).await?;
    Ok((ports, etcd, api_server, guard))
}

async fn released(ports: Ports) -> Result<(), ControlPlaneError> {
    let deadline = Instant::now() + PORTS_PATIENCE;
    for port in ports.all() {
        while !ports::is_free(port) {
            if Instant::now() >= deadline {
                return Err(ControlPlaneError::StillListening(port));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
