//! What outlives a restart of the services that look for a place elsewhere.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    agent::tree::Entry,
    operator::{decision_log::NAMESPACE, error::OperatorError},
};

const NAME: &str = "lattice-escalations";
const KEY: &str = "services";
const FIELD_MANAGER: &str = "lattice.dev/tree";

/// How far each service has come.
pub(super) type Entries = BTreeMap<String, Entry>;

/// What was kept.
pub(super) async fn load(client: &Client) -> Result<Entries, OperatorError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let map = maps.get_opt(NAME).await?;
    let text = map.and_then(|map| map.data?.remove(KEY));
    Ok(match text {
        Some(text) => serde_json::from_str(&text)?,
        None => Entries::new(),
    })
}

/// Keeps it, before anything after it is said.
pub(super) async fn keep(client: &Client, entries: &Entries) -> Result<(), OperatorError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "data": {KEY: serde_json::to_string(entries)?},
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    maps.patch(NAME, &params, &Patch::Apply(&map)).await?;
    Ok(())
}
