//! One pod that runs as processes.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container as ContainerSpec, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::pod_init::{PodMount, PodNetwork, PodSpace};
use super::super::{MachineError, PROGRAMS, spec::MachineSpec};
use super::command;
use super::container::{Container, Launch, Restart, Snapshot, State};
use super::contents::Source;
use super::probe::{self, Question};
use super::status::Seen;

/// The end of a pod's cable in its machine, and the address at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) cable: String,
    pub(super) address: Ipv4Addr,
}

/// A container with what is asked of it.
struct Part {
    name: String,
    container: Container,
    ready: watch::Receiver<bool>,
    asking: Vec<JoinHandle<()>>,
}

/// A pod of which all containers are kept running.
pub(super) struct RunningPod {
    parts: Vec<Part>,
    pub(super) since: Timestamp,
}

impl RunningPod {
    /// Starts a pod that needs nothing but the machine itself: what kubeadm writes.
    pub(super) fn start_static(pod: &Pod, spec: &MachineSpec, folder: &Path) -> Self {
        let containers = containers(pod);
        let launches = containers.iter().map(|container| {
            let environment = vec![("PATH".to_owned(), super::super::SEARCH_PATH.to_owned())];
            let launch = Launch {
                program: program(container, spec),
                arguments: command::arguments(container, &environment),
                environment,
                log: log(folder, pod, container),
                restart: Restart::Always,
                card: None,
            };
            (container, launch)
        });
        Self::start(launches.collect(), spec.address)
    }

    /// Starts a pod with its volumes, variables and a root of its own.
    pub(super) async fn start_real(
        source: &Source<'_>,
        spec: &MachineSpec,
        folder: &Path,
    ) -> Result<Self, MachineError> {
        let own = folder
            .join("pods")
            .join(source.pod.uid().unwrap_or_default());
        let mut launches = Vec::new();
        for container in containers(source.pod) {
            let launch = isolated(source, spec, folder, &own, container).await?;
            launches.push((container, launch));
        }
        Ok(Self::start(launches, source.place.pod))
    }

    fn start(launches: Vec<(&ContainerSpec, Launch)>, address: Ipv4Addr) -> Self {
        let parts = launches
            .into_iter()
            .map(|(spec, launch)| part(spec, launch, address))
            .collect();
        Self {
            parts,
            since: Timestamp::now(),
        }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        let seen = |part: &Part| Seen {
            name: part.name.clone(),
            snapshot: part.container.snapshot(),
            ready: *part.ready.borrow(),
        };
        self.parts.iter().map(seen).collect()
    }

    /// Ends all containers, at the same time.
    pub(super) async fn stop(self) {
        let ends = self.parts.into_iter().map(|part| {
            part.asking.iter().for_each(JoinHandle::abort);
            part.container.stop()
        });
        futures::future::join_all(ends).await;
    }
}

/// What is seen of a pod that cannot be started yet.
pub(super) fn unstarted(pod: &Pod, message: &str) -> Vec<Seen> {
    let seen = |container: &ContainerSpec| Seen {
        name: container.name.clone(),
        snapshot: Snapshot::waiting("ContainerCreating", message),
        ready: false,
    };
    containers(pod).iter().map(seen).collect()
}

/// Refreshes what the volumes hold.
pub(super) async fn refresh(source: &Source<'_>, folder: &Path) -> Result<(), MachineError> {
    let own = folder
        .join("pods")
        .join(source.pod.uid().unwrap_or_default());
    for volume in source
        .pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten())
    {
        source.volume(volume, &own.join("volumes")).await?;
    }
    Ok(())
}

fn containers(pod: &Pod) -> &[ContainerSpec] {
    pod.spec
        .as_ref()
        .map_or(&[], |spec| spec.containers.as_slice())
}

fn program(container: &ContainerSpec, spec: &MachineSpec) -> PathBuf {
    let known = command::program(container, &spec.images).unwrap_or(&container.name);
    Path::new(PROGRAMS).join(known)
}

fn log(folder: &Path, pod: &Pod, container: &ContainerSpec) -> PathBuf {
    let namespace = pod.namespace().unwrap_or_default();
    let name = format!("{namespace}_{}_{}.log", pod.name_any(), container.name);
    folder.join("log").join(name)
}

