#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::clusters::pivot::deed::{Deed, Inventory, State};
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
        groups: Default::default(),
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
        home: &Home::Here,
        upgrading: None,
        is_noted: false,
        moving: Moving::No,
        capi: None,
        deployments: &[],
        machines: &[],
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
fn what_keeps_a_machine_from_coming_is_told() {
    let (cluster, rendered) = (cluster(&[FINALIZER], false), rendered(false, false));
    let waiting =
        json!({"type": "ControlPlaneInitialized", "status": "False", "reason": "NotInitialized"});
    let coming = capi(json!({"conditions": [waiting]}));
    let machine = |name: &str, node: Option<&str>, reason: &str, message: &str| {
        let status = if reason.is_empty() { "True" } else { "False" };
        json!({
            "metadata": {"name": name},
            "status": {
                "nodeRef": node.map(|name| json!({"name": name})),
                "conditions": [{"type": "InfrastructureReady", "status": status, "reason": reason, "message": message}],
            },
        })
    };
    let told = |machines: &[Value]| {
        let sight = Sight {
            capi: Some(&coming),
            machines,
            ..sight(&cluster, &rendered)
        };
        decide(&sight).progress.message
    };
    let unsaid = "ControlPlaneInitialized: NotInitialized";
    assert_eq!(told(&[]), unsaid);
    let there = machine("a", Some("a"), "Stopped", "");
    let ready = machine("b", None, "", "");
    assert_eq!(told(&[there.clone(), ready.clone()]), unsaid);
    let refused = machine("d", None, "OutOfStock", "no more of small");
    let starting = machine("c", None, "Booting", "");
    assert_eq!(
        told(&[there.clone(), ready, refused.clone(), starting]),
        format!("{unsaid}. Machine c: Booting")
    );
    assert_eq!(
        told(&[there, refused]),
        format!("{unsaid}. Machine d: OutOfStock no more of small")
    );
}

#[test]
fn templates_go_only_where_every_machine_is_there() {
    let (cluster, rendered) = (cluster(&[FINALIZER], false), rendered(false, false));
    let (serving, coming) = (serving(), capi(json!({})));
    let actions = |capi| {
        let sight = Sight {
            capi,
            ..sight(&cluster, &rendered)
        };
        decide(&sight).actions
    };
    assert_eq!(actions(Some(&serving)), [Action::Apply, Action::Prune]);
    assert_eq!(actions(Some(&coming)), [Action::Apply]);
    assert_eq!(actions(None), [Action::Apply]);
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
    let progress = of(true, Invitation::Open);
    let (phase, reason) = (progress.phase, progress.reason);
    assert_eq!(
        (phase, reason),
        (ClusterPhase::Provisioning, "NotRegistered")
    );
}

fn deed(epoch: u64, state: State) -> Deed {
    Deed {
        epoch,
        source_uid: "u".to_owned(),
        state,
    }
}

fn owned(epoch: u64) -> Deed {
    deed(
        epoch,
        State::Owner(Inventory {
            digest: String::new(),
            objects: Vec::new(),
        }),
    )
}

#[test]
fn deeds_and_what_both_sides_hold_say_where_the_objects_are() {
    let receiving = |epoch| deed(epoch, State::Receiving);
    let home = |ours: Option<Deed>, theirs: Option<Deed>, is_here, is_there| {
        Home::of(&Holdings {
            ours: ours.as_ref(),
            theirs: theirs.as_ref(),
            is_here,
            is_there,
        })
    };
    // There.
    assert_eq!(home(None, None, true, false), Home::Here);
    assert_eq!(home(None, Some(receiving(1)), true, true), Home::Going);
    let given_up = deed(1, State::GivenUp);
    assert_eq!(home(None, Some(given_up), true, true), Home::Going);
    assert_eq!(home(None, Some(owned(1)), true, true), Home::Going);
    assert_eq!(home(None, Some(owned(1)), false, true), Home::There);
    // And back.
    let back = Some(receiving(2));
    assert_eq!(home(back, Some(owned(1)), true, true), Home::Coming);
    assert_eq!(
        home(Some(owned(2)), Some(owned(1)), true, true),
        Home::Coming
    );
    assert_eq!(
        home(Some(owned(2)), Some(owned(1)), true, false),
        Home::Here
    );
    // And there once more: the parent's old deed does not count.
    assert_eq!(
        home(Some(owned(2)), Some(owned(3)), false, true),
        Home::There
    );
}

