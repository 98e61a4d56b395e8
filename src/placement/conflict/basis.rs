//! Where to try changes: on the whole fleet, or, where that is too large, on the service and those
//! tied to it by latency, with everything else fixed to the cluster it was decided to be on.

use std::collections::{BTreeMap, BTreeSet};

use crate::placement::facts::Facts;
use crate::placement::snapshot::selects;
use crate::scheduler::model::{
    Cluster, Origin, Pin, Policy, Selector, Service, ServiceId, Snapshot,
};
use crate::scheduler::units::Resources;

/// Label of a service in the scope of a policy's requirements or, with the other, of its cluster rules.
const ASKED: &str = "requirements.";
const RULED: &str = "clusters.";
/// Namespace of what stands for everything else.
const FIXED: &str = "fixed";
/// Nodes with different room that are told apart; others count as full.
const MOST_ROOMS: usize = 200;

/// The snapshot as it is once the plan is carried out.
pub(super) fn settled(facts: &Facts<'_>) -> Snapshot {
    let mut base = facts.snapshot.clone();
    base.clusters = facts.solution.live().map(|d| d.cluster.clone()).collect();
    base.normalise();
    base
}

/// Leaves out other services without a place, unless they have replicas.
pub(super) fn without_others(base: &mut Snapshot, id: &ServiceId, stuck: &BTreeSet<&ServiceId>) {
    let held: BTreeSet<ServiceId> = base.clusters.iter().flat_map(tenants).cloned().collect();
    base.services
        .retain(|s| s.id == *id || !stuck.contains(&s.id) || held.contains(&s.id));
}

/// Takes services off all nodes.
pub(super) fn taken_off(base: &mut Snapshot, ids: &BTreeSet<ServiceId>) {
    for cluster in &mut base.clusters {
        for group in &mut cluster.workers {
            group.services.retain(|id, _| !ids.contains(id));
        }
    }
    base.normalise();
}

fn tenants(cluster: &Cluster) -> impl Iterator<Item = &ServiceId> {
    cluster.workers.iter().flat_map(|g| g.services.keys())
}

/// A service and all that latency limits tie to it.
pub(super) fn tied(snapshot: &Snapshot, id: &ServiceId) -> BTreeSet<ServiceId> {
    let known: BTreeSet<&ServiceId> = snapshot.services.iter().map(|s| &s.id).collect();
    let mut near: BTreeMap<&ServiceId, Vec<&ServiceId>> = BTreeMap::new();
    for service in &snapshot.services {
        for bound in &service.latency {
            if known.contains(&bound.dependency) {
                near.entry(&service.id).or_default().push(&bound.dependency);
                near.entry(&bound.dependency).or_default().push(&service.id);
            }
        }
    }
    let mut found: BTreeSet<ServiceId> = [id.clone()].into();
    let mut next = vec![id];
    while let Some(one) = next.pop() {
        for other in near.get(one).into_iter().flatten() {
            if found.insert((*other).clone()) {
                next.push(other);
            }
        }
    }
    found
}

/// A snapshot of which only some services are free. All others are one service for each cluster
/// and amount of room that they leave on a node, fixed to that cluster. Which of them may share a
/// node is no longer known, so a reduced fleet may cost less than the whole one; prices are
/// differences between reduced fleets.
pub(super) fn only(settled: &Snapshot, free: &BTreeSet<ServiceId>) -> Snapshot {
    let mut reduced = settled.clone();
    reduced.policies = settled.policies.iter().flat_map(split).collect();
    reduced
        .services
        .retain(|service| free.contains(&service.id));
    for service in &mut reduced.services {
        service.labels = scope(&settled.policies, service);
    }
    reduced.pins.retain(|pin| free.contains(&pin.service));
    let least = reduced.services.iter().map(|s| s.size);
    let least =
        least.reduce(|a, b| Resources::new(a.milli_cores.min(b.milli_cores), a.mib.min(b.mib)));
    let mut others = Others {
        sizes: settled.services.iter().map(|s| (&s.id, s.size)).collect(),
        rooms: settled
            .node_classes
            .iter()
            .map(|class| (class.name.as_str(), class.allocatable()))
            .collect(),
        least: least.unwrap_or_default(),
        made: BTreeMap::new(),
    };
    for cluster in &mut reduced.clusters {
        others.fix(cluster, free);
    }
    for ((cluster, policy, size), (id, count)) in others.made {
        reduced.services.push(stand_in(&id, count, size, policy));
        reduced.pins.push(Pin {
            service: id,
            cluster,
            replicas: Some(count),
        });
    }
    reduced.normalise();
    reduced
}

