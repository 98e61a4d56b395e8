//! Pods that kubeadm writes as files, and the mirrors of them that the API server shows.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use k8s_openapi::api::core::v1::{Node, Pod};
use serde_json::{Value, json};

/// Where kubeadm puts them.
pub(super) const FOLDER: &str = "/etc/kubernetes/manifests";
const MIRROR: &str = "kubernetes.io/config.mirror";

/// The pods of the folder, by the names they have on this node. A file that is no pod is said and left out.
pub(super) fn read(folder: &Path, node: &str) -> BTreeMap<String, Pod> {
    let mut pods = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // As kubelet does it: names that begin with a dot are files that are still being written.
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        if hidden || text.is_empty() {
            continue;
        }
        match serde_saphyr::from_str::<Pod>(&text) {
            Ok(pod) => {
                let pod = named(pod, &text, node);
                pods.insert(pod.metadata.name.clone().unwrap_or_default(), pod);
            }
            Err(error) => tracing::warn!(path = %path.display(), %error, "is no pod"),
        }
    }
    pods
}

/// The pod with the name that it has on this node, and marked with what its file says.
fn named(mut pod: Pod, text: &str, node: &str) -> Pod {
    let mut hasher = DefaultHasher::new();
    (text, node).hash(&mut hasher);
    let hash = format!("{:016x}", hasher.finish());
    let name = pod.metadata.name.take().unwrap_or_default();
    pod.metadata.name = Some(format!("{name}-{node}"));
    pod.metadata.uid = Some(hash.clone());
    let annotations = pod.metadata.annotations.get_or_insert_default();
    annotations.insert("kubernetes.io/config.hash".to_owned(), hash.clone());
    annotations.insert("kubernetes.io/config.source".to_owned(), "file".to_owned());
    annotations.insert(MIRROR.to_owned(), hash);
    if let Some(spec) = &mut pod.spec {
        spec.node_name = Some(node.to_owned());
        spec.tolerations =
            serde_json::from_value(json!([{"operator": "Exists", "effect": "NoExecute"}])).ok();
    }
    pod
}

/// The mirror of a static pod: what a node may write of it.
pub(super) fn mirror(pod: &Pod, node: &Node) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.metadata.name,
            "namespace": pod.metadata.namespace,
            "labels": pod.metadata.labels,
            "annotations": pod.metadata.annotations,
            "ownerReferences": [{
                "apiVersion": "v1",
                "kind": "Node",
                "name": node.metadata.name,
                "uid": node.metadata.uid,
                "controller": true,
            }],
        },
        "spec": pod.spec,
    })
}

/// Whether the API server shows this static pod as its file says.
pub(super) fn is_mirrored(pod: &Pod, shown: &Pod) -> bool {
    mark(pod).is_some() && mark(pod) == mark(shown)
}

/// The mark of a mirror.
pub(super) fn mark(pod: &Pod) -> Option<&String> {
    pod.metadata.annotations.as_ref()?.get(MIRROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETCD: &str = "apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/etcd.advertise-client-urls: https://10.0.0.1:2379
  labels: {component: etcd, tier: control-plane}
  name: etcd
  namespace: kube-system
spec:
  containers:
  - command: [etcd, --name=m-1]
    image: registry.k8s.io/etcd:3.6.8-0
    name: etcd
  hostNetwork: true
";

    #[test]
    fn a_file_becomes_a_pod_of_this_node_and_its_mirror() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("etcd.yaml"), ETCD).unwrap();
        fs::write(folder.path().join(".kubeadm"), ETCD).unwrap();
        fs::write(folder.path().join("notes.yaml"), "- no pod\n").unwrap();
        let pods = read(folder.path(), "m-1");
        assert_eq!(pods.keys().collect::<Vec<_>>(), ["etcd-m-1"]);
        let node =
            serde_json::from_value(json!({"metadata": {"name": "m-1", "uid": "u"}})).unwrap();
        let mirror = mirror(&pods["etcd-m-1"], &node);
        assert_eq!(mirror["metadata"]["ownerReferences"][0]["uid"], "u");
        assert_eq!(mirror["metadata"]["labels"]["component"], "etcd");
        assert_eq!(mirror["spec"]["nodeName"], "m-1");
        let shown: Pod = serde_json::from_value(mirror).unwrap();
        assert!(is_mirrored(&pods["etcd-m-1"], &shown));
        fs::write(
            folder.path().join("etcd.yaml"),
            ETCD.replace("3.6.8", "3.6.9"),
        )
        .unwrap();
        assert!(!is_mirrored(
            &read(folder.path(), "m-1")["etcd-m-1"],
            &shown
        ));
        assert!(!is_mirrored(&Pod::default(), &Pod::default()));
    }
}
