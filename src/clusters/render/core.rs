//! Cluster API's own kinds: the cluster, its MachineDeployments and its health checks.

use serde_json::{Value, json};

use super::blueprint::Blueprint;
use super::machines::Machines;
use super::manifest::Kind;
use crate::api::ProviderType;
use crate::clusters::labels;
use crate::clusters::pivot::kind::{CORE_GROUP, CORE_VERSION};

pub(super) const CLUSTER: Kind = kind("Cluster");
pub(super) const MACHINE_DEPLOYMENT: Kind = kind("MachineDeployment");
pub(super) const MACHINE_HEALTH_CHECK: Kind = kind("MachineHealthCheck");

const fn kind(name: &'static str) -> Kind {
    Kind {
        group: CORE_GROUP,
        version: CORE_VERSION,
        name,
    }
}

/// Addresses of pods; the range that Cilium is told of.
const PODS: &str = "10.244.0.0/16";

/// Addresses of Services.
const SERVICES: &str = "10.96.0.0/12";

/// The spec of the cluster.
pub(super) fn cluster(
    infrastructure: Value,
    control_plane: Value,
    endpoint: Option<&Value>,
) -> Value {
    let mut spec = json!({
        "clusterNetwork": {
            "pods": {"cidrBlocks": [PODS]},
            "services": {"cidrBlocks": [SERVICES]},
            "serviceDomain": "cluster.local",
        },
        "infrastructureRef": infrastructure,
        "controlPlaneRef": control_plane,
    });
    if let Some(endpoint) = endpoint {
        spec["controlPlaneEndpoint"] = endpoint.clone();
    }
    spec
}

/// The spec of a group of workers.
pub(super) fn machine_deployment(
    blueprint: &Blueprint<'_>,
    machines: &Machines<'_>,
    infrastructure: &Value,
    bootstrap: &Value,
) -> Value {
    let mut marks = blueprint.labels.clone();
    marks.insert(labels::CAPI_DEPLOYMENT.to_owned(), machines.name.clone());
    let mut machine = json!({
        "clusterName": blueprint.name,
        "version": blueprint.version,
        "bootstrap": {"configRef": bootstrap},
        "infrastructureRef": infrastructure,
        "deletion": deletion(),
    });
    if let Some(zone) = &machines.zone
        && has_failure_domains(blueprint.provider)
    {
        machine["failureDomain"] = zone.clone().into();
    }
    json!({
        "clusterName": blueprint.name,
        "replicas": machines.count,
        "selector": {"matchLabels": {
            labels::CAPI_CLUSTER: blueprint.name,
            labels::CAPI_DEPLOYMENT: machines.name,
        }},
        // The new machine before the old one goes.
        "rollout": {"strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }},
        "template": {"metadata": {"labels": marks}, "spec": machine},
    })
}

/// Of fewer workers than this, 40 % is less than one.
const FEW: u64 = 3;

/// How long a machine that is to go is waited for: a budget of disruptions that never allows it must not keep it for ever.
pub(super) fn deletion() -> Value {
    json!({"nodeDrainTimeoutSeconds": 900, "nodeVolumeDetachTimeoutSeconds": 300})
}

/// The spec of the health check of the control plane: it replaces as many as it must, and quorum is kept for it.
pub(super) fn control_plane_health(blueprint: &Blueprint<'_>) -> Value {
    json!({
        "clusterName": blueprint.name,
        "selector": {"matchLabels": {
            labels::CAPI_CLUSTER: blueprint.name,
            labels::CAPI_CONTROL_PLANE: "",
        }},
        "checks": checks(blueprint.provider),
    })
}

/// The spec of the health check of the workers: where many fail at once, it is not the machines. One of few is not many,
/// whatever its share.
pub(super) fn worker_health(blueprint: &Blueprint<'_>) -> Value {
    let workers: u64 = blueprint.workers.iter().map(|w| u64::from(w.count)).sum();
    let most = match workers {
        ..FEW => json!(1),
        _ => json!("40%"),
    };
    json!({
        "clusterName": blueprint.name,
        "selector": {
            "matchLabels": {labels::CAPI_CLUSTER: blueprint.name},
            "matchExpressions": [{"key": labels::CAPI_DEPLOYMENT, "operator": "Exists"}],
        },
        "checks": checks(blueprint.provider),
        "remediation": {"triggerIf": {"unhealthyLessThanOrEqualTo": most}},
    })
}

fn checks(provider: ProviderType) -> Value {
    // Machines of a host are there in seconds, those of a cloud in minutes.
    let (startup, unhealthy) = match provider {
        ProviderType::Docker | ProviderType::Local => (300, 60),
        _ => (1200, 300),
    };
    let condition =
        |status: &str| json!({"type": "Ready", "status": status, "timeoutSeconds": unhealthy});
    json!({
        "nodeStartupTimeoutSeconds": startup,
        "unhealthyNodeConditions": [condition("False"), condition("Unknown")],
    })
}

/// Whether machines are told their zone. Proxmox's provider knows of none.
const fn has_failure_domains(provider: ProviderType) -> bool {
    !matches!(provider, ProviderType::Proxmox)
}
