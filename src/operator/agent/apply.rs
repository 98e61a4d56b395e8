//! What the cell's commands do in this cluster. Each may come again after a crash, and does nothing more then.

use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{Scope, oneshot},
};
use serde_json::{Value, json};

use super::watch::look;
use crate::agent::{
    proto::{
        BootstrapComplete, ClusterStatus, CommandDone, agent_message::Payload,
        cell_command::Command,
    },
    session::Identity,
};

const FIELD_MANAGER: &str = "lattice.dev/agent";
/// Flux looks again when the value of this annotation changes.
const REQUESTED: &str = "reconcile.fluxcd.io/requestedAt";
/// What Flux reconciles: group, version and kind.
const FLUX: [(&str, &str, &str); 2] = [
    ("source.toolkit.fluxcd.io", "v1", "GitRepository"),
    ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization"),
];

/// Does what a command says, and says what came of it.
pub(super) async fn apply(client: &Client, identity: &Identity, command: Command) -> Payload {
    let done = match command {
        Command::StatusRequest(_) => return Payload::Status(status(client, identity).await),
        Command::Bootstrap(bootstrap) => match manifests(client, &bootstrap.flux_manifests).await {
            Ok(()) => return Payload::BootstrapComplete(BootstrapComplete {}),
            failed => failed,
        },
        Command::Reconcile(_) => reconcile(client).await,
        _ => Err("this version of the agent does not know the command".to_owned()),
    };
    Payload::CommandDone(CommandDone {
        success: done.is_ok(),
        error_message: done.err().unwrap_or_default(),
    })
}

async fn status(client: &Client, identity: &Identity) -> ClusterStatus {
    let (state, health) = look(client).await;
    ClusterStatus {
        state: state.into(),
        kubernetes_version: identity.kubernetes_version.clone(),
        agent_version: identity.agent_version.clone(),
        health,
    }
}

async fn manifests(client: &Client, yaml: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(yaml).map_err(|error| error.to_string())?;
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).map_err(|error| error.to_string())?;
    for document in documents {
        let object: DynamicObject =
            serde_json::from_value(document).map_err(|error| error.to_string())?;
        let types = object.types.clone().unwrap_or_default();
        let name = object.name_any();
        let applied = apply_object(client, &object).await;
        applied.map_err(|error| format!("{} {name}: {error}", types.kind))?;
    }
    Ok(())
}

async fn apply_object(client: &Client, object: &DynamicObject) -> kube::Result<()> {
    let types = object.types.clone().unwrap_or_default();
    let kind = GroupVersionKind::try_from(types)
        .map_err(|error| kube::Error::Service(error.to_string().into()))?;
    let (resource, capabilities) = oneshot::pinned_kind(client, &kind).await?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.namespace().unwrap_or_else(|| "default".to_owned());
            Api::namespaced_with(client.clone(), &namespace, &resource)
        }
    };
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&object.name_any(), &params, &Patch::Apply(object))
        .await?;
    Ok(())
}

/// Has Flux look again at everything.
async fn reconcile(client: &Client) -> Result<(), String> {
    let now = chrono::Utc::now().to_rfc3339();
    let patch = json!({"metadata": {"annotations": {REQUESTED: now}}});
    for (group, version, kind) in FLUX {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let found = match all.list(&ListParams::default()).await {
            Ok(found) => found,
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                return Err("Flux is not installed in this cluster".to_owned());
            }
            Err(error) => return Err(error.to_string()),
        };
        for object in found {
            let namespace = object.namespace().unwrap_or_default();
            let one: Api<DynamicObject> =
                Api::namespaced_with(client.clone(), &namespace, &resource);
            let params = PatchParams::default();
            one.patch(&object.name_any(), &params, &Patch::Merge(&patch))
                .await
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}
