//! A cluster of local machines from an empty host to nothing left: Cluster API's own managers, unmodified
//! kubeadm, real etcd and API servers. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{fs, process::Command, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{
        ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams,
        PostParams,
    },
};
use lattice::operator::install;
use serde_json::{Value, json};
use support::{
    awaited, control_plane,
    local_cloud::{Cloud, Place},
    managers,
};

const NAMESPACE: &str = "fleet";
const PLACE: Place = Place {
    bridge: "lattest0",
    subnet: "10.219.0.0/16",
    host: "10.219.0.1",
};
const PATIENCE: Duration = Duration::from_secs(300);
const CORE: &str = "cluster.x-k8s.io/v1beta2";
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io/v1alpha1";

fn kind(version: &str, kind: &str) -> ApiResource {
    let (group, version) = version.split_once('/').unwrap();
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

fn api(client: &Client, version: &str, name: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), NAMESPACE, &kind(version, name))
}

fn condition(object: &DynamicObject, name: &str) -> (String, String) {
    let conditions = object.data.pointer("/status/conditions");
    let conditions = conditions
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let found = conditions
        .iter()
        .find(|condition| condition["type"] == name);
    let text = |field: &str| {
        found
            .and_then(|c| c[field].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    (text("status"), text("reason"))
}

/// Waits for it.
async fn until(what: &str, client: &Client, cloud: &Cloud, mut holds: impl AsyncFnMut() -> bool) {
    let look = async || holds().await.then_some(());
    awaited::until(what, PATIENCE, client, cloud, look).await;
}

async fn list(client: &Client, version: &str, name: &str) -> Vec<DynamicObject> {
    let listed = api(client, version, name)
        .list(&ListParams::default())
        .await;
    listed.unwrap().items
}

/// The workers that run and whose nodes are known.
async fn running_workers(client: &Client) -> Vec<String> {
    let workers = ListParams::default().labels("pool=shop");
    let machines = api(client, CORE, "Machine").list(&workers).await.unwrap();
    let runs = |machine: &&DynamicObject| {
        machine.data["status"]["phase"] == "Running"
            && machine.data["status"]["nodeRef"]["name"].is_string()
    };
    machines
        .iter()
        .filter(runs)
        .map(ResourceExt::name_any)
        .collect()
}

async fn scale(client: &Client, replicas: u32) {
    let patch = json!({"spec": {"replicas": replicas}});
    api(client, CORE, "MachineDeployment")
        .patch("shop", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
}

async fn apply(client: &Client, cloud: &Cloud, version: &str) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": NAMESPACE}})).unwrap();
    namespaces
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
    let secret: Secret =
        serde_saphyr::from_str(&cloud.told(&["secret", "--namespace", NAMESPACE])).unwrap();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    let text = include_str!("data/clusters/local.yaml").replace("VERSION", version);
    for document in text.split("\n---\n") {
        let object: DynamicObject = serde_saphyr::from_str(document).unwrap();
        let types = object.types.clone().unwrap();
        api(client, &types.api_version, &types.kind)
            .create(&PostParams::default(), &object)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", types.kind));
    }
}

/// A client for the cluster, as anybody gets it who may read its kubeconfig.
async fn child(client: &Client) -> Client {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let secret = secrets.get("shop-kubeconfig").await.unwrap();
    managers::reached_by(&secret.data.unwrap()["value"].0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_local_machines_lives_and_leaves_nothing() {
    let parent = control_plane().await;
    let client = &parent.client;
    install::install(client).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut cloud = Cloud::start(PLACE);
    let _managers = managers::start(client, &parent.kubeconfig, folder.path(), PLACE.host).await;
    let kubeconfig = parent.kubeconfig.display().to_string();
    let data = cloud.folder().display().to_string();
    let words = [
        "cloud",
        "--data",
        &data,
        "controller",
        "--kubeconfig",
        &kubeconfig,
    ];
    cloud.run("controller", &words.map(str::to_owned));
    apply(client, &cloud, &managers::version()).await;

    until("the cluster is available", client, &cloud, async || {
        let cluster = api(client, CORE, "Cluster").get("shop").await.unwrap();
        condition(&cluster, "Available").0 == "True" && running_workers(client).await.len() == 1
    })
    .await;
    let maps: Api<ConfigMap> = Api::namespaced(child(client).await, "default");
    let greeting = maps.get("greeting").await.expect("postKubeadmCommands ran");
    assert!(greeting.data.unwrap()["from"].starts_with("shop-"));

    cloud.kill_daemon();
    maps.get("greeting").await.expect_err("nobody forwards");
    // As if it had been killed while it plugged them in.
    for cable in PLACE.cables() {
        let mut ip = Command::new("ip");
        let pulled = ip.args(["link", "set", &cable, "nomaster"]).status();
        assert!(pulled.unwrap().success(), "{cable}");
    }
    cloud.serve();
    until("the cluster is reached again", client, &cloud, async || {
        maps.get("greeting").await.is_ok()
    })
    .await;

    let lost = running_workers(client).await.remove(0);
    cloud.told(&["stop", &lost]);
    until("a lost worker is replaced", client, &cloud, async || {
        let running = running_workers(client).await;
        running.len() == 1
            && running[0] != lost
            && api(client, CORE, "Machine")
                .get_opt(&lost)
                .await
                .unwrap()
                .is_none()
    })
    .await;

    cloud.told(&["admit", "default", "--machines", "2"]);
    scale(client, 2).await;
    until("a refused machine says why", client, &cloud, async || {
        let machines = list(client, INFRASTRUCTURE, "LocalMachine").await;
        machines.iter().any(|machine| {
            condition(machine, "Ready") == ("False".to_owned(), "QuotaExceeded".to_owned())
        })
    })
    .await;
    cloud.told(&["admit", "default"]);
    until("two workers run", client, &cloud, async || {
        running_workers(client).await.len() == 2
    })
    .await;

    api(client, CORE, "Cluster")
        .delete("shop", &DeleteParams::default())
        .await
        .unwrap();
    until("the cluster is gone", client, &cloud, async || {
        let gone = api(client, CORE, "Cluster")
            .get_opt("shop")
            .await
            .unwrap()
            .is_none();
        gone && list(client, INFRASTRUCTURE, "LocalMachine")
            .await
            .is_empty()
    })
    .await;
    assert_eq!(cloud.told(&["machines"]), "No machines.\n");
    assert_eq!(PLACE.cables(), Vec::<String>::new());
    let left = fs::read_dir(cloud.folder().join("machines"))
        .unwrap()
        .count();
    assert_eq!(left, 0, "folders are left");
}
