//! Cluster API's kubeadm kinds.

use serde_json::{Value, json};

use super::blueprint::Blueprint;
use super::infrastructure::Infrastructure;
use super::machines::Machines;
use super::manifest::Kind;
use super::node::{self, Arguments};
use super::registration::{self, Access};
use crate::api::ProviderType;

pub(super) const CONTROL_PLANE: Kind = Kind {
    group: "controlplane.cluster.x-k8s.io",
    version: "v1beta2",
    name: "KubeadmControlPlane",
};

pub(super) const CONFIG_TEMPLATE: Kind = Kind {
    group: "bootstrap.cluster.x-k8s.io",
    version: "v1beta2",
    name: "KubeadmConfigTemplate",
};

/// How kubeadm's machines reach their own API server.
pub(super) const ACCESS: Access = Access {
    kubectl: "kubectl",
    kubeconfig: "/etc/kubernetes/admin.conf",
};

/// The spec of the control plane.
pub(super) fn control_plane(
    blueprint: &Blueprint<'_>,
    infrastructure: &Infrastructure,
    files: Vec<Value>,
    template: &Value,
    registers: bool,
) -> Value {
    let machines = &blueprint.control_plane;
    let mut config = config(blueprint, machines);
    config["initConfiguration"] = config["joinConfiguration"].clone();
    config["clusterConfiguration"] = cluster_configuration(blueprint);
    let mut files = files;
    let mut after = infrastructure.commands_after.clone();
    if registers {
        files.extend(registration::files(blueprint.name, ACCESS));
        after.push(registration::command());
    }
    let before = infrastructure.commands_before.clone();
    set_list(&mut config, "files", files);
    set_list(&mut config, "preKubeadmCommands", before);
    set_list(&mut config, "postKubeadmCommands", after);
    json!({
        "replicas": machines.count,
        "version": blueprint.version,
        "machineTemplate": {
            "metadata": {"labels": blueprint.labels},
            "spec": {"infrastructureRef": template, "deletion": super::core::deletion()},
        },
        "rollout": {
            // Certificates last a year; new machines have new ones.
            "before": {"certificatesExpiryDays": 30},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        },
        "remediation": {"maxRetry": 5, "retryPeriodSeconds": 120, "minHealthyPeriodSeconds": 3600},
        "kubeadmConfigSpec": config,
    })
}

/// The spec of what sets workers up.
pub(super) fn worker(
    blueprint: &Blueprint<'_>,
    machines: &Machines<'_>,
    files: Vec<Value>,
) -> Value {
    let mut config = config(blueprint, machines);
    set_list(&mut config, "files", files);
    json!({"template": {"spec": config}})
}

/// What all machines have.
fn config(blueprint: &Blueprint<'_>, machines: &Machines<'_>) -> Value {
    let registration = registration(blueprint, machines);
    let mut config = json!({"joinConfiguration": {"nodeRegistration": registration}});
    if blueprint.provider == ProviderType::Local {
        // It asks for a container runtime, of which machines that are processes have none.
        config["joinConfiguration"]["skipPhases"] = json!(["preflight"]);
    }
    if !blueprint.ssh_authorized_keys.is_empty() {
        config["users"] = json!([{
            "name": "lattice",
            "sudo": "ALL=(ALL) NOPASSWD:ALL",
            "sshAuthorizedKeys": blueprint.ssh_authorized_keys,
        }]);
    }
    config
}

/// States a list that is not empty: Cluster API's kinds refuse others.
fn set_list<T: Into<Value>>(config: &mut Value, field: &str, list: Vec<T>) {
    if !list.is_empty() {
        config[field] = list.into();
    }
}

fn cluster_configuration(blueprint: &Blueprint<'_>) -> Value {
    let provider = blueprint.provider;
    let mut api_server = json!({"extraArgs": arguments(&node::api_server(provider))});
    if !blueprint.cert_sans.is_empty() {
        api_server["certSANs"] = blueprint.cert_sans.clone().into();
    }
    json!({
        "apiServer": api_server,
        "controllerManager": {"extraArgs": arguments(&node::controller_manager(provider))},
        "scheduler": {"extraArgs": arguments(&node::serving())},
        "etcd": {"local": {"extraArgs": arguments(&node::etcd())}},
    })
}

fn registration(blueprint: &Blueprint<'_>, machines: &Machines<'_>) -> Value {
    let mut registration =
        json!({"kubeletExtraArgs": arguments(&node::kubelet(blueprint, machines))});
    if let Some(name) = node::node_name(blueprint.provider) {
        registration["name"] = name.into();
    }
    registration
}

fn arguments(arguments: &Arguments) -> Value {
    let each = arguments.iter();
    each.map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}
