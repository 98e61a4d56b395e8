//! Where to try changes: on the whole fleet, or, where that is too large, on the service and those
//! tied to it by latency, with everything else fixed to the cluster it was decided to be on.

use std::collections::{BTreeMap, BTreeSet};

use crate::placement::facts::Facts;
use crate::placement::snapshot::selects;
use crate::scheduler::capacity::CapacityTypes;
use crate::scheduler::model::{
    Cluster, Moving, NodeGroup, Origin, Pin, Policy, Selector, Service, ServiceId, Snapshot,
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
pub(super) struct Settled {
    pub snapshot: Snapshot,
    /// By cluster and group: what all services take of each node.
    taken: Vec<Vec<Resources>>,
}

impl Settled {
    pub fn new(facts: &Facts<'_>) -> Self {
        let mut snapshot = facts.snapshot.clone();
        snapshot.clusters = facts.solution.live().map(|d| d.cluster.clone()).collect();
        snapshot.normalise();
        let sizes: BTreeMap<&ServiceId, Resources> =
            snapshot.services.iter().map(|s| (&s.id, s.size)).collect();
        let of = |group: &NodeGroup| {
            let tenants = group.services.iter();
            tenants.fold(Resources::default(), |sum, (id, n)| {
                sum + sizes
                    .get(id)
                    .copied()
                    .unwrap_or_default()
                    .times(u64::from(*n))
            })
        };
        let taken = snapshot.clusters.iter();
        let taken = taken.map(|c| c.workers.iter().map(of).collect()).collect();
        Settled { snapshot, taken }
    }
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
pub(super) fn only(settled: &Settled, free: &BTreeSet<ServiceId>) -> Snapshot {
    let (settled, taken) = (&settled.snapshot, &settled.taken);
    let services = settled.services.iter().filter(|s| free.contains(&s.id));
    let pins = settled
        .pins
        .iter()
        .filter(|pin| free.contains(&pin.service));
    let mut reduced = Snapshot {
        pools: settled.pools.clone(),
        node_classes: settled.node_classes.clone(),
        policies: settled.policies.iter().flat_map(split).collect(),
        services: services.cloned().collect(),
        clusters: Vec::new(),
        pins: pins.cloned().collect(),
        region_latencies: settled.region_latencies.clone(),
        reserved_names: settled.reserved_names.clone(),
        extended: settled.extended.clone(),
    };
    for service in &mut reduced.services {
        service.labels = scope(&settled.policies, service);
    }
    let least = reduced.services.iter().map(|s| s.size);
    let least =
        least.reduce(|a, b| Resources::new(a.milli_cores.min(b.milli_cores), a.mib.min(b.mib)));
    let mut others = Others {
        free: reduced.services.iter().map(|s| (&s.id, s.size)).collect(),
        rooms: settled
            .node_classes
            .iter()
            .map(|class| (class.name.as_str(), class.allocatable()))
            .collect(),
        least: least.unwrap_or_default(),
        made: BTreeMap::new(),
    };
    let clusters = settled.clusters.iter().zip(taken);
    reduced.clusters = clusters.map(|(c, taken)| others.fixed(c, taken)).collect();
    let made = others.made;
    for ((cluster, policy, size), (id, count)) in made {
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
        // They are where they are.
        capacity_types: CapacityTypes::ALL,
        moving: Moving::default(),
    }
}

/// Cluster, its policy, and what is taken on a node.
type Room = (String, Option<String>, Resources);

struct Others<'a> {
    /// The services that are not fixed.
    free: Vec<(&'a ServiceId, Resources)>,
    rooms: BTreeMap<&'a str, Resources>,
    least: Resources,
    made: BTreeMap<Room, (ServiceId, u32)>,
}

impl Others<'_> {
    /// A cluster with stand-ins for all that is not free.
    fn fixed(&mut self, cluster: &Cluster, taken: &[Resources]) -> Cluster {
        let policy = match &cluster.origin {
            Origin::Scheduler { policy } => policy.clone(),
            Origin::Declared { .. } => None,
        };
        let groups = cluster.workers.iter().zip(taken);
        let workers =
            groups.map(|(g, taken)| self.stood_in(&cluster.name, policy.as_ref(), g, *taken));
        Cluster {
            name: cluster.name.clone(),
            pool: cluster.pool.clone(),
            origin: cluster.origin.clone(),
            control_plane: cluster.control_plane.clone(),
            workers: workers.collect(),
        }
    }

    fn stood_in(
        &mut self,
        cluster: &str,
        policy: Option<&String>,
        group: &NodeGroup,
        taken: Resources,
    ) -> NodeGroup {
        let mut services = BTreeMap::new();
        let mut kept = Resources::default();
        for &(id, size) in &self.free {
            if let Some(&n) = group.services.get(id) {
                kept += size.times(u64::from(n));
                services.insert(id.clone(), n);
            }
        }
        if services.len() < group.services.len() {
            let taken = taken.saturating_sub(kept);
            let room = self.rooms.get(group.class.as_str()).copied();
            let most = room.unwrap_or_default().saturating_sub(kept);
            let full = !self.least.fits(most.saturating_sub(taken));
            let key = |taken| (cluster.to_owned(), policy.cloned(), taken);
            let crowded = self.made.len() >= MOST_ROOMS && !self.made.contains_key(&key(taken));
            let taken = if full || crowded { most } else { taken };
            let number = self.made.len();
            let (id, count) = self
                .made
                .entry(key(taken))
                .or_insert_with(|| (ServiceId::new(FIXED, format!("{number:06}")), 0));
            *count = count.saturating_add(group.count);
            services.insert(id.clone(), 1);
        }
        NodeGroup {
            class: group.class.clone(),
            count: group.count,
            services,
        }
    }
}
