//! Small fleets by hand: three regions, classes at the prices of m5 machines.

use lattice::scheduler::model::{
    ClusterPolicy, ControlPlaneRule, LatencyBound, Moving, NodeClass, Offer, Policy, Pool, Service,
    ServiceId, Snapshot,
};
use lattice::scheduler::units::Resources;
use std::collections::{BTreeMap, BTreeSet};

pub fn class(name: &str, cores: u64, gib: u64) -> NodeClass {
    NodeClass {
        name: name.into(),
        capacity: Resources::new(cores * 1000, gib * 1024),
        reserved: Resources::default(),
        spot: None,
        zone: None,
    }
}

/// A pool that offers `medium` and `large`, with compliance labels.
pub fn pool(name: &str, region: &str, compliance: &[&str]) -> Pool {
    let compliance: BTreeSet<String> = compliance.iter().map(|c| (*c).to_owned()).collect();
    Pool {
        name: name.into(),
        provider: "aws".into(),
        region: region.into(),
        labels: BTreeMap::from([("compliance".to_owned(), compliance)]),
        offers: vec![offer("large", 384_000), offer("medium", 192_000)],
        ..Pool::default()
    }
}

pub fn offer(class: &str, hourly: i64) -> Offer {
    Offer {
        class: class.into(),
        hourly,
    }
}

/// A service of so many replicas of 2 cores and 4 GiB, labelled `app: NAME`.
pub fn service(name: &str, replicas: u32) -> Service {
    Service {
        id: id(name),
        labels: BTreeMap::from([("app".to_owned(), name.to_owned())]),
        priority: 0,
        replicas,
        size: Resources::new(2000, 4096),
        pools: Default::default(),
        required_regions: Vec::new(),
        compliance: BTreeSet::new(),
        one_per_node: true,
        latency: Vec::new(),
        capacity_types: Default::default(),
        moving: Moving::default(),
    }
}

pub fn id(name: &str) -> ServiceId {
    ServiceId::new("default", name)
}

pub fn near(dependency: &str, max_ms: u32) -> LatencyBound {
    LatencyBound {
        dependency: id(dependency),
        max_ms,
    }
}

/// A policy for all services with hosted control planes.
pub fn policy(name: &str) -> Policy {
    Policy {
        name: name.into(),
        cluster_policy: Some(ClusterPolicy {
            control_plane: ControlPlaneRule {
                replicas: 0,
                class: None,
            },
            ..ClusterPolicy::default()
        }),
        ..Policy::default()
    }
}

/// Pools `a`, `b` and `c` in three regions, and hosted control planes.
pub fn three_regions(services: Vec<Service>) -> Snapshot {
    Snapshot {
        pools: vec![
            pool("a", "us", &["soc2"]),
            pool("b", "eu", &["soc2", "gdpr"]),
            pool("c", "ap", &[]),
        ],
        node_classes: vec![class("medium", 4, 16), class("large", 8, 32)],
        policies: vec![policy("all")],
        services,
        ..Snapshot::default()
    }
}
