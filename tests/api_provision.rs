//! Clusters on a real API server with Cluster API's real CRDs. Its controllers are stood in for by this test, which
//! writes into statuses what they would.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use lattice::operator::{bootstrap, decision_log::ensure_namespace, install, run};
use serde_json::{Value, json};
use support::{cluster_api, fleet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

fn capi(client: &Client, kind: &str, namespace: &str) -> Api<DynamicObject> {
    let group = match kind {
        "KubeadmControlPlane" => "controlplane.cluster.x-k8s.io",
        _ => "cluster.x-k8s.io",
    };
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1beta2", kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

async fn names(api: &Api<DynamicObject>) -> Vec<String> {
    let found = api.list(&Default::default()).await.unwrap();
    let names = found
        .items
        .into_iter()
        .filter(|o| o.metadata.deletion_timestamp.is_none());
    names.map(|object| object.metadata.name.unwrap()).collect()
}

/// What the cluster is said to have come to: phase, then the condition.
async fn progress(client: &Client, name: &str) -> String {
    let Some(cluster) = fleet::get(client, "LatticeCluster", name).await else {
        return "gone".to_owned();
    };
    let phase = cluster["status"]["phase"].as_str().unwrap_or_default();
    format!("{phase} {}", fleet::condition(&cluster, "Provisioned"))
}

/// Waits for a progress that begins like this.
async fn comes_to(client: &Client, name: &str, beginning: &str) -> String {
    let mut last = String::new();
    for _ in 0..300 {
        last = progress(client, name).await;
        if last.starts_with(beginning) {
            return last;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("{name} came to `{last}`, not to `{beginning}`");
}

/// Stands in for Cluster API's controllers.
async fn say(client: &Client, name: &str, status: Value) {
    let clusters = capi(client, "Cluster", &format!("capi-{name}"));
    let patch = json!({"status": status});
    let params = PatchParams::default();
    clusters
        .patch_status(name, &params, &Patch::Merge(&patch))
        .await
        .unwrap();
}

fn condition(type_: &str, status: &str, message: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": "StandIn", "message": message,
        "lastTransitionTime": "2026-11-21T12:00:00Z",
    })
}

fn pool(name: &str, provider: &str, credentials: Option<&str>) -> Value {
    let mut pool = json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": "LatticePool",
        "metadata": {"name": name},
        "spec": {
            "provider": {"type": provider, "region": "here"},
            "nodeClasses": ["little", "large"],
        },
    });
    if let Some(secret) = credentials {
        pool["spec"]["provider"]["credentials"] = json!({"secretRef": secret});
    }
    pool
}

fn class(name: &str, cores: u32) -> Value {
    json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": "LatticeNodeClass",
        "metadata": {"name": name},
        "spec": {
            "providers": {"aws": {"instanceType": "m5.large"}},
            "resources": {"cores": cores, "memoryGi": 8},
            "costPerHour": {"local": 0.01, "aws": 0.1},
        },
    })
}

fn cluster(name: &str, pool: &str, provider: &str, groups: Value) -> Value {
    json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": "LatticeCluster",
        "metadata": {"name": name},
        "spec": {
            "poolRef": pool,
            "provider": {"type": provider, "kubernetes": {"version": "1.34.1"}},
            "nodes": {"controlPlane": 1, "controlPlaneClass": "little", "groups": groups},
        },
    })
}

async fn with_fleet(client: &Client) {
    cluster_api::install_cluster_api(client).await;
    install::install(client).await.unwrap();
    ensure_namespace(client).await.unwrap();
    for object in [
        pool("home", "local", None),
        class("little", 2),
        class("large", 8),
    ] {
        fleet::apply(client, &object).await;
    }
}

/// One after the other, for there is one API server, and one operator leads.
#[tokio::test]
async fn clusters_come_change_and_go() {
    let control_plane = support::control_plane().await;
    let client = &control_plane.client;
    with_fleet(client).await;
    a_declared_cluster_comes_changes_and_goes(client).await;
    credentials_and_the_first_call_are_where_machines_find_them(client).await;
}

