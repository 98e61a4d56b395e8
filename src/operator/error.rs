//! What can stop the operator, or one pass of it.

use super::{bootstrap::BootstrapError, crypto::CryptoError, decision_log::LogError};

/// Why the operator could not go on.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The API server refused or could not be reached.
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    /// The decision log could not be read or written.
    #[error("the decision log: {0}")]
    Log(#[from] LogError),
    /// The lease could not be made.
    #[error("the leader lease: {0}")]
    Lease(#[from] kube_lease_manager::LeaseManagerError),
    /// Another holder has the lease, or it has run out.
    #[error("no longer the leader")]
    NotLeading,
    /// The page of metrics and health cannot be served.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Some writes of a pass were refused; the pass is tried again.
    #[error("{failed} of {all} writes failed, first: {first}")]
    Writes {
        /// How many failed.
        failed: usize,
        /// How many there were.
        all: usize,
        /// The first failure.
        first: String,
    },
    /// The solver's thread ended without an answer.
    #[error("the solver ended without an answer: {0}")]
    Solver(#[from] tokio::task::JoinError),
    /// The process has no FIPS cryptography.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The bootstrap webhook cannot be served.
    #[error("the bootstrap webhook: {0}")]
    Bootstrap(#[from] BootstrapError),
    /// An object could not be written as JSON.
    #[error("cannot write an object as JSON: {0}")]
    Json(#[from] serde_json::Error),
}
