//! The same cluster, moved by Lattice and by Cluster API's own `clusterctl move`, is the same afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{collections::BTreeMap, path::Path, process::Command};

use kube::Client;
use lattice::clusters::pivot::{
    ClusterName, Observed, Side,
    canonical::{carried_status, form},
    object::{Key, Object},
};
use serde_json::{Value, json};
use support::{
    cluster_api::program,
    cluster_graph::plant,
    fleet,
    pivoting::{Place, Road, held, leftovers},
};

/// Says that the providers are installed, which is all that `clusterctl` asks of them.
async fn take_inventory(client: &Client) {
    let system = support::namespace(client, "capi-system").await;
    for (name, type_) in [
        ("cluster-api", "CoreProvider"),
        ("kubeadm", "BootstrapProvider"),
        ("kubeadm", "ControlPlaneProvider"),
        ("local", "InfrastructureProvider"),
    ] {
        let provider = json!({
            "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3",
            "kind": "Provider",
            "metadata": {
                "name": format!("{}-{name}", type_.to_lowercase()),
                "namespace": system,
                "labels": {"clusterctl.cluster.x-k8s.io": "", "clusterctl.cluster.x-k8s.io/core": "inventory"},
            },
            "providerName": name,
            "type": type_,
            "version": "v1.13.6",
        });
        fleet::apply(client, &provider).await;
    }
}

fn clusterctl_move(from: &Path, to: &Path, namespace: &str) {
    let output = Command::new(program("clusterctl"))
        .arg("move")
        .args(["--namespace", namespace])
        .arg("--kubeconfig")
        .arg(from)
        .arg("--to-kubeconfig")
        .arg(to)
        // It would look for a newer one.
        .env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Everything on the target, without its namespace, which differs.
fn arrived(seen: &Observed) -> BTreeMap<String, Object> {
    let (_, keys) = held(Side::Target, seen);
    let named = |key: &Key| format!("{} {}", key.kind, key.name);
    let objects = keys
        .iter()
        .map(|key| (named(key), seen.target.objects[key].clone()));
    objects.collect()
}

/// What is compared: all that moves but the status, wherever it is.
fn comparable(object: &Object, seen: &Observed) -> Value {
    let mut form = form(object, &seen.target.uids());
    form.as_object_mut().unwrap().remove("status");
    let text = form.to_string();
    let text = text.replace(&seen.cluster.namespace, "NAMESPACE");
    serde_json::from_str(&text).unwrap()
}

/// Who applied fields of an object.
fn appliers(object: &Object) -> Vec<Value> {
    let entries = object.list("/metadata/managedFields").iter();
    let applied = entries.filter(|entry| entry["operation"] == "Apply");
    applied
        .map(|entry| json!([entry["manager"], entry["fieldsV1"]["f:spec"]]))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clusterctl_moves_the_same_graph_to_the_same_objects() {
    let (home, away) = tokio::join!(Place::start(), Place::start());
    for place in [&home, &away] {
        take_inventory(&place.client).await;
    }
    let mut roads = Vec::new();
    for way in ["native", "clusterctl"] {
        let namespace = support::namespace(&home.client, way).await;
        plant(&home.client, &namespace, "c1").await;
        let cluster = ClusterName::new(namespace, "c1");
        roads.push(Road::new(&home.client, &away.client, &cluster, false));
    }
    let (native, theirs) = (&roads[0], &roads[1]);
    let before = native.look().await;
    native.go().await.unwrap().unwrap();
    clusterctl_move(
        &home.kubeconfig(),
        &away.kubeconfig(),
        &theirs.cluster.namespace,
    );

    let (native, theirs) = (native.look().await, theirs.look().await);
    assert_eq!(leftovers(Side::Source, &native), []);
    assert_eq!(leftovers(Side::Source, &theirs), []);
    let (mine, other) = (arrived(&native), arrived(&theirs));
    assert!(mine.len() > 40, "{}", mine.len());
    assert_eq!(
        mine.keys().collect::<Vec<_>>(),
        other.keys().collect::<Vec<_>>()
    );
    for (name, object) in &mine {
        let (here, there) = (
            comparable(object, &native),
            comparable(&other[name], &theirs),
        );
        assert_eq!(here, there, "{name}");
        assert_eq!(appliers(object), appliers(&other[name]), "{name}");
        // The one difference. `clusterctl` creates objects and leaves it to their controllers to find out their status anew; where
        // they cannot, a machine is taken for one that never was ready. Lattice carries it over.
        let original = &before.source.objects[&object.key()];
        assert_eq!(carried_status(object), carried_status(original), "{name}");
        assert_eq!(carried_status(&other[name]), None, "{name}");
    }
    home.stop().await;
    away.stop().await;
}
