//! What can go wrong with a move.

use super::{
    ClusterName, MOST_OBJECTS, Refusal, Side,
    object::Key,
    pause::{BLOCK_MOVE, Waiting},
};

/// Why a move does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PivotError {
    /// There is nothing to move.
    #[error(
        "there is no Cluster {cluster} on the source, and the target does not own one that came from there; check namespace and name"
    )]
    NoCluster {
        /// What was to be moved.
        cluster: ClusterName,
    },
    /// Owners that own each other.
    #[error("{object} is among its own owners; take one of the owner references away")]
    Cycle {
        /// One of them.
        object: Key,
    },
    /// An owner that does not exist.
    #[error(
        "{object} is owned by {owner}, which does not exist on the {side}; take the owner reference away or restore the owner"
    )]
    MissingOwner {
        /// Where.
        side: Side,
        /// What is owned.
        object: Key,
        /// By what.
        owner: Box<Key>,
    },
    /// An owner that does not move.
    #[error(
        "{object} is owned by {owner}, which is no part of the cluster and stays on the {side}; take the owner reference away, or label the owner's CRD {} so that it moves too",
        super::kind::MOVE_LABEL
    )]
    OwnerOutside {
        /// Where.
        side: Side,
        /// What is owned.
        object: Key,
        /// By what.
        owner: Box<Key>,
    },
    /// Too many objects for one deed.
    #[error("the cluster consists of {count} objects; a move takes at most {MOST_OBJECTS}")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Not all is provisioned: whoever is at it does not notice the pause in time.
    #[error("{object} {what}; wait until it is, then move")]
    NotProvisioned {
        /// What is not ready.
        object: Key,
        /// What is missing.
        what: &'static str,
    },
    /// Somebody is deleting a part of the cluster.
    #[error("{object} is being deleted; wait until it is gone, then move")]
    BeingDeleted {
        /// What goes.
        object: Key,
    },
    /// Somebody paused the cluster, who may have a reason.
    #[error("{object} was paused by somebody; resume it, then move")]
    AlreadyPaused {
        /// What is paused.
        object: Key,
    },
    /// The target does not know a kind.
    #[error(
        "the target has no {kind} of {api_version}, of which {object} is one; install the same providers on the target"
    )]
    UnknownKind {
        /// The kind.
        kind: String,
        /// Its group and version on the source.
        api_version: String,
        /// What cannot be copied.
        object: Box<Key>,
    },
    /// The target has an object of that name that came from elsewhere.
    #[error(
        "the target already has a {object} that did not come from this cluster; rename or remove it there; nothing was changed on it"
    )]
    Foreign {
        /// Which.
        object: Key,
    },
    /// Another cluster of the same name is being moved to the target.
    #[error(
        "the target is receiving another Cluster {cluster}, with UID {uid} on its source; give that move up first, or delete the deed there if its source is no more"
    )]
    Claimed {
        /// The name that both have.
        cluster: ClusterName,
        /// UID of the other.
        uid: String,
    },
    /// The deed cannot be read.
    #[error(
        "{object} on the {side} is not a deed of a move: {error}; restore it from a backup: it says which side owns the cluster"
    )]
    Deed {
        /// Where.
        side: Side,
        /// The ConfigMap.
        object: Key,
        /// What is wrong with it.
        error: String,
    },
    /// Nobody acknowledged the pause in time.
    #[error(
        "not paused after {seconds} s: {}; see whether their controllers run{}; the move was given up",
        list(waiting),
        hint(waiting)
    )]
    PauseNotAcknowledged {
        /// How long was waited.
        seconds: u64,
        /// Who is silent.
        waiting: Vec<Waiting>,
    },
    /// What was handed over is not what is on the source.
    #[error(
        "{object} has changed on the source after the target took over; carry over to the target what is to stay, then delete it on the source, with its finalizers taken off"
    )]
    ChangedAfterHandover {
        /// Which.
        object: Key,
    },
    /// What is on the source was never handed over.
    #[error(
        "{object} appeared on the source after the target took over; create it on the target if it is to stay, then delete it on the source, with its finalizers taken off"
    )]
    AppearedAfterHandover {
        /// Which.
        object: Key,
    },
    /// Too late to give up.
    #[error("the target owns {cluster} since move {epoch}; finish the move, then move it back")]
    HandedOver {
        /// Which cluster.
        cluster: ClusterName,
        /// Number of the move.
        epoch: u64,
    },
    /// An API server refuses a write.
    #[error("the {side} does not take {object}: {refusal}")]
    Refused {
        /// Who refuses.
        side: Side,
        /// What.
        object: Box<Key>,
        /// Why.
        refusal: Refusal,
    },
    /// A side cannot be looked at.
    #[error("the {side} cannot be looked at: {refusal}")]
    Unreadable {
        /// Which.
        side: Side,
        /// Why.
        refusal: Refusal,
    },
    /// An answer to another question.
    #[error(
        "the {side} answers something else than it was asked; check that both ends run the same version"
    )]
    Unexpected {
        /// Which.
        side: Side,
    },
    /// A move that cannot succeed could not be given up either.
    #[error(
        "{error}; and giving the move up did not succeed, so that the source may still be paused: {undoing}"
    )]
    NotGivenUp {
        /// Why the move cannot succeed.
        error: Box<PivotError>,
        /// Why it was not given up.
        undoing: Box<PivotError>,
    },
    /// The same is done over and over.
    #[error("{rounds} rounds have not brought it further than: {action}; see what changes it back")]
    Stuck {
        /// How often.
        rounds: u32,
        /// What was done each time.
        action: String,
    },
}

impl PivotError {
    /// Whether trying again may help, without anybody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { refusal, .. } | Self::Refused { refusal, .. }
                if matches!(refusal, Refusal::Unreachable(_))
        )
    }
}

fn list(waiting: &[Waiting]) -> String {
    let shown: Vec<String> = waiting.iter().take(5).map(Waiting::to_string).collect();
    let rest = waiting.len().saturating_sub(shown.len());
    match rest {
        0 => shown.join(", "),
        rest => format!("{}, and {rest} more", shown.join(", ")),
    }
}

fn hint(waiting: &[Waiting]) -> String {
    let blocked = |waiting: &Waiting| matches!(waiting, Waiting::Blocked(_));
    if waiting.iter().any(blocked) {
        format!(", and who set {BLOCK_MOVE}")
    } else {
        String::new()
    }
}
