//! A machine of the `local` provider, from the inside: the first process of its namespaces.
//!
//! It gives the machine its own `/etc`, `/run` and `/var/lib`, its name and address, does what the user data
//! says, and plays kubelet. Whatever kubeadm and people's commands write, they write where they would on any
//! other machine; nothing of it is seen outside.

mod address;
mod boot;
mod cloud_init;
mod kubelet;
mod mounts;
mod pod_init;
mod spec;

use std::io;
use std::path::{Path, PathBuf};

pub use cloud_init::CloudInitError;
pub use pod_init::run as run_pod;
pub(crate) use spec::{MachineSpec, REPORT_FILE, Report, SPEC_FILE, USER_DATA_FILE, read, write};

/// The machine's own folder, as it is seen inside.
const INSIDE: &str = "/run/lattice/machine";
/// The programs, as they are seen inside.
const PROGRAMS: &str = "/run/lattice/bin";
/// Where commands are looked for.
const SEARCH_PATH: &str =
    "/run/lattice/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why a machine, or a pod on it, does not run.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// A file of the machine cannot be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Something cannot be mounted.
    #[error(
        "cannot mount {what}; a machine needs root, or a user namespace, and overlay file systems"
    )]
    Mount {
        /// What was to be mounted.
        what: String,
        /// Why not.
        source: io::Error,
    },
    /// A program of the host does not do what it should.
    #[error("{command} failed: {message}")]
    Command {
        /// The program and what it was told.
        command: String,
        /// What it said.
        message: String,
    },
    /// There is no network card.
    #[error("no network card was attached within {0} s")]
    NoCard(u64),
    /// The user data is of no use.
    #[error(transparent)]
    CloudInit(#[from] CloudInitError),
    /// A kubeconfig is of no use.
    #[error("cannot use {}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The API server says no.
    #[error("{action}")]
    Api {
        /// What was asked of it.
        action: String,
        /// What it said.
        source: Box<kube::Error>,
    },
    /// A certificate cannot be made.
    #[error("cannot make a key or a certificate")]
    Certificate(#[from] rcgen::Error),
    /// Something that a pod needs is not there.
    #[error("{0}")]
    Pod(String),
}

impl MachineError {
    fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    fn api(action: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let action = action.into();
        move |source| Self::Api {
            action,
            source: Box::new(source),
        }
    }
}

/// Prepares the namespaces that this process is the first in, before anything else runs there. Afterwards
/// the machine's folder is to be found elsewhere; where is what is returned.
///
/// # Errors
/// If the folder is not a machine's, or the kernel refuses.
pub fn enter(folder: &Path) -> Result<PathBuf, MachineError> {
    let spec: MachineSpec = read(&folder.join(SPEC_FILE))?;
    mounts::arrange(folder, &spec)?;
    let named = rustix::system::sethostname(spec.name.as_bytes());
    named.map_err(|error| MachineError::Mount {
        what: format!("the host name {}", spec.name),
        source: error.into(),
    })?;
    Ok(PathBuf::from(INSIDE))
}

/// Runs the machine until it is switched off.
///
/// # Errors
/// If it has no network, or its files are damaged.
pub async fn run(folder: &Path) -> Result<(), MachineError> {
    let spec: MachineSpec = read(&folder.join(SPEC_FILE))?;
    address::configure_machine(&spec).await?;
    tracing::info!(name = spec.name, address = %spec.address, "the machine is up");
    let kubelet = kubelet::run(&spec, folder);
    let boot = async {
        if let Err(error) = boot::once(&spec, folder).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the machine does not boot"
            );
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = kubelet => result,
        () = boot => Ok(()),
    }
}
