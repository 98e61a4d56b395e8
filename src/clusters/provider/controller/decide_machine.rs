//! What is to be done about a LocalMachine: pure.

use std::time::Duration;

use kube::ResourceExt;

use super::observed::{Cluster, Machine};
use super::{FINALIZER, Trouble};
use crate::api::local_infrastructure::{
    LocalAddressType, LocalCluster, LocalInitialization, LocalMachine, LocalMachineAddress,
    LocalMachineStatus,
};
use crate::api::timestamp::Timestamp;
use crate::clusters::provider::cloud::{Boot, MachineRequest, MachineState, MachineView};

/// A machine that has not come up by then will not do so any more.
const BOOT_PATIENCE: Duration = Duration::from_secs(600);
/// What a machine has where its template does not say.
const DEFAULT_MILLI_CORES: u64 = 2000;
const DEFAULT_MIB: u64 = 4096;

/// A LocalMachine with everything that its fate depends on.
#[derive(Clone, Debug)]
pub(super) struct Seen<'a> {
    pub(super) local: &'a LocalMachine,
    pub(super) paused: bool,
    pub(super) machine: Option<Machine>,
    pub(super) cluster: Option<Cluster>,
    pub(super) infrastructure: Option<LocalCluster>,
    /// What the bootstrap provider has made, where it has.
    pub(super) user_data: Option<String>,
    /// The machine in the cloud, or why that is not known.
    pub(super) cloud: Result<Option<MachineView>, Trouble>,
    pub(super) now: Timestamp,
}

/// The one thing to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing but to say how it is.
    Wait,
    AddFinalizer,
    RemoveFinalizer,
    Create(Box<MachineRequest>),
    Delete,
    SetProviderId(String),
}

/// What is to be done next, and why the machine is not ready if it is not.
pub(super) fn decide(seen: &Seen<'_>) -> (Action, Trouble) {
    let wait = |reason: &str, message: &str| (Action::Wait, Trouble::new(reason, message));
    let local = seen.local;
    let finalized = local.finalizers().iter().any(|name| name == FINALIZER);
    if local.metadata.deletion_timestamp.is_some() {
        return leave(seen, finalized);
    }
    let Some(machine) = &seen.machine else {
        return wait("WaitingForMachine", "no Machine owns this yet");
    };
    let Some(cluster) = &seen.cluster else {
        return wait("WaitingForCluster", "the Cluster is not there yet");
    };
    if !finalized {
        return (Action::AddFinalizer, Trouble::new("Creating", ""));
    }
    let view = match &seen.cloud {
        Err(trouble) => return (Action::Wait, trouble.clone()),
        Ok(view) => view,
    };
    if let Some(view) = view {
        return exists(seen, view);
    }
    if is_provisioned(local) {
        return wait(
            "MachineGone",
            "the cloud no longer has this machine; delete the Machine to get another",
        );
    }
    if !cluster.infrastructure_provisioned {
        return wait(
            "WaitingForClusterInfrastructure",
            "the cluster's endpoint is not there yet",
        );
    }
    let Some(user_data) = &seen.user_data else {
        return wait(
            "WaitingForBootstrapData",
            "the bootstrap provider has not made the user data yet",
        );
    };
    let request = request(seen, machine, cluster, user_data);
    (
        Action::Create(Box::new(request)),
        Trouble::new("Creating", "the machine is asked for"),
    )
}

fn leave(seen: &Seen<'_>, finalized: bool) -> (Action, Trouble) {
    let deleting = |message: &str| Trouble::new("Deleting", message);
    match &seen.cloud {
        _ if !finalized => (Action::Wait, deleting("")),
        Err(trouble) => (Action::Wait, trouble.clone()),
        Ok(None) => (Action::RemoveFinalizer, deleting("")),
        Ok(Some(view)) if view.state == MachineState::Deleting => {
            (Action::Wait, deleting("the cloud takes the machine back"))
        }
        Ok(Some(_)) => (Action::Delete, deleting("the machine is given back")),
    }
}

