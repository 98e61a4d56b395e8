//! Whether a machine is admitted.

use chrono::{DateTime, Utc};

use super::grant::Grant;
use super::request::SigningRequest;
use super::token::Token;

/// How a machine is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// For the first time: its key is to be certified and the use recorded before anything is answered.
    First,
    /// Again, with the certificate that it was given.
    Again(String),
}

/// Why a machine is not admitted. What it is told does not say more than it showed that it knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such cluster, or the token is not its token. The two look the same from without.
    #[error(
        "no cluster of that name waits for this token; look for the phase of the LatticeCluster on the parent"
    )]
    Unknown,
    /// The token came too late.
    #[error(
        "the token expired at {0}; delete the machine, and the one made in its place gets a new token"
    )]
    Expired(DateTime<Utc>),
    /// Another key was admitted before.
    #[error(
        "the token was used at {0} by another key; if that was not this cluster's machine, delete the LatticeCluster"
    )]
    Used(DateTime<Utc>),
    /// The key is to be certified for another name.
    #[error("the certificate signing request is for `{asked}`, but the token is for `{cluster}`")]
    Name {
        /// The name asked for.
        asked: String,
        /// The cluster's.
        cluster: String,
    },
}

impl Refusal {
    /// Why, as one CamelCase word for a condition.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::Unknown => "UnknownToken",
            Refusal::Expired(_) => "TokenExpired",
            Refusal::Used(_) => "TokenUsed",
            Refusal::Name { .. } => "WrongName",
        }
    }
}

/// Whether a machine that shows a token, for a cluster that has this grant or none, is admitted.
///
/// # Errors
/// If it is not.
pub fn admit(
    grant: Option<&Grant>,
    token: &Token,
    request: &SigningRequest,
    now: DateTime<Utc>,
) -> Result<Admission, Refusal> {
    let grant = grant
        .filter(|grant| grant.knows(token))
        .ok_or(Refusal::Unknown)?;
    if request.name != grant.cluster {
        return Err(Refusal::Name {
            asked: request.name.clone(),
            cluster: grant.cluster.clone(),
        });
    }
    if now >= grant.expires {
        return Err(Refusal::Expired(grant.expires));
    }
    match &grant.used {
        None => Ok(Admission::First),
        Some(used) if used.key_digest == request.key_digest() => {
            Ok(Admission::Again(used.certificate.clone()))
        }
        Some(used) => Err(Refusal::Used(used.at)),
    }
}
