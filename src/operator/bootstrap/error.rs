//! What can go wrong with the webhook.

use crate::{
    clusters::bootstrap::AuthorityError,
    operator::{https::HttpsError, objects::said},
};

/// Why the webhook, or an answer of it, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The API server refused or could not be reached.
    #[error("the API server: {}", said(.0))]
    Api(#[from] kube::Error),
    /// Something could not be certified.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// What is kept of a token cannot be read.
    #[error("Secret {name}: {source}; delete it, and a new token is made")]
    Grant {
        /// The Secret.
        name: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A Secret lacks what it should hold.
    #[error("Secret {name} has no key `{key}`")]
    Missing {
        /// The Secret.
        name: String,
        /// The key.
        key: &'static str,
    },
    /// The additions are not what they should be.
    #[error("ConfigMap {name}, key `{key}`: {why}")]
    Additions {
        /// The ConfigMap.
        name: &'static str,
        /// The key.
        key: String,
        /// Why.
        why: String,
    },
    /// A kind is none.
    #[error("cannot write a kind as JSON: {0}")]
    Kind(#[from] serde_json::Error),
    /// Others wrote the same Secret again and again.
    #[error("Secret {0} was changed by others each time that it was to be written")]
    Contended(String),
    /// Random numbers are not to be had.
    #[error("the cryptographic library has no random numbers")]
    Random,
    /// Nothing is served.
    #[error(transparent)]
    Https(#[from] HttpsError),
}