/// A container that `unshare` puts into namespaces of its own.
async fn isolated(
    source: &Source<'_>,
    spec: &MachineSpec,
    folder: &Path,
    own: &Path,
    container: &ContainerSpec,
) -> Result<Launch, MachineError> {
    let pod = source.pod;
    let host_network = pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true);
    let environment = source.environment(container).await?;
    let hostname = pod.name_any().chars().take(63).collect();
    let space = PodSpace {
        hostname,
        network: (!host_network).then_some(PodNetwork {
            address: source.place.pod,
            gateway: spec.address,
        }),
        root: own.join("root").join(&container.name),
        mounts: mounts(source, own, container).await?,
        program: program(container, spec),
        arguments: command::arguments(container, &environment),
        working_folder: container
            .working_dir
            .clone()
            .unwrap_or_else(|| "/".to_owned()),
    };
    let file = own.join(format!("{}.json", container.name));
    super::super::write(&file, &space)?;
    let mut arguments = vec!["--mount".to_owned(), "--uts".to_owned(), "--ipc".to_owned()];
    if !host_network {
        arguments.push("--net".to_owned());
    }
    arguments.extend([
        "--".to_owned(),
        format!("{PROGRAMS}/lattice"),
        "machine".to_owned(),
        "--pod".to_owned(),
        file.display().to_string(),
    ]);
    Ok(Launch {
        program: "unshare".into(),
        arguments,
        environment,
        log: log(folder, pod, container),
        restart: restart(pod),
        card: (!host_network).then(|| Card {
            cable: cable(source.place.pod),
            address: source.place.pod,
        }),
    })
}

async fn mounts(
    source: &Source<'_>,
    own: &Path,
    container: &ContainerSpec,
) -> Result<Vec<PodMount>, MachineError> {
    let mut mounts = Vec::new();
    for mount in container.volume_mounts.iter().flatten() {
        let volumes = source
            .pod
            .spec
            .iter()
            .flat_map(|spec| spec.volumes.iter().flatten());
        let mut volumes = volumes.filter(|volume| volume.name == mount.name);
        let Some(volume) = volumes.next() else {
            return Err(MachineError::Pod(format!(
                "there is no volume {}",
                mount.name
            )));
        };
        let from = source.volume(volume, &own.join("volumes")).await?;
        mounts.push(PodMount {
            from: from.join(mount.sub_path.as_deref().unwrap_or_default()),
            to: PathBuf::from(&mount.mount_path),
            read_only: mount.read_only == Some(true),
        });
    }
    Ok(mounts)
}

/// The name of the cable in its machine: no two pods there have the same last part of their address.
fn cable(address: Ipv4Addr) -> String {
    format!("pod{}", address.octets()[3])
}

fn restart(pod: &Pod) -> Restart {
    match pod
        .spec
        .as_ref()
        .and_then(|spec| spec.restart_policy.as_deref())
    {
        Some("Never") => Restart::Never,
        Some("OnFailure") => Restart::OnFailure,
        _ => Restart::Always,
    }
}

fn part(spec: &ContainerSpec, launch: Launch, address: Ipv4Addr) -> Part {
    let container = Container::start(launch);
    let asked = probe::question(spec, spec.readiness_probe.as_ref(), address);
    let (sender, ready) = watch::channel(asked.is_none());
    let mut asking = Vec::new();
    if let Some(question) = asked {
        asking.push(tokio::spawn(ask_ready(question, sender)));
    }
    if let Some(question) = probe::question(spec, spec.liveness_probe.as_ref(), address) {
        asking.push(tokio::spawn(ask_alive(question, container.handle())));
    }
    Part {
        name: spec.name.clone(),
        container,
        ready,
        asking,
    }
}

async fn ask_ready(question: Question, ready: watch::Sender<bool>) {
    tokio::time::sleep(question.delay).await;
    let mut failures = 0_u32;
    loop {
        let serves = probe::ask(&question).await;
        failures = if serves {
            0
        } else {
            failures.saturating_add(1)
        };
        if serves || failures >= question.failures {
            ready.send_if_modified(|now| std::mem::replace(now, serves) != serves);
        }
        // Until it serves for the first time, it is asked often: somebody is waiting.
        let wait = if *ready.borrow() {
            question.every
        } else {
            Duration::from_millis(500)
        };
        tokio::time::sleep(wait).await;
    }
}

async fn ask_alive(question: Question, container: super::container::Handle) {
    let mut failures = 0_u32;
    let mut known = None;
    loop {
        let State::Running { since } = container.snapshot().state else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        if known != Some(since) {
            // Each start has its own time to get going.
            known = Some(since);
            failures = 0;
            tokio::time::sleep(question.delay.max(question.every)).await;
            continue;
        }
        failures = if probe::ask(&question).await {
            0
        } else {
            failures.saturating_add(1)
        };
        if failures >= question.failures {
            tracing::warn!("a liveness probe fails; the container is started anew");
            container.restart();
            failures = 0;
        }
        tokio::time::sleep(question.every).await;
    }
}
