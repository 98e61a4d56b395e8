//! One cluster, moved by Cluster API's own `clusterctl move` and by our pivot between real API servers: both make the
//! same of it, but for what is listed here.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Instant,
};

use futures::{StreamExt, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
};
use lattice::clusters::pivot::{
    ClusterName,
    decide::Outcome,
    kind::{CLUSTERCTL_LABEL, MOVE_LABEL},
};
use serde_json::{Value, json};
use support::{
    cluster_graph::{RENDERER, plant},
    fleet,
    managers::program,
    pivoting::{Place, Road},
};
use tokio::process::Command;

const NAMESPACE: &str = "fleet";
const CLUSTER: &str = "c1";
const CORE: &str = "cluster.x-k8s.io/v1beta2";
const BOOTSTRAP: &str = "bootstrap.cluster.x-k8s.io/v1beta2";
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io/v1alpha1";
const CONTROL_PLANE: &str = "controlplane.cluster.x-k8s.io/v1beta2";

/// What clusterctl leaves behind and we move: no owner leads to it, and yet it is the cluster's, by its label or because the
/// cluster refers to it, as to a template between the moment it is made and the one in which Cluster API adopts it.
const OURS_ALONE: [&str; 3] = [
    "ConfigMap notes",
    "KubeadmConfigTemplate spare",
    "LocalMachineTemplate spare",
];
/// Who owns the cluster is written down beside it.
const DEED: &str = "ConfigMap c1-pivot";
/// Copies say where they come from, so that they are told from what was there before.
const ORIGIN: &str = "lattice.dev/pivot-origin";
/// What is nobody's, and neither moves.
const UNRELATED: [&str; 3] = [
    "ConfigMap unrelated",
    "LocalMachineTemplate unrelated",
    "Secret unrelated",
];

/// Everything in the namespace that a move could be about, by kind and name, as the API server has it.
type Holdings = BTreeMap<String, Value>;

async fn holdings(client: &Client) -> Holdings {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let labelled = ListParams::default().labels(CLUSTERCTL_LABEL);
    let crds = crds.list(&labelled).await.unwrap();
    let mut kinds: Vec<ApiResource> = ["Secret", "ConfigMap"]
        .map(|kind| ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind)))
        .into();
    for crd in crds.items.into_iter().map(|crd| crd.spec) {
        let stored = crd.versions.iter().find(|version| version.storage).unwrap();
        if crd.scope == "Namespaced" {
            let gvk = GroupVersionKind::gvk(&crd.group, &stored.name, &crd.names.kind);
            kinds.push(ApiResource::from_gvk_with_plural(&gvk, &crd.names.plural));
        }
    }
    assert!(kinds.len() > 20, "{kinds:#?}");
    let lists = stream::iter(kinds).map(|resource| async move {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), NAMESPACE, &resource);
        let listed = api.list(&ListParams::default()).await.unwrap();
        let named = listed.items.into_iter().map(move |object| {
            let name = format!(
                "{} {}",
                resource.kind,
                object.metadata.name.as_ref().unwrap()
            );
            (name, serde_json::to_value(object).unwrap())
        });
        named.collect::<Vec<_>>()
    });
    let lists: Vec<_> = lists.buffer_unordered(8).collect().await;
    let mut found: Holdings = lists.into_iter().flatten().collect();
    found.remove("ConfigMap kube-root-ca.crt");
    found
}

/// What copies have in common: all but what an API server gives each object anew, and the status. Owners are named.
fn comparable(holdings: &Holdings) -> Holdings {
    let names: BTreeMap<&str, &str> = holdings
        .iter()
        .map(|(name, object)| (object["metadata"]["uid"].as_str().unwrap(), name.as_str()))
        .collect();
    let compared = |object: &Value| {
        let mut object = object.clone();
        object.as_object_mut().unwrap().remove("status");
        let metadata = object["metadata"].as_object_mut().unwrap();
        for field in [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "generation",
            "managedFields",
        ] {
            metadata.remove(field);
        }
        let owners = metadata.get_mut("ownerReferences");
        if let Some(owners) = owners.and_then(Value::as_array_mut) {
            for owner in owners.iter_mut() {
                let uid = owner["uid"].as_str().unwrap();
                owner["uid"] = json!(names.get(uid).copied().unwrap_or(uid));
            }
            owners.sort_by_key(ToString::to_string);
        }
        object
    };
    let objects = holdings.iter();
    objects
        .map(|(name, object)| (name.clone(), compared(object)))
        .collect()
}

