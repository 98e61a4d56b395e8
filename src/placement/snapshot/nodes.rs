//! The machines of a LatticeCluster.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::clusters::CLUSTER;
use super::names::Unique;
use crate::api::LatticeCluster;
use crate::api::cluster_status::NodeRole;
use crate::placement::problem::nearest;
use crate::scheduler::capacity::CapacityType;
use crate::scheduler::model::{NodeGroup, ServiceId};
use crate::scheduler::zones::{stated, zone_of};

/// The machines that a cluster is to have.
#[derive(Debug, Default)]
pub(super) struct Machines {
    pub control_plane: Option<(String, u32)>,
    /// Workers by class.
    pub workers: BTreeMap<String, u32>,
}

impl Machines {
    /// Leaves out zones that the pool does not have: of such machines it is not known where they are. The
    /// scheduler's own machines keep them where the pool has others, and are then given up.
    pub fn settle_zones(&mut self, zones: Option<&BTreeSet<String>>, scheduled: bool) {
        let none = BTreeSet::new();
        let zones = zones.unwrap_or(&none);
        let own = scheduled && !zones.is_empty();
        for (class, count) in std::mem::take(&mut self.workers) {
            let (anywhere, zone) = zone_of(&class);
            let stays = own || zone.is_none_or(|zone| zones.contains(zone));
            let class = if stays { &class } else { anywhere };
            *self.workers.entry(class.to_owned()).or_default() += count;
        }
    }
}

/// Reads the machines from the spec.
pub(super) fn read(
    name: &str,
    cluster: &LatticeCluster,
    names: &Unique<'_>,
    problems: &mut Vec<Problem>,
) -> Machines {
    let nodes = &cluster.spec.nodes;
    let config = cluster.spec.provider.config.as_ref();
    let settings = config.and_then(|config| config.aws.as_ref());
    let mut machines = Machines::default();
    for (index, group) in nodes.groups.iter().enumerate() {
        if !known(names, &group.node_class) {
            let path = ["spec", "nodes", "groups"];
            problems.push(missing(name, &path, &group.node_class, names).at(index));
            continue;
        }
        let class = names.node_classes.get(&group.node_class);
        let has_spot = class.is_some_and(|class| class.spec.spot.is_some());
        let capacity = CapacityType::from(group.capacity_type);
        if capacity == CapacityType::Spot && !has_spot {
            let path = ["spec", "nodes", "groups"];
            let message = format!("LatticeNodeClass `{}` has no `spot`", group.node_class);
            problems.push(Problem::error(CLUSTER, name, &path, message).at(index));
            continue;
        }
        let offer = stated(capacity.offer(&group.node_class), &group.zone);
        *machines.workers.entry(offer).or_default() += group.count;
    }
    if nodes.workers > 0 {
        match machine_class(
            names,
            settings.and_then(|aws| aws.worker_instance_type.as_ref()),
        ) {
            Some(class) => *machines.workers.entry(class).or_default() += nodes.workers,
            None => problems.push(unclassed(name, "workers", "spec.nodes.groups")),
        }
    }
    if nodes.control_plane > 0 {
        machines.control_plane = match &nodes.control_plane_class {
            Some(class) if known(names, class) => Some((class.clone(), nodes.control_plane)),
            Some(class) => {
                let path = ["spec", "nodes", "controlPlaneClass"];
                problems.push(missing(name, &path, class, names));
                None
            }
            None => {
                let class = machine_class(
                    names,
                    settings.and_then(|aws| aws.cp_instance_type.as_ref()),
                );
                if class.is_none() {
                    problems.push(unclassed(
                        name,
                        "controlPlane",
                        "spec.nodes.controlPlaneClass",
                    ));
                }
                class.map(|class| (class, nodes.control_plane))
            }
        };
    }
    machines
}

fn known(names: &Unique<'_>, class: &str) -> bool {
    names.node_classes.contains_key(class)
}

fn missing(name: &str, path: &[&str], class: &str, names: &Unique<'_>) -> Problem {
    let message = format!("there is no LatticeNodeClass `{class}`");
    let near = nearest(class, names.node_classes.keys().map(String::as_str));
    Problem::error(CLUSTER, name, path, message).suggest(near)
}

fn unclassed(name: &str, field: &str, instead: &str) -> Problem {
    let message = format!(
        "of which node class these machines are is not known, so they count as nothing; say so in {instead}"
    );
    Problem::warning(CLUSTER, name, &["spec", "nodes", field], message)
}

/// The class whose machines are of an instance type, if exactly one is.
fn machine_class(names: &Unique<'_>, instance_type: Option<&String>) -> Option<String> {
    let wanted = instance_type?;
    let mut matching = names.node_classes.iter().filter(|(_, class)| {
        let aws = class.spec.providers.aws.as_ref();
        aws.and_then(|aws| aws.instance_type.as_ref()) == Some(wanted)
    });
    match (matching.next(), matching.next()) {
        (Some((name, _)), None) => Some(name.clone()),
        _ => None,
    }
}