/// A policy as two, so that what is fixed can be under its cluster rules and not under its
/// requirements.
fn split(policy: &Policy) -> [Policy; 2] {
    let scope = |prefix: &str| Selector {
        match_labels: [(format!("{prefix}{}", policy.name), String::new())].into(),
        ..Selector::default()
    };
    let rules = Policy {
        name: policy.name.clone(),
        priority: policy.priority,
        selector: scope(RULED),
        cluster_policy: policy.cluster_policy.clone(),
        ..Policy::default()
    };
    let requirements = Policy {
        name: policy.name.clone(),
        selector: scope(ASKED),
        cluster_policy: None,
        ..policy.clone()
    };
    [rules, requirements]
}

/// A service's labels as the split policies select it.
fn scope(policies: &[Policy], service: &Service) -> BTreeMap<String, String> {
    let over = policies
        .iter()
        .filter(|p| selects(&p.selector, &service.labels));
    over.flat_map(|p| [ASKED, RULED].map(|prefix| (format!("{prefix}{}", p.name), String::new())))
        .collect()
}

fn stand_in(id: &ServiceId, count: u32, size: Resources, policy: Option<String>) -> Service {
    let ruled = policy.map(|name| (format!("{RULED}{name}"), String::new()));
    Service {
        id: id.clone(),
        labels: ruled.into_iter().collect(),
        priority: i64::MAX,
        replicas: count,
        size,
        pools: Selector::default(),
        required_regions: Vec::new(),
        compliance: BTreeSet::new(),
        one_per_node: true,
        latency: Vec::new(),
    }
}

/// Cluster, its policy, and what is taken on a node.
type Room = (String, Option<String>, Resources);

struct Others<'a> {
    sizes: BTreeMap<&'a ServiceId, Resources>,
    rooms: BTreeMap<&'a str, Resources>,
    least: Resources,
    made: BTreeMap<Room, (ServiceId, u32)>,
}

impl Others<'_> {
    fn fix(&mut self, cluster: &mut Cluster, free: &BTreeSet<ServiceId>) {
        let policy = match &cluster.origin {
            Origin::Scheduler { policy } => policy.clone(),
            Origin::Declared { .. } => None,
        };
        for group in &mut cluster.workers {
            let others = group.services.iter().filter(|(id, _)| !free.contains(id));
            let taken = others.fold(None, |sum: Option<Resources>, (id, n)| {
                let size = self.sizes.get(id).copied().unwrap_or_default();
                Some(sum.unwrap_or_default() + size.times(u64::from(*n)))
            });
            group.services.retain(|id, _| free.contains(id));
            let Some(taken) = taken else { continue };
            let kept = group
                .services
                .iter()
                .fold(Resources::default(), |sum, (id, n)| {
                    let size = self.sizes.get(id).copied().unwrap_or_default();
                    sum + size.times(u64::from(*n))
                });
            let room = self.rooms.get(group.class.as_str()).copied();
            let most = room.unwrap_or_default().saturating_sub(kept);
            let full = !self.least.fits(most.saturating_sub(taken));
            let exact = (cluster.name.clone(), policy.clone(), taken);
            let crowded = self.made.len() >= MOST_ROOMS && !self.made.contains_key(&exact);
            let taken = if full || crowded { most } else { taken };
            let number = self.made.len();
            let (id, count) = self
                .made
                .entry((cluster.name.clone(), policy.clone(), taken))
                .or_insert_with(|| (ServiceId::new(FIXED, format!("{number:06}")), 0));
            *count = count.saturating_add(group.count);
            group.services.insert(id.clone(), 1);
        }
    }
}
