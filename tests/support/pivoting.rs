//! Two API servers between which clusters are moved, and movers that are killed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
};
use lattice::{
    clusters::pivot::{
        ClusterName, Observed, PivotError, Port, Refusal, Request, Response, Side, View,
        apply::{Direct, Options, pivot},
        canonical::graph_digest,
        decide::Outcome,
        deed::{deed_key, owner},
        graph::Graph,
        object::Key,
        observe,
        pause::is_paused,
        view::cluster_key,
    },
    operator::control_plane::ControlPlane,
};
use serde_json::json;
use tokio::sync::Notify;

use super::{cluster_api::install_cluster_api, fleet::install_kinds};

/// An API server with the kinds of Cluster API and of the local provider.
pub struct Place {
    plane: ControlPlane,
    pub client: Client,
    /// For movers: what they know of each other's doings is nothing, but the kinds, which are large, are read once.
    pub end: Arc<Direct>,
    folder: tempfile::TempDir,
}

impl Place {
    pub async fn start() -> Self {
        let place = Self::again(tempfile::tempdir().unwrap()).await;
        install_cluster_api(&place.client).await;
        install_kinds(&place.client).await;
        place
    }

    /// Starts what was stopped in a folder.
    pub async fn again(folder: tempfile::TempDir) -> Self {
        let plane = ControlPlane::start(super::options(folder.path()))
            .await
            .unwrap();
        let client = plane.client().await.unwrap();
        Self {
            plane,
            end: Arc::new(Direct::new(client.clone())),
            client,
            folder,
        }
    }

    pub fn kubeconfig(&self) -> std::path::PathBuf {
        self.plane.kubeconfig_path()
    }

    pub async fn stop(self) -> tempfile::TempDir {
        self.plane.stop().await.unwrap();
        self.folder
    }
}

/// What a mover of these tests waits: as little as possible.
pub fn options() -> Options {
    Options {
        poll: std::time::Duration::from_millis(1),
        acknowledged_within: std::time::Duration::from_secs(20),
        retries: 4,
    }
}

/// The two ends of one move, and how far it has come.
pub struct Road {
    pub source: Arc<Direct>,
    pub target: Arc<Direct>,
    pub clients: (Client, Client),
    pub cluster: ClusterName,
    writes: AtomicU64,
    /// The write after which the mover is killed.
    killed_after: u64,
    killed: Notify,
    /// Whether somebody asks after every write who owns the cluster, or only after those that could change it.
    suspicious: bool,
    asked: AtomicU64,
}

impl Road {
    pub fn new(from: &Client, to: &Client, cluster: &ClusterName, suspicious: bool) -> Self {
        Self {
            source: Arc::new(Direct::new(from.clone())),
            target: Arc::new(Direct::new(to.clone())),
            clients: (from.clone(), to.clone()),
            cluster: cluster.clone(),
            writes: AtomicU64::new(0),
            killed_after: u64::MAX,
            killed: Notify::new(),
            suspicious,
            asked: AtomicU64::new(0),
        }
    }

    /// The same road for somebody who knows the kinds of both sides.
    pub fn knowing(self, source: &Arc<Direct>, target: &Arc<Direct>) -> Self {
        Self {
            source: Arc::clone(source),
            target: Arc::clone(target),
            ..self
        }
    }

    /// The same road for somebody who is killed after so many writes, and has never been on it.
    pub fn killed_after(&self, writes: u64) -> Self {
        Self {
            killed_after: writes,
            ..Self::new(
                &self.clients.0,
                &self.clients.1,
                &self.cluster,
                self.suspicious,
            )
            .knowing(&self.source, &self.target)
        }
    }

    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// How often it was asked who owns the cluster.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Moves to the end. `None` if whoever moved was killed.
    pub async fn go(&self) -> Option<Result<Outcome, PivotError>> {
        let ends = (self.end(Side::Source), self.end(Side::Target));
        let options = options();
        tokio::select! {
            biased;
            () = self.killed.notified() => None,
            end = pivot(&ends.0, &ends.1, &self.cluster, &options) => Some(end),
        }
    }

