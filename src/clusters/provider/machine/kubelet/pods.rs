//! All pods of a machine that run as processes, held against what they should be.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::super::{MachineError, spec::MachineSpec};
use super::contents::Source;
use super::pod::{RunningPod, refresh, unstarted};
use super::static_pods::mark;
use super::status::{self, Place};

const TRY_AGAIN: Duration = Duration::from_secs(3);
const REFRESH: Duration = Duration::from_secs(300);

/// The API server as the node sees it.
pub(super) struct Server<'a> {
    pub(super) client: &'a Client,
    /// Host and port under which pods find it.
    pub(super) address: (String, String),
    /// The node's pods, by namespace and name.
    pub(super) shown: &'a BTreeMap<(String, String), Pod>,
}

/// The pods that run as processes, by uid.
pub(super) struct Pods {
    spec: MachineSpec,
    folder: PathBuf,
    all: BTreeMap<String, Entry>,
}

struct Entry {
    pod: Pod,
    place: Place,
    since: Timestamp,
    stage: Stage,
    sent: Option<Value>,
    /// When it is to be tried again, or refreshed.
    next: Instant,
}

enum Stage {
    Unstarted(String),
    Running(RunningPod),
    Stopping(JoinHandle<()>),
}

impl Pods {
    pub(super) fn new(spec: &MachineSpec, folder: &Path) -> Self {
        Self {
            spec: spec.clone(),
            folder: folder.to_owned(),
            all: BTreeMap::new(),
        }
    }

    /// Starts what kubeadm has written, and ends what it has removed or changed.
    pub(super) fn sync_static(&mut self, files: &BTreeMap<String, Pod>) {
        let wanted: BTreeSet<&String> = files.values().filter_map(mark).collect();
        for entry in self.all.values_mut() {
            if mark(&entry.pod).is_some_and(|hash| !wanted.contains(hash)) {
                entry.stop();
            }
        }
        for pod in files.values() {
            let Some(hash) = mark(pod) else { continue };
            // The successor of a changed pod needs its predecessor's ports.
            let occupied = self
                .all
                .values()
                .any(|entry| entry.pod.name_any() == pod.name_any());
            if self.all.contains_key(hash) || occupied {
                continue;
            }
            let running = RunningPod::start_static(pod, &self.spec, &self.folder);
            let place = Place {
                host: self.spec.address,
                pod: self.spec.address,
            };
            let entry = Entry::new(pod.clone(), place, Stage::Running(running));
            self.all.insert(hash.clone(), entry);
        }
    }

    /// Starts and ends pods as the API server has them.
    pub(super) async fn sync_real(&mut self, api: &Server<'_>) {
        let wanted: BTreeMap<String, &Pod> = api
            .shown
            .values()
            .filter(|pod| mark(pod).is_none() && super::command::is_known(pod, &self.spec.images))
            .filter(|pod| !is_over(pod))
            .filter_map(|pod| Some((pod.uid()?, pod)))
            .collect();
        for (uid, entry) in &mut self.all {
            if mark(&entry.pod).is_some() {
                continue;
            }
            match wanted.get(uid) {
                Some(pod) => {
                    entry.pod = (*pod).clone();
                    if pod.metadata.deletion_timestamp.is_some() {
                        entry.stop();
                    }
                }
                None => entry.stop(),
            }
        }
        for (uid, pod) in wanted {
            if self.all.contains_key(&uid) {
                continue;
            }
            let Some(place) = self.place(pod) else {
                continue;
            };
            let entry = Entry::new(pod.clone(), place, Stage::Unstarted(String::new()));
            self.all.insert(uid, entry);
        }
        for entry in self.all.values_mut() {
            entry.advance(api, &self.spec, &self.folder).await;
        }
    }

    /// Forgets what has ended, and lets the API server forget it too.
    pub(super) async fn sweep(&mut self, api: Option<&Server<'_>>) {
        let ended =
            |entry: &Entry| matches!(&entry.stage, Stage::Stopping(task) if task.is_finished());
        let gone: Vec<String> = self
            .all
            .iter()
            .filter(|(_, entry)| ended(entry))
            .map(|(uid, _)| uid.clone())
            .collect();
        for uid in gone {
            let Some(entry) = self.all.remove(&uid) else {
                continue;
            };
            let folder = self.folder.join("pods").join(&uid);
            // A pod without volumes has none.
            let _ = std::fs::remove_dir_all(folder);
            if let (None, Some(api)) = (mark(&entry.pod), api) {
                report("let go of a pod", release(api.client, &entry.pod).await);
            }
        }
    }

