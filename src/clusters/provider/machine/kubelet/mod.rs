//! A stand-in for kubelet: it is to kubeadm, to the control plane and to Cluster API what a kubelet is, and
//! runs programs of the host where a kubelet would run containers.
//!
//! Pods whose images it knows, kubeadm's static pods among them, it runs as processes. All others kwok
//! pretends to run, which also keeps the node's heartbeat.

mod command;
mod container;
mod contents;
mod fixtures;
mod health;
mod join;
mod kwok;
mod node;
mod pod;
mod pods;
mod probe;
mod rights;
mod settings;
mod static_pods;
mod status;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::reflector::{self, Store};
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};

use self::container::Container;
use self::pods::{Pods, Server, report};
use self::settings::Settings;
use super::{MachineError, spec::MachineSpec};

/// kubeadm starts a kubelet when these are there.
const CONFIGURATION: &str = "/var/lib/kubelet/config.yaml";
const FLAGS: &str = "/var/lib/kubelet/kubeadm-flags.env";
const ROUND: Duration = Duration::from_millis(500);
/// How often it is seen to that the node is there.
const NODE_EVERY: Duration = Duration::from_secs(10);

/// Plays kubelet until the machine is switched off.
pub(super) async fn run(spec: &MachineSpec, folder: &Path) -> Result<(), MachineError> {
    let mut kubelet = Kubelet {
        spec: spec.clone(),
        folder: folder.to_owned(),
        pods: Pods::new(spec, folder),
        settings: None,
        connection: None,
        node_due: Instant::now(),
        kwok: None,
        granted: false,
    };
    let rounds = async {
        loop {
            kubelet.round().await;
            tokio::time::sleep(ROUND).await;
        }
    };
    tokio::select! {
        result = health::serve() => result,
        () = rounds => Ok(()),
    }
}

struct Kubelet {
    spec: MachineSpec,
    folder: PathBuf,
    pods: Pods,
    settings: Option<Settings>,
    connection: Option<Connection>,
    node_due: Instant,
    kwok: Option<Container>,
    granted: bool,
}

/// What a node that has its credentials works with.
struct Connection {
    client: Client,
    address: (String, String),
    pods: Store<Pod>,
    node: Option<Node>,
    _watch: tokio::task::JoinHandle<()>,
}

impl Kubelet {
    async fn round(&mut self) {
        if self.settings.is_none() && Path::new(CONFIGURATION).exists() {
            self.settings = std::fs::read_to_string(FLAGS)
                .ok()
                .map(|text| Settings::parse(&text));
        }
        let Some(settings) = self.settings.clone() else {
            return;
        };
        let node = settings
            .hostname_override
            .clone()
            .unwrap_or_else(|| self.spec.name.to_lowercase());
        let files = static_pods::read(Path::new(static_pods::FOLDER), &node);
        self.pods.sync_static(&files);
        if self.connection.is_none() {
            match connect(&node).await {
                Ok(connection) => self.connection = connection,
                Err(error) => report("connect to the API server", Err(error)),
            }
        }
        let Some(connection) = &mut self.connection else {
            self.pods.sweep(None).await;
            return;
        };
        if Instant::now() >= self.node_due {
            if !self.granted {
                let granted = rights::grant().await;
                self.granted = granted.is_ok();
                report("let nodes see nodes and pods", granted);
            }
            match register(&connection.client, &node, &self.spec, &settings).await {
                Ok(found) => {
                    connection.node = Some(found);
                    self.node_due = Instant::now() + NODE_EVERY;
                }
                Err(error) => {
                    report("register the node", Err(error));
                    return;
                }
            }
        }
        let shown = by_name(&connection.pods);
        if let Some(own) = &connection.node {
            report(
                "mirror static pods",
                mirror(&connection.client, &files, &shown, own).await,
            );
        }
        let server = Server {
            client: &connection.client,
            address: connection.address.clone(),
            shown: &shown,
        };
        self.pods.sync_real(&server).await;
        self.pods.tell(&server).await;
        self.pods.sweep(Some(&server)).await;
        if self.kwok.is_none() {
            match kwok::launch(&node, &self.spec, &self.folder) {
                Ok(launch) => self.kwok = Some(Container::start(launch)),
                Err(error) => report("start kwok", Err(error)),
            }
        }
    }
}

fn by_name(pods: &Store<Pod>) -> BTreeMap<(String, String), Pod> {
    pods.state()
        .iter()
        .map(|pod| {
            let key = (pod.namespace().unwrap_or_default(), pod.name_any());
            (key, Pod::clone(pod))
        })
        .collect()
}

/// A connection, once the node has credentials or can get them.
async fn connect(node: &str) -> Result<Option<Connection>, MachineError> {
    let path = Path::new(join::KUBECONFIG);
    if !path.exists() {
        if !Path::new(join::BOOTSTRAP).exists() {
            return Ok(None);
        }
        join::bootstrap(node).await?;
    }
    let (client, address) = join::client(path).await?;
    let (pods, writer) = reflector::store();
    let own = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    let api: Api<Pod> = Api::all(client.clone());
    let mut changes = reflector::reflector(writer, watcher::watcher(api, own)).boxed();
    let watch = tokio::spawn(async move {
        while let Some(change) = changes.next().await {
            if let Err(error) = change {
                tracing::debug!(%error, "the watch of pods is made anew");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    });
    Ok(Some(Connection {
        client,
        address,
        pods,
        node: None,
        _watch: watch,
    }))
}

/// Makes the node if it is not there.
async fn register(
    client: &Client,
    name: &str,
    spec: &MachineSpec,
    settings: &Settings,
) -> Result<Node, MachineError> {
    let nodes: Api<Node> = Api::all(client.clone());
    let action = || MachineError::api(format!("register the node {name}"));
    if let Some(found) = nodes.get_opt(name).await.map_err(action())? {
        return Ok(found);
    }
    let node = node::node(name, spec, settings)?;
    nodes
        .create(&PostParams::default(), &node)
        .await
        .map_err(action())
}

/// Makes the API server show the static pods as they are.
async fn mirror(
    client: &Client,
    files: &BTreeMap<String, Pod>,
    shown: &BTreeMap<(String, String), Pod>,
    node: &Node,
) -> Result<(), MachineError> {
    let mirrors = shown
        .values()
        .filter(|pod| static_pods::mark(pod).is_some());
    for pod in mirrors {
        let current = files
            .get(&pod.name_any())
            .is_some_and(|file| static_pods::is_mirrored(file, pod));
        if !current {
            let pods: Api<Pod> =
                Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default());
            let now = DeleteParams::default().grace_period(0);
            let gone = pods.delete(&pod.name_any(), &now).await;
            unless_overtaken(gone.map(drop), "delete a mirror")?;
        }
    }
    for (name, pod) in files {
        let namespace = pod.namespace().unwrap_or_default();
        if shown.contains_key(&(namespace.clone(), name.clone())) {
            continue;
        }
        let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let object = serde_json::from_value(static_pods::mirror(pod, node))
            .map_err(|error| MachineError::Pod(error.to_string()))?;
        let made = pods.create(&PostParams::default(), &object).await;
        unless_overtaken(made.map(drop), "make a mirror")?;
    }
    Ok(())
}

/// Somebody may have been quicker; the watch will tell.
fn unless_overtaken(result: Result<(), kube::Error>, action: &str) -> Result<(), MachineError> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        other => other.map_err(MachineError::api(action)),
    }
}
