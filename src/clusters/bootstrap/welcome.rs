//! What an admitted machine is given: the objects to apply to its own, new cluster.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use super::token::sha256;
use crate::clusters::equipment::on_the_control_plane;

/// The namespace of all that is Lattice's.
const NAMESPACE: &str = "lattice-system";
/// Account, role binding and Deployment of Lattice itself.
pub const WORKLOAD: &str = "lattice";
const LATTICE: &str = WORKLOAD;
/// The ConfigMap that says which cluster this is, and where its parent is.
pub const PARENT: &str = "lattice-parent";
/// The Secret with the agent's certificate, and the authorities of its cell.
pub const CERTIFICATE: &str = "lattice-agent-certificate";
/// The Secret with the agent's key, which never leaves the cluster.
pub const KEY: &str = "lattice-agent-key";
/// Objects that Lattice's parts own, by the label that Kubernetes recommends.
const PART_OF: &str = "app.kubernetes.io/part-of";

/// Where a child reaches its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Host and port of the agents' stream.
    pub endpoint: String,
    /// The parent's certificate authority, PEM.
    pub authority: String,
}

/// A registry that images come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    /// Name of the LatticeImageRegistry.
    pub name: String,
    /// What a Secret of type `kubernetes.io/dockerconfigjson` holds, base64.
    pub docker_config: ByteString,
}

/// What an admitted machine is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Welcome {
    /// Name of the cluster.
    pub cluster: String,
    /// The certificate of the agent's key, PEM.
    pub certificate: String,
    /// The cluster's parent.
    pub parent: Parent,
    /// Lattice's image.
    pub image: String,
    /// Where images come from.
    pub registries: Vec<Registry>,
    /// Lattice's kinds.
    pub kinds: Vec<Value>,
    /// What else the platform team wants there from the first moment: the network, above all.
    pub additions: Vec<Value>,
}

impl Welcome {
    /// The objects as a `v1` List, in an order in which each finds there what it needs. Applied again, nothing
    /// changes.
    pub fn list(&self) -> Value {
        let mut items = vec![namespace()];
        items.extend(self.kinds.iter().cloned());
        items.extend(self.registries.iter().map(registry));
        items.push(self.identity());
        items.push(self.parent());
        items.extend(self.additions.iter().cloned());
        items.extend(self.lattice());
        json!({"apiVersion": "v1", "kind": "List", "items": items})
    }

    /// The machine puts the key beside it, which never leaves it.
    fn identity(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(CERTIFICATE),
            "type": "Opaque",
            "stringData": {"tls.crt": self.certificate, "ca.crt": self.parent.authority},
        })
    }

    fn parent(&self) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(PARENT),
            "data": {"cluster": self.cluster, "endpoint": self.parent.endpoint},
        })
    }

    fn lattice(&self) -> [Value; 3] {
        let account = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(LATTICE),
            "imagePullSecrets": self.pull_secrets(),
        });
        // It installs Cluster API and all that platform teams ask for, so it may do what they may.
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": LATTICE, "labels": {PART_OF: LATTICE}},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", "name": LATTICE, "namespace": NAMESPACE}],
        });
        [account, binding, on_the_control_plane(self.deployment())]
    }

    fn deployment(&self) -> Value {
        let selector = json!({"app.kubernetes.io/name": LATTICE});
        // A new certificate, or a parent that has moved, starts Lattice anew.
        let inputs = [
            self.certificate.as_str(),
            &self.parent.authority,
            &self.parent.endpoint,
        ];
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata(LATTICE),
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": selector},
                "template": {
                    "metadata": {
                        "labels": selector,
                        "annotations": {"lattice.dev/inputs": sha256(inputs.join("\n").as_bytes())},
                    },
                    "spec": {
                        "serviceAccountName": LATTICE,
                        "priorityClassName": "system-cluster-critical",
                        "tolerations": [{
                            "key": "node-role.kubernetes.io/control-plane",
                            "operator": "Exists",
                            "effect": "NoSchedule",
                        }],
                        "containers": [self.container()],
                        "volumes": [
                            {"name": "certificate", "secret": {"secretName": CERTIFICATE}},
                            {"name": "key", "secret": {"secretName": KEY}},
                        ],
                    },
                },
            },
        })
    }

    fn container(&self) -> Value {
        json!({
            "name": LATTICE,
            "image": self.image,
            "args": ["operator"],
            "env": [
                {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "volumeMounts": [
                {"name": "certificate", "mountPath": "/etc/lattice/certificate", "readOnly": true},
                {"name": "key", "mountPath": "/etc/lattice/key", "readOnly": true},
            ],
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": true,
                "runAsNonRoot": true,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        })
    }

    fn pull_secrets(&self) -> Vec<Value> {
        let names = self.registries.iter().map(secret_name);
        names.map(|name| json!({"name": name})).collect()
    }
}

fn namespace() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {PART_OF: LATTICE}},
    })
}

fn registry(registry: &Registry) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(&secret_name(registry)),
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": registry.docker_config},
    })
}

fn secret_name(registry: &Registry) -> String {
    format!("registry-{}", registry.name)
}

fn metadata(name: &str) -> Value {
    json!({"name": name, "namespace": NAMESPACE, "labels": {PART_OF: LATTICE}})
}
