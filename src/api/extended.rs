//! Extended resources, such as GPUs, as people write them: whole numbers by name.

use std::collections::BTreeMap;

use schemars::{Schema, SchemaGenerator, json_schema};

/// The resource that `gpus` of a machine speaks of.
pub(crate) const GPU: &str = "nvidia.com/gpu";

/// Whole numbers of extended resources, by name.
pub type ExtendedResources = BTreeMap<String, u32>;

/// Kubernetes' names of extended resources: a domain outside `kubernetes.io`, a slash and a name.
pub(super) fn extended_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 10000},
        "maxProperties": 8,
        "x-kubernetes-validations": [
            {
                "rule": "self.all(name, name.size() <= 190 && name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$'))",
                "message": "each name must be a domain, a slash and a name, such as nvidia.com/gpu",
            },
            {
                "rule": "self.all(name, !name.startsWith('kubernetes.io/') && !name.contains('.kubernetes.io/') && !name.startsWith('requests.'))",
                "message": "names of kubernetes.io are Kubernetes' own, and none may begin with requests.",
            },
        ],
    })
}