async fn a_declared_cluster_comes_changes_and_goes(client: &Client) {
    let operator = fleet::Running::start(client, "one");

    let groups = json!([{"nodeClass": "little", "count": 2}, {"nodeClass": "large", "count": 1}]);
    fleet::apply(client, &cluster("east", "home", "local", groups)).await;
    comes_to(client, "east", "Provisioning False").await;
    let deployments = capi(client, "MachineDeployment", "capi-east");
    let control_planes = capi(client, "KubeadmControlPlane", "capi-east");
    fleet::eventually("all objects", || async {
        let there = (
            names(&deployments).await.len(),
            names(&control_planes).await.len(),
        );
        (there == (2, 1)).then_some(())
    })
    .await;
    let object = fleet::get(client, "LatticeCluster", "east").await.unwrap();
    let finalizers = object["metadata"]["finalizers"].as_array().unwrap();
    assert!(
        finalizers.contains(&json!("lattice.dev/machines")),
        "{finalizers:?}"
    );

    // What is waited for is told in Cluster API's words.
    let waiting = condition("InfrastructureReady", "False", "no addresses left");
    say(client, "east", json!({"conditions": [waiting]})).await;
    let text = comes_to(client, "east", "Provisioning False MachinesComing").await;
    assert!(
        text.ends_with("InfrastructureReady: no addresses left"),
        "{text}"
    );
    let arrived = json!({
        "initialization": {"infrastructureProvisioned": true, "controlPlaneInitialized": true},
        "controlPlane": {"readyReplicas": 1},
        "workers": {"readyReplicas": 3},
        "conditions": [condition("Available", "True", "")],
    });
    say(client, "east", arrived).await;
    comes_to(client, "east", "Ready True Available").await;
    let object = fleet::get(client, "LatticeCluster", "east").await.unwrap();
    assert_eq!(object["status"]["nodes"], json!({"ready": 4, "total": 4}));

    templates_go_that_nothing_is_made_from(client).await;

    // A person's field is theirs; a node group that is wanted no more goes.
    let one = names(&deployments).await.remove(0);
    let paused = json!({"spec": {"paused": true}});
    let params = PatchParams::default();
    deployments
        .patch(&one, &params, &Patch::Merge(&paused))
        .await
        .unwrap();
    let groups = json!([{"nodeClass": "little", "count": 5}]);
    fleet::apply(client, &cluster("east", "home", "local", groups)).await;
    let left = fleet::eventually("one deployment of five", || async {
        let mut left = deployments.list(&Default::default()).await.unwrap().items;
        left.retain(|object| object.metadata.deletion_timestamp.is_none());
        (left.len() == 1 && left[0].data["spec"]["replicas"] == 5).then(|| left.remove(0))
    })
    .await;
    if left.metadata.name.as_deref() == Some(one.as_str()) {
        assert_eq!(left.data["spec"]["paused"], true);
    }

    // A spec that cannot be told to Cluster API: named, and what runs is left alone.
    let groups = json!([{"nodeClass": "missing", "count": 5}]);
    fleet::apply(client, &cluster("east", "home", "local", groups)).await;
    let text = comes_to(client, "east", "Ready True InvalidSpec").await;
    assert!(
        text.contains("there is no LatticeNodeClass `missing`"),
        "{text}"
    );
    assert_eq!(names(&deployments).await.len(), 1);

    // Deleted: it goes once its machines are gone, and not before.
    let clusters = capi(client, "Cluster", "capi-east");
    let held = json!({"metadata": {"finalizers": ["cluster.cluster.x-k8s.io"]}});
    clusters
        .patch("east", &params, &Patch::Merge(&held))
        .await
        .unwrap();
    fleet::delete(client, "LatticeCluster", None, "east").await;
    fleet::eventually("Cluster API to be asked", || async {
        let found = clusters.get("east").await.unwrap();
        found.metadata.deletion_timestamp.map(|_| ())
    })
    .await;
    assert_ne!(progress(client, "east").await, "gone");
    let free = json!({"metadata": {"finalizers": null}});
    clusters
        .patch("east", &params, &Patch::Merge(&free))
        .await
        .unwrap();
    comes_to(client, "east", "gone").await;
    operator.stop().await;
}

/// A node class changes, and with it the templates. The old ones go once nothing uses them, and only Lattice's own.
async fn templates_go_that_nothing_is_made_from(client: &Client) {
    let gvk = GroupVersionKind::gvk(
        "infrastructure.cluster.x-k8s.io",
        "v1alpha1",
        "LocalMachineTemplate",
    );
    let templates: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), "capi-east", &ApiResource::from_gvk(&gvk));
    let sets = capi(client, "MachineSet", "capi-east");
    let deployments = capi(client, "MachineDeployment", "capi-east");
    let found = deployments.list(&Default::default()).await.unwrap().items;
    let of_large = |deployment: &&DynamicObject| {
        let name = deployment.metadata.name.as_deref().unwrap();
        name.ends_with("large")
    };
    let large = found.iter().find(of_large).unwrap();
    let spec = &large.data["spec"];
    let used = spec["template"]["spec"]["infrastructureRef"]["name"].as_str();
    let used = used.unwrap().to_owned();

    // Stands in for Cluster API: machines of the old kind are still there. And a person has a template of their own.
    let labels = json!({"cluster.x-k8s.io/cluster-name": "east"});
    let set = json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2",
        "kind": "MachineSet",
        "metadata": {"name": "east-large-old", "namespace": "capi-east", "labels": labels},
        "spec": {
            "clusterName": "east",
            "replicas": 1,
            "selector": spec["selector"],
            "template": spec["template"],
        },
    });
    fleet::apply(client, &set).await;
    let template = |name: &str, labels: &Value| {
        json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
            "kind": "LocalMachineTemplate",
            "metadata": {"name": name, "namespace": "capi-east", "labels": labels},
            "spec": {"template": {"spec": {"instanceType": "own"}}},
        })
    };
    fleet::apply(client, &template("own", &labels)).await;
    fleet::apply(client, &class("large", 16)).await;
    let all = fleet::eventually("a new template", || async {
        let all = names(&templates).await;
        let of_large = all.iter().filter(|name| name.starts_with("east-large"));
        (of_large.count() == 2).then_some(all)
    })
    .await;
    let of_lattice = json!({"lattice.dev/cluster": "east"});
    fleet::apply(client, &template("forgotten", &of_lattice)).await;
    let left = fleet::eventually("what nobody uses to go", || async {
        let all = names(&templates).await;
        (!all.contains(&"forgotten".to_owned())).then_some(all)
    })
    .await;
    assert_eq!(left, all, "used, wanted or a person's");

    sets.delete("east-large-old", &Default::default())
        .await
        .unwrap();
    let left = fleet::eventually("the old template to go", || async {
        let all = names(&templates).await;
        (!all.contains(&used)).then_some(all)
    })
    .await;
    let rest: Vec<String> = all.into_iter().filter(|name| *name != used).collect();
    assert_eq!(left, rest);
}

