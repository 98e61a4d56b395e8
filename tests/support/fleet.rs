//! Fleets of objects on a real API server, and what becomes of them.

use std::{
    future::Future,
    path::Path,
    time::{Duration, Instant},
};

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, ObjectList, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{Scope, pinned_kind},
};
use lattice::{
    api::{self, LatticeCluster},
    operator::{Options, decision_log::Reader, install, run},
    placement::record::DecisionRecord,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How an operator of a test runs: quick, and without pages.
pub fn options(identity: &str) -> Options {
    Options {
        identity: identity.to_owned(),
        lease_seconds: Some(4),
        quiet: Duration::from_millis(50),
        ..Options::default()
    }
}

/// An operator in this process.
pub struct Running {
    pub stop: CancellationToken,
    pub task: JoinHandle<()>,
}

impl Running {
    pub fn start(client: &Client, identity: &str) -> Self {
        let stop = CancellationToken::new();
        let operating = run(client.clone(), options(identity), stop.clone());
        let task = tokio::spawn(async move { operating.await.unwrap() });
        Self { stop, task }
    }

    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

pub async fn install_kinds(client: &Client) {
    install::install(client).await.unwrap();
}

/// Applies a document. The error is the API server's.
pub async fn try_apply(client: &Client, document: &Value) -> Result<DynamicObject, kube::Error> {
    let object: DynamicObject = serde_json::from_value(document.clone()).unwrap();
    let kind = GroupVersionKind::try_from(object.types.as_ref().unwrap()).unwrap();
    let (resource, capabilities) = pinned_kind(client, &kind).await?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    let name = object.metadata.name.clone().unwrap();
    let params = PatchParams::apply("test").force();
    api.patch(&name, &params, &Patch::Apply(&object)).await
}

pub async fn apply(client: &Client, document: &Value) {
    try_apply(client, document).await.unwrap();
}

/// Applies every manifest of a folder of the examples.
pub async fn apply_example(client: &Client, folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(folder);
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            for document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
                apply(client, &document).await;
            }
        }
    }
}

/// All objects of a kind.
pub async fn list(client: &Client, kind: &str) -> ObjectList<DynamicObject> {
    try_list(client, kind).await.unwrap()
}

/// The same from an API server that may not answer.
pub async fn try_list(client: &Client, kind: &str) -> kube::Result<ObjectList<DynamicObject>> {
    all(client, kind).list(&ListParams::default()).await
}

fn all(client: &Client, kind: &str) -> Api<DynamicObject> {
    let kind = api::kind(kind).unwrap();
    let gvk = GroupVersionKind::gvk(api::GROUP, api::VERSION, &kind.name);
    let resource = ApiResource::from_gvk_with_plural(&gvk, &kind.plural);
    Api::all_with(client.clone(), &resource)
}

/// One object as JSON.
pub async fn get(client: &Client, kind: &str, name: &str) -> Option<Value> {
    let found = list(client, kind).await.items.into_iter();
    found
        .filter(|object| object.metadata.name.as_deref() == Some(name))
        .map(|object| serde_json::to_value(object).unwrap())
        .next()
}

/// The same from an API server that may not answer.
pub async fn try_get(client: &Client, kind: &str, name: &str) -> Option<Value> {
    let found = all(client, kind).get_opt(name).await.ok()??;
    Some(serde_json::to_value(found).unwrap())
}

/// The condition of a type, as `status reason message`.
pub fn condition(object: &Value, type_: &str) -> String {
    let conditions = object["status"]["conditions"].as_array();
    let found = conditions
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == type_);
    found.map_or(String::new(), |condition| {
        format!(
            "{} {} {}",
            condition["status"].as_str().unwrap(),
            condition["reason"].as_str().unwrap(),
            condition["message"].as_str().unwrap_or_default()
        )
    })
}

/// What the clusters are said to have come to.
pub async fn progress(client: &Client) -> String {
    let Ok(listed) = try_list(client, "LatticeCluster").await else {
        return "no answer".to_owned();
    };
    let each = listed.iter().map(|cluster| {
        let value = serde_json::to_value(cluster).unwrap();
        let phase = value["status"]["phase"].as_str().unwrap_or("-");
        format!("{phase} {}", condition(&value, "Provisioned"))
    });
    each.collect::<Vec<_>>().join("; ")
}