#[test]
fn a_cluster_that_is_all_there_and_has_called_moves() {
    let (held, rendered) = (cluster(&[FINALIZER], false), rendered(true, false));
    let serving = serving();
    let accepted = Invitation::Accepted { is_over: true };
    let called = Sight {
        capi: Some(&serving),
        invitation: accepted,
        ..sight(&held, &rendered)
    };
    let decision = decide(&called);
    let into = Action::Move(Way::Into);
    assert_eq!(decision.actions, [Action::Apply, into.clone()]);
    assert_eq!(decision.progress.phase, ClusterPhase::Pivoting);
    let coming = capi(json!({"initialization": {"controlPlaneInitialized": true}}));
    for waiting in [
        Sight {
            invitation: Invitation::Open,
            ..called
        },
        Sight {
            capi: Some(&coming),
            ..called
        },
    ] {
        assert!(!decide(&waiting).actions.contains(&into));
    }
    // While it moves, and while nobody knows where it is, nobody acts on it here.
    let moving = decide(&Sight {
        moving: Moving::Yes("at it"),
        ..called
    });
    assert_eq!(
        (moving.actions, moving.progress.message),
        (vec![], "at it".to_owned())
    );
    let going = decide(&Sight {
        home: &Home::Going,
        ..called
    });
    assert_eq!(going.actions, [into]);
    let unknown = Home::Unknown("no route".to_owned());
    let decision = decide(&Sight {
        home: &unknown,
        ..called
    });
    assert_eq!(
        (decision.actions, decision.progress.reason),
        (vec![], "NoAnswer")
    );
    let failed = decide(&Sight {
        moving: Moving::Failed("no room"),
        ..called
    });
    assert_eq!(failed.progress.reason, "PivotFailed");
    assert!(failed.progress.message.contains("no room"));
}

#[test]
fn a_cluster_that_manages_itself_is_told_and_stays_ready() {
    let (held, rendered) = (cluster(&[FINALIZER], false), rendered(true, false));
    let (serving, lost) = (
        serving(),
        capi(json!({
            "initialization": {"controlPlaneInitialized": true},
            "conditions": [{"type": "WorkersAvailable", "status": "False", "message": "one of two"}],
        })),
    );
    for (capi, reason) in [(&serving, "Available"), (&lost, "MachinesComing")] {
        let decision = decide(&Sight {
            home: &Home::There,
            is_noted: true,
            capi: Some(capi),
            ..sight(&held, &rendered)
        });
        assert_eq!(decision.actions, [Action::HandDown]);
        assert_eq!(decision.progress.phase, ClusterPhase::Ready);
        assert_eq!(decision.progress.reason, reason);
    }
}

#[test]
fn the_cluster_itself_acts_once_its_objects_have_arrived_and_never_takes_itself_down() {
    let (bare, rendered) = (cluster(&[], false), rendered(true, true));
    let (serving, gone) = (serving(), cluster(&[FINALIZER], true));
    let own = |has_arrived| Home::Own { has_arrived };
    let decided = |cluster, home: &Home| {
        decide(&Sight {
            home,
            capi: Some(&serving),
            invitation: Invitation::None,
            ..sight(cluster, &rendered)
        })
    };
    assert_eq!(decided(&bare, &own(false)).actions, []);
    assert_eq!(
        decided(&bare, &own(true)).actions,
        [
            Action::Hold,
            Action::CopyCredentials,
            Action::Apply,
            Action::Prune
        ]
    );
    assert_eq!(
        decided(&bare, &own(true)).progress.phase,
        ClusterPhase::Ready
    );
    for home in [own(false), own(true)] {
        assert_eq!(decided(&gone, &home).actions, [Action::LetGo]);
    }
}

#[test]
fn a_deleted_cluster_comes_back_before_its_machines_go() {
    let (gone, rendered) = (cluster(&[FINALIZER], true), rendered(true, false));
    let serving = serving();
    let actions = |home: Home, is_noted| {
        let decision = decide(&Sight {
            home: &home,
            is_noted,
            capi: Some(&serving),
            ..sight(&gone, &rendered)
        });
        assert_eq!(decision.progress.phase, ClusterPhase::Deleting);
        decision.actions
    };
    let (into, back) = (Action::Move(Way::Into), Action::Move(Way::Back));
    assert_eq!(actions(Home::Going, true), [into]);
    assert_eq!(actions(Home::There, true), std::slice::from_ref(&back));
    assert_eq!(actions(Home::Coming, true), [back]);
    // It will not answer for much longer, and nothing is to depend on that.
    assert_eq!(actions(Home::Here, true), [Action::Forget]);
    assert_eq!(actions(Home::Here, false), [Action::Delete]);
    assert_eq!(actions(Home::Unknown(String::new()), true), []);
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
    assert_eq!(actions(&held, None), [Action::Clear, Action::LetGo]);
    assert_eq!(actions(&cluster(&["other"], true), None), []);
}

#[test]
fn a_cluster_that_goes_is_given_new_credentials() {
    let (held, rendered) = (cluster(&[FINALIZER], true), rendered(false, true));
    let mut leaving = serving();
    leaving["metadata"]["deletionTimestamp"] = json!("2026-11-21T12:30:00Z");
    let actions = |has_credentials| {
        let sight = Sight {
            capi: Some(&leaving),
            has_credentials,
            ..sight(&held, &rendered)
        };
        decide(&sight).actions
    };
    assert_eq!(actions(true), [Action::CopyCredentials]);
    assert_eq!(actions(false), []);
}
