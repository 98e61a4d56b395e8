//! What a move asks of a side. A side is an API server, or somebody at the other end of a stream who has one.

use std::future::Future;

use serde::{Deserialize, Serialize};

use super::{
    ClusterName,
    kind::Kind,
    object::{Key, Object},
    view::View,
};

/// A question to a side, or one write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Everything that matters to the move of this cluster.
    View(ClusterName),
    /// Makes an object.
    Create {
        /// Its kind.
        kind: Kind,
        /// The object.
        object: Object,
    },
    /// Puts an object in the place of the one that has its resource version.
    Replace {
        /// Its kind.
        kind: Kind,
        /// The object.
        object: Object,
    },
    /// The same for its status alone.
    ReplaceStatus {
        /// Its kind.
        kind: Kind,
        /// The object.
        object: Object,
    },
    /// Deletes exactly this object in this state.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Which.
        key: Key,
        /// The UID that it must have.
        uid: String,
        /// The resource version that it must have.
        resource_version: String,
    },
}

/// What a side answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Response {
    /// What it holds.
    View(Box<View>),
    /// The object as written.
    Object(Object),
    /// The object was deleted.
    Deleted,
}

/// Why a side did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// The object is not what it was when it was looked at: look again.
    #[error("it has changed since it was looked at: {0}")]
    Stale(String),
    /// The API server will not have it, and will not have it next time either.
    #[error("the API server refuses: {0}")]
    Denied(String),
    /// Nobody answered, or nobody who could.
    #[error("the API server does not answer: {0}")]
    Unreachable(String),
}

/// A side of a move.
pub trait Port: Sync {
    /// Answers a question or does one write.
    ///
    /// # Errors
    /// When it did not. After [`Refusal::Unreachable`] nobody knows whether it did.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Refusal>> + Send;
}
