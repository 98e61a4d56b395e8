//! What is to be done for one cluster, and what it has come to: from what is seen of it, and nothing else.
//!
//! Nothing is remembered between two looks. After a crash the next look finds what is missing and does that.

mod home;
mod machines;
mod progress;
mod shortage;
pub(crate) mod templates;
mod upgrade;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde_json::Value;

pub use home::{Holdings, Home};
pub use progress::Progress;
pub use shortage::shortages;
pub use upgrade::{Staged, staged};

use super::render::{RenderError, Rendered};
use crate::api::{ClusterPhase, LatticeCluster};
pub use machines::ready;
use machines::{deployment_names, is_available, is_initialized};

/// Holds a LatticeCluster back until its machines are gone, or nobody acts on them here any more.
pub const FINALIZER: &str = "lattice.dev/machines";

/// What is seen of a cluster.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The cluster as people or the scheduler want it.
    pub cluster: &'a LatticeCluster,
    /// What Cluster API is to be told of it.
    pub rendered: Result<&'a Rendered, &'a RenderError>,
    /// Where its objects are.
    pub home: &'a Home,
    /// On its way to another version, how far it is.
    pub upgrading: Option<&'a str>,
    /// Whether it is noted that they may be in the cluster.
    pub is_noted: bool,
    /// The move that is under way, or went wrong last.
    pub moving: Moving<'a>,
    /// Cluster API's own object of it, wherever its objects are.
    pub capi: Option<&'a Value>,
    /// Its MachineDeployments, there too.
    pub deployments: &'a [Value],
    /// Its machines, while it lacks some.
    pub machines: &'a [Value],
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

/// How a move of its objects goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moving<'a> {
    /// There is none.
    No,
    /// This is being done.
    Yes(&'a str),
    /// It went wrong, and will be tried again.
    Failed(&'a str),
}

/// Which way objects move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the parent into the cluster.
    Into,
    /// From the cluster back to its parent.
    Back,
}

/// Something to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Hold the LatticeCluster back until then.
    Hold,
    /// Put a copy of the provider's credentials where Cluster API looks for them.
    CopyCredentials,
    /// Make a token, and put it where the machines find it.
    Invite,
    /// Tell Cluster API what is wanted.
    Apply,
    /// Take down the machines of a node group that is wanted no more: the MachineDeployment's name.
    DeleteDeployment(String),
    /// Take away templates that nothing is made from any more.
    Prune,
    /// Move its objects, or finish a move that was begun.
    Move(Way),
    /// Tell the cluster itself what is wanted: it manages its machines.
    HandDown,
    /// Look for its objects in it no more: they are back for good, and it will not answer for much longer.
    Forget,
    /// Take down the whole cluster.
    Delete,
    /// Take away what was made for it and is not Cluster API's to take down, credentials above all.
    Clear,
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
    if let Moving::Yes(doing) = sight.moving {
        return only(Progress::moving(sight, doing.to_owned()));
    }
    if sight.cluster.metadata.deletion_timestamp.is_some() {
        return leaving(sight);
    }
    match sight.home {
        Home::Unknown(why) => only(Progress::unanswered(sight, why)),
        Home::Own { has_arrived: false } => only(Progress::arriving()),
        Home::Going => moving(sight, Way::Into),
        Home::Coming => moving(sight, Way::Back),
        Home::Here | Home::There | Home::Own { has_arrived: true } => staying(sight),
    }
}

/// A cluster that is to be there.
fn staying(sight: &Sight<'_>) -> Decision {
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
    if *sight.home == Home::There {
        return Decision {
            progress: Progress::of(sight),
            actions: vec![Action::HandDown],
        };
    }
    let mut actions = wanted(sight, rendered);
    if may_move(sight, rendered) {
        let moving = moving(sight, Way::Into);
        actions.extend(moving.actions);
        return Decision {
            progress: moving.progress,
            actions,
        };
    }
    // Before, and while machines are replaced, templates may be in use of which nothing tells yet.
    if sight.capi.is_some_and(is_available) {
        actions.push(Action::Prune);
    }
    Decision {
        progress: Progress::of(sight),
        actions,
    }
}