    /// Says of each pod what has changed since it was last said.
    pub(super) async fn tell(&mut self, api: &Server<'_>) {
        for entry in self.all.values_mut() {
            let key = (
                entry.pod.namespace().unwrap_or_default(),
                entry.pod.name_any(),
            );
            let Some(shown) = api.shown.get(&key) else {
                continue;
            };
            let same = match mark(&entry.pod) {
                Some(hash) => mark(shown) == Some(hash),
                None => shown.uid() == entry.pod.uid(),
            };
            if same {
                entry.tell(api.client, shown).await;
            }
        }
    }

    /// The machine's address, or a free one of its own range.
    fn place(&self, pod: &Pod) -> Option<Place> {
        let host = self.spec.address;
        if pod.spec.as_ref().and_then(|spec| spec.host_network) == Some(true) {
            return Some(Place { host, pod: host });
        }
        let used: BTreeSet<Ipv4Addr> = self.all.values().map(|entry| entry.place.pod).collect();
        let range = 1_u32 << (32 - u32::from(self.spec.own_bits));
        let first = u32::from(host);
        let last = (first | (range - 1)).checked_sub(1)?;
        (first + 1..=last)
            .map(Ipv4Addr::from)
            .find(|address| !used.contains(address))
            .map(|pod| Place { host, pod })
    }
}

impl Entry {
    fn new(pod: Pod, place: Place, stage: Stage) -> Self {
        Self {
            pod,
            place,
            since: Timestamp::now(),
            stage,
            sent: None,
            next: Instant::now(),
        }
    }

    fn stop(&mut self) {
        if matches!(self.stage, Stage::Stopping(_)) {
            return;
        }
        let nothing = Stage::Unstarted(String::new());
        let task = match std::mem::replace(&mut self.stage, nothing) {
            Stage::Running(running) => tokio::spawn(running.stop()),
            Stage::Unstarted(_) => tokio::spawn(async {}),
            Stage::Stopping(task) => task,
        };
        self.stage = Stage::Stopping(task);
    }

    /// Starts it if it does not run, and refreshes its volumes if it does.
    async fn advance(&mut self, api: &Server<'_>, spec: &MachineSpec, folder: &Path) {
        if mark(&self.pod).is_some() || Instant::now() < self.next {
            return;
        }
        let source = Source {
            client: api.client,
            pod: &self.pod,
            place: self.place,
            api_server: api.address.clone(),
        };
        match &self.stage {
            Stage::Unstarted(_) => match RunningPod::start_real(&source, spec, folder).await {
                Ok(running) => {
                    self.since = running.since;
                    self.stage = Stage::Running(running);
                    self.next = Instant::now() + REFRESH;
                }
                Err(error) => {
                    self.stage = Stage::Unstarted(error.to_string());
                    self.next = Instant::now() + TRY_AGAIN;
                }
            },
            Stage::Running(_) => {
                report("refresh a pod's volumes", refresh(&source, folder).await);
                self.next = Instant::now() + REFRESH;
            }
            Stage::Stopping(_) => {}
        }
    }

    async fn tell(&mut self, client: &Client, shown: &Pod) {
        let seen = match &self.stage {
            Stage::Running(running) => running.seen(),
            Stage::Unstarted(message) => unstarted(&self.pod, message),
            Stage::Stopping(_) => return,
        };
        let status = status::status(shown, &seen, self.place, self.since);
        if self.sent.as_ref() == Some(&status)
            && shown
                .status
                .as_ref()
                .is_some_and(|s| s.phase.as_deref() != Some("Pending"))
        {
            return;
        }
        let pods: Api<Pod> =
            Api::namespaced(client.clone(), &shown.namespace().unwrap_or_default());
        let patch = json!({"metadata": {"uid": shown.uid()}, "status": status});
        let told = pods
            .patch_status(
                &shown.name_any(),
                &PatchParams::default(),
                &Patch::Strategic(&patch),
            )
            .await
            .map_err(MachineError::api(format!(
                "write the status of the pod {}",
                shown.name_any()
            )));
        if told.is_ok() {
            self.sent = Some(status);
        }
        report("tell a pod's status", told.map(drop));
    }
}

fn is_over(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed")) && pod.metadata.deletion_timestamp.is_none()
}

/// Removes a pod whose processes have ended.
async fn release(client: &Client, pod: &Pod) -> Result<(), MachineError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
    let now = DeleteParams {
        grace_period_seconds: Some(0),
        preconditions: Some(Preconditions {
            uid: pod.uid(),
            resource_version: None,
        }),
        ..DeleteParams::default()
    };
    match pods.delete(&pod.name_any(), &now).await {
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        other => other.map(drop).map_err(MachineError::api(format!(
            "delete the pod {}",
            pod.name_any()
        ))),
    }
}

/// What goes wrong is tried again with the next round.
pub(super) fn report(what: &str, result: Result<(), MachineError>) {
    if let Err(error) = result {
        tracing::warn!(error = &error as &dyn std::error::Error, what, "not done");
    }
}
