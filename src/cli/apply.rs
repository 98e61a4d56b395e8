//! Checked manifests, applied.

use std::collections::BTreeSet;

use k8s_openapi::{NamespaceResourceScope, api::core::v1::Namespace};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{cli::online::OnlineError, placement::inputs::Inputs};

/// Owner of what is applied.
const FIELD_MANAGER: &str = "lattice-cli";

/// Applies everything, and makes the namespaces that are asked for.
pub(super) async fn all(client: &Client, inputs: &Inputs) -> Result<(), OnlineError> {
    namespaces(client, inputs).await?;
    everywhere(client, &inputs.node_classes).await?;
    everywhere(client, &inputs.pools).await?;
    everywhere(client, &inputs.policies).await?;
    everywhere(client, &inputs.clusters).await?;
    within(client, &inputs.external_services).await?;
    within(client, &inputs.service_placements).await?;
    within(client, &inputs.services).await
}

async fn namespaces(client: &Client, inputs: &Inputs) -> Result<(), OnlineError> {
    let api = Api::<Namespace>::all(client.clone());
    let services = inputs.services.iter().map(namespace);
    let placements = inputs.service_placements.iter().map(namespace);
    let externals = inputs.external_services.iter().map(namespace);
    let all: BTreeSet<String> = services.chain(placements).chain(externals).collect();
    for name in all {
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        api.patch(&name, &params(), &Patch::Apply(&object)).await?;
    }
    Ok(())
}

fn namespace<K: ResourceExt>(object: &K) -> String {
    object.namespace().unwrap_or_else(|| "default".to_owned())
}

fn params() -> PatchParams {
    PatchParams::apply(FIELD_MANAGER).force()
}

async fn everywhere<K>(client: &Client, objects: &[K]) -> Result<(), OnlineError>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let api: Api<K> = Api::all(client.clone());
    for object in objects {
        let patch = Patch::Apply(object);
        api.patch(&object.name_any(), &params(), &patch).await?;
    }
    Ok(())
}

async fn within<K>(client: &Client, objects: &[K]) -> Result<(), OnlineError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    for object in objects {
        let api: Api<K> = Api::namespaced(client.clone(), &namespace(object));
        let patch = Patch::Apply(object);
        api.patch(&object.name_any(), &params(), &patch).await?;
    }
    Ok(())
}
