//! What can keep a cell from serving.

use crate::{
    agent::server::ServerError,
    clusters::bootstrap::AuthorityError,
    operator::{bootstrap::BootstrapError, https::HttpsError, objects::said},
};

/// Why agents cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CellError {
    /// The authority cannot be read or kept.
    #[error(transparent)]
    Kept(#[from] BootstrapError),
    /// Nothing can be certified.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The API server refused or could not be reached.
    #[error("the API server: {}", said(.0))]
    Api(#[from] kube::Error),
    /// Nothing is served.
    #[error(transparent)]
    Https(#[from] HttpsError),
    /// The server.
    #[error(transparent)]
    Server(#[from] ServerError),
}
