#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

const RELEASE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: manager, namespace: capi-system, labels: {cluster.x-k8s.io/provider: cluster-api}}
spec:
  template:
    spec:
      tolerations: [{key: node.kubernetes.io/not-ready, operator: Exists}]
      containers: [{args: ['--a=${A:=:8443}', '--b=${B:=false},${C:-"x"}']}]
---
apiVersion: v1
kind: Namespace
metadata: {name: capi-system, labels: {cluster.x-k8s.io/provider: cluster-api}}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: serving, namespace: capi-system}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: hooks
  labels: {cluster.x-k8s.io/provider: cluster-api}
  annotations: {cert-manager.io/inject-ca-from: capi-system/serving}
webhooks:
- name: a
  clientConfig: {service: {name: hook, namespace: capi-system, path: /a}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: machines.cluster.x-k8s.io, labels: {cluster.x-k8s.io/provider: cluster-api}}
spec:
  conversion: {strategy: Webhook, webhook: {clientConfig: {service: {name: hook, namespace: capi-system}}}}
"#;

fn kinds(equipment: &Equipment) -> Vec<&str> {
    let kinds = equipment.objects().iter().map(|o| o["kind"].as_str());
    kinds.flatten().collect()
}

#[test]
fn a_release_is_put_in_order_and_its_variables_have_their_defaults() {
    let equipment = Equipment::of_release(RELEASE).unwrap();
    assert_eq!(
        kinds(&equipment),
        [
            "Namespace",
            "CustomResourceDefinition",
            "Deployment",
            "ValidatingWebhookConfiguration"
        ]
    );
    let pod = &equipment.objects()[2]["spec"]["template"]["spec"];
    let arguments = &pod["containers"][0]["args"];
    assert_eq!(arguments, &json!(["--a=:8443", "--b=false,x"]));
    assert_eq!(
        equipment.deployments(),
        [("capi-system".to_owned(), "manager".to_owned())]
    );
    for object in equipment.objects() {
        let labels = &object["metadata"]["labels"];
        assert_eq!(labels["clusterctl.cluster.x-k8s.io"], "", "{object}");
        let annotations = object["metadata"].get("annotations");
        assert!(
            annotations.is_none_or(|known| *known == json!({})),
            "{object}"
        );
    }
}

#[test]
fn managers_prefer_the_control_plane_and_leave_a_lost_node_soon() {
    let equipment = Equipment::of_release(RELEASE).unwrap();
    let pod = &equipment.objects()[2]["spec"]["template"]["spec"];
    assert!(pod["affinity"]["nodeAffinity"].is_object());
    let tolerations = pod["tolerations"].as_array().unwrap();
    // The release's own word on a key stands.
    assert_eq!(tolerations.len(), 2);
    assert_eq!(tolerations[0]["tolerationSeconds"], Value::Null);
    assert_eq!(tolerations[1]["tolerationSeconds"], 30);
}

#[test]
fn webhooks_trust_what_was_made_for_their_service() {
    let equipment = Equipment::of_release(RELEASE).unwrap();
    let endpoint = Endpoint {
        namespace: "capi-system".to_owned(),
        service: "hook".to_owned(),
    };
    assert_eq!(equipment.endpoints(), [endpoint.clone()].into());
    assert_eq!(endpoint.secret(), "hook-cert");
    assert!(
        endpoint
            .hosts()
            .contains(&"hook.capi-system.svc".to_owned())
    );
    let trusting = equipment.trusting(&[(endpoint, "PEM".to_owned())].into());
    let bundle = |path: &str, object: usize| {
        let found = trusting.objects()[object].pointer(path).unwrap();
        found["caBundle"].clone()
    };
    assert_eq!(bundle("/spec/conversion/webhook/clientConfig", 1), "UEVN");
    assert_eq!(bundle("/webhooks/0/clientConfig", 3), "UEVN");
}

#[test]
fn what_is_wrong_with_a_release_is_named() {
    for (text, words) in [
        ("a: [", "it is no YAML"),
        ("kind: X", "document 1 has no kind or no name"),
        ("kind: ${KIND}", "the variable KIND has no default"),
        (
            "{kind: X, apiVersion: v1, metadata: {name: hooks}, webhooks: [{clientConfig: {url: 'https://x'}}]}",
            "hooks has webhooks that no Service is before",
        ),
    ] {
        let error = Equipment::of_release(text).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}

fn installed(provider: &str, kind: &str, version: &str, more: Value) -> Value {
    let mut object = json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": {
            "name": provider,
            "uid": "1",
            "resourceVersion": "7",
            "labels": {PROVIDER: provider},
            "managedFields": [{"manager": "x"}],
            "annotations": {"deployment.kubernetes.io/revision": "3", "keep": "me"},
        },
        "status": {"x": 1},
    });
    for (key, value) in more.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

#[test]
fn a_leaf_is_given_what_its_own_machines_need_and_a_cell_all() {
    let providers = [
        "cluster-api",
        "bootstrap-kubeadm",
        "bootstrap-rke2",
        "control-plane-kubeadm",
        "infrastructure-aws",
        "infrastructure-gcp",
    ];
    let all = providers.map(|name| installed(name, "Namespace", "v1", json!({})));
    let needs = |is_cell| Needs {
        is_cell,
        bootstrap: Bootstrap::Kubeadm,
        infrastructure: ProviderType::Gcp,
    };
    let names = |is_cell| -> Vec<String> {
        let equipment = Equipment::of_installed(all.to_vec(), &needs(is_cell));
        let objects = equipment.objects().iter();
        objects
            .map(|o| o["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(false),
        [
            "cluster-api",
            "bootstrap-kubeadm",
            "control-plane-kubeadm",
            "infrastructure-gcp"
        ]
    );
    assert_eq!(names(true), providers);
}

#[test]
fn nothing_of_where_it_was_read_comes_along() {
    let objects = vec![
        installed(
            "cluster-api",
            "Service",
            "v1",
            json!({"spec": {"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": []}}),
        ),
        installed(
            "cluster-api",
            "ClusterRole",
            "rbac.authorization.k8s.io/v1",
            json!({"aggregationRule": {}, "rules": [{}]}),
        ),
        installed("cluster-api", "Lease", "coordination.k8s.io/v1", json!({})),
    ];
    let needs = Needs {
        is_cell: true,
        bootstrap: Bootstrap::Kubeadm,
        infrastructure: ProviderType::Local,
    };
    let equipment = Equipment::of_installed(objects, &needs);
    let metadata = json!({
        "name": "cluster-api",
        "labels": {PROVIDER: "cluster-api"},
        "annotations": {"keep": "me"},
    });
    assert_eq!(
        equipment.objects(),
        [
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "aggregationRule": {}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": []}}),
        ]
    );
}
