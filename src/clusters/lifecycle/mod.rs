//! What is to be done for one cluster, and what it has come to: from what is seen of it, and nothing else.
//!
//! Nothing is remembered between two looks. After a crash the next look finds what is missing and does that.

mod machines;
mod progress;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use progress::Progress;

use super::render::{RenderError, Rendered};
use crate::api::{ClusterPhase, LatticeCluster};
use machines::{deployment_names, is_initialized};

/// Holds a LatticeCluster back until its machines are gone.
pub const FINALIZER: &str = "lattice.dev/machines";

/// What is seen of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The cluster as people or the scheduler want it.
    pub cluster: &'a LatticeCluster,
    /// What Cluster API is to be told of it.
    pub rendered: Result<&'a Rendered, &'a RenderError>,
    /// Cluster API's own object of it.
    pub capi: Option<&'a Value>,
    /// Its MachineDeployments.
    pub deployments: &'a [Value],
    /// Whether the Secret with the provider's credentials is there; of no weight where none is needed.
    pub has_credentials: bool,
    /// How its first machine is invited to call its parent.
    pub invitation: Invitation,
    /// When this was seen.
    pub now: DateTime<Utc>,
}

/// How a cluster's first machine is invited to call its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invitation {
    /// There is no token, or not where the machine finds it.
    None,
    /// A token waits for the machine.
    Open,
    /// The token came to its end unused.
    Expired,
    /// The machine has called.
    Accepted {
        /// Whether the token is over since.
        is_over: bool,
    },
}

/// Something to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hold the LatticeCluster back until its machines are gone.
    Hold,
    /// Put a copy of the provider's credentials where Cluster API looks for them.
    CopyCredentials,
    /// Make a token, and put it where the machines find it.
    Invite,
    /// Tell Cluster API what is wanted.
    Apply,
    /// Take down the machines of a node group that is wanted no more: the MachineDeployment's name.
    DeleteDeployment(String),
    /// Take down the whole cluster.
    Delete,
    /// Let the LatticeCluster go.
    LetGo,
}

/// What is to be done, and what to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the cluster has come to.
    pub progress: Progress,
    /// What is to be done now.
    pub actions: Vec<Action>,
}

/// Decides on one cluster.
pub fn decide(sight: &Sight<'_>) -> Decision {
    let held = is_held(sight.cluster);
    if sight.cluster.metadata.deletion_timestamp.is_some() {
        return leaving(sight, held);
    }
    let rendered = match sight.rendered {
        Ok(rendered) => rendered,
        Err(error) => {
            let progress = Progress::refused(sight, "InvalidSpec", error.to_string());
            return only(progress);
        }
    };
    if let Some(secret) = rendered
        .credentials
        .as_ref()
        .filter(|_| !sight.has_credentials)
    {
        let from = &secret.from;
        let message = format!(
            "Secret {from} is not in the operator's namespace; create it with the provider's credentials"
        );
        return only(Progress::refused(sight, "CredentialsMissing", message));
    }
    let mut actions = Vec::new();
    if !held {
        actions.push(Action::Hold);
    }
    if rendered.credentials.is_some() {
        actions.push(Action::CopyCredentials);
    }
    if rendered.registers && needs_invitation(sight) {
        actions.push(Action::Invite);
    }
    actions.push(Action::Apply);
    let wanted = deployment_names(rendered.objects.iter().map(|manifest| &manifest.object));
    let surplus = deployment_names(sight.deployments.iter().filter(|d| !is_leaving(d)));
    let surplus = surplus.into_iter().filter(|name| !wanted.contains(name));
    actions.extend(surplus.map(Action::DeleteDeployment));
    Decision {
        progress: Progress::of(sight),
        actions,
    }
}

/// A cluster that has been deleted: first its machines go, then it.
fn leaving(sight: &Sight<'_>, held: bool) -> Decision {
    let (progress, action) = match sight.capi {
        Some(capi) => (
            Progress::new(ClusterPhase::Deleting, "Deleting", machines::why_not(capi)),
            (!is_leaving(capi)).then_some(Action::Delete),
        ),
        None => (
            Progress::new(ClusterPhase::Deleting, "Deleting", String::new()),
            held.then_some(Action::LetGo),
        ),
    };
    Decision {
        progress,
        actions: action.into_iter().collect(),
    }
}

fn only(progress: Progress) -> Decision {
    Decision {
        progress,
        actions: Vec::new(),
    }
}

fn is_held(cluster: &LatticeCluster) -> bool {
    let finalizers = cluster.metadata.finalizers.as_ref();
    finalizers.is_some_and(|all| all.iter().any(|f| f == FINALIZER))
}

fn is_leaving(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// A token that came to its end is replaced only while a first machine may still come: it may also have called and
/// died.
fn needs_invitation(sight: &Sight<'_>) -> bool {
    match sight.invitation {
        Invitation::None => true,
        Invitation::Expired | Invitation::Accepted { is_over: true } => {
            !sight.capi.is_some_and(is_initialized)
        }
        Invitation::Open | Invitation::Accepted { is_over: false } => false,
    }
}
