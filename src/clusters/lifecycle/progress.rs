//! What a cluster has come to.

use chrono::TimeDelta;
use serde_json::Value;

use super::machines::{is_available, is_initialized, missing, ready};
use super::{Home, Invitation, Sight};
use crate::api::{ClusterPhase, LatticeCluster, cluster_status::MachineShortage};

/// After this long without a control plane something is amiss that waiting does not mend.
const PATIENCE: TimeDelta = TimeDelta::minutes(30);

/// What a cluster has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The state in one word.
    pub phase: ClusterPhase,
    /// Machines that are ready.
    pub ready: u32,
    /// Lowest version of the control plane's machines, once they say it.
    pub version: Option<String>,
    /// Machines that do not come.
    pub shortages: Vec<MachineShortage>,
    /// Why, as one CamelCase word.
    pub reason: &'static str,
    /// Why, as a sentence, and what to do about it; empty where there is nothing to say.
    pub message: String,
}

impl Progress {
    /// Progress without a machine.
    pub fn new(phase: ClusterPhase, reason: &'static str, message: String) -> Self {
        Progress {
            phase,
            ready: 0,
            version: None,
            shortages: Vec::new(),
            reason,
            message,
        }
    }

    /// What is wanted cannot be told to Cluster API. A cluster that is there stays as it is.
    pub(super) fn refused(sight: &Sight<'_>, reason: &'static str, message: String) -> Self {
        let served = sight.capi.filter(|capi| is_initialized(capi));
        let phase = match served {
            Some(capi) => arrived(sight, capi).0,
            None => ClusterPhase::Failed,
        };
        Progress {
            ready: sight.capi.map_or(0, ready),
            ..Self::new(phase, reason, message)
        }
    }

    /// Something could not be done for a cluster, which stays as it was and is looked at again.
    pub fn troubled(cluster: &LatticeCluster, why: String) -> Self {
        let status = cluster.status.as_ref();
        let phase = status.and_then(|status| status.phase);
        let nodes = status.and_then(|status| status.nodes);
        Progress {
            ready: nodes.map_or(0, |nodes| nodes.ready),
            ..Self::new(phase.unwrap_or(ClusterPhase::Pending), "TryingAgain", why)
        }
    }

    /// Its objects move.
    pub(super) fn moving(sight: &Sight<'_>, doing: String) -> Self {
        let (phase, reason) = match sight.cluster.metadata.deletion_timestamp {
            Some(_) => (ClusterPhase::Deleting, "MovingBack"),
            None => (ClusterPhase::Pivoting, "Pivoting"),
        };
        Self::with(sight, phase, reason, doing)
    }

    /// Its objects should move, and do not.
    pub(super) fn stuck(sight: &Sight<'_>, why: &str) -> Self {
        Progress {
            reason: "PivotFailed",
            message: format!("{why}. It is tried again"),
            ..Self::moving(sight, String::new())
        }
    }

    /// This is the cluster itself, and its parent has not handed anything over.
    pub(super) fn arriving() -> Self {
        let message = "its parent still manages its machines".to_owned();
        Self::new(ClusterPhase::Pivoting, "Arriving", message)
    }

    /// It manages itself, as far as is known.
    pub(super) fn unanswered(sight: &Sight<'_>, why: &str) -> Self {
        let known = sight.cluster.status.as_ref();
        let (phase, message) = match sight.cluster.metadata.deletion_timestamp {
            Some(_) => (
                ClusterPhase::Deleting,
                format!(
                    "the cluster manages its own machines and does not answer: {why}. They are taken down once it does; if it is lost for good, take them down by hand and remove the finalizer {}",
                    super::FINALIZER
                ),
            ),
            None => (
                known
                    .and_then(|status| status.phase)
                    .unwrap_or(ClusterPhase::Ready),
                format!("the cluster manages itself and does not answer: {why}"),
            ),
        };
        let nodes = known.and_then(|status| status.nodes);
        Progress {
            ready: nodes.map_or(0, |nodes| nodes.ready),
            ..Self::new(phase, "NoAnswer", message)
        }
    }

    /// This is the cluster itself, which nobody acts on here any more.
    pub(super) fn let_go(sight: &Sight<'_>) -> Self {
        let message = "its parent takes it back, or its LatticeCluster was deleted here, which leaves its machines as they are".to_owned();
        Self::with(sight, ClusterPhase::Deleting, "LetGo", message)
    }

    fn with(sight: &Sight<'_>, phase: ClusterPhase, reason: &'static str, message: String) -> Self {
        Progress {
            ready: sight.capi.map_or(0, ready),
            ..Self::new(phase, reason, message)
        }
    }

    /// The progress of a cluster that Cluster API has been told of, or is about to be.
    pub(super) fn of(sight: &Sight<'_>) -> Self {
        let Some(capi) = sight.capi else {
            let message = "Cluster API is told what is wanted".to_owned();
            return Self::new(ClusterPhase::Provisioning, "Applying", message);
        };
        let (phase, reason, message) = match is_initialized(capi) {
            false if is_overdue(sight) => (
                ClusterPhase::Failed,
                "ProvisioningTimedOut",
                format!(
                    "no control plane after {} minutes. {}. Look at the Machines in the cluster's namespace; it goes on by itself once they come",
                    PATIENCE.num_minutes(),
                    missing(capi, sight.machines)
                ),
            ),
            false => (
                ClusterPhase::Provisioning,
                "MachinesComing",
                missing(capi, sight.machines),
            ),
            true => arrived(sight, capi),
        };
        Progress {
            ready: ready(capi),
            ..Self::new(phase, reason, message)
        }
    }
}

/// The cluster serves. It is ready when it manages itself, or, without a parent, when all of it is there.
fn arrived(sight: &Sight<'_>, capi: &Value) -> (ClusterPhase, &'static str, String) {
    let registers = sight.rendered.is_ok_and(|rendered| rendered.registers);
    let manages_itself = matches!(sight.home, Home::There | Home::Own { .. });
    let has_called = matches!(sight.invitation, Invitation::Accepted { .. });
    if let Some(doing) = sight.upgrading.filter(|_| manages_itself || !registers) {
        return (
            ClusterPhase::Ready,
            "Upgrading",
            upgrading(doing, &missing(capi, sight.machines)),
        );
    }
    if is_available(capi) && (manages_itself || !registers) {
        return (ClusterPhase::Ready, "Available", String::new());
    }
    if registers && !manages_itself && !has_called {
        return (
            ClusterPhase::Provisioning,
            "NotRegistered",
            "the cluster serves, but its first machine has not called its parent yet".to_owned(),
        );
    }
    // A machine that is missing for a while makes nobody's cluster unready.
    let phase = match manages_itself {
        true => ClusterPhase::Ready,
        false => ClusterPhase::Provisioning,
    };
    (phase, "MachinesComing", missing(capi, sight.machines))
}

/// How far it is, and what holds it up, in Cluster API's words.
fn upgrading(doing: &str, why: &str) -> String {
    match why {
        "" => doing.to_owned(),
        why => format!("{doing}. {why}"),
    }
}

fn is_overdue(sight: &Sight<'_>) -> bool {
    let created = sight.capi.and_then(|capi| {
        let text = capi["metadata"]["creationTimestamp"].as_str()?;
        text.parse::<chrono::DateTime<chrono::Utc>>().ok()
    });
    created.is_some_and(|created| sight.now - created > PATIENCE)
}
