//! Objects for tests, written as manifests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::inputs::Inputs;
use super::snapshot::{Built, build};
use crate::api::{Timestamp, apply_defaults, validate_object};
use crate::scheduler::solution::Solution;

/// An object of our group, with the API server's defaults, valid by its rules.
pub(crate) fn object<K: DeserializeOwned>(kind: &str, name: &str, spec: Value) -> K {
    let mut document = json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    });
    apply_defaults(&mut document);
    assert_eq!(validate_object(&document), [], "{kind} {name}");
    serde_json::from_value(document).unwrap()
}

/// The same in a namespace.
pub(crate) fn namespaced<K: DeserializeOwned + kube::Resource>(
    kind: &str,
    id: &str,
    spec: Value,
) -> K {
    let (namespace, name) = id.split_once('/').unwrap();
    let mut made: K = object(kind, name, spec);
    made.meta_mut().namespace = Some(namespace.to_owned());
    made
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from(chrono::DateTime::from_timestamp(seconds, 0).unwrap())
}

pub(crate) fn solved(inputs: &Inputs) -> (Built, Solution) {
    let built = build(inputs);
    let solution = crate::scheduler::solve(&built.snapshot);
    let broken = crate::scheduler::check::check(&built.snapshot, &solution);
    assert_eq!(broken, []);
    (built, solution)
}

fn class(name: &str, instance: &str, size: (u32, u32), price: f64) -> crate::api::LatticeNodeClass {
    object(
        "LatticeNodeClass",
        name,
        json!({
            "providers": {"aws": {"instanceType": instance}},
            "resources": {"cores": size.0, "memoryGi": size.1},
            "costPerHour": {"aws": price},
        }),
    )
}

pub(crate) fn pool(name: &str, compliance: &[&str]) -> crate::api::LatticePool {
    object(
        "LatticePool",
        name,
        json!({
            "provider": {"type": "aws", "region": format!("{name}-1")},
            "capacity": {"maxNodes": 100, "maxCores": 2000, "maxMemoryGi": 8000},
            "budget": {"maxMonthlyCost": 10000, "currency": "USD", "alertThreshold": 0.8},
            "nodeClasses": ["small", "medium", "large", "gpu"],
            "labels": {"compliance": compliance, "tier": "production", "region": name},
            "flux": {"path": "clusters/shared"},
        }),
    )
}

pub(crate) fn gateway() -> Value {
    json!({
        "containers": {"main": {"image": "api-gateway:v1.2.3"}},
        "placement": {
            "pools": {"matchLabels": {"tier": "production"}},
            "requiredRegions": ["us-east", "eu-west"],
            "resources": {"cores": 2, "memoryGi": 4},
            "compliance": ["gdpr"],
        },
        "replicas": {"min": 3, "max": 10},
    })
}

/// The example that the statuses are known of.
pub(crate) fn seed() -> Inputs {
    let mut service: crate::api::LatticeService =
        namespaced("LatticeService", "shop/api-gateway", gateway());
    service.metadata.labels = Some([("env".to_owned(), "production".to_owned())].into());
    service.metadata.generation = Some(4);
    Inputs {
        pools: vec![
            pool("us-east", &["soc2", "hipaa", "gdpr"]),
            pool("eu-west", &["soc2", "gdpr"]),
            pool("ap-south", &["soc2"]),
        ],
        node_classes: vec![
            class("small", "t3.small", (2, 2), 0.0208),
            class("medium", "m5.xlarge", (4, 16), 0.192),
            class("large", "m5.2xlarge", (8, 32), 0.384),
            class("gpu", "g4dn.xlarge", (4, 16), 0.526),
        ],
        policies: vec![object(
            "LatticePlacementPolicy",
            "production-policy",
            json!({
                "selector": {"matchLabels": {"env": "production"}},
                "requirements": {
                    "minRegions": 2,
                    "compliance": ["soc2"],
                    "spreadConstraint": {"topologyKey": "region", "maxSkew": 1},
                },
                "preferences": [
                    {"weight": 50, "preference": {"sortBy": "cost", "order": "ascending"}},
                    {"weight": 30, "preference": {"sortBy": "availableCapacity", "order": "descending"}},
                ],
                "clusterPolicy": {
                    "minNodes": 3,
                    "maxNodes": 20,
                    "binPackingThreshold": 0.8,
                    "consolidation": {"enabled": true, "minUtilization": 0.3},
                },
            }),
        )],
        services: vec![service],
        ..Inputs::default()
    }
}

/// A service of one replica without requirements.
pub(crate) fn plain(id: &str, cores: u32, memory: u32) -> crate::api::LatticeService {
    namespaced(
        "LatticeService",
        id,
        json!({
            "containers": {"main": {"image": "x:1"}},
            "placement": {"resources": {"cores": cores, "memoryGi": memory}},
        }),
    )
}

/// The objects as they are after a decision is carried out.
pub(crate) fn carried_out(inputs: &Inputs, now: Timestamp) -> Inputs {
    use super::decisions::{Action, alternatives, decide};
    let (built, solution) = solved(inputs);
    let alternatives = alternatives(&built.snapshot, &solution, &|_| true);
    let decisions = decide(inputs, &built, &solution, &alternatives, now);
    let mut after = inputs.clone();
    for action in decisions.actions {
        match action {
            Action::CreateCluster(cluster) => after.clusters.push(*cluster),
            Action::UpdateCluster(cluster) => {
                after
                    .clusters
                    .retain(|c| c.metadata.name != cluster.metadata.name);
                after.clusters.push(*cluster);
            }
            Action::DeleteCluster(name) => after
                .clusters
                .retain(|c| c.metadata.name.as_ref() != Some(&name)),
        }
    }
    for cluster in &mut after.clusters {
        let name = cluster.metadata.name.clone().unwrap();
        cluster.status = decisions.clusters.get(&name).cloned();
    }
    for service in &mut after.services {
        let id = super::snapshot::service_id(service);
        service.status = decisions.services.get(&id).cloned();
    }
    for pool in &mut after.pools {
        pool.status = decisions
            .pools
            .get(pool.metadata.name.as_ref().unwrap())
            .cloned();
    }
    after
}
