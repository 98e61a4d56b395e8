//! Lattice's side: the instance as a snapshot of one pool without limits, and the solution as a plan.

use crate::instance::{Instance, Node, Plan};
use lattice::scheduler::model::{
    ClusterPolicy, ControlPlaneRule, NodeClass, Offer, Policy, Pool, Selector, Service, ServiceId,
    Snapshot,
};
use lattice::scheduler::solution::{SOLVER_VERSION, Solution};
use lattice::scheduler::solve;
use lattice::scheduler::units::Resources;
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::{Duration, Instant};

const NAMESPACE: &str = "apps";

/// Solves so many times; the fastest counts.
pub fn plan(instance: &Instance, runs: usize) -> Plan {
    let snapshot = snapshot(instance);
    let mut fastest = Duration::MAX;
    let mut solution = Solution::default();
    for _ in 0..runs {
        let start = Instant::now();
        solution = solve(black_box(&snapshot));
        fastest = fastest.min(start.elapsed());
    }
    Plan {
        version: SOLVER_VERSION.to_owned(),
        threads: 1,
        runs,
        milliseconds: fastest.as_secs_f64() * 1e3,
        hourly_micros: solution.hourly,
        nodes: nodes(&solution),
    }
}

fn snapshot(instance: &Instance) -> Snapshot {
    Snapshot {
        pools: vec![pool(instance)],
        node_classes: instance
            .classes
            .iter()
            .map(|class| NodeClass {
                name: class.name.clone(),
                capacity: Resources::new(class.milli_cores, class.mib),
                reserved: Resources::default(),
                spot: None,
                zone: None,
            })
            .collect(),
        // A hosted control plane, since the other side has none to pay for.
        policies: vec![Policy {
            name: "hosted".into(),
            cluster_policy: Some(ClusterPolicy {
                control_plane: ControlPlaneRule {
                    replicas: 0,
                    class: None,
                },
                ..ClusterPolicy::default()
            }),
            ..Policy::default()
        }],
        services: instance.services.iter().map(service).collect(),
        ..Snapshot::default()
    }
}

fn pool(instance: &Instance) -> Pool {
    let offers = instance.classes.iter().map(|class| Offer {
        class: class.name.clone(),
        hourly: class.hourly_micros,
    });
    Pool {
        name: "pool".into(),
        provider: "aws".into(),
        region: "us".into(),
        offers: offers.collect(),
        ..Pool::default()
    }
}

fn service(service: &crate::instance::Service) -> Service {
    Service {
        id: ServiceId::new(NAMESPACE, &service.name),
        labels: BTreeMap::new(),
        priority: 0,
        replicas: service.replicas,
        size: Resources::new(service.milli_cores, service.mib),
        pools: Selector::default(),
        required_regions: Vec::new(),
        compliance: BTreeSet::new(),
        one_per_node: false,
        latency: Vec::new(),
        capacity_types: Default::default(),
        moving: Default::default(),
    }
}

fn nodes(solution: &Solution) -> Vec<Node> {
    let mut nodes = Vec::new();
    for decision in solution.live() {
        let cluster = &decision.cluster;
        for group in &cluster.workers {
            let services = group.services.iter();
            let node = Node {
                class: group.class.clone(),
                services: services.map(|(id, n)| (id.name.clone(), *n)).collect(),
            };
            nodes.extend(std::iter::repeat_n(node, group.count as usize));
        }
        if let Some((class, n)) = &cluster.control_plane {
            let node = Node {
                class: class.clone(),
                services: BTreeMap::new(),
            };
            nodes.extend(std::iter::repeat_n(node, *n as usize));
        }
    }
    nodes
}
