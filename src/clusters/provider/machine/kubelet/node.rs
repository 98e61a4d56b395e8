//! The Node that a machine registers.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Node;
use serde_json::json;

use super::super::{MachineError, spec::MachineSpec};
use super::settings::Settings;

const PODS: u32 = 110;

/// The Node of this machine.
pub(super) fn node(
    name: &str,
    spec: &MachineSpec,
    settings: &Settings,
) -> Result<Node, MachineError> {
    let mut labels: BTreeMap<String, String> = [
        ("kubernetes.io/arch", std::env::consts::ARCH),
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("node.kubernetes.io/instance-type", &spec.size),
        ("topology.kubernetes.io/region", &spec.region),
        ("topology.kubernetes.io/zone", &spec.zone),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(key, value)| (key.to_owned(), go_architecture(value).to_owned()))
    .collect();
    labels.extend(settings.labels.clone());
    let provider_id = settings.provider_id.as_deref().unwrap_or(&spec.provider_id);
    let room = json!({
        "cpu": format!("{}m", spec.milli_cores),
        "memory": format!("{}Mi", spec.memory_mib),
        "pods": PODS.to_string(),
    });
    let object = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": provider_id, "taints": settings.taints},
        "status": {
            "capacity": room,
            "allocatable": room,
            "addresses": [
                {"type": "InternalIP", "address": spec.address},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {
                "architecture": go_architecture(std::env::consts::ARCH),
                "bootID": "",
                "containerRuntimeVersion": concat!("lattice://", env!("CARGO_PKG_VERSION")),
                "kernelVersion": "",
                "kubeProxyVersion": "",
                "kubeletVersion": spec.kubernetes_version,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "Lattice local machine",
                "systemUUID": "",
            },
        },
    });
    serde_json::from_value(object).map_err(|error| MachineError::Pod(error.to_string()))
}

/// Go's name of a processor, where it is the name of one.
fn go_architecture(name: &str) -> &str {
    match name {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::spec;
    use super::*;

    #[test]
    fn it_carries_what_the_machine_and_kubeadm_say() {
        let settings = Settings::parse(
            "KUBELET_KUBEADM_ARGS=\"--node-labels=pool=a --register-with-taints=x:NoSchedule\"",
        );
        let node = node("m-1", &spec(), &settings).unwrap();
        let labels = node.metadata.labels.unwrap();
        assert_eq!(labels["pool"], "a");
        assert_eq!(labels["topology.kubernetes.io/zone"], "here-a");
        let taints = node.spec.clone().unwrap().taints.unwrap();
        assert_eq!(taints[0].key, "x");
        assert_eq!(node.spec.unwrap().provider_id.unwrap(), "local:///m-1");
        let status = node.status.unwrap();
        assert_eq!(status.capacity.unwrap()["cpu"].0, "2000m");
        assert_eq!(status.node_info.unwrap().kubelet_version, "v1.36.3");
    }
}