    fn end(&self, side: Side) -> End<'_> {
        End { road: self, side }
    }

    /// Everything on both sides.
    pub async fn look(&self) -> Observed {
        let both = observe(&*self.source, &*self.target, &self.cluster).await;
        both.unwrap()
    }

    /// Who owns the cluster, after a check that the other side may not act on it.
    pub async fn owner(&self) -> Side {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (source, target) = tokio::join!(
            glance(&self.clients.0, &self.cluster),
            glance(&self.clients.1, &self.cluster)
        );
        let seen = Observed {
            cluster: self.cluster.clone(),
            source,
            target,
        };
        let deeds = (
            seen.deed(Side::Source).unwrap(),
            seen.deed(Side::Target).unwrap(),
        );
        let owner = owner(deeds.0.as_ref(), deeds.1.as_ref());
        let other = match owner {
            Side::Source => &seen.target,
            Side::Target => &seen.source,
        };
        let acting = other.objects.get(&cluster_key(&self.cluster));
        assert!(
            acting.is_none_or(is_paused),
            "the {owner} owns {}, and the other side acts on it",
            self.cluster
        );
        owner
    }

    async fn note(&self, about: &Key) {
        let number = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        let matters = *about == cluster_key(&self.cluster) || *about == deed_key(&self.cluster);
        if self.suspicious || matters || number == self.killed_after {
            self.owner().await;
        }
        if number == self.killed_after {
            self.killed.notify_one();
            // Never gets its answer.
            std::future::pending::<()>().await;
        }
    }

    /// Stands in for the controllers of the source: says of each object that it has paused. Real managers do this in the
    /// tests that run machines.
    async fn stand_in_acknowledges(&self, view: &View) {
        let client = &self.clients.0;
        let cluster = view.objects.get(&cluster_key(&self.cluster));
        if !cluster.is_some_and(is_paused) {
            return;
        }
        for (key, object) in &view.objects {
            let reports = key.group.ends_with("cluster.x-k8s.io")
                && object.0.get("status").is_some()
                && !key.kind.ends_with("Template")
                && !key.kind.starts_with("ClusterResourceSet");
            let said = object.condition("Paused").is_some_and(|said| {
                said["observedGeneration"] == object.0["metadata"]["generation"]
            });
            if !reports || said {
                continue;
            }
            let mut conditions = object.list("/status/conditions").to_vec();
            conditions.retain(|condition| condition["type"] != "Paused");
            conditions.push(json!({
                "type": "Paused",
                "status": "True",
                "reason": "Paused",
                "message": "Cluster spec.paused is set to true",
                "observedGeneration": object.0["metadata"]["generation"],
                "lastTransitionTime": "2026-11-21T00:00:00Z",
            }));
            let patch = Patch::Merge(json!({"status": {"conditions": conditions}}));
            let kind = view.kind(key).unwrap();
            let gvk = GroupVersionKind::gvk(&kind.group, &kind.version, &kind.kind);
            let resource = ApiResource::from_gvk_with_plural(&gvk, &kind.plural);
            Api::<DynamicObject>::namespaced_with(client.clone(), &key.namespace, &resource)
                .patch_status(&key.name, &PatchParams::default(), &patch)
                .await
                .unwrap();
        }
    }
}

/// One end of a road.
struct End<'a> {
    road: &'a Road,
    side: Side,
}

impl Port for End<'_> {
    async fn call(&self, request: Request) -> Result<Response, Refusal> {
        let about = match &request {
            Request::View(_) => None,
            Request::Create { object, .. }
            | Request::Replace { object, .. }
            | Request::ReplaceStatus { object, .. } => Some(object.key()),
            Request::Delete { key, .. } => Some(key.clone()),
        };
        let direct = match self.side {
            Side::Source => &self.road.source,
            Side::Target => &self.road.target,
        };
        let answer = direct.call(request).await;
        match (&answer, about) {
            (Ok(_), Some(about)) => self.road.note(&about).await,
            // Only what is seen after this is acknowledged: the first look has to wait.
            (Ok(Response::View(view)), None) if self.side == Side::Source => {
                self.road.stand_in_acknowledges(view).await;
            }
            _ => {}
        }
        answer
    }
}

/// Only what says who owns a cluster and who acts on it.
pub async fn glance(client: &Client, cluster: &ClusterName) -> View {
    let get = async |group: &str, version: &str, key: Key| {
        let gvk = GroupVersionKind::gvk(group, version, &key.kind);
        let resource = ApiResource::from_gvk(&gvk);
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &key.namespace, &resource);
        let found = api.get_opt(&key.name).await.unwrap();
        found.map(|found| serde_json::from_value(serde_json::to_value(found).unwrap()).unwrap())
    };
    let deed = get("", "v1", deed_key(cluster));
    let object = get("cluster.x-k8s.io", "v1beta2", cluster_key(cluster));
    let (deed, object) = tokio::join!(deed, object);
    View::new(cluster, Vec::new(), object, Default::default(), deed)
}

/// The digest of what a side holds, and the names of it.
pub fn held(side: Side, seen: &Observed) -> (String, Vec<Key>) {
    let view = seen.side(side);
    let graph = Graph::of(side, view, &seen.cluster).unwrap();
    let mut keys: Vec<Key> = graph.moved().cloned().collect();
    keys.sort();
    (graph_digest(&graph, view), keys)
}

/// Machines and what they run on.
pub fn machines(side: Side, seen: &Observed) -> Vec<(String, String, String)> {
    let objects = seen.side(side).objects.iter();
    let machines = objects.filter(|(key, _)| key.kind == "Machine");
    machines
        .map(|(key, machine)| {
            let text = |pointer: &str| machine.text(pointer).to_owned();
            (
                key.name.clone(),
                text("/spec/providerID"),
                text("/status/nodeRef/name"),
            )
        })
        .collect()
}

/// Objects of one cluster's namespace that a side still holds.
pub fn leftovers(side: Side, seen: &Observed) -> Vec<Key> {
    let keys = seen.side(side).objects.keys();
    keys.filter(|key| key.namespace == seen.cluster.namespace && key.name != "kube-root-ca.crt")
        .cloned()
        .collect()
}
