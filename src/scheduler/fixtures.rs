//! Small fleets for tests of single constraints.

#![allow(clippy::unwrap_used)]

use super::model::Moving;
use super::model::{
    Cluster, ClusterPolicy, ControlPlaneRule, NodeClass, NodeGroup, Offer, Origin, Policy, Pool,
    Selector, Service, ServiceId, Snapshot,
};
use super::problem::Problem;
use super::state::{ClusterState, State};
use super::units::Resources;
use std::collections::{BTreeMap, BTreeSet};

/// What a pool of [`fleet`] sells: nodes of 4 cores and 8 GiB.
pub(crate) const CLASS: &str = "small";

/// Pools of these names and regions, and services in namespace `shop` with so many replicas of one
/// core and 1 GiB.
pub(crate) fn fleet(pools: &[(&str, &str)], services: &[(&str, u32)]) -> Snapshot {
    Snapshot {
        pools: pools
            .iter()
            .map(|(name, region)| pool(name, region))
            .collect(),
        node_classes: vec![NodeClass {
            name: CLASS.into(),
            capacity: Resources::new(4000, 8192),
            reserved: Resources::default(),
            spot: None,
            zone: None,
        }],
        services: services.iter().map(|(name, n)| service(name, *n)).collect(),
        ..Snapshot::default()
    }
}

fn pool(name: &str, region: &str) -> Pool {
    Pool {
        name: name.into(),
        provider: "aws".into(),
        region: region.into(),
        offers: vec![Offer {
            class: CLASS.into(),
            hourly: 100_000,
        }],
        ..Pool::default()
    }
}

pub(crate) fn id(name: &str) -> ServiceId {
    ServiceId::new("shop", name)
}

pub(crate) fn service(name: &str, replicas: u32) -> Service {
    Service {
        id: id(name),
        labels: BTreeMap::new(),
        priority: 0,
        replicas,
        size: Resources::new(1000, 1024),
        pools: Selector::default(),
        required_regions: Vec::new(),
        compliance: BTreeSet::new(),
        one_per_node: false,
        latency: Vec::new(),
        capacity_types: Default::default(),
        moving: Moving::default(),
    }
}

/// An empty cluster of the snapshot.
pub(crate) fn cluster(name: &str, pool: &str) -> Cluster {
    Cluster {
        name: name.into(),
        pool: pool.into(),
        origin: Origin::Scheduler { policy: None },
        control_plane: None,
        workers: Vec::new(),
    }
}

/// So many workers with so many replicas of `web` on each.
pub(crate) fn workers(count: u32, web: u32) -> NodeGroup {
    NodeGroup {
        class: CLASS.into(),
        count,
        services: (web > 0).then(|| (id("web"), web)).into_iter().collect(),
    }
}

/// A cluster `a-1` with these workers in the first pool of the snapshot, `a`, and a policy for it that asks for so many
/// workers and for no control plane.
pub(crate) fn ruled(snapshot: &mut Snapshot, min_nodes: u32, workers: Vec<NodeGroup>) {
    snapshot.policies = vec![Policy {
        name: "rules".into(),
        cluster_policy: Some(ClusterPolicy {
            min_nodes,
            control_plane: ControlPlaneRule {
                replicas: 0,
                class: None,
            },
            ..ClusterPolicy::default()
        }),
        ..Policy::default()
    }];
    let origin = Origin::Scheduler {
        policy: Some("rules".into()),
    };
    snapshot.clusters = vec![Cluster {
        origin,
        workers,
        ..cluster("a-1", "a")
    }];
}

/// The fleet with one replica, on a node of its own, for each service and cluster given; a cluster is
/// in the pool whose name its own begins with.
pub(crate) fn placed<'p>(problem: &'p Problem<'p>, replicas: &[(usize, &str)]) -> State<'p> {
    let mut state = State::new(problem);
    for &(s, name) in replicas {
        let c = state.cluster_named(name).unwrap_or_else(|| {
            let mut pools = problem.snapshot.pools.iter();
            let pool = pools.position(|pool| name.starts_with(&pool.name)).unwrap();
            let mut cluster = ClusterState::new(problem, pool, None, None);
            cluster.name = name.into();
            state.found(cluster)
        });
        let offer = problem.pools[state.clusters[c].pool].offers[0].clone();
        let n = state.open(c, &offer);
        state.put(c, n, s);
    }
    state
}

/// Reasons as people read them.
pub(crate) fn words<W: ToString>(reasons: impl IntoIterator<Item = W>) -> Vec<String> {
    reasons.into_iter().map(|why| why.to_string()).collect()
}
