//! What nodes of a local cluster may do beyond other nodes: kwok looks for its node and pods among all.

use std::path::Path;

use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::super::MachineError;
use super::join;

const NAME: &str = "lattice:local-nodes";
/// The administrators' credentials, which only machines of the control plane have.
const ADMINISTRATORS: [&str; 2] = [
    "/etc/kubernetes/super-admin.conf",
    "/etc/kubernetes/admin.conf",
];

/// Grants it, if this machine can. The admission of nodes' writes is as strict as anywhere.
pub(super) async fn grant() -> Result<(), MachineError> {
    let Some(path) = ADMINISTRATORS
        .iter()
        .map(Path::new)
        .find(|path| path.exists())
    else {
        return Ok(());
    };
    let (client, _) = join::client(path).await?;
    write(client)
        .await
        .map_err(MachineError::api("let nodes see nodes and pods"))
}

async fn write(client: Client) -> Result<(), kube::Error> {
    let apply = PatchParams::apply("lattice.dev/local").force();
    let (role, binding) = objects();
    let roles: Api<ClusterRole> = Api::all(client.clone());
    roles.patch(NAME, &apply, &Patch::Apply(&role)).await?;
    let bindings: Api<ClusterRoleBinding> = Api::all(client);
    bindings
        .patch(NAME, &apply, &Patch::Apply(&binding))
        .await?;
    Ok(())
}

fn objects() -> (Value, Value) {
    let group = "rbac.authorization.k8s.io";
    let role = json!({
        "apiVersion": format!("{group}/v1"),
        "kind": "ClusterRole",
        "metadata": {"name": NAME},
        "rules": [
            {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": [""], "resources": ["nodes", "nodes/status", "pods", "pods/status"], "verbs": ["patch", "update"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "list", "watch", "create", "update", "patch"]},
            {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch", "update"]},
        ],
    });
    let binding = json!({
        "apiVersion": format!("{group}/v1"),
        "kind": "ClusterRoleBinding",
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": NAME},
        "subjects": [{"apiGroup": group, "kind": "Group", "name": "system:nodes"}],
    });
    (role, binding)
}