/// The same of what we have moved, without what is ours. It has to be there.
fn without_ours(mut holdings: Holdings) -> Holdings {
    assert!(holdings.remove(DEED).is_some(), "no deed");
    for (name, object) in &mut holdings {
        let annotations = object["metadata"]["annotations"].as_object_mut().unwrap();
        assert!(annotations.remove(ORIGIN).is_some(), "{name}");
        if annotations.is_empty() {
            object["metadata"]
                .as_object_mut()
                .unwrap()
                .remove("annotations");
        }
    }
    holdings
}

/// A status as it moves: not which generation it is of, and not whether a controller has paused here.
fn carried(object: &Value) -> Value {
    let mut status = object["status"].clone();
    if let Some(status) = status.as_object_mut() {
        status.remove("observedGeneration");
    }
    if let Some(conditions) = status["conditions"].as_array_mut() {
        conditions.retain(|condition| condition["type"] != "Paused");
        for condition in conditions {
            condition
                .as_object_mut()
                .unwrap()
                .remove("observedGeneration");
        }
    }
    status
}

fn names<'a>(holdings: impl IntoIterator<Item = &'a String>) -> BTreeSet<&'a str> {
    holdings.into_iter().map(String::as_str).collect()
}

/// Says how two holdings differ, object by object.
fn same(theirs: &Holdings, ours: &Holdings) {
    assert_eq!(names(theirs.keys()), names(ours.keys()), "objects");
    for (name, object) in theirs {
        assert_eq!(object, &ours[name], "{name}: clusterctl's, and ours");
    }
}

/// The inventory that `clusterctl init` would leave.
async fn take_inventory(client: &Client) {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "capi-system"}});
    fleet::apply(client, &namespace).await;
    for (name, type_, version) in [
        ("cluster-api", "CoreProvider", "v1.13.6"),
        ("kubeadm", "BootstrapProvider", "v1.13.6"),
        ("kubeadm", "ControlPlaneProvider", "v1.13.6"),
        ("local", "InfrastructureProvider", "v0.1.0"),
    ] {
        let provider = json!({
            "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3",
            "kind": "Provider",
            "metadata": {"name": format!("{name}-{}", type_.to_lowercase()), "namespace": "capi-system"},
            "providerName": name,
            "type": type_,
            "version": version,
        });
        fleet::apply(client, &provider).await;
    }
}

