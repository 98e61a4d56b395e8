//! Machines that were asked for and do not come.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{is_leaving, machines::obstacle};
use crate::api::{
    LatticeCluster, ProviderType,
    capacity::CapacityType,
    cluster::NodeGroup,
    cluster_status::{MachineShortage, NodeRole},
};
use crate::clusters::labels::{CAPI_CONTROL_PLANE, CAPI_DEPLOYMENT};

/// Words by which providers say that there is nothing to be had; the condition's reason holds one of them.
const SCARCE: [&str; 6] = [
    "OutOfStock",
    "QuotaExceeded",
    "InsufficientInstanceCapacity",
    "InsufficientCapacity",
    "LimitExceeded",
    "ZoneResourcePoolExhausted",
];

/// What does not come of a cluster's machines, by the groups that they are of. `groups` are those of the rendered cluster, by the
/// name of their MachineDeployment.
pub fn shortages(
    cluster: &LatticeCluster,
    groups: &BTreeMap<String, NodeGroup>,
    machines: &[Value],
    now: DateTime<Utc>,
) -> Vec<MachineShortage> {
    let patience = patience(cluster.spec.provider.provider_type());
    let mut found: BTreeMap<Option<&str>, Waiting<'_>> = BTreeMap::new();
    for machine in machines {
        if is_leaving(machine) {
            continue;
        }
        let labels = &machine["metadata"]["labels"];
        let group = match (
            labels[CAPI_DEPLOYMENT].as_str(),
            labels.get(CAPI_CONTROL_PLANE),
        ) {
            (Some(name), _) => Some(name),
            (None, Some(_)) => None,
            (None, None) => continue,
        };
        let waiting = found.entry(group).or_default();
        match why(machine, patience, now) {
            Some(why) => waiting.why = Some(why),
            None => waiting.coming += 1,
        }
    }
    let told = found.into_iter().filter_map(|(name, waiting)| {
        let (reason, message) = waiting.why?;
        let (group, role) = match name {
            Some(name) => (groups.get(name)?.clone(), NodeRole::Worker),
            None => (control_plane(cluster)?, NodeRole::ControlPlane),
        };
        Some(MachineShortage {
            node_class: group.node_class,
            capacity_type: group.capacity_type,
            zone: group.zone,
            role,
            coming: waiting.coming,
            reason: reason.to_owned(),
            message,
        })
    });
    told.collect()
}

/// Machines of a group.
#[derive(Default)]
struct Waiting<'a> {
    coming: u32,
    why: Option<(&'a str, String)>,
}

fn control_plane(cluster: &LatticeCluster) -> Option<NodeGroup> {
    Some(NodeGroup {
        node_class: cluster.spec.nodes.control_plane_class.clone()?,
        capacity_type: CapacityType::OnDemand,
        zone: String::new(),
        count: cluster.spec.nodes.control_plane,
    })
}

/// Why a machine does not come, if that is so.
fn why(machine: &Value, patience: TimeDelta, now: DateTime<Utc>) -> Option<(&str, String)> {
    let (reason, message) = obstacle(machine)?;
    if SCARCE.iter().any(|word| reason.contains(word)) {
        return Some((reason, message.to_owned()));
    }
    let made = machine["metadata"]["creationTimestamp"].as_str()?;
    let made: DateTime<Utc> = made.parse().ok()?;
    (now - made > patience).then(|| {
        let waited = format!("no node after {} minutes", patience.num_minutes());
        let message = match message {
            "" => waited,
            message => format!("{waited}. {message}"),
        };
        ("NotComing", message)
    })
}

/// After this long a machine without a node is taken for one that does not come: before the health check gives it up, which
/// would begin the time anew.
fn patience(provider: Option<ProviderType>) -> TimeDelta {
    match provider {
        Some(ProviderType::Docker | ProviderType::Local) => TimeDelta::minutes(4),
        _ => TimeDelta::minutes(15),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cluster() -> LatticeCluster {
        serde_json::from_value(json!({
            "apiVersion": "lattice.dev/v1alpha1", "kind": "LatticeCluster", "metadata": {"name": "east"},
            "spec": {
                "provider": {"type": "local", "kubernetes": {"version": "1.36.3"}},
                "nodes": {"controlPlane": 1, "controlPlaneClass": "medium"},
            },
        }))
        .unwrap()
    }

    fn groups() -> BTreeMap<String, NodeGroup> {
        let group = NodeGroup {
            node_class: "small".into(),
            capacity_type: CapacityType::Spot,
            zone: "a".into(),
            count: 3,
        };
        [("east-small".to_owned(), group)].into()
    }

    fn machine(labels: Value, status: Value) -> Value {
        json!({
            "metadata": {"creationTimestamp": "2026-11-22T12:00:00Z", "labels": labels},
            "status": status,
        })
    }

    fn worker(status: Value) -> Value {
        machine(json!({CAPI_DEPLOYMENT: "east-small"}), status)
    }

    fn refused(reason: &str) -> Value {
        json!({"conditions": [{
            "type": "InfrastructureReady", "status": "False", "reason": reason, "message": "no small is left",
        }]})
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        start + TimeDelta::minutes(minutes)
    }

    fn told(machines: &[Value], minutes: i64) -> Vec<(String, u32, String)> {
        let found = shortages(&cluster(), &groups(), machines, at(minutes));
        let each = found
            .into_iter()
            .map(|s| (s.node_class, s.coming, s.reason));
        each.collect()
    }

    #[test]
    fn what_the_provider_has_not_is_said_at_once() {
        let there = worker(json!({"nodeRef": {"name": "n"}}));
        let coming = worker(json!({}));
        let machines = [there, coming, worker(refused("OutOfStock"))];
        let found = shortages(&cluster(), &groups(), &machines, at(0));
        assert_eq!(found.len(), 1);
        let one = &found[0];
        assert_eq!(
            (one.node_class.as_str(), one.zone.as_str(), one.coming),
            ("small", "a", 2)
        );
        assert_eq!(
            (one.capacity_type, one.role),
            (CapacityType::Spot, NodeRole::Worker)
        );
        assert_eq!(
            (one.reason.as_str(), one.message.as_str()),
            ("OutOfStock", "no small is left")
        );
    }

    #[test]
    fn whatever_else_is_amiss_has_its_time() {
        let machines = [worker(refused("WaitingForBootstrapData"))];
        assert_eq!(told(&machines, 4), []);
        assert_eq!(
            told(&machines, 5),
            [("small".to_owned(), 0, "NotComing".to_owned())]
        );
    }

    #[test]
    fn machines_that_go_and_groups_that_are_gone_say_nothing() {
        let mut going = worker(refused("OutOfStock"));
        going["metadata"]["deletionTimestamp"] = json!("2026-11-22T12:00:00Z");
        let other = machine(json!({CAPI_DEPLOYMENT: "east-old"}), refused("OutOfStock"));
        let strange = machine(json!({}), refused("OutOfStock"));
        assert_eq!(told(&[going, other, strange], 60), []);
    }

    #[test]
    fn a_control_plane_may_not_come_either() {
        let control = machine(json!({CAPI_CONTROL_PLANE: ""}), refused("QuotaExceeded"));
        let expected = ("medium".to_owned(), 0, "QuotaExceeded".to_owned());
        assert_eq!(told(&[control], 0), [expected]);
    }
}
