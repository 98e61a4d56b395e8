//! What can go wrong when machines are asked for.

use crate::{
    clusters::pivot::PivotError,
    operator::{
        bootstrap::BootstrapError,
        objects::{Refused, said},
    },
};

/// Why a cluster could not be looked at, or something not be done for it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProvisionError {
    /// The API server refused or could not be reached.
    #[error("the API server: {}", said(.0))]
    Api(#[from] kube::Error),
    /// The API server refused an object that was rendered.
    #[error("{source_of}: {source}")]
    Rendered {
        /// What it was rendered from.
        source_of: String,
        /// Why.
        source: Refused,
    },
    /// A child's API server refused an object.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// An object is none.
    #[error("cannot read or write an object as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// No token could be made, or what is kept of one not be read.
    #[error(transparent)]
    Bootstrap(#[from] BootstrapError),
    /// Cluster API has not made a kubeconfig.
    #[error("Cluster API has no kubeconfig of {0} yet")]
    NoKubeconfig(String),
    /// A kubeconfig is of no use.
    #[error("the kubeconfig of {cluster} is of no use: {why}")]
    Kubeconfig {
        /// Whose it is.
        cluster: String,
        /// Why not.
        why: String,
    },
    /// What says who owns a cluster cannot be read.
    #[error(transparent)]
    Deed(#[from] Box<PivotError>),
    /// The cluster is to call a parent that takes no calls.
    #[error(
        "the cluster that this operator runs in takes no calls of children: give its LatticeCluster `spec.cell`, or wait until that is seen"
    )]
    NoCell,
    /// A Secret went away while it was copied.
    #[error("Secret {0} is gone from the operator's namespace")]
    Gone(String),
}
