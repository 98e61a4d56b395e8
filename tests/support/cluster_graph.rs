//! A cluster as Cluster API has it when all is well: its objects, without anybody who acts on them.

use std::collections::BTreeMap;

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

/// Who applied what Lattice renders; everything else was written by controllers.
pub const RENDERER: &str = "lattice.dev/render";

const CORE: &str = "cluster.x-k8s.io/v1beta2";
const BOOTSTRAP: &str = "bootstrap.cluster.x-k8s.io/v1beta2";
const CONTROL_PLANE: &str = "controlplane.cluster.x-k8s.io/v1beta2";
const ADDONS: &str = "addons.cluster.x-k8s.io/v1beta2";
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io/v1alpha1";

/// Control plane machines.
pub const CONTROL_PLANES: usize = 3;
/// Workers of each of the two MachineDeployments.
pub const WORKERS: [(&str, usize); 2] = [("small", 2), ("large", 1)];
const VERSION: &str = "v1.36.3";

/// Puts the objects into a namespace.
pub struct Planter<'a> {
    client: &'a Client,
    namespace: &'a str,
    name: &'a str,
    made: BTreeMap<String, Value>,
}

/// Makes a whole cluster. Returns how many objects it consists of.
pub async fn plant(client: &Client, namespace: &str, name: &str) -> usize {
    let mut planter = Planter {
        client,
        namespace,
        name,
        made: BTreeMap::new(),
    };
    planter.cluster().await;
    planter.secrets().await;
    planter.control_plane().await;
    for (class, count) in WORKERS {
        planter.workers(class, count).await;
    }
    planter.around().await;
    planter.made.len()
}

fn reference(api_version: &str, kind: &str, name: &str) -> Value {
    let group = api_version.split('/').next().unwrap();
    json!({"apiGroup": group, "kind": kind, "name": name})
}

fn ready(also: &Value) -> Value {
    let condition = |type_: &str| {
        json!({
            "type": type_,
            "status": "True",
            "reason": "Ready",
            "message": "",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-11-21T00:00:00Z",
        })
    };
    let mut status = also.clone();
    status["conditions"] = json!([condition("Ready"), condition("Available")]);
    status
}