async fn clusterctl_move(from: &Path, to: &Path) {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(program("clusterctl"))
        .args(["move", "--namespace", NAMESPACE, "--kubeconfig"])
        .arg(from)
        .arg("--to-kubeconfig")
        .arg(to)
        .env_remove("KUBECONFIG")
        .env("HOME", home.path())
        .env("XDG_CONFIG_HOME", home.path())
        .env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true")
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A cluster with a class, with objects that it only refers to, and others that are nobody's beside it.
async fn make(client: &Client) {
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    fleet::apply(client, &namespace).await;
    plant(client, NAMESPACE, CLUSTER).await;
    let object = |api_version: &str, kind: &str, name: &str, owner: Option<&Value>| {
        let owners: Vec<Value> = owner.map(reference).into_iter().collect();
        json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {"name": name, "namespace": NAMESPACE, "ownerReferences": owners},
        })
    };
    let with = |mut object: Value, field: &str, value: Value| {
        object[field] = value;
        object
    };
    let machine = json!({"template": {"spec": {"instanceType": "small", "cores": 2}}});
    let config = json!({"template": {"spec": {"format": "cloud-config"}}});

    let template = |kind: &str, api_version: &str| json!({"templateRef": {"apiVersion": api_version, "kind": kind, "name": "usual"}});
    let class = with(
        object(CORE, "ClusterClass", "usual", None),
        "spec",
        json!({
            "infrastructure": template("LocalClusterTemplate", INFRASTRUCTURE),
            "controlPlane": template("KubeadmControlPlaneTemplate", CONTROL_PLANE),
        }),
    );
    let class = applied(client, &class).await;
    let status = json!({"status": {"observedGeneration": 1, "conditions": [{
        "type": "VariablesReady", "status": "True", "reason": "VariablesReady", "message": "",
        "observedGeneration": 1, "lastTransitionTime": "2026-11-21T00:00:00Z",
    }]}});
    let classes = api(client, CORE, "ClusterClass");
    let (params, patch) = (PatchParams::default(), Patch::Merge(&status));
    classes
        .patch_status("usual", &params, &patch)
        .await
        .unwrap();
    let parts = json!({"template": {"spec": {"kubeadmConfigSpec": {"format": "cloud-config"}}}});
    let of_class = object(
        CONTROL_PLANE,
        "KubeadmControlPlaneTemplate",
        "usual",
        Some(&class),
    );
    applied(client, &with(of_class, "spec", parts)).await;
    let of_class = object(
        INFRASTRUCTURE,
        "LocalMachineTemplate",
        "usual",
        Some(&class),
    );
    applied(client, &with(of_class, "spec", machine.clone())).await;
    let topology = Patch::Merge(
        json!({"spec": {"topology": {"classRef": {"name": "usual"}, "version": "v1.36.3"}}}),
    );
    let clusters = api(client, CORE, "Cluster");
    let cluster = clusters.patch(CLUSTER, &params, &topology).await.unwrap();
    let cluster = serde_json::to_value(cluster).unwrap();

    for name in ["spare", "unrelated"] {
        let own = object(INFRASTRUCTURE, "LocalMachineTemplate", name, None);
        applied(client, &with(own, "spec", machine.clone())).await;
    }
    let own = object(BOOTSTRAP, "KubeadmConfigTemplate", "spare", None);
    applied(client, &with(own, "spec", config)).await;
    let labels = json!({"cluster.x-k8s.io/cluster-name": CLUSTER, "pool": "spare"});
    let refers = |group: &str, kind: &str| json!({"apiGroup": group.split('/').next(), "kind": kind, "name": "spare"});
    let spare = json!({
        "clusterName": CLUSTER,
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {
            "clusterName": CLUSTER,
            "version": "v1.36.3",
            "bootstrap": {"configRef": refers(BOOTSTRAP, "KubeadmConfigTemplate")},
            "infrastructureRef": refers(INFRASTRUCTURE, "LocalMachineTemplate"),
        }},
    });
    let spare = with(
        object(CORE, "MachineDeployment", "spare", Some(&cluster)),
        "spec",
        spare,
    );
    applied(client, &spare).await;
    let status = Patch::Merge(json!({"status": {"replicas": 0}}));
    let deployments = api(client, CORE, "MachineDeployment");
    let patched = deployments.patch_status("spare", &params, &status).await;
    patched.unwrap();
    let mut notes = with(
        object("v1", "ConfigMap", "notes", None),
        "data",
        json!({"a": "b"}),
    );
    notes["metadata"]["labels"] = json!({"cluster.x-k8s.io/cluster-name": CLUSTER});
    applied(client, &notes).await;
    for kind in ["Secret", "ConfigMap"] {
        applied(client, &object("v1", kind, "unrelated", None)).await;
    }
    // It moves for its own sake, with every finalizer that it has.
    let mut held = with(
        object("v1", "ConfigMap", "held", None),
        "data",
        json!({"a": "b"}),
    );
    held["metadata"]["labels"] = json!({MOVE_LABEL: ""});
    held["metadata"]["finalizers"] = json!(["example.com/held"]);
    applied(client, &held).await;
}

