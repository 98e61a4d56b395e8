//! Cluster API's RKE2 kinds.

use serde_json::{Value, json};

use super::blueprint::Blueprint;
use super::machines::Machines;
use super::manifest::Kind;
use super::node::{self, Arguments};
use super::registration::{self, Access};

pub(super) const CONTROL_PLANE: Kind = Kind {
    group: "controlplane.cluster.x-k8s.io",
    version: "v1beta2",
    name: "RKE2ControlPlane",
};

pub(super) const CONFIG_TEMPLATE: Kind = Kind {
    group: "bootstrap.cluster.x-k8s.io",
    version: "v1beta2",
    name: "RKE2ConfigTemplate",
};

/// How RKE2's machines reach their own API server.
pub(super) const ACCESS: Access = Access {
    kubectl: "/var/lib/rancher/rke2/bin/kubectl",
    kubeconfig: "/etc/rancher/rke2/rke2.yaml",
};

/// The spec of the control plane.
pub(super) fn control_plane(
    blueprint: &Blueprint<'_>,
    mut files: Vec<Value>,
    template: &Value,
    registers: bool,
) -> Value {
    let machines = &blueprint.control_plane;
    if registers {
        files.extend(registration::files(blueprint.name, ACCESS));
    }
    let mut spec = config(blueprint, machines, files);
    if registers {
        spec["postRKE2Commands"] = json!([registration::command()]);
    }
    spec["replicas"] = machines.count.into();
    spec["version"] = blueprint.version.clone().into();
    spec["machineTemplate"] = json!({
        "metadata": {"labels": blueprint.labels},
        "spec": {"infrastructureRef": template, "deletion": super::core::deletion()},
    });
    spec["rolloutStrategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}});
    // Machines find each other by their own addresses: not every provider's load balancer has the port that they join by.
    spec["registrationMethod"] = "internal-first".into();
    spec["serverConfig"] = server(blueprint);
    spec
}

/// The spec of what sets workers up.
pub(super) fn worker(
    blueprint: &Blueprint<'_>,
    machines: &Machines<'_>,
    files: Vec<Value>,
) -> Value {
    json!({"template": {"spec": config(blueprint, machines, files)}})
}

fn server(blueprint: &Blueprint<'_>) -> Value {
    let provider = blueprint.provider;
    let controller_manager = node::controller_manager(provider);
    let mut server = json!({
        // The parent sends Cilium with its answer.
        "cni": "none",
        "kubeAPIServer": {"extraArgs": arguments(&node::api_server(provider))},
        "kubeControllerManager": {"extraArgs": arguments(&controller_manager)},
        "kubeScheduler": {"extraArgs": arguments(&node::serving())},
        "etcd": {"customConfig": {"extraArgs": arguments(&node::etcd())}},
    });
    if controller_manager.contains_key("cloud-provider") {
        server["cloudProviderName"] = "external".into();
    }
    if !blueprint.cert_sans.is_empty() {
        server["tlsSan"] = blueprint.cert_sans.clone().into();
    }
    server
}

fn config(blueprint: &Blueprint<'_>, machines: &Machines<'_>, mut files: Vec<Value>) -> Value {
    let mut kubelet = node::kubelet(blueprint, machines);
    kubelet.remove("node-labels");
    let labels = node::node_labels(blueprint, machines);
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mut config = json!({
        "agentConfig": {"nodeLabels": labels, "kubelet": {"extraArgs": arguments(&kubelet)}},
    });
    if !blueprint.ssh_authorized_keys.is_empty() {
        // RKE2's kinds know of no users.
        files.push(json!({
            "path": "/root/.ssh/authorized_keys",
            "owner": "root:root",
            "permissions": "0600",
            "content": blueprint.ssh_authorized_keys.join("\n") + "\n",
        }));
    }
    if !files.is_empty() {
        config["files"] = files.into();
    }
    config
}

fn arguments(arguments: &Arguments) -> Value {
    let each = arguments.iter();
    each.map(|(name, value)| Value::from(format!("--{name}={value}")))
        .collect()
}