/// The replicas on some machines.
pub(super) fn held(groups: &[NodeGroup]) -> u64 {
    let each = groups.iter().map(|group| {
        let replicas = group.services.values().copied().map(u64::from);
        replicas.sum::<u64>().saturating_mul(group.count.into())
    });
    each.fold(0, u64::saturating_add)
}

/// What is on each machine as the status says, if the status is about the machines of the spec.
pub(super) fn witness(
    cluster: &LatticeCluster,
    workers: &BTreeMap<String, u32>,
) -> Option<Vec<NodeGroup>> {
    let status = cluster.status.as_ref()?;
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut groups = Vec::new();
    let is_worker = |role| role == NodeRole::Worker;
    for group in status.node_groups.iter().filter(|g| is_worker(g.role)) {
        let known = counts.entry(&group.class).or_default();
        *known = known.saturating_add(group.count);
        let services: Result<BTreeMap<ServiceId, u32>, String> = group
            .services
            .iter()
            .map(|(id, n)| Ok((ServiceId::try_from(id.clone())?, *n)))
            .collect();
        groups.push(NodeGroup {
            class: group.class.clone(),
            count: group.count,
            services: services.ok()?,
        });
    }
    let wanted = workers.iter().filter(|(_, n)| **n > 0);
    counts.retain(|_, n| *n > 0);
    wanted
        .map(|(class, n)| (class.as_str(), *n))
        .eq(counts)
        .then_some(groups)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use crate::api::LatticeCluster;
    use crate::placement::decisions::decide;
    use crate::placement::fixtures::{at, carried_out, object, plain, seed, solved};
    use crate::placement::snapshot::{Inputs, build};

    /// One pool with three zones over which `shop/web` is spread.
    fn with_zones() -> Inputs {
        let mut inputs = seed();
        inputs.pools.truncate(1);
        inputs.pools[0].spec.provider.zones = ["a", "b", "c"].map(String::from).to_vec();
        inputs.policies = vec![object(
            "LatticePlacementPolicy",
            "even",
            json!({
                "selector": {},
                "requirements": {"spreadConstraint": {"topologyKey": "zone", "maxSkew": 1}},
                "clusterPolicy": {"controlPlane": {"replicas": 1}},
            }),
        )];
        let mut web = plain("shop/web", 1, 2);
        web.spec.replicas.min = 3;
        inputs.services = vec![web];
        inputs
    }

    #[test]
    fn what_is_written_of_zones_is_read_back() {
        let after = carried_out(&with_zones(), at(0));
        let nodes = serde_json::to_value(&after.clusters[0].spec.nodes).unwrap();
        let group = |zone| json!({"nodeClass": "small", "capacityType": "on-demand", "zone": zone, "count": 1});
        assert_eq!(nodes["groups"], json!([group("a"), group("b"), group("c")]));
        assert_eq!(nodes["controlPlaneClass"], "medium");
        let (built, solution) = solved(&after);
        assert_eq!(built.problems, []);
        let nothing = decide(&after, &built, &solution, &Default::default(), at(1));
        assert_eq!(nothing.actions, []);
        // Also without a status that tells what is on which machine.
        let mut untold = after.clone();
        untold.clusters[0].status = None;
        assert_eq!(solved(&untold).0.snapshot.clusters, built.snapshot.clusters);
    }

    #[test]
    fn a_zone_that_the_pool_does_not_have_is_given_up_or_not_known() {
        let classes = |pool: &[&str], scheduled: bool| -> Vec<String> {
            let mut after = carried_out(&with_zones(), at(0));
            after.pools[0].spec.provider.zones = pool.iter().map(|z| (*z).to_owned()).collect();
            let cluster: &mut LatticeCluster = &mut after.clusters[0];
            if !scheduled {
                cluster.metadata.labels = None;
            }
            let workers = &build(&after).snapshot.clusters[0].workers;
            workers.iter().map(|group| group.class.clone()).collect()
        };
        assert_eq!(
            classes(&["a", "b"], true),
            ["small@a", "small@b", "small@c"]
        );
        assert_eq!(classes(&["a", "b"], false), ["small", "small@a", "small@b"]);
        assert!(classes(&[], true).iter().all(|class| class == "small"));
    }

    #[test]
    fn the_label_is_for_pools_with_one_zone() {
        let mut inputs = with_zones();
        let labelled = pool_with_label();
        inputs.pools[0].spec.labels.extend(labelled.spec.labels);
        let built = build(&inputs);
        let said: Vec<String> = built.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 1);
        assert!(
            said[0].ends_with(
                "spec.labels.zone: the pool has `zones`, which count instead; leave the label out"
            ),
            "{said:?}"
        );
        let pool = &built.snapshot.pools[0];
        assert_eq!((pool.zone.as_ref(), pool.zones.len()), (None, 3));
        assert_eq!(pool.labels["zone"], pool.zones);
    }

    fn pool_with_label() -> crate::api::LatticePool {
        object(
            "LatticePool",
            "labelled",
            json!({
                "provider": {"type": "aws", "region": "r"},
                "nodeClasses": [],
                "labels": {"zone": "z"},
            }),
        )
    }
}
