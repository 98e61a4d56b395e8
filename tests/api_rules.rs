//! A real API server judges the manifests that the offline check judges, the same way.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::{await_condition, conditions};
use lattice::api;
use lattice::api::Cores;
use lattice::api::local_infrastructure::{LocalMachineTemplate, LocalMachineTemplateSpec};
use serde_json::Value;

/// Where the offline check says more than the API server can: values that the schema must leave
/// untyped.
const OFFLINE_ONLY: &[&str] = &["service-file-sources.yaml", "service-volume-twice.yaml"];

/// A kind that the group does not have, and one that is only a file: no server knows them.
const NOT_SERVED: &[&str] = &["kind.yaml", "repo-config.yaml"];

async fn install_crds(client: &Client) {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let params = PatchParams::apply("test").force();
    for crd in api::crds() {
        let name = crd.metadata.name.clone().unwrap();
        crds.patch(&name, &params, &Patch::Apply(&crd))
            .await
            .unwrap();
        let established = await_condition(crds.clone(), &name, conditions::is_crd_established());
        tokio::time::timeout(Duration::from_secs(30), established)
            .await
            .expect("established in time")
            .unwrap();
    }
}

fn manifests(folder: &str) -> BTreeMap<String, Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/manifests")
        .join(folder);
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, serde_saphyr::from_str(&text).unwrap())
        })
        .collect()
}

/// What the server says to creating this object, without its being kept.
async fn judge(client: &Client, object: &Value) -> Result<(), String> {
    let kind = object["kind"].as_str().unwrap();
    let known = api::kind(kind).expect("a kind of ours");
    let gvk = GroupVersionKind::gvk(api::GROUP, api::VERSION, kind);
    let resource = ApiResource::from_gvk_with_plural(&gvk, &known.plural);
    // As kubectl asks: not kept, and unknown fields are errors rather than silently dropped.
    let api: Api<DynamicObject> = match known.namespaced {
        true => Api::namespaced_with(client.clone(), "default", &resource),
        false => Api::all_with(client.clone(), &resource),
    };
    let mut object: DynamicObject =
        serde_json::from_value(object.clone()).map_err(|e| e.to_string())?;
    if known.namespaced {
        object.metadata.namespace = Some("default".into());
    }
    let url = api.resource_url();
    let request = axum::http::Request::post(format!("{url}?dryRun=All&fieldValidation=Strict"))
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&object).unwrap())
        .unwrap();
    client
        .request::<Value>(request)
        .await
        .map(|_| ())
        .map_err(|e| e.to_string())
}

#[tokio::test]
async fn the_server_and_the_offline_check_agree() {
    let cluster = support::control_plane().await;
    install_crds(&cluster.client).await;
    let served = |folder: &str| {
        let mut found = manifests(folder);
        found.retain(|name, _| !NOT_SERVED.contains(&name.as_str()));
        found
    };
    for (name, object) in served("good") {
        let said = judge(&cluster.client, &object).await;
        assert_eq!(said, Ok(()), "{name} is good");
    }
    let mut accepted = Vec::new();
    for (name, object) in served("bad") {
        if judge(&cluster.client, &object).await.is_ok() {
            accepted.push(name);
        }
    }
    assert_eq!(accepted, OFFLINE_ONLY, "bad, and the server takes them");
}

#[tokio::test]
async fn a_local_machine_template_never_changes_but_for_its_labels() {
    let client = support::control_plane().await.client;
    install_crds(&client).await;
    let namespace = support::namespace(&client, "templates").await;
    let templates: Api<LocalMachineTemplate> = Api::namespaced(client, &namespace);
    let mut template = LocalMachineTemplate::new("worker", LocalMachineTemplateSpec::default());
    template.spec.template.spec.cores = Some(Cores::from_millis(2_000));
    let params = PatchParams::apply("test");
    let apply = async |template: &LocalMachineTemplate| {
        let patch = Patch::Apply(template);
        templates.patch("worker", &params, &patch).await
    };
    apply(&template).await.unwrap();
    template.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    apply(&template).await.expect("labels may change");
    template.spec.template.spec.cores = Some(Cores::from_millis(4_000));
    let refused = apply(&template).await.unwrap_err().to_string();
    assert!(
        refused.contains("a machine template never changes"),
        "{refused}"
    );
}
