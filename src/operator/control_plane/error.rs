//! What can go wrong between a data folder and a served API.

use std::{io, path::PathBuf, process::ExitStatus};

use crate::operator::crypto::CryptoError;

/// Why the control plane could not be started, kept or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    /// A program is not on this machine.
    #[error(
        "{name} was not found; looked in {searched}. `make control-plane` builds it into .lattice/bin; \
         KUBEBUILDER_ASSETS may point at a folder that has it"
    )]
    MissingBinary {
        /// The program's file name.
        name: &'static str,
        /// Every folder that was tried, in order.
        searched: String,
    },
    /// Somebody else runs a control plane out of this folder.
    #[error("another lattice up ({holder}) uses {}", folder.display())]
    InUse {
        /// `pid N`, as far as the lock file tells.
        holder: String,
        /// The data folder.
        folder: PathBuf,
    },
    /// A file or folder did not let itself be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// The verb that failed.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No port could be had on the loopback interface.
    #[error("no free port on 127.0.0.1: {0}")]
    Ports(#[source] io::Error),
    /// A certificate could not be made.
    #[error("cannot make the control plane's certificates: {0}")]
    Certificates(#[from] rcgen::Error),
    /// A process could not be started, signalled or waited for.
    #[error("cannot {action} {name}: {source}")]
    Process {
        /// The verb that failed.
        action: &'static str,
        /// The program.
        name: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A process ended that should have gone on.
    #[error("{name} ended ({status}); its log {} ends with:\n{tail}", log.display())]
    Exited {
        /// The program.
        name: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The whole log.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// The process runs, but does not serve.
    #[error("{name} was not ready after {seconds} s ({last}); its log ends with:\n{tail}")]
    NotReady {
        /// The program.
        name: &'static str,
        /// How long it was given.
        seconds: u64,
        /// The last answer, or why there was none.
        last: String,
        /// The log's last lines.
        tail: String,
    },
    /// After the stop something still holds a port.
    #[error("port {0} is still taken after the control plane was stopped")]
    StillListening(u16),
    /// The written kubeconfig cannot be used.
    #[error("cannot use the control plane's kubeconfig: {0}")]
    Kubeconfig(#[from] kube::config::KubeconfigError),
    /// The client for the API server could not be made.
    #[error("cannot make a client for the control plane: {0}")]
    Client(#[from] kube::Error),
    /// The process has no FIPS cryptography.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl ControlPlaneError {
    /// For `map_err` on file operations.
    pub(crate) fn file(
        action: &'static str,
        path: &std::path::Path,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }

    /// Whether a program ended because somebody took its port between our choice and its start.
    pub(crate) fn lost_a_port(&self) -> bool {
        matches!(self, Self::Exited { tail, .. } if tail.contains("address already in use"))
    }
}
