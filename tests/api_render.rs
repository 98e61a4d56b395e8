//! A real API server with the real CRDs of Cluster API and its providers takes what is rendered.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use assert_cmd::Command;
use axum::http::Request;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use lattice::operator::install;
use serde_json::{Value, json};

/// Kinds of the providers that come as Go modules.
const PROVIDERS: [&str; 8] = [
    "AWSCluster",
    "AWSClusterStaticIdentity",
    "AWSMachineTemplate",
    "AzureCluster",
    "AzureClusterIdentity",
    "AzureMachineTemplate",
    "GCPCluster",
    "GCPMachineTemplate",
];

/// Kinds of which no Go module carries the CRD. `tests/render_golden.rs` has their objects.
const NO_MODULE: [&str; 8] = [
    "DockerCluster",
    "DockerMachineTemplate",
    "OpenStackCluster",
    "OpenStackMachineTemplate",
    "ProxmoxCluster",
    "ProxmoxMachineTemplate",
    "RKE2ConfigTemplate",
    "RKE2ControlPlane",
];

/// An API server that knows all kinds that can be had.
async fn server() -> Client {
    let client = support::control_plane().await.client;
    support::cluster_api::install_cluster_api(&client).await;
    support::cluster_api::install_providers(&client, &PROVIDERS).await;
    install::install(&client).await.unwrap();
    client
}

/// The objects of a fleet's clusters.
fn objects(fleet: &str) -> Vec<Value> {
    let manifests = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/render")
        .join(format!("{fleet}.yaml"));
    let mut command = Command::cargo_bin("lattice").unwrap();
    command
        .arg("render")
        .arg(manifests)
        .args(["--what", "clusters", "-o", "json"]);
    let output = command.env_remove("RUST_LOG").output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let clusters: Value = serde_json::from_slice(&output.stdout).unwrap();
    let clusters = clusters.as_array().unwrap().iter();
    clusters
        .flat_map(|cluster| cluster["objects"].as_array().unwrap())
        .map(|manifest| manifest["object"].clone())
        .collect()
}

/// The kind's endpoint, in the object's namespace.
async fn endpoint(client: &Client, object: &Value) -> Api<DynamicObject> {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (group, version) = text("/apiVersion").rsplit_once('/').unwrap_or(("", "v1"));
    let gvk = GroupVersionKind::gvk(group, version, text("/kind"));
    let (resource, capabilities) = pinned_kind(client, &gvk)
        .await
        .expect("a kind that is served");
    match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            Api::namespaced_with(client.clone(), text("/metadata/namespace"), &resource)
        }
    }
}

/// Applies an object as Lattice does, with unknown fields as errors.
async fn apply(client: &Client, object: &Value) -> Result<Value, String> {
    let name = object["metadata"]["name"].as_str().unwrap();
    let api = endpoint(client, object).await;
    let url = api.resource_url();
    let query = "fieldManager=lattice.dev%2Fclusters&fieldValidation=Strict";
    let request = Request::patch(format!("{url}/{name}?{query}"))
        .header("content-type", "application/apply-patch+yaml")
        .body(serde_json::to_vec(object).unwrap())
        .unwrap();
    client
        .request(request)
        .await
        .map_err(|error| error.to_string())
}

#[tokio::test]
async fn every_object_of_every_provider_is_taken_and_stays_as_it_is() {
    let client = server().await;
    let (mut taken, mut passed_over) = (BTreeSet::new(), BTreeSet::new());
    for fleet in [
        "aws",
        "aws-rke2",
        "gcp",
        "azure",
        "openstack",
        "proxmox",
        "docker",
        "local",
    ] {
        for object in objects(fleet) {
            let kind = object["kind"].as_str().unwrap().to_owned();
            if NO_MODULE.contains(&kind.as_str()) {
                passed_over.insert(kind);
                continue;
            }
            let once = apply(&client, &object).await;
            let once = once.unwrap_or_else(|error| panic!("{fleet}: {error}: {object:#}"));
            let twice = apply(&client, &object).await.unwrap();
            let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
            assert_eq!(version(&once), version(&twice), "{fleet}: {object:#}");
            taken.insert(kind);
        }
    }
    let expected: BTreeSet<String> = NO_MODULE.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(passed_over, expected);
    for kind in
        PROVIDERS
            .iter()
            .chain(&["LocalCluster", "KubeadmControlPlane", "MachineHealthCheck"])
    {
        assert!(taken.contains(*kind), "{kind}: {taken:?}");
    }
}

#[tokio::test]
async fn what_people_edit_besides_is_kept() {
    let client = server().await;
    let mut objects = objects("local");
    // Another test has this cluster too; this one is somewhere else.
    let namespace = support::namespace(&client, "edited").await;
    objects.retain(|object| object["kind"] == "MachineDeployment");
    let mut deployment = objects.remove(0);
    deployment["metadata"]["namespace"] = namespace.into();
    apply(&client, &deployment).await.unwrap();
    let api = endpoint(&client, &deployment).await;
    let name = deployment["metadata"]["name"].as_str().unwrap();
    let edit = json!({"spec": {"remediation": {"maxInFlight": 2}}, "metadata": {"annotations": {"why": "spares"}}});
    api.patch(name, &PatchParams::default(), &Patch::Merge(&edit))
        .await
        .unwrap();
    deployment["spec"]["replicas"] = 7.into();
    let after = apply(&client, &deployment).await.unwrap();
    assert_eq!(after["spec"]["remediation"]["maxInFlight"], 2);
    assert_eq!(after["metadata"]["annotations"]["why"], "spares");
    assert_eq!(after["spec"]["replicas"], 7);
}
