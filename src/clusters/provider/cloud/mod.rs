//! The cloud of the `local` provider: a daemon on one Linux host whose machines are processes.
//!
//! It has what a cloud has: an API with credentials and quotas, machines that take their time and fail,
//! addresses, a load balancer. It outlives every cluster that is built on it, and its machines outlive it.

mod client;
mod decide;
mod forwarder;
mod host;
mod model;
mod network;
mod programs;
mod server;
mod store;
mod work;

use std::io;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

pub(crate) use self::decide::ADMINISTRATOR;
pub use client::{CloudClient, CloudClientError};
pub use model::{
    Boot, Credential, EndpointView, Fault, MachineRequest, MachineState, MachineView, Refusal,
};
pub use network::Network;
pub use programs::{Programs, parse_image};
pub use store::Access;

/// The credential that clusters use where nothing else is said.
pub const DEFAULT_CREDENTIAL: &str = "default";

/// Why there is no cloud.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// A program of the host is missing.
    #[error(
        "`{0}` is missing; it is part of iproute2 or util-linux (Debian: apt-get install iproute2 util-linux)"
    )]
    Missing(&'static str),
    /// The kernel allows no machines.
    #[error(
        "this user may make no namespaces: {0}\n  run it as root, or in a user namespace together with all that is to reach it: unshare --user --map-root-user --net --mount"
    )]
    NotAllowed(String),
    /// A bridge cannot have this name.
    #[error("`{0}` is no name for a bridge: 1 to 11 letters and digits")]
    Bridge(String),
    /// The network is none.
    #[error("`{0}` is no network for the cloud: it takes a.b.0.0/16")]
    Subnet(String),
    /// A file cannot be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Another daemon works there.
    #[error("another daemon works in {}", .0.display())]
    Running(PathBuf),
    /// A program of the host fails.
    #[error("{command} failed: {message}")]
    Command {
        /// What was run.
        command: String,
        /// What it said.
        message: String,
    },
    /// A program that machines are made of is missing.
    #[error("{name} was not found in {searched}; `make machine-parts` builds it")]
    NoProgram {
        /// Which.
        name: &'static str,
        /// Where it was looked for.
        searched: String,
    },
    /// Machines of this version cannot be started any more.
    #[error("there are no programs of Kubernetes {0}; name their folder with --release")]
    NoRelease(String),
    /// An image that is not given as it should.
    #[error("`{0}` is not IMAGE=PROGRAM")]
    Image(String),
    /// No token can be made.
    #[error("the system gives no random bytes")]
    Random,
}

impl CloudError {
    fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}

/// What a daemon is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// The folder that keeps everything.
    pub data: PathBuf,
    /// Its network.
    pub network: Network,
    /// The port of its API, on the network's first address.
    pub port: u16,
    /// What its machines are made of.
    pub programs: Programs,
}

/// Says what the host lacks for machines, if it lacks something.
///
/// # Errors
/// If it does.
pub async fn check() -> Result<(), CloudError> {
    host::check().await
}

/// Runs the daemon until it is stopped. Its machines go on; the next daemon of the folder takes them over.
///
/// # Errors
/// If the host is not fit for it, or the folder is in use.
pub async fn serve(options: Options, stop: CancellationToken) -> Result<(), CloudError> {
    host::check().await?;
    let folder = store::Folder::open(&options.data)?;
    let _lock = folder.lock()?;
    options.network.raise().await?;
    let daemon = work::Daemon::new(&options, folder)?;
    let listener = server::listen(&options).await?;
    tracing::info!(url = options.url(), "the cloud is open");
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        result = server::serve(listener, daemon.clone()) => result,
        () = daemon.work() => Ok(()),
    }
}

/// Ends every machine of the folder and takes the network away. No daemon may be working there.
///
/// # Errors
/// If one does, or something cannot be removed.
pub async fn tear_down(data: &Path, network: &Network) -> Result<(), CloudError> {
    let folder = store::Folder::open(data)?;
    let _lock = folder.lock()?;
    for holder in host::running(&folder.machines()).into_values() {
        host::kill(holder)?;
    }
    let cloud = folder.load()?;
    for (name, record) in &cloud.machines {
        network.detach(record.index).await?;
        folder.remove(name)?;
    }
    network.fell().await?;
    folder.save(&model::Cloud {
        machines: std::collections::BTreeMap::new(),
        endpoints: std::collections::BTreeMap::new(),
        ..cloud
    })
}

impl Options {
    /// Where the API is.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}:{}", self.network.gateway(), self.port)
    }
}
