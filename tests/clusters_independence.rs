//! A service without a cluster, on an empty host: the operator decides, Cluster API makes the machines, the cluster takes
//! over its own management, and its parent may go. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::{Node, Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
};
use lattice::operator::{control_plane::ControlPlane, install};
use serde_json::json;
use support::{
    awaited::until,
    fleet,
    local_cloud::{Cloud, Place},
    managers,
};

const PLACE: Place = Place {
    bridge: "lattest1",
    subnet: "10.220.0.0/16",
    host: "10.220.0.1",
};
const PATIENCE: Duration = Duration::from_secs(420);
const LATTICE: &str = "lattice-system";

fn capi(client: &Client, kind: &str) -> Api<DynamicObject> {
    let resource =
        ApiResource::from_gvk(&GroupVersionKind::gvk("cluster.x-k8s.io", "v1beta2", kind));
    Api::all_with(client.clone(), &resource)
}

async fn start_operator(cloud: &mut Cloud, kubeconfig: &Path) {
    let words = [
        "operator",
        "--kubeconfig",
        &kubeconfig.display().to_string(),
        "--identity",
        "parent",
        "--http",
        "127.0.0.1:0",
        "--bootstrap-listen",
        &format!("{}:8444", PLACE.host),
        "--bootstrap-host",
        PLACE.host,
        "--image",
        "registry.example.com/lattice:1",
        "--cell-listen",
        &format!("{}:8443", PLACE.host),
    ];
    cloud.run("operator", &words.map(str::to_owned));
}

async fn names(client: &Client, kind: &str) -> Vec<String> {
    let listed = capi(client, kind).list(&ListParams::default()).await;
    let items = listed.unwrap().items;
    items.iter().map(ResourceExt::name_any).collect()
}

/// Workers whose machine runs and whose node is ready.
async fn workers(child: &Client) -> Option<Vec<String>> {
    let params = ListParams::default().labels("cluster.x-k8s.io/deployment-name");
    let machines = capi(child, "Machine").list(&params).await.ok()?;
    let nodes: Api<Node> = Api::all(child.clone());
    let mut running = Vec::new();
    for machine in &machines {
        let node = machine.data["status"]["nodeRef"]["name"].as_str();
        let Some(node) = node.filter(|_| machine.data["status"]["phase"] == "Running") else {
            continue;
        };
        let node = nodes.get_opt(node).await.ok()?;
        let conditions = node.and_then(|node| node.status?.conditions);
        let is_ready = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        if is_ready {
            running.push(machine.name_any());
        }
    }
    Some(running)
}

/// Says in the cluster itself how many workers it is to have.
async fn scale(child: &Client, name: &str, workers: u32) {
    let clusters: Api<lattice::api::LatticeCluster> = Api::all(child.clone());
    let mut groups = clusters.get(name).await.unwrap().spec.nodes.groups;
    assert_eq!(groups.len(), 1);
    groups[0].count = workers;
    let patch = json!({"spec": {"nodes": {"groups": groups}}});
    clusters
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
}

/// Leaves the parent no way into the cluster but the cluster's agent: what it keeps names a port where nobody is. That it has the
/// right one again is something that it can only have read in the cluster.
async fn close_the_front_door(parent: &Client, name: &str, cloud: &Cloud) {
    until("the agent is there", PATIENCE, parent, cloud, async || {
        let cluster = fleet::get(parent, "LatticeCluster", name).await?;
        let said = fleet::condition(&cluster, "AgentConnected");
        said.starts_with("True").then_some(())
    })
    .await;
    let secrets: Api<Secret> = Api::namespaced(parent.clone(), LATTICE);
    let secret = format!("child-{name}");
    let kept = async || {
        let data = secrets.get(&secret).await.unwrap().data.unwrap();
        String::from_utf8(data["value"].0.clone()).unwrap()
    };
    let right = kept().await;
    let wrong: Vec<String> = (right.lines())
        .map(|line| match line.split_once("server: ") {
            Some((before, _)) => format!("{before}server: https://{}:9", PLACE.host),
            None => line.to_owned(),
        })
        .collect();
    assert_ne!(wrong.join("\n"), right.trim_end());
    let patch = json!({"stringData": {"value": wrong.join("\n")}});
    let params = PatchParams::default();
    secrets
        .patch(&secret, &params, &Patch::Merge(&patch))
        .await
        .unwrap();
    until(
        "the way in is known again",
        PATIENCE,
        parent,
        cloud,
        async || (kept().await == right).then_some(()),
    )
    .await;
}

