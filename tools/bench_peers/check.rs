//! Whether a plan is one: every replica placed once, no node over what it has, the cost as claimed.
//! Knows the instance and the plan, and nothing of whoever made it.

use crate::instance::{Class, Instance, Node, Plan, Service};
use std::collections::BTreeMap;
use thiserror::Error;

/// What is wrong with a plan; nodes by their number in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("node {node} is of an unknown class `{class}`")]
    UnknownClass { node: usize, class: String },
    #[error("node {node} has pods of an unknown service `{service}`")]
    UnknownService { node: usize, service: String },
    #[error("node {node} has {used} {what}, and room for {room}")]
    Overfull {
        node: usize,
        what: &'static str,
        used: u64,
        room: u64,
    },
    #[error("{placed} replicas of `{service}` are placed, not {wanted}")]
    Replicas {
        service: String,
        placed: u64,
        wanted: u64,
    },
    #[error("the plan is said to cost {claimed} micro-dollars an hour, and costs {real}")]
    Cost { claimed: i64, real: i64 },
}

/// What a plan really is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Micro-dollars an hour of all nodes.
    pub hourly: i64,
    pub faults: Vec<Fault>,
}

/// Looks at every node and every service.
pub fn check(instance: &Instance, plan: &Plan) -> Findings {
    let classes: BTreeMap<&str, &Class> = instance.classes.iter().map(|c| (&*c.name, c)).collect();
    let services: BTreeMap<&str, &Service> =
        instance.services.iter().map(|s| (&*s.name, s)).collect();
    let mut found = Findings::default();
    let mut placed: BTreeMap<&str, u64> = BTreeMap::new();
    for (number, node) in plan.nodes.iter().enumerate() {
        for (service, n) in &node.services {
            *placed.entry(service).or_default() += u64::from(*n);
        }
        let Some(class) = classes.get(&*node.class) else {
            found.faults.push(Fault::UnknownClass {
                node: number,
                class: node.class.clone(),
            });
            continue;
        };
        found.hourly += class.hourly_micros;
        found
            .faults
            .extend(node_faults(number, node, class, &services));
    }
    for service in &instance.services {
        let placed = placed.get(&*service.name).copied().unwrap_or(0);
        let wanted = u64::from(service.replicas);
        if placed != wanted {
            found.faults.push(Fault::Replicas {
                service: service.name.clone(),
                placed,
                wanted,
            });
        }
    }
    if plan.hourly_micros != found.hourly {
        found.faults.push(Fault::Cost {
            claimed: plan.hourly_micros,
            real: found.hourly,
        });
    }
    found
}

fn node_faults(
    number: usize,
    node: &Node,
    class: &Class,
    services: &BTreeMap<&str, &Service>,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let (mut milli_cores, mut mib, mut pods) = (0, 0, 0);
    for (name, n) in &node.services {
        let n = u64::from(*n);
        pods += n;
        match services.get(&**name) {
            Some(service) => {
                milli_cores += service.milli_cores * n;
                mib += service.mib * n;
            }
            None => faults.push(Fault::UnknownService {
                node: number,
                service: name.clone(),
            }),
        }
    }
    let limits = [
        ("milli-cores", milli_cores, class.milli_cores),
        ("MiB", mib, class.mib),
        ("pods", pods, class.max_pods),
    ];
    let over = limits.into_iter().filter(|(_, used, room)| used > room);
    faults.extend(over.map(|(what, used, room)| Fault::Overfull {
        node: number,
        what,
        used,
        room,
    }));
    faults
}
