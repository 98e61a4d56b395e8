//! An address for the control plane where the provider has no load balancer: kube-vip, as a static pod.

use serde_json::json;

use super::Infrastructure;
use crate::api::cluster_provider::Bootstrap;
use crate::clusters::render::blueprint::Blueprint;
use crate::clusters::render::{kubeadm, rke2};

/// What is run where the settings name no other in `virtualIPImage`.
const IMAGE: &str = "ghcr.io/kube-vip/kube-vip:v1.0.1";

const KUBEADM_MANIFEST: &str = "/etc/kubernetes/manifests/kube-vip.yaml";
const RKE2_MANIFEST: &str = "/var/lib/rancher/rke2/agent/pod-manifests/kube-vip.yaml";

/// Has the machines of the control plane share an address.
pub(super) fn add(made: &mut Infrastructure, blueprint: &Blueprint<'_>, host: &str, port: u64) {
    let (manifest, kubeconfig) = match blueprint.bootstrap {
        Bootstrap::Kubeadm => (KUBEADM_MANIFEST, kubeadm::ACCESS.kubeconfig),
        Bootstrap::Rke2 => (RKE2_MANIFEST, rke2::ACCESS.kubeconfig),
    };
    let image = blueprint.besides.get("virtualIPImage");
    let image = image.map_or(IMAGE, String::as_str);
    let variables = [
        ("address", host.to_owned()),
        ("port", port.to_string()),
        ("cp_enable", "true".to_owned()),
        ("vip_arp", "true".to_owned()),
        ("vip_leaderelection", "true".to_owned()),
    ];
    let variables = variables.map(|(name, value)| json!({"name": name, "value": value}));
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kube-vip", "namespace": "kube-system"},
        "spec": {
            "hostNetwork": true,
            "hostAliases": [{"ip": "127.0.0.1", "hostnames": ["kubernetes"]}],
            "containers": [{
                "name": "kube-vip",
                "image": image,
                "args": ["manager"],
                "env": variables,
                "securityContext": {"capabilities": {"add": ["NET_ADMIN", "NET_RAW"]}},
                "volumeMounts": [{"name": "kubeconfig", "mountPath": "/etc/kubernetes/admin.conf"}],
            }],
            "volumes": [{"name": "kubeconfig", "hostPath": {"path": kubeconfig, "type": "FileOrCreate"}}],
        },
    });
    made.control_plane_files.push(json!({
        "path": manifest,
        "owner": "root:root",
        "permissions": "0600",
        "content": pod.to_string(),
    }));
    if blueprint.bootstrap == Bootstrap::Kubeadm {
        // While `kubeadm init` runs, admin.conf may not do anything yet, and the address is needed already.
        made.commands_before
            .push(on_first("admin.conf", "super-admin.conf"));
        made.commands_after
            .push(on_first("super-admin.conf", "admin.conf"));
    }
}

/// On the machine that makes the cluster, has the pod use another kubeconfig: its volume's `path`, not the path in the pod.
fn on_first(old: &str, new: &str) -> String {
    format!(
        "if [ -f /run/kubeadm/kubeadm.yaml ]; then \
         sed -i 's#\"path\":\"/etc/kubernetes/{old}\"#\"path\":\"/etc/kubernetes/{new}\"#' {KUBEADM_MANIFEST}; fi"
    )
}