/// Waits until the question has an answer.
///
/// # Panics
/// If it has none after half a minute.
pub async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "waited for {what}"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// The last decision of the log.
pub async fn last_decision(client: &Client) -> Option<(u64, DecisionRecord)> {
    let reader = Reader::new(client.clone());
    let head = reader.head().await.unwrap()?;
    let entry = head.last()?;
    // A decision may fall off the list between the two questions.
    Some((entry.id, reader.record(entry).await.ok()?))
}

/// Whether every object has a status about its current spec, and the last decision is about these services.
pub async fn settled(client: &Client) -> Option<()> {
    for kind in [
        "LatticeService",
        "LatticePool",
        "LatticeNodeClass",
        "LatticePlacementPolicy",
    ] {
        for object in list(client, kind).await {
            let observed = &object.data["status"]["observedGeneration"];
            if observed.as_i64() != object.metadata.generation {
                return None;
            }
        }
    }
    let (_, record) = last_decision(client).await?;
    let mut services: Vec<String> = list(client, "LatticeService")
        .await
        .into_iter()
        .map(|object| {
            let meta = object.metadata;
            format!("{}/{}", meta.namespace.unwrap(), meta.name.unwrap())
        })
        .collect();
    services.sort();
    let decided = record.snapshot.services.iter().map(|s| s.id.to_string());
    if !decided.eq(services) {
        return None;
    }
    let mut clusters: Vec<String> = list(client, "LatticeCluster")
        .await
        .into_iter()
        .map(|object| object.metadata.name.unwrap())
        .collect();
    clusters.sort();
    let live = record.solution.live().map(|d| d.cluster.name.clone());
    live.eq(clusters).then_some(())
}

pub fn pool(name: &str, region: &str, nodes: u32) -> Value {
    json!({
        "apiVersion": api::API_VERSION,
        "kind": "LatticePool",
        "metadata": {"name": name},
        "spec": {
            "provider": {"type": "aws", "region": region},
            "capacity": {"maxNodes": nodes},
            "budget": {"maxMonthlyCost": 5000},
            "nodeClasses": ["small", "large"],
            "labels": {"tier": "production"},
        },
    })
}

pub fn node_class(name: &str, cores: u32, price: f64) -> Value {
    json!({
        "apiVersion": api::API_VERSION,
        "kind": "LatticeNodeClass",
        "metadata": {"name": name},
        "spec": {
            "providers": {"aws": {"instanceType": format!("m5.{name}")}},
            "resources": {"cores": cores, "memoryGi": cores * 4},
            "costPerHour": {"aws": price},
        },
    })
}

pub fn service(name: &str, replicas: u32, cores: &str) -> Value {
    json!({
        "apiVersion": api::API_VERSION,
        "kind": "LatticeService",
        "metadata": {"name": name, "namespace": "default", "labels": {"env": "test"}},
        "spec": {
            "containers": {"main": {"image": "example.com/app:1"}},
            "placement": {
                "pools": {"matchLabels": {"tier": "production"}},
                "resources": {"cores": cores, "memoryGi": 1},
            },
            "replicas": {"min": replicas, "max": replicas + 5},
        },
    })
}

pub fn policy(regions: u32) -> Value {
    json!({
        "apiVersion": api::API_VERSION,
        "kind": "LatticePlacementPolicy",
        "metadata": {"name": "test"},
        "spec": {
            "selector": {"matchLabels": {"env": "test"}},
            "requirements": {"minRegions": regions},
            "clusterPolicy": {"maxNodes": 6, "controlPlane": {"replicas": 0}},
        },
    })
}

/// Deletes an object, if it is there.
pub async fn delete(client: &Client, kind: &str, namespace: Option<&str>, name: &str) {
    let kind = api::kind(kind).unwrap();
    let gvk = GroupVersionKind::gvk(api::GROUP, api::VERSION, &kind.name);
    let resource = kube::api::ApiResource::from_gvk_with_plural(&gvk, &kind.plural);
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let _ = api.delete(name, &Default::default()).await;
}

/// A cluster that is declared, and nothing made of it.
pub async fn cluster(client: &Client, name: &str) -> LatticeCluster {
    let document = json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": "LatticeCluster",
        "metadata": {"name": name},
        "spec": {
            "provider": {"kubernetes": {"version": "1.34.1"}, "config": {"aws": {"region": "us-west-1"}}},
            "nodes": {"controlPlane": 1},
        },
    });
    apply(client, &document).await;
    Api::all(client.clone()).get(name).await.unwrap()
}