/// Says in the cluster itself that it has a child, which comes about, manages itself, and goes.
async fn make_a_grandchild(child: &Client, cloud: &Cloud, name: &str) {
    let clusters: Api<lattice::api::LatticeCluster> = Api::all(child.clone());
    let cell = json!({"spec": {"cell": {"enabled": true}}});
    let patched = clusters
        .patch(name, &PatchParams::default(), &Patch::Merge(&cell))
        .await
        .unwrap();
    let before = names(child, "Machine").await;
    let mut spec = serde_json::to_value(&patched.spec).unwrap();
    spec["cellRef"] = json!(name);
    spec.as_object_mut().unwrap().remove("cell");
    let grandchild = json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": "LatticeCluster",
        "metadata": {"name": "grandchild"},
        "spec": spec,
    });
    fleet::apply(child, &grandchild).await;
    until(
        "the grandchild is ready",
        PATIENCE,
        child,
        cloud,
        async || {
            let grandchild = fleet::get(child, "LatticeCluster", "grandchild").await?;
            (grandchild["status"]["phase"] == "Ready").then_some(())
        },
    )
    .await;
    assert_eq!(names(child, "Cluster").await, [name]);
    assert_eq!(names(child, "Machine").await, before);
    let secrets: Api<Secret> = Api::namespaced(child.clone(), LATTICE);
    let kept = secrets.get("child-grandchild").await.unwrap();
    let itself = managers::reached_by(&kept.data.unwrap()["value"].0).await;
    assert_eq!(names(&itself, "Cluster").await, ["grandchild"]);
    fleet::delete(child, "LatticeCluster", None, "grandchild").await;
    until(
        "the grandchild is gone",
        PATIENCE,
        child,
        cloud,
        async || {
            let found = clusters.get_opt("grandchild").await.ok()?;
            found.is_none().then_some(())
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_manages_itself_and_needs_no_parent() {
    let begun = Instant::now();
    let folder = tempfile::tempdir().unwrap();
    let plane = || ControlPlane::start(support::options(folder.path()));
    let parent = plane().await.unwrap();
    let client = parent.client().await.unwrap();
    install::install(&client).await.unwrap();
    let mut cloud = Cloud::start(PLACE);
    let kubeconfig = parent.kubeconfig_path();
    let managing = managers::start(&client, &kubeconfig, folder.path(), PLACE.host).await;
    start_operator(&mut cloud, &kubeconfig).await;
    cloud.ask_for_a_service(&client).await;

    let name = until(
        "the cluster is ready",
        PATIENCE,
        &client,
        &cloud,
        async || {
            let clusters = fleet::list(&client, "LatticeCluster").await.items;
            let cluster = clusters.first()?;
            (cluster.data["status"]["phase"] == "Ready").then(|| cluster.name_any())
        },
    )
    .await;
    println!(
        "from nothing to a cluster that manages itself: {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    for kind in ["Cluster", "Machine", "MachineDeployment", "MachineSet"] {
        assert_eq!(names(&client, kind).await, Vec::<String>::new(), "{kind}");
    }
    let secrets: Api<Secret> = Api::namespaced(client.clone(), LATTICE);
    let kept = secrets.get(&format!("child-{name}")).await.unwrap();
    let child = managers::reached_by(&kept.data.unwrap()["value"].0).await;
    assert_eq!(names(&child, "Cluster").await, [name.as_str()]);
    let machines = names(&child, "Machine").await;
    until(
        "the cluster knows itself",
        PATIENCE,
        &child,
        &cloud,
        async || {
            let own = fleet::get(&child, "LatticeCluster", &name).await?;
            (own["status"]["phase"] == "Ready").then_some(())
        },
    )
    .await;
    assert_eq!(
        names(&child, "Machine").await,
        machines,
        "none was made anew"
    );
    close_the_front_door(&client, &name, &cloud).await;

    cloud.kill_the_rest();
    drop(managing);
    parent.stop().await.unwrap();
    println!("the parent is gone");
    let before = workers(&child).await.unwrap();
    scale(&child, &name, 2).await;
    let grown = until("the cluster grows", PATIENCE, &child, &cloud, async || {
        workers(&child).await.filter(|workers| workers.len() == 2)
    })
    .await;
    assert!(before.iter().all(|worker| grown.contains(worker)));
    let lost = before[0].clone();
    cloud.told(&["stop", &lost]);
    until(
        "a lost worker is replaced",
        PATIENCE,
        &child,
        &cloud,
        async || {
            let running = workers(&child).await?;
            let is_gone = capi(&child, "Machine")
                .list(&ListParams::default())
                .await
                .ok()?
                .iter()
                .all(|machine| machine.name_any() != lost);
            (is_gone && running.len() == 2).then_some(())
        },
    )
    .await;

    make_a_grandchild(&child, &cloud, &name).await;

    // The parent comes back, and the service goes: so does the cluster.
    let parent = plane().await.unwrap();
    let client = parent.client().await.unwrap();
    let kubeconfig = parent.kubeconfig_path();
    let _managing = managers::start(&client, &kubeconfig, folder.path(), PLACE.host).await;
    start_operator(&mut cloud, &kubeconfig).await;
    fleet::delete(&client, "LatticeService", Some("default"), "api").await;
    until(
        "the cluster is gone",
        PATIENCE,
        &client,
        &cloud,
        async || {
            let clusters = fleet::list(&client, "LatticeCluster").await.items;
            clusters.is_empty().then_some(())
        },
    )
    .await;
    assert_eq!(cloud.told(&["machines"]), "No machines.\n");
    assert_eq!(PLACE.cables(), Vec::<String>::new());
    assert!(secrets_of(&client, &name).await.is_empty());
    parent.stop().await.unwrap();
    println!("all of it: {:.1} s", begun.elapsed().as_secs_f64());
}

/// Secrets of the operator that are about a cluster.
async fn secrets_of(client: &Client, name: &str) -> Vec<String> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), LATTICE);
    let listed = secrets.list(&ListParams::default()).await.unwrap();
    let names = listed.items.iter().map(ResourceExt::name_any);
    names
        .filter(|secret| *secret == format!("child-{name}"))
        .collect()
}
