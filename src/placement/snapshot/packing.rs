//! What is on which machine of a cluster, rebuilt from where its services say they are.
//!
//! First fit, largest first: the same input always gives the same packing.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::names::Unique;
use crate::scheduler::limits::MOST_REPLICAS;
use crate::scheduler::model::{NodeGroup, ServiceId, Snapshot};
use crate::scheduler::units::Resources;

/// Replicas of services on one cluster, by service and, where known, node class.
pub(super) type Tenants = BTreeMap<(ServiceId, Option<String>), u32>;

/// Where the services' statuses say that replicas are, by cluster.
pub(super) fn tenants(names: &Unique<'_>, snapshot: &Snapshot) -> BTreeMap<String, Tenants> {
    let mut found: BTreeMap<String, Tenants> = BTreeMap::new();
    let mut left = u32::try_from(MOST_REPLICAS).unwrap_or(u32::MAX);
    for service in &snapshot.services {
        let object = names.services.get(&service.id);
        let Some(status) = object.and_then(|object| object.status.as_ref()) else {
            continue;
        };
        for place in &status.placements {
            let tenant = (service.id.clone(), place.node.clone());
            let cluster = found.entry(place.cluster.clone()).or_default();
            // A status that tells of more than there can be is believed as far as can be reckoned with.
            let replicas = place.replicas.min(left);
            left -= replicas;
            *cluster.entry(tenant).or_default() += replicas;
        }
    }
    found
}

struct Node<'a> {
    class: &'a str,
    free: Resources,
    services: BTreeMap<ServiceId, u32>,
}

/// Packs tenants onto machines. What fits on none is left out; the solver then finds it a place.
pub(super) fn pack(
    workers: &BTreeMap<String, u32>,
    tenants: &Tenants,
    snapshot: &Snapshot,
) -> Vec<NodeGroup> {
    let room: BTreeMap<&str, Resources> = snapshot
        .node_classes
        .iter()
        .map(|class| (class.name.as_str(), class.allocatable()))
        .collect();
    let mut nodes: Vec<Node<'_>> = workers
        .iter()
        .flat_map(|(class, count)| {
            let free = room.get(class.as_str()).copied().unwrap_or_default();
            (0..*count).map(move |_| Node {
                class,
                free,
                services: BTreeMap::new(),
            })
        })
        .collect();
    let mut order: Vec<_> = tenants
        .iter()
        .filter_map(|((id, class), replicas)| {
            let index = snapshot.services.binary_search_by(|s| s.id.cmp(id)).ok()?;
            Some((&snapshot.services[index], class.as_deref(), *replicas))
        })
        .collect();
    order.sort_by_key(|(service, ..)| {
        let size = service.size;
        // What extended resources are asked of finds room on few machines only.
        (
            size.extended.is_none(),
            Reverse(size.milli_cores.max(size.mib)),
        )
    });
    for (service, class, replicas) in order {
        let mut left = replicas;
        for node in &mut nodes {
            while left > 0
                && class.is_none_or(|class| class == node.class)
                && service.size.fits(node.free)
                && !(service.one_per_node && node.services.contains_key(&service.id))
            {
                node.free -= service.size;
                *node.services.entry(service.id.clone()).or_default() += 1;
                left -= 1;
            }
        }
    }
    grouped(nodes)
}

fn grouped(nodes: Vec<Node<'_>>) -> Vec<NodeGroup> {
    let mut groups: BTreeMap<(&str, BTreeMap<ServiceId, u32>), u32> = BTreeMap::new();
    for node in nodes {
        *groups.entry((node.class, node.services)).or_default() += 1;
    }
    groups
        .into_iter()
        .map(|((class, services), count)| NodeGroup {
            class: class.to_owned(),
            count,
            services,
        })
        .collect()
}