async fn credentials_and_the_first_call_are_where_machines_find_them(client: &Client) {
    let kinds = [
        "AWSCluster",
        "AWSClusterStaticIdentity",
        "AWSMachineTemplate",
    ];
    cluster_api::install_providers(client, &kinds).await;
    fleet::apply(client, &pool("cloud", "aws", Some("keys"))).await;
    let stop = CancellationToken::new();
    let options = lattice::operator::Options {
        bootstrap: Some(bootstrap::Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            hosts: vec!["127.0.0.1".to_owned()],
            endpoint: "127.0.0.1:8443".to_owned(),
            image: "lattice:1".to_owned(),
        }),
        ..fleet::options("one")
    };
    let running = tokio::spawn(run(client.clone(), options, stop.clone()));

    let mut west = cluster(
        "west",
        "cloud",
        "aws",
        json!([{"nodeClass": "large", "count": 1}]),
    );
    west["spec"]["cellRef"] = json!("root");
    fleet::apply(client, &west).await;
    let text = comes_to(client, "west", "Failed False CredentialsMissing").await;
    assert!(text.contains("Secret keys"), "{text}");
    let clusters = capi(client, "Cluster", "capi-west");
    assert_eq!(names(&clusters).await, Vec::<String>::new());

    let secrets: Api<Secret> = Api::namespaced(client.clone(), "lattice-system");
    let keys = json!({"metadata": {"name": "keys"}, "stringData": {"AccessKeyID": "a", "SecretAccessKey": "b"}});
    let keys = serde_json::from_value(keys).unwrap();
    secrets.create(&PostParams::default(), &keys).await.unwrap();
    comes_to(client, "west", "Provisioning False").await;
    fleet::eventually("the Cluster", || async {
        (names(&clusters).await == ["west"]).then_some(())
    })
    .await;
    let there: Api<Secret> = Api::namespaced(client.clone(), "capi-west");
    let registration = there.get("west-registration").await.unwrap().data.unwrap();
    let mut keys: Vec<&str> = registration.keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["ca.crt", "token", "url"]);

    // Made once: the machine that reads it now is admitted later.
    let serving = json!({
        "initialization": {"controlPlaneInitialized": true},
        "conditions": [condition("Available", "True", "")],
    });
    say(client, "west", serving).await;
    comes_to(client, "west", "Provisioning False NotRegistered").await;
    let again = there.get("west-registration").await.unwrap().data.unwrap();
    assert_eq!(again, registration);

    // What Cluster API does not know of goes with the cluster, and nobody else's.
    let copies: Api<Secret> = Api::namespaced(client.clone(), "capa-system");
    let theirs = ListParams::default().labels("lattice.dev/cluster=west");
    assert_eq!(copies.list(&theirs).await.unwrap().items.len(), 1);
    let own = json!({"metadata": {"name": "own"}, "stringData": {"a": "b"}});
    let own = serde_json::from_value(own).unwrap();
    there.create(&PostParams::default(), &own).await.unwrap();
    fleet::delete(client, "LatticeCluster", None, "west").await;
    comes_to(client, "west", "gone").await;
    assert!(copies.list(&theirs).await.unwrap().items.is_empty());
    let left = there.list(&ListParams::default()).await.unwrap().items;
    let left: Vec<_> = left.iter().map(ResourceExt::name_any).collect();
    assert_eq!(left, ["own"]);
    stop.cancel();
    running.await.unwrap().unwrap();
}
