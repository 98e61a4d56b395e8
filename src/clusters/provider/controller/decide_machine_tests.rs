use serde_json::json;

use super::*;
use crate::api::conditions::{self, READY};
use crate::clusters::provider::controller::at;

fn local(finalized: bool, provider_id: Option<&str>, provisioned: bool) -> LocalMachine {
    let finalizers: &[&str] = if finalized { &[FINALIZER] } else { &[] };
    let mut value = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
        "kind": "LocalMachine",
        "metadata": {
            "name": "m-1", "namespace": "n", "finalizers": finalizers,
            "creationTimestamp": "1970-01-01T00:00:00Z",
        },
        "spec": {"instanceType": "large", "cores": 4, "zone": "z2"},
    });
    if let Some(id) = provider_id {
        value["spec"]["providerID"] = id.into();
    }
    if provisioned {
        value["status"] = json!({"initialization": {"provisioned": true}});
    }
    serde_json::from_value(value).unwrap()
}

fn view(state: MachineState, boot: Boot) -> MachineView {
    MachineView {
        name: "m-1".to_owned(),
        cluster: "a.n".to_owned(),
        control_plane: false,
        size: "large".to_owned(),
        zone: "z2".to_owned(),
        provider_id: "local:///m-1".to_owned(),
        address: [10, 213, 1, 1].into(),
        state,
        cut: false,
        boot,
    }
}

fn seen(local: &LocalMachine, cloud: Option<MachineView>) -> Seen<'_> {
    Seen {
        local,
        paused: false,
        machine: Some(Machine {
            version: "v1.36.3".to_owned(),
            ..Machine::default()
        }),
        cluster: Some(Cluster {
            key: "a.n".to_owned(),
            paused: false,
            infrastructure_provisioned: true,
        }),
        infrastructure: None,
        user_data: Some("#cloud-config".to_owned()),
        cloud: Ok(cloud),
        now: at(60),
    }
}

fn reason(seen: &Seen<'_>) -> String {
    let (action, trouble) = decide(seen);
    assert_eq!(action, Action::Wait, "{trouble:?}");
    trouble.reason
}

#[test]
fn it_waits_for_each_thing_that_it_needs_and_says_for_which() {
    let held = local(true, None, false);
    let all = seen(&held, None);
    let without = |change: fn(&mut Seen<'_>)| {
        let mut seen = all.clone();
        change(&mut seen);
        reason(&seen)
    };
    assert_eq!(without(|seen| seen.machine = None), "WaitingForMachine");
    assert_eq!(without(|seen| seen.cluster = None), "WaitingForCluster");
    assert_eq!(
        without(|seen| seen.user_data = None),
        "WaitingForBootstrapData"
    );
    let unprovisioned = |seen: &mut Seen<'_>| seen.cluster = Some(Cluster::default());
    assert_eq!(without(unprovisioned), "WaitingForClusterInfrastructure");
    let refused = |seen: &mut Seen<'_>| seen.cloud = Err(Trouble::new("UnknownCredential", ""));
    assert_eq!(without(refused), "UnknownCredential");
}

#[test]
fn the_finalizer_is_there_before_the_machine_is_asked_for() {
    let bare = local(false, None, false);
    assert_eq!(decide(&seen(&bare, None)).0, Action::AddFinalizer);
    let held = local(true, None, false);
    let Action::Create(request) = decide(&seen(&held, None)).0 else {
        panic!("no machine is asked for");
    };
    assert_eq!(request.name, "m-1");
    assert_eq!(request.cluster, "a.n");
    assert_eq!(request.zone, "z2");
    assert_eq!(request.milli_cores, 4000);
    assert_eq!(request.memory_mib, DEFAULT_MIB);
    assert_eq!(request.user_data, "#cloud-config");
}

#[test]
fn the_failure_domain_goes_before_the_template_and_that_before_the_cluster() {
    let held = local(true, None, false);
    let zone = |seen: &Seen<'_>| match decide(seen).0 {
        Action::Create(request) => request.zone,
        other => panic!("{other:?}"),
    };
    let mut given = seen(&held, None);
    given.machine.as_mut().unwrap().failure_domain = Some("z1".to_owned());
    assert_eq!(zone(&given), "z1");
    let mut plain = held.clone();
    plain.spec.zone = None;
    let mut given = seen(&plain, None);
    let cluster = json!({
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "LocalCluster",
        "metadata": {"name": "a"}, "spec": {"zones": ["z9"]},
    });
    given.infrastructure = serde_json::from_value(cluster).unwrap();
    assert_eq!(zone(&given), "z9");
}

#[test]
fn it_is_provisioned_when_it_runs_and_ready_when_it_has_booted() {
    let accepted = local(true, None, false);
    let pending = seen(&accepted, Some(view(MachineState::Pending, Boot::Booting)));
    let (action, trouble) = decide(&pending);
    assert_eq!(action, Action::SetProviderId("local:///m-1".to_owned()));
    assert_eq!(status(&pending, &trouble).initialization, None);
    let known = local(true, Some("local:///m-1"), false);
    let running = seen(&known, Some(view(MachineState::Running, Boot::Booting)));
    assert_eq!(reason(&running), "Booting");
    let told = status(&running, &decide(&running).1);
    assert_eq!(told.initialization.unwrap().provisioned, Some(true));
    assert_eq!(told.addresses[1].address, "10.213.1.1");
    let booted = seen(&known, Some(view(MachineState::Running, Boot::Succeeded)));
    let told = status(&booted, &decide(&booted).1);
    assert!(conditions::is_true(&told.conditions, READY));
    assert!(!conditions::is_true(&told.conditions, "Paused"));
}

#[test]
fn what_goes_wrong_is_named() {
    let known = local(true, Some("local:///m-1"), true);
    let failed = Boot::Failed {
        message: "kubeadm: no".to_owned(),
    };
    let with = |state, boot: &Boot| reason(&seen(&known, Some(view(state, boot.clone()))));
    assert_eq!(with(MachineState::Running, &failed), "BootFailed");
    assert_eq!(with(MachineState::Stopped, &Boot::Succeeded), "Stopped");
    assert_eq!(reason(&seen(&known, None)), "MachineGone");
    let late = Seen {
        now: at(601),
        ..seen(&known, Some(view(MachineState::Pending, Boot::Booting)))
    };
    assert_eq!(reason(&late), "BootFailed");
}

#[test]
fn a_deleted_one_is_given_back_before_it_is_let_go() {
    let mut leaving = local(true, Some("local:///m-1"), true);
    leaving.metadata.deletion_timestamp =
        serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
    let running = view(MachineState::Running, Boot::Succeeded);
    assert_eq!(
        decide(&seen(&leaving, Some(running.clone()))).0,
        Action::Delete
    );
    let going = MachineView {
        state: MachineState::Deleting,
        ..running
    };
    assert_eq!(decide(&seen(&leaving, Some(going))).0, Action::Wait);
    assert_eq!(decide(&seen(&leaving, None)).0, Action::RemoveFinalizer);
    let mut unknown = seen(&leaving, None);
    unknown.cloud = Err(Trouble::new("CloudUnreachable", ""));
    assert_eq!(reason(&unknown), "CloudUnreachable");
}

#[test]
fn a_paused_one_says_only_that() {
    let known = local(true, Some("local:///m-1"), true);
    let paused = Seen {
        paused: true,
        ..seen(&known, Some(view(MachineState::Stopped, Boot::Succeeded)))
    };
    let told = status(&paused, &Trouble::none());
    assert!(conditions::is_true(&told.conditions, "Paused"));
    assert_eq!(conditions::find(&told.conditions, READY), None);
}