impl Planter<'_> {
    async fn cluster(&mut self) {
        let name = self.name.to_owned();
        let mut status = ready(&json!({
            "initialization": {"infrastructureProvisioned": true, "controlPlaneInitialized": true},
            "phase": "Provisioned",
            "observedGeneration": 1,
        }));
        let mut initialized = status["conditions"][0].clone();
        initialized["type"] = json!("ControlPlaneInitialized");
        status["conditions"]
            .as_array_mut()
            .unwrap()
            .push(initialized);
        let spec = json!({
            "clusterNetwork": {"pods": {"cidrBlocks": ["10.244.0.0/16"]}, "services": {"cidrBlocks": ["10.96.0.0/12"]}},
            "controlPlaneEndpoint": {"host": "10.0.0.10", "port": 6443},
            "controlPlaneRef": reference(CONTROL_PLANE, "KubeadmControlPlane", &name),
            "infrastructureRef": reference(INFRASTRUCTURE, "LocalCluster", &name),
        });
        self.render(CORE, "Cluster", &name, None, spec, status)
            .await;
        self.finalize("Cluster", "cluster.cluster.x-k8s.io").await;
        let endpoint = json!({"controlPlaneEndpoint": {"host": "10.0.0.10", "port": 6443}});
        let status = ready(&json!({"initialization": {"provisioned": true}}));
        self.render(
            INFRASTRUCTURE,
            "LocalCluster",
            &name,
            Some("Cluster"),
            endpoint,
            status,
        )
        .await;
        self.finalize("LocalCluster", "localcluster.lattice.dev")
            .await;
    }

    async fn control_plane(&mut self) {
        let name = self.name.to_owned();
        let template = format!("{name}-control-plane");
        self.machine_template(&template).await;
        let spec = json!({
            "version": VERSION,
            "replicas": CONTROL_PLANES,
            "machineTemplate": {"spec": {"infrastructureRef": reference(INFRASTRUCTURE, "LocalMachineTemplate", &template)}},
            "kubeadmConfigSpec": {"clusterConfiguration": {"apiServer": {"certSANs": ["10.0.0.10"]}}},
        });
        let status = ready(&json!({
            "initialization": {"controlPlaneInitialized": true},
            "replicas": CONTROL_PLANES,
            "readyReplicas": CONTROL_PLANES,
            "version": VERSION,
        }));
        self.render(
            CONTROL_PLANE,
            "KubeadmControlPlane",
            &name,
            Some("Cluster"),
            spec,
            status,
        )
        .await;
        self.finalize(
            "KubeadmControlPlane",
            "kubeadm.controlplane.cluster.x-k8s.io",
        )
        .await;
        for number in 0..CONTROL_PLANES {
            let machine = format!("{name}-control-plane-{number}");
            self.machine(&machine, "KubeadmControlPlane").await;
        }
        let check = json!({
            "clusterName": name,
            "selector": {"matchLabels": {"cluster.x-k8s.io/control-plane": ""}},
            "checks": {"unhealthyNodeConditions": [{"type": "Ready", "status": "Unknown", "timeoutSeconds": 300}]},
        });
        let status = ready(&json!({"expectedMachines": CONTROL_PLANES}));
        self.render(
            CORE,
            "MachineHealthCheck",
            &name,
            Some("Cluster"),
            check,
            status,
        )
        .await;
    }

    async fn workers(&mut self, class: &str, count: usize) {
        let name = format!("{}-{class}", self.name);
        self.machine_template(&name).await;
        let template = json!({"template": {"spec": {"joinConfiguration": {"nodeRegistration": {"name": "{{ ds.meta_data.local_hostname }}"}}}}});
        self.render(
            BOOTSTRAP,
            "KubeadmConfigTemplate",
            &name,
            Some("Cluster"),
            template,
            Value::Null,
        )
        .await;
        let labels =
            json!({"cluster.x-k8s.io/cluster-name": self.name, "lattice.dev/node-class": class});
        let spec = json!({
            "clusterName": self.name,
            "replicas": count,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "clusterName": self.name,
                    "version": VERSION,
                    "bootstrap": {"configRef": reference(BOOTSTRAP, "KubeadmConfigTemplate", &name)},
                    "infrastructureRef": reference(INFRASTRUCTURE, "LocalMachineTemplate", &name),
                },
            },
        });
        let status = ready(&json!({"replicas": count, "phase": "Running"}));
        self.render(
            CORE,
            "MachineDeployment",
            &name,
            Some("Cluster"),
            spec.clone(),
            status.clone(),
        )
        .await;
        let set = format!("{name}-7d9f");
        let deployment = format!("MachineDeployment {name}");
        let counted = ready(&json!({"replicas": count}));
        self.controlled(CORE, "MachineSet", &set, &deployment, spec, counted)
            .await;
        for number in 0..count {
            let owner = format!("MachineSet {set}");
            self.machine(&format!("{set}-{number}"), &owner).await;
        }
    }

    /// A machine with what it was started from and runs on.
    async fn machine(&mut self, name: &str, owner: &str) {
        let provider = format!("local:///{}/{name}", self.name);
        let data = format!("{name}-data");
        let spec = json!({
            "clusterName": self.name,
            "version": VERSION,
            "providerID": provider,
            "bootstrap": {"configRef": reference(BOOTSTRAP, "KubeadmConfig", name), "dataSecretName": data},
            "infrastructureRef": reference(INFRASTRUCTURE, "LocalMachine", name),
        });
        let status = ready(&json!({
            "initialization": {"bootstrapDataSecretCreated": true, "infrastructureProvisioned": true},
            "nodeRef": {"name": name},
            "phase": "Running",
        }));
        let owner = if owner.contains(' ') {
            owner.to_owned()
        } else {
            format!("{owner} {}", self.name)
        };
        self.controlled(CORE, "Machine", name, &owner, spec, status)
            .await;
        let machine = format!("Machine {name}");
        let config = json!({
            "clusterConfiguration": {"apiServer": {"certSANs": ["10.0.0.10"]}},
            "format": "cloud-config",
        });
        let status =
            ready(&json!({"dataSecretName": data, "initialization": {"dataSecretCreated": true}}));
        self.controlled(BOOTSTRAP, "KubeadmConfig", name, &machine, config, status)
            .await;
        let infrastructure = json!({"providerID": provider, "instanceType": "small"});
        let status = ready(&json!({
            "initialization": {"provisioned": true},
            "addresses": [{"type": "InternalIP", "address": "10.0.0.11"}],
        }));
        self.controlled(
            INFRASTRUCTURE,
            "LocalMachine",
            name,
            &machine,
            infrastructure,
            status,
        )
        .await;
        for (kind, finalizer) in [
            ("Machine", "machine.cluster.x-k8s.io"),
            ("LocalMachine", "localmachine.lattice.dev"),
        ] {
            self.finalize_named(kind, name, finalizer).await;
        }
        let config = format!("KubeadmConfig {name}");
        self.secret(&data, Some(&config), "#cloud-config").await;
    }

    async fn machine_template(&mut self, name: &str) {
        let spec = json!({"template": {"spec": {"instanceType": "small", "cores": 2}}});
        self.render(
            INFRASTRUCTURE,
            "LocalMachineTemplate",
            name,
            Some("Cluster"),
            spec,
            Value::Null,
        )
        .await;
    }

    async fn secrets(&mut self) {
        for purpose in ["kubeconfig", "ca", "etcd", "sa", "proxy"] {
            let name = format!("{}-{purpose}", self.name);
            // A person brought the CA along: nothing owns it.
            let owner = (purpose != "ca").then(|| format!("Cluster {}", self.name));
            self.secret(&name, owner.as_deref(), purpose).await;
        }
    }

    async fn secret(&mut self, name: &str, owner: Option<&str>, content: &str) {
        let mut secret = self.head("v1", "Secret", name, owner, owner.is_some());
        secret["type"] = json!("cluster.x-k8s.io/secret");
        secret["stringData"] = json!({"value": format!("{content} of {name}")});
        self.create(secret, Value::Null).await;
    }

    /// What moves along although the cluster does not own it.
    async fn around(&mut self) {
        let mut identity = self.head("v1", "Secret", "credentials", None, false);
        identity["metadata"]["labels"]["clusterctl.cluster.x-k8s.io/move"] = json!("");
        identity["stringData"] = json!({"token": "of the provider"});
        self.create(identity, Value::Null).await;
        let spec = json!({
            "clusterSelector": {"matchLabels": {"cni": "cilium"}},
            "resources": [{"kind": "ConfigMap", "name": "cilium"}],
            "strategy": "ApplyOnce",
        });
        let set = self.head(ADDONS, "ClusterResourceSet", "cni", None, false);
        self.create(with_spec(set, spec), ready(&json!({}))).await;
        let mut values = self.head(
            "v1",
            "ConfigMap",
            "cilium",
            Some("ClusterResourceSet cni"),
            false,
        );
        values["data"] = json!({"values.yaml": "ipam: {}"});
        self.create(values, Value::Null).await;
        let binding = self.head(
            ADDONS,
            "ClusterResourceSetBinding",
            self.name,
            Some("ClusterResourceSet cni"),
            false,
        );
        let spec = json!({
            "clusterName": self.name,
            "bindings": [{"clusterResourceSetName": "cni", "resources": [
                {"kind": "ConfigMap", "name": "cilium", "applied": true, "hash": "sha256:0", "lastAppliedTime": "2026-11-21T00:00:00Z"},
            ]}],
        });
        self.create(with_spec(binding, spec), Value::Null).await;
    }

    /// As a person or Lattice writes an object: applied, and then owned by the cluster, as its controllers see to.
    async fn render(
        &mut self,
        api_version: &str,
        kind: &str,
        name: &str,
        owner: Option<&str>,
        spec: Value,
        status: Value,
    ) {
        let object = with_spec(self.head(api_version, kind, name, None, false), spec);
        let params = PatchParams::apply(RENDERER).force();
        let api = self.api(api_version, kind);
        let made = api
            .patch(name, &params, &Patch::Apply(&object))
            .await
            .unwrap();
        self.note(kind, name, &made);
        if let Some(owner) = owner {
            let owner = format!("{owner} {}", self.name);
            let owners = json!({"metadata": {"ownerReferences": [self.owner(&owner, false)]}});
            api.patch(name, &PatchParams::default(), &Patch::Merge(&owners))
                .await
                .unwrap();
        }
        self.status(api_version, kind, name, status).await;
    }

    /// As a controller makes an object.
    async fn controlled(
        &mut self,
        api_version: &str,
        kind: &str,
        name: &str,
        owner: &str,
        spec: Value,
        status: Value,
    ) {
        let head = self.head(api_version, kind, name, Some(owner), true);
        self.create(with_spec(head, spec), status).await;
    }

    async fn create(&mut self, object: Value, status: Value) {
        let text = |field: &Value| field.as_str().unwrap().to_owned();
        let (api_version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let name = text(&object["metadata"]["name"]);
        let document: DynamicObject = serde_json::from_value(object).unwrap();
        let api = self.api(&api_version, &kind);
        let made = api.create(&PostParams::default(), &document).await;
        let made = made.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
        self.note(&kind, &name, &made);
        self.status(&api_version, &kind, &name, status).await;
    }

    async fn status(&self, api_version: &str, kind: &str, name: &str, status: Value) {
        if !status.is_null() {
            let patch = Patch::Merge(json!({"status": status}));
            let api = self.api(api_version, kind);
            let patched = api
                .patch_status(name, &PatchParams::default(), &patch)
                .await;
            patched.unwrap_or_else(|error| panic!("status of {kind} {name}: {error}"));
        }
    }

    async fn finalize(&self, kind: &str, finalizer: &str) {
        self.finalize_named(kind, self.name, finalizer).await;
    }

    async fn finalize_named(&self, kind: &str, name: &str, finalizer: &str) {
        let api_version = self.made[&format!("{kind} {name}")]["apiVersion"].clone();
        let patch = Patch::Merge(json!({"metadata": {"finalizers": [finalizer]}}));
        let api = self.api(api_version.as_str().unwrap(), kind);
        api.patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    fn head(
        &self,
        api_version: &str,
        kind: &str,
        name: &str,
        owner: Option<&str>,
        controller: bool,
    ) -> Value {
        let owners: Vec<Value> = owner
            .map(|owner| self.owner(owner, controller))
            .into_iter()
            .collect();
        let labels = match owner {
            None if kind != "Cluster" => json!({}),
            _ => json!({"cluster.x-k8s.io/cluster-name": self.name, "cni": "cilium"}),
        };
        json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": labels,
                "annotations": {"example.com/team": "platform"},
                "ownerReferences": owners,
            },
        })
    }

    fn owner(&self, owner: &str, controller: bool) -> Value {
        let mut reference = self.made[owner].clone();
        if controller {
            reference["controller"] = json!(true);
            reference["blockOwnerDeletion"] = json!(true);
        }
        reference
    }

    fn note(&mut self, kind: &str, name: &str, made: &DynamicObject) {
        let types = made.types.as_ref().unwrap();
        let reference = json!({
            "apiVersion": types.api_version,
            "kind": kind,
            "name": name,
            "uid": made.metadata.uid,
        });
        self.made.insert(format!("{kind} {name}"), reference);
    }

    fn api(&self, api_version: &str, kind: &str) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, kind);
        Api::namespaced_with(
            self.client.clone(),
            self.namespace,
            &ApiResource::from_gvk(&kind),
        )
    }
}

fn with_spec(mut object: Value, spec: Value) -> Value {
    object["spec"] = spec;
    object
}