fn reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    })
}

async fn applied(client: &Client, object: &Value) -> Value {
    let made = fleet::try_apply(client, object).await;
    serde_json::to_value(made.unwrap_or_else(|error| panic!("{object}: {error}"))).unwrap()
}

fn api(client: &Client, api_version: &str, kind: &str) -> Api<DynamicObject> {
    let (group, version) = api_version.split_once('/').unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(client.clone(), NAMESPACE, &resource)
}

/// Whether who once applied an annotation can take it away by leaving it out.
async fn lets_go_of_fields(client: &Client) -> bool {
    let deployments = api(client, CORE, "MachineDeployment");
    let name = format!("{CLUSTER}-small");
    let held = deployments.get(&name).await.unwrap();
    assert!(
        held.metadata
            .annotations
            .unwrap()
            .contains_key("example.com/team")
    );
    let again = json!({
        "apiVersion": CORE,
        "kind": "MachineDeployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": held.data["spec"],
    });
    let params = PatchParams::apply(RENDERER).force();
    let now = deployments
        .patch(&name, &params, &Patch::Apply(&again))
        .await;
    let annotations = now.unwrap().metadata.annotations.unwrap_or_default();
    !annotations.contains_key("example.com/team")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clusterctl_moves_we_move_the_same() {
    let begun = Instant::now();
    let (home, ours, theirs) = tokio::join!(Place::start(), Place::start(), Place::start());
    println!("three API servers: {:.1} s", begun.elapsed().as_secs_f64());

    make(&home.client).await;
    let before = holdings(&home.client).await;
    let cluster = ClusterName::new(NAMESPACE, CLUSTER);
    let road = Road::new(&home.client, &ours.client, &cluster, false);
    let moved = road.go().await.unwrap().unwrap();
    assert!(matches!(moved, Outcome::Moved { .. }), "{moved:?}");
    let left = holdings(&home.client).await;
    assert_eq!(names(left.keys()), BTreeSet::from(UNRELATED));

    // What our move has left there is there still: the same cluster once more, for clusterctl.
    make(&home.client).await;
    let again = holdings(&home.client).await;
    same(&comparable(&again), &comparable(&before));
    for place in [&home, &theirs] {
        take_inventory(&place.client).await;
    }
    let moving = Instant::now();
    clusterctl_move(&home.kubeconfig(), &theirs.kubeconfig()).await;
    println!("clusterctl: {:.1} s", moving.elapsed().as_secs_f64());
    let left = holdings(&home.client).await;
    let stays = UNRELATED.into_iter().chain(OURS_ALONE);
    assert_eq!(names(left.keys()), stays.collect());

    let (we_made, they_made) = (holdings(&ours.client).await, holdings(&theirs.client).await);
    let mut we = without_ours(comparable(&we_made));
    let mut was = comparable(&before);
    was.retain(|name, _| !UNRELATED.contains(&name.as_str()));
    same(&was, &we);
    we.retain(|name, _| !OURS_ALONE.contains(&name.as_str()));
    same(&comparable(&they_made), &we);
    println!("the same: {} objects", we.len());

    // clusterctl leaves every status to the controllers of the target; ours are there before them.
    let mut statuses = 0;
    for (name, object) in &we_made {
        if name != DEED {
            assert_eq!(carried(object), carried(&before[name]), "status of {name}");
            statuses += usize::from(object.get("status").is_some());
        }
    }
    assert!(statuses > 20, "{statuses}");
    let told = they_made
        .iter()
        .filter(|(_, object)| object.get("status").is_some());
    assert_eq!(
        told.map(|(name, _)| name).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );

    // Fields are owned by who owned them before.
    assert!(lets_go_of_fields(&ours.client).await);
    assert!(lets_go_of_fields(&theirs.client).await);
    for place in [home, ours, theirs] {
        place.stop().await;
    }
    println!("all of it: {:.1} s", begun.elapsed().as_secs_f64());
}
