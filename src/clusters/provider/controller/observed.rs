//! What the controllers see of Cluster API's objects: only what they decide on.

use kube::ResourceExt;
use kube::api::DynamicObject;

use crate::clusters::labels::CAPI_CONTROL_PLANE;
use crate::clusters::pivot::pause::PAUSED_ANNOTATION;

/// A Cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cluster {
    /// Namespace and name in one: no two clusters of a cloud's customer share it.
    pub(super) key: String,
    pub(super) paused: bool,
    pub(super) infrastructure_provisioned: bool,
}

impl Cluster {
    pub(super) fn read(object: &DynamicObject) -> Self {
        let truth = |path: &str| object.data.pointer(path).and_then(|value| value.as_bool());
        Self {
            key: format!(
                "{}.{}",
                object.name_any(),
                object.namespace().unwrap_or_default()
            ),
            paused: truth("/spec/paused") == Some(true),
            infrastructure_provisioned: truth("/status/initialization/infrastructureProvisioned")
                == Some(true),
        }
    }
}

/// A Machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) version: String,
    pub(super) failure_domain: Option<String>,
    pub(super) bootstrap_secret: Option<String>,
    pub(super) control_plane: bool,
}

impl Machine {
    pub(super) fn read(object: &DynamicObject) -> Self {
        let text = |path: &str| {
            let value = object.data.pointer(path).and_then(|value| value.as_str());
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        Self {
            version: text("/spec/version").unwrap_or_default(),
            failure_domain: text("/spec/failureDomain"),
            bootstrap_secret: text("/spec/bootstrap/dataSecretName"),
            control_plane: object.labels().contains_key(CAPI_CONTROL_PLANE),
        }
    }
}

/// Whether an object, or the cluster it belongs to, is not to be acted on.
pub(super) fn is_paused(object: &impl ResourceExt, cluster: Option<&Cluster>) -> bool {
    object.annotations().contains_key(PAUSED_ANNOTATION)
        || cluster.is_some_and(|cluster| cluster.paused)
}

/// The name of the owner of this kind, among Cluster API's own.
pub(super) fn owner(object: &impl ResourceExt, kind: &str) -> Option<String> {
    object
        .owner_references()
        .iter()
        .find(|owner| owner.kind == kind && owner.api_version.starts_with("cluster.x-k8s.io/"))
        .map(|owner| owner.name.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: serde_json::Value) -> DynamicObject {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_fields_of_the_contract_are_read() {
        let cluster = Cluster::read(&object(json!({
            "metadata": {"name": "a", "namespace": "fleet"},
            "spec": {"paused": true},
            "status": {"initialization": {"infrastructureProvisioned": true}},
        })));
        assert_eq!(cluster.key, "a.fleet");
        assert!(cluster.paused && cluster.infrastructure_provisioned);
        let machine = Machine::read(&object(json!({
            "metadata": {"name": "m", "labels": {"cluster.x-k8s.io/control-plane": ""}},
            "spec": {"version": "v1.36.3", "failureDomain": "", "bootstrap": {"dataSecretName": "s"}},
        })));
        assert_eq!(machine.version, "v1.36.3");
        assert_eq!(machine.failure_domain, None);
        assert_eq!(machine.bootstrap_secret.as_deref(), Some("s"));
        assert!(machine.control_plane);
    }

    #[test]
    fn owners_are_found_by_kind_and_group() {
        let owned = |version: &str, kind: &str| {
            object(json!({"metadata": {"name": "m", "ownerReferences": [
                {"apiVersion": version, "kind": kind, "name": "o", "uid": "u"}
            ]}}))
        };
        let found = |version, kind| owner(&owned(version, kind), "Machine");
        assert_eq!(
            found("cluster.x-k8s.io/v1beta2", "Machine").as_deref(),
            Some("o")
        );
        assert_eq!(found("cluster.x-k8s.io/v1beta2", "Cluster"), None);
        assert_eq!(found("other/v1", "Machine"), None);
    }
}
