//! What the parent keeps of a token.

use aws_lc_rs::constant_time;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::admission::Refusal;
use super::token::Token;

/// What the parent keeps of a token: enough to know it when it is shown, too little to show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Name of the cluster that the token admits.
    pub cluster: String,
    /// UID of the LatticeCluster, so that a cluster of the same name made later is another.
    pub uid: String,
    /// SHA-256 of the token, in hexadecimal.
    pub token_digest: String,
    /// From when on the token admits nobody.
    pub expires: DateTime<Utc>,
    /// The one use of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Use>,
    /// The last machine that knew the token and was not admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// A machine that knew the token and was not admitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Why, as one CamelCase word.
    pub reason: String,
    /// Why, as a sentence.
    pub message: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// How a token was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Use {
    /// SHA-256 of the public key that it admitted, in hexadecimal.
    pub key_digest: String,
    /// The certificate of that key, PEM.
    pub certificate: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Grant {
    /// A grant for a token from now on.
    pub fn new(
        cluster: &str,
        uid: &str,
        token: &Token,
        now: DateTime<Utc>,
        life: TimeDelta,
    ) -> Self {
        Grant {
            cluster: cluster.to_owned(),
            uid: uid.to_owned(),
            token_digest: token.digest(),
            expires: now + life,
            used: None,
            refused: None,
        }
    }

    /// Whether this is the token. Takes the same time whichever character is wrong.
    pub(crate) fn knows(&self, token: &Token) -> bool {
        let (ours, shown) = (self.token_digest.as_bytes(), token.digest());
        constant_time::verify_slices_are_equal(ours, shown.as_bytes()).is_ok()
    }

    /// The grant once a key was admitted.
    pub fn used(self, key_digest: &str, certificate: &str, at: DateTime<Utc>) -> Self {
        Grant {
            used: Some(Use {
                key_digest: key_digest.to_owned(),
                certificate: certificate.to_owned(),
                at,
            }),
            ..self
        }
    }

    /// The grant once a machine that knew the token was not admitted; none where there is nothing new in that.
    pub fn refused(self, why: &Refusal, at: DateTime<Utc>) -> Option<Self> {
        let reason = why.reason();
        let known = self
            .refused
            .as_ref()
            .is_some_and(|was| was.reason == reason);
        if known || *why == Refusal::Unknown {
            return None;
        }
        Some(Grant {
            refused: Some(Refused {
                reason: reason.to_owned(),
                message: why.to_string(),
                at,
            }),
            ..self
        })
    }
}
