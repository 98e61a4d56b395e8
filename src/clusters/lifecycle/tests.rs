#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::clusters::render::{Manifest, SecretCopy};

fn cluster(finalizers: &[&str], deleted: bool) -> LatticeCluster {
    let mut object = json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": "LatticeCluster",
        "metadata": {"name": "east", "uid": "1", "finalizers": finalizers},
        "spec": {
            "provider": {"kubernetes": {"version": "1.34.1"}},
            "nodes": {"controlPlane": 1},
        },
    });
    if deleted {
        object["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:00:00Z");
    }
    serde_json::from_value(object).unwrap()
}

fn deployment(name: &str) -> Value {
    json!({"kind": "MachineDeployment", "metadata": {"name": name}})
}

fn rendered(registers: bool, credentials: bool) -> Rendered {
    Rendered {
        cluster: "east".into(),
        namespace: "cluster-east".into(),
        objects: vec![Manifest {
            source: String::new(),
            object: deployment("east-small"),
        }],
        bootstrap: Vec::new(),
        credentials: credentials.then(|| SecretCopy {
            from: "aws".into(),
            namespace: "cluster-east".into(),
            name: "aws".into(),
            labels: Default::default(),
        }),
        registers,
    }
}

fn capi(status: Value) -> Value {
    json!({
        "kind": "Cluster",
        "metadata": {"name": "east", "creationTimestamp": "2026-11-21T12:00:00Z"},
        "status": status,
    })
}

fn serving() -> Value {
    capi(json!({
        "initialization": {"controlPlaneInitialized": true},
        "controlPlane": {"readyReplicas": 1},
        "workers": {"readyReplicas": 2},
        "conditions": [{"type": "Available", "status": "True"}],
    }))
}

fn minutes(n: i64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-11-21T12:00:00Z".parse().unwrap();
    start + chrono::TimeDelta::minutes(n)
}

fn sight<'a>(cluster: &'a LatticeCluster, rendered: &'a Rendered) -> Sight<'a> {
    Sight {
        cluster,
        rendered: Ok(rendered),
        capi: None,
        deployments: &[],
        has_credentials: true,
        invitation: Invitation::Open,
        now: minutes(1),
    }
}

#[test]
fn a_new_cluster_is_held_before_anything_is_made_for_it() {
    let (cluster, rendered) = (cluster(&["other"], false), rendered(true, true));
    let decision = decide(&Sight {
        invitation: Invitation::None,
        ..sight(&cluster, &rendered)
    });
    use Action::{Apply, CopyCredentials, Hold, Invite};
    assert_eq!(decision.actions, [Hold, CopyCredentials, Invite, Apply]);
    assert_eq!(decision.progress.phase, ClusterPhase::Provisioning);
}

#[test]
fn a_held_and_invited_cluster_is_only_told_again() {
    let (cluster, rendered) = (cluster(&[FINALIZER], false), rendered(true, false));
    assert_eq!(decide(&sight(&cluster, &rendered)).actions, [Action::Apply]);
}

#[test]
fn without_credentials_nothing_is_made_and_the_secret_is_named() {
    let (cluster, rendered) = (cluster(&[], false), rendered(false, true));
    let decision = decide(&Sight {
        has_credentials: false,
        ..sight(&cluster, &rendered)
    });
    assert_eq!(decision.actions, []);
    assert_eq!(decision.progress.phase, ClusterPhase::Failed);
    assert_eq!(decision.progress.reason, "CredentialsMissing");
    assert!(decision.progress.message.contains("Secret aws"));
    // What serves goes on serving.
    let serving = serving();
    let decision = decide(&Sight {
        has_credentials: false,
        capi: Some(&serving),
        ..sight(&cluster, &rendered)
    });
    assert_eq!(decision.progress.phase, ClusterPhase::Ready);
    assert_eq!(decision.progress.ready, 3);
}

