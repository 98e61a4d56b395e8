//! LatticeExternalService: something outside the fleet that services call.

use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::{Condition, conditions_schema};

/// Something outside the fleet that services call.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "lattice.dev",
    version = "v1alpha1",
    kind = "LatticeExternalService",
    plural = "latticeexternalservices",
    shortname = "les",
    category = "lattice",
    namespaced,
    status = "LatticeExternalServiceStatus",
    derive = "PartialEq",
    doc = "Something outside the fleet that services call.",
    printcolumn(name = "Resolution", type_ = "string", json_path = ".spec.resolution"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LatticeExternalServiceSpec {
    /// Where it answers, by name: `tcp://db.example.com:5432` or `https://api.example.com`.
    #[schemars(schema_with = "endpoints_schema")]
    pub endpoints: BTreeMap<String, String>,
    /// How its addresses are found.
    #[serde(default)]
    pub resolution: Resolution,
    /// Region that it is in, for latency bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub region: Option<String>,
    /// Services that may call it, as `name` in this namespace or `namespace/name`; `*` stands for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512), inner(length(min = 1, max = 317)), extend("x-kubernetes-list-type" = "set"))]
    pub allowed_requesters: Vec<String>,
}

impl LatticeExternalServiceSpec {
    /// Whether a service may call it, given the namespace that it is declared in.
    pub fn allows(&self, own_namespace: &str, namespace: &str, name: &str) -> bool {
        self.allowed_requesters
            .iter()
            .any(|allowed| match allowed.split_once('/') {
                Some((in_namespace, allowed)) => {
                    (in_namespace == "*" || in_namespace == namespace)
                        && (allowed == "*" || allowed == name)
                }
                None => allowed == "*" || (namespace == own_namespace && allowed == name),
            })
    }
}

/// How addresses are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// By name, again and again.
    #[default]
    Dns,
    /// The endpoints are addresses.
    Static,
}

fn endpoints_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 64,
        "additionalProperties": {
            "type": "string",
            "maxLength": 2048,
            "pattern": r"^((tcp|udp)://[^\s/:]+:[0-9]{1,5}|(https?|grpcs?)://[^\s/:]+(:[0-9]{1,5})?(/[^\s]*)?)$",
        },
    })
}

/// What is known of an external service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LatticeExternalServiceStatus {
    /// Aspects of its state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
    /// The `metadata.generation` that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requesters_by_name_and_namespace() {
        let spec = |allowed: &str| LatticeExternalServiceSpec {
            allowed_requesters: vec![allowed.to_owned()],
            ..LatticeExternalServiceSpec::default()
        };
        assert!(spec("api").allows("shop", "shop", "api"));
        assert!(!spec("api").allows("shop", "other", "api"));
        assert!(spec("other/api").allows("shop", "other", "api"));
        assert!(spec("other/*").allows("shop", "other", "web"));
        assert!(spec("*").allows("shop", "other", "web"));
        assert!(!LatticeExternalServiceSpec::default().allows("shop", "shop", "api"));
    }
}
