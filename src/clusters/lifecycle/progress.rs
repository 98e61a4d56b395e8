//! What a cluster has come to.

use chrono::TimeDelta;
use serde_json::Value;

use super::machines::{is_available, is_initialized, ready, why_not};
use super::{Invitation, Sight};
use crate::api::{ClusterPhase, LatticeCluster};

/// After this long without a control plane something is amiss that waiting does not mend.
const PATIENCE: TimeDelta = TimeDelta::minutes(30);

/// What a cluster has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The state in one word.
    pub phase: ClusterPhase,
    /// Machines that are ready.
    pub ready: u32,
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
                    why_not(capi)
                ),
            ),
            false => (ClusterPhase::Provisioning, "MachinesComing", why_not(capi)),
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
    match (registers, sight.invitation) {
        (true, Invitation::Accepted { .. }) => (
            ClusterPhase::Provisioning,
            "ManagedByParent",
            "the cluster serves and has registered; its parent still manages its machines"
                .to_owned(),
        ),
        (true, _) => (
            ClusterPhase::Provisioning,
            "NotRegistered",
            "the cluster serves, but its first machine has not called its parent yet".to_owned(),
        ),
        (false, _) if is_available(capi) => (ClusterPhase::Ready, "Available", String::new()),
        (false, _) => (ClusterPhase::Provisioning, "MachinesComing", why_not(capi)),
    }
}

fn is_overdue(sight: &Sight<'_>) -> bool {
    let created = sight.capi.and_then(|capi| {
        let text = capi["metadata"]["creationTimestamp"].as_str()?;
        text.parse::<chrono::DateTime<chrono::Utc>>().ok()
    });
    created.is_some_and(|created| sight.now - created > PATIENCE)
}