/// What makes the objects here what is wanted.
fn wanted(sight: &Sight<'_>, rendered: &Rendered) -> Vec<Action> {
    let mut actions = Vec::new();
    if !is_held(sight.cluster) {
        actions.push(Action::Hold);
    }
    if rendered.credentials.is_some() {
        actions.push(Action::CopyCredentials);
    }
    // A cluster has called its parent before it manages itself.
    if *sight.home == Home::Here && rendered.registers && needs_invitation(sight) {
        actions.push(Action::Invite);
    }
    actions.push(Action::Apply);
    let named = deployment_names(rendered.objects.iter().map(|manifest| &manifest.object));
    let surplus = deployment_names(sight.deployments.iter().filter(|d| !is_leaving(d)));
    let surplus = surplus.into_iter().filter(|name| !named.contains(name));
    actions.extend(surplus.map(Action::DeleteDeployment));
    actions
}

/// A cluster that has a parent manages itself as soon as all of it is there and it has called.
fn may_move(sight: &Sight<'_>, rendered: &Rendered) -> bool {
    *sight.home == Home::Here
        && rendered.registers
        && is_held(sight.cluster)
        && matches!(sight.invitation, Invitation::Accepted { .. })
        && sight.capi.is_some_and(is_available)
}

fn moving(sight: &Sight<'_>, way: Way) -> Decision {
    let doing = match way {
        Way::Into => "the cluster's objects are about to move into it",
        Way::Back => "the cluster's objects are about to move back",
    };
    let progress = match sight.moving {
        Moving::Failed(why) => Progress::stuck(sight, why),
        Moving::No | Moving::Yes(_) => Progress::moving(sight, doing.to_owned()),
    };
    Decision {
        progress,
        actions: vec![Action::Move(way)],
    }
}

/// A cluster that has been deleted: its objects come back, its machines go, then it goes.
fn leaving(sight: &Sight<'_>) -> Decision {
    match sight.home {
        Home::Unknown(why) => return only(Progress::unanswered(sight, why)),
        // Nobody takes a cluster down from within. That its LatticeCluster goes says to the parent, which takes the
        // objects back, that nobody acts on them here any more.
        Home::Own { .. } => {
            return Decision {
                progress: Progress::let_go(sight),
                actions: let_go(sight).into_iter().collect(),
            };
        }
        Home::Going => return moving(sight, Way::Into),
        Home::There | Home::Coming => return moving(sight, Way::Back),
        Home::Here => {}
    }
    if sight.is_noted {
        return Decision {
            progress: Progress::new(ClusterPhase::Deleting, "Deleting", String::new()),
            actions: vec![Action::Forget],
        };
    }
    let Some(capi) = sight.capi else {
        let let_go = let_go(sight).map(|let_go| vec![Action::Clear, let_go]);
        return Decision {
            progress: Progress::new(ClusterPhase::Deleting, "Deleting", String::new()),
            actions: let_go.unwrap_or_default(),
        };
    };
    // What was given back with credentials that are none any more goes once there are others.
    let needs_credentials = sight.rendered.is_ok_and(|r| r.credentials.is_some());
    let copy = needs_credentials && sight.has_credentials;
    let copy = copy.then_some(Action::CopyCredentials);
    let delete = (!is_leaving(capi)).then_some(Action::Delete);
    Decision {
        progress: Progress::new(ClusterPhase::Deleting, "Deleting", machines::why_not(capi)),
        actions: copy.into_iter().chain(delete).collect(),
    }
}

fn let_go(sight: &Sight<'_>) -> Option<Action> {
    is_held(sight.cluster).then_some(Action::LetGo)
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
