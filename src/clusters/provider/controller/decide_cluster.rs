//! What is to be done about a LocalCluster: pure.

use kube::ResourceExt;

use super::observed::Cluster;
use super::{FINALIZER, Trouble};
use crate::api::local_infrastructure::{
    LocalCluster, LocalClusterStatus, LocalEndpoint, LocalFailureDomain, LocalInitialization,
};
use crate::api::timestamp::Timestamp;

/// Where a cluster's API is served if nothing else is said.
pub(super) const PORT: u16 = 6443;

/// A LocalCluster with everything that its fate depends on.
#[derive(Clone, Debug)]
pub(super) struct Seen<'a> {
    pub(super) local: &'a LocalCluster,
    pub(super) paused: bool,
    pub(super) cluster: Option<Cluster>,
    /// Its endpoint in the cloud, where it was asked for and given.
    pub(super) endpoint: Option<Result<LocalEndpoint, Trouble>>,
    pub(super) now: Timestamp,
}

/// The one thing to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing but to say how it is.
    Wait,
    AddFinalizer,
    /// Give the endpoint back, then let go.
    Release,
    /// Ask the cloud for the endpoint, then decide again.
    AskForEndpoint,
    SetEndpoint(LocalEndpoint),
}

/// What is to be done next, and why the cluster is not ready if it is not.
pub(super) fn decide(seen: &Seen<'_>) -> (Action, Trouble) {
    let local = seen.local;
    let finalized = local.finalizers().iter().any(|name| name == FINALIZER);
    if local.metadata.deletion_timestamp.is_some() {
        let action = if finalized {
            Action::Release
        } else {
            Action::Wait
        };
        return (action, Trouble::new("Deleting", ""));
    }
    if seen.cluster.is_none() {
        return (
            Action::Wait,
            Trouble::new("WaitingForCluster", "no Cluster owns this yet"),
        );
    }
    if !finalized {
        return (Action::AddFinalizer, Trouble::new("Creating", ""));
    }
    match &seen.endpoint {
        None => (
            Action::AskForEndpoint,
            Trouble::new("Creating", "the endpoint is asked for"),
        ),
        Some(Err(trouble)) => (Action::Wait, trouble.clone()),
        Some(Ok(endpoint)) if local.spec.control_plane_endpoint.is_none() => (
            Action::SetEndpoint(endpoint.clone()),
            Trouble::new("Creating", "the endpoint is there"),
        ),
        Some(Ok(_)) => (Action::Wait, Trouble::none()),
    }
}

/// The port that the cluster's API is to have.
pub(super) fn port(local: &LocalCluster) -> u16 {
    let given = local.spec.control_plane_endpoint.as_ref();
    given.map_or(PORT, |endpoint| endpoint.port)
}

/// The status that says so.
pub(super) fn status(seen: &Seen<'_>, trouble: &Trouble) -> LocalClusterStatus {
    let mut status = seen.local.status.clone().unwrap_or_default();
    let generation = seen.local.metadata.generation;
    if !seen.paused && trouble.is_none() {
        status.initialization = Some(LocalInitialization {
            provisioned: Some(true),
        });
        let zones = seen.local.spec.zones.iter();
        status.failure_domains = zones
            .map(|zone| LocalFailureDomain {
                name: zone.clone(),
                control_plane: Some(true),
            })
            .collect();
    }
    super::say(
        &mut status.conditions,
        trouble,
        seen.paused,
        generation,
        seen.now,
    );
    status
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::conditions::{self, READY};

    fn local(finalized: bool, endpoint: bool) -> LocalCluster {
        let finalizers: &[&str] = if finalized { &[FINALIZER] } else { &[] };
        let mut value = json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
            "kind": "LocalCluster",
            "metadata": {"name": "a", "namespace": "n", "finalizers": finalizers},
            "spec": {"zones": ["z1", "z2"]},
        });
        if endpoint {
            value["spec"]["controlPlaneEndpoint"] = json!({"host": "10.0.0.2", "port": 6443});
        }
        serde_json::from_value(value).unwrap()
    }

    fn endpoint() -> LocalEndpoint {
        LocalEndpoint {
            host: "10.0.0.2".to_owned(),
            port: 6443,
        }
    }

    fn seen<'a>(
        local: &'a LocalCluster,
        endpoint: Option<Result<LocalEndpoint, Trouble>>,
    ) -> Seen<'a> {
        Seen {
            local,
            paused: false,
            cluster: Some(Cluster::default()),
            endpoint,
            now: crate::clusters::provider::controller::at(100),
        }
    }

    #[test]
    fn it_goes_from_nothing_to_an_endpoint_step_by_step() {
        let decided = |local: &LocalCluster, endpoint| decide(&seen(local, endpoint)).0;
        let fresh = local(false, false);
        let orphan = Seen {
            cluster: None,
            ..seen(&fresh, None)
        };
        assert_eq!(decide(&orphan).1.reason, "WaitingForCluster");
        assert_eq!(decided(&fresh, None), Action::AddFinalizer);
        let held = local(true, false);
        assert_eq!(decided(&held, None), Action::AskForEndpoint);
        assert_eq!(
            decided(&held, Some(Ok(endpoint()))),
            Action::SetEndpoint(endpoint())
        );
        let done = local(true, true);
        assert_eq!(decided(&done, Some(Ok(endpoint()))), Action::Wait);
        let seen = seen(&done, Some(Ok(endpoint())));
        let status = status(&seen, &decide(&seen).1);
        assert_eq!(status.initialization.unwrap().provisioned, Some(true));
        assert_eq!(status.failure_domains.len(), 2);
        assert!(conditions::is_true(&status.conditions, READY));
    }

    #[test]
    fn a_refusal_is_told_and_once_provisioned_stays_so() {
        let mut done = local(true, true);
        done.status = Some(LocalClusterStatus {
            initialization: Some(LocalInitialization {
                provisioned: Some(true),
            }),
            ..LocalClusterStatus::default()
        });
        let seen = seen(&done, Some(Err(Trouble::new("UnknownCredential", "no"))));
        let status = status(&seen, &decide(&seen).1);
        let ready = conditions::find(&status.conditions, READY).unwrap();
        assert_eq!(ready.reason, "UnknownCredential");
        assert_eq!(status.initialization.unwrap().provisioned, Some(true));
    }

    #[test]
    fn a_deleted_one_gives_its_endpoint_back_first() {
        let mut leaving = local(true, true);
        leaving.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(decide(&seen(&leaving, None)).0, Action::Release);
        leaving.metadata.finalizers = None;
        assert_eq!(decide(&seen(&leaving, None)).0, Action::Wait);
    }
}