#[test]
fn node_groups_that_are_wanted_no_more_go() {
    let (cluster, rendered) = (cluster(&[FINALIZER], false), rendered(false, false));
    let mut leaving = deployment("east-leaving");
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:00:00Z");
    let there = [deployment("east-small"), deployment("east-old"), leaving];
    let decision = decide(&Sight {
        deployments: &there,
        ..sight(&cluster, &rendered)
    });
    let old = Action::DeleteDeployment("east-old".into());
    assert_eq!(decision.actions, [Action::Apply, old]);
}

#[test]
fn a_token_is_made_anew_only_while_the_first_machine_may_come() {
    let (cluster, rendered) = (cluster(&[FINALIZER], false), rendered(true, false));
    let (coming, serving) = (capi(json!({})), serving());
    let invites = |invitation, capi| {
        let decision = decide(&Sight {
            invitation,
            capi: Some(capi),
            ..sight(&cluster, &rendered)
        });
        decision.actions.contains(&Action::Invite)
    };
    assert!(invites(Invitation::Expired, &coming));
    assert!(!invites(Invitation::Expired, &serving));
    assert!(!invites(Invitation::Open, &coming));
    let accepted = |is_over| Invitation::Accepted { is_over };
    assert!(invites(accepted(true), &coming));
    assert!(!invites(accepted(false), &coming));
    assert!(!invites(accepted(true), &serving));
}

fn progress(registers: bool, capi: &Value, invitation: Invitation, now: DateTime<Utc>) -> Progress {
    let (cluster, rendered) = (cluster(&[FINALIZER], false), rendered(registers, false));
    decide(&Sight {
        capi: Some(capi),
        invitation,
        now,
        ..sight(&cluster, &rendered)
    })
    .progress
}

#[test]
fn what_is_waited_for_is_said_in_cluster_apis_words() {
    let coming = capi(json!({"conditions": [
        {"type": "InfrastructureReady", "status": "True"},
        {"type": "ControlPlaneAvailable", "status": "False", "reason": "NotAvailable"},
        {"type": "ControlPlaneInitialized", "status": "False", "reason": "NotInitialized", "message": "no machine yet"},
    ]}));
    let early = progress(false, &coming, Invitation::None, minutes(29));
    assert_eq!(early.phase, ClusterPhase::Provisioning);
    assert_eq!(early.message, "ControlPlaneInitialized: no machine yet");
    let late = progress(false, &coming, Invitation::None, minutes(31));
    assert_eq!(
        (late.phase, late.reason),
        (ClusterPhase::Failed, "ProvisioningTimedOut")
    );
    assert!(
        late.message
            .contains("ControlPlaneInitialized: no machine yet")
    );
}

#[test]
fn a_cluster_with_a_parent_is_not_ready_before_it_manages_itself() {
    let serving = serving();
    let of = |registers, invitation| progress(registers, &serving, invitation, minutes(40));
    assert_eq!(of(false, Invitation::None).phase, ClusterPhase::Ready);
    for (invitation, reason) in [
        (Invitation::Open, "NotRegistered"),
        (Invitation::Accepted { is_over: true }, "ManagedByParent"),
    ] {
        let progress = of(true, invitation);
        assert_eq!(
            (progress.phase, progress.reason),
            (ClusterPhase::Provisioning, reason)
        );
    }
}

#[test]
fn a_deleted_cluster_goes_when_its_machines_are_gone() {
    let (held, rendered) = (cluster(&[FINALIZER, "other"], true), rendered(false, false));
    let actions = |cluster: &LatticeCluster, capi: Option<&Value>| {
        let decision = decide(&Sight {
            capi,
            ..sight(cluster, &rendered)
        });
        assert_eq!(decision.progress.phase, ClusterPhase::Deleting);
        decision.actions
    };
    let serving = serving();
    assert_eq!(actions(&held, Some(&serving)), [Action::Delete]);
    let mut leaving = serving;
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:30:00Z");
    assert_eq!(actions(&held, Some(&leaving)), []);
    assert_eq!(actions(&held, None), [Action::LetGo]);
    assert_eq!(actions(&cluster(&["other"], true), None), []);
}