fn exists(seen: &Seen<'_>, view: &MachineView) -> (Action, Trouble) {
    if seen.local.spec.provider_id.as_ref() != Some(&view.provider_id) {
        let action = Action::SetProviderId(view.provider_id.clone());
        return (action, Trouble::new("Booting", "the machine was accepted"));
    }
    (Action::Wait, state(seen, view))
}

/// What keeps an existing machine from being ready; nothing if it is.
fn state(seen: &Seen<'_>, view: &MachineView) -> Trouble {
    let begun = seen.local.metadata.creation_timestamp.as_ref();
    let age = begun.map(|time| {
        seen.now
            .datetime()
            .timestamp()
            .saturating_sub(time.0.as_second())
    });
    let late = age.is_some_and(|age| age > BOOT_PATIENCE.as_secs().try_into().unwrap_or(i64::MAX));
    match (view.state, &view.boot) {
        (MachineState::Deleting, _) => {
            Trouble::new("MachineGone", "the cloud takes the machine back")
        }
        (MachineState::Stopped, _) => Trouble::new("Stopped", "the machine is switched off"),
        (_, Boot::Failed { message }) => Trouble::new("BootFailed", message),
        (_, Boot::Booting) if late => Trouble::new(
            "BootFailed",
            &format!(
                "the machine has not come up within {} s; see its console.log, or delete the Machine to get another",
                BOOT_PATIENCE.as_secs()
            ),
        ),
        (_, Boot::Booting) | (MachineState::Pending, _) => {
            Trouble::new("Booting", "the machine starts")
        }
        (MachineState::Running, Boot::Succeeded) => Trouble::none(),
    }
}

fn request(
    seen: &Seen<'_>,
    machine: &Machine,
    cluster: &Cluster,
    user_data: &str,
) -> MachineRequest {
    let spec = &seen.local.spec;
    let infrastructure = seen.infrastructure.as_ref().map(|cluster| &cluster.spec);
    let first_zone = || infrastructure.and_then(|spec| spec.zones.first().cloned());
    MachineRequest {
        name: seen.local.name_any(),
        cluster: cluster.key.clone(),
        control_plane: machine.control_plane,
        size: spec.instance_type.clone().unwrap_or_default(),
        region: infrastructure
            .and_then(|spec| spec.region.clone())
            .unwrap_or_default(),
        zone: machine
            .failure_domain
            .clone()
            .or_else(|| spec.zone.clone())
            .or_else(first_zone)
            .unwrap_or_default(),
        kubernetes_version: machine.version.clone(),
        milli_cores: spec
            .cores
            .map_or(DEFAULT_MILLI_CORES, |cores| cores.millis()),
        memory_mib: spec.memory_gi.map_or(DEFAULT_MIB, |memory| memory.mib()),
        user_data: user_data.to_owned(),
    }
}

fn is_provisioned(local: &LocalMachine) -> bool {
    let status = local.status.as_ref();
    let initialization = status.and_then(|status| status.initialization.as_ref());
    initialization.and_then(|initialization| initialization.provisioned) == Some(true)
}

/// The status that says so.
pub(super) fn status(seen: &Seen<'_>, trouble: &Trouble) -> LocalMachineStatus {
    let mut status = seen.local.status.clone().unwrap_or_default();
    if let Ok(Some(view)) = &seen.cloud
        && seen.local.spec.provider_id.as_ref() == Some(&view.provider_id)
    {
        status.addresses = [
            (LocalAddressType::Hostname, view.name.clone()),
            (LocalAddressType::InternalIP, view.address.to_string()),
        ]
        .map(|(type_, address)| LocalMachineAddress { type_, address })
        .to_vec();
        status.failure_domain = (!view.zone.is_empty()).then(|| view.zone.clone());
        if view.state == MachineState::Running {
            status.initialization = Some(LocalInitialization {
                provisioned: Some(true),
            });
        }
    }
    let generation = seen.local.metadata.generation;
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
#[path = "decide_machine_tests.rs"]
mod tests;
