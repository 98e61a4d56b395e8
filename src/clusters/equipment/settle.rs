//! Where the managers run.

use serde_json::{Value, json};

use super::bare::map;

/// A manager on a node that is lost is wanted elsewhere soon: it may be the one that replaces that node.
const LOST_FOR_SECONDS: u32 = 30;
const LOST: [&str; 2] = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
];

/// Puts a Deployment on the control plane where there is room, so that workers come and go without it.
pub(in crate::clusters) fn on_the_control_plane(mut object: Value) -> Value {
    if object["kind"] != "Deployment" {
        return object;
    }
    let Some(pod) = object.pointer_mut("/spec/template/spec") else {
        return object;
    };
    if let Some(affinity) = map(pod, "affinity") {
        affinity.entry("nodeAffinity").or_insert_with(preference);
    }
    if let Some(pod) = pod.as_object_mut() {
        let tolerations = pod.entry("tolerations").or_insert_with(|| json!([]));
        for key in LOST {
            let is_told = |known: &Value| known["key"] == key;
            if let Some(known) = tolerations
                .as_array_mut()
                .filter(|all| !all.iter().any(is_told))
            {
                known.push(json!({
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": LOST_FOR_SECONDS,
                }));
            }
        }
    }
    object
}

fn preference() -> Value {
    json!({"preferredDuringSchedulingIgnoredDuringExecution": [{
        "weight": 100,
        "preference": {"matchExpressions": [
            {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"},
        ]},
    }]})
}
