//! What was decided here, for the tree: which services found no place, and what is free.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::ResourceExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::guests::GUEST;
use crate::{
    agent::tree::{Need, Step, Summary},
    api::{
        LatticeService, LatticeServicePlacement, ServicePhase,
        conditions::{self, STALLED},
        service::LatticeServiceSpec,
    },
    operator::inventory::Committed,
    placement::{decisions::Decisions, snapshot::service_id},
    scheduler::{
        model::{Cluster, NodeClass, Pool, ServiceId, Snapshot},
        units::Resources,
    },
};

/// Nodes that a pool without a limit is said to have.
const PLENTY: u64 = 1_000_000;
/// Kinds of room on machines that are there already that are told of one pool.
const MOST_IDLE: usize = 4;
/// Longest service, as JSON, that is told to other cells.
const LONGEST_SERVICE: usize = 256 << 10;

/// The last decision, and the services that it found no place for, with the reason.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) committed: Arc<Committed>,
    pub(super) unplaced: BTreeMap<ServiceId, String>,
}

/// Where the last decision lies for the tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk {
    last: Arc<Mutex<Option<Arc<Decided>>>>,
    /// Told of each decision.
    pub(super) changed: Arc<Notify>,
}

impl Desk {
    /// Lays a decision here.
    pub(crate) fn put(&self, committed: Arc<Committed>, decided: &Decisions) {
        let stuck = decided.services.iter().filter(|(_, status)| {
            let stalled = conditions::find(&status.conditions, STALLED);
            status.phase == Some(ServicePhase::Unschedulable)
                // A broken one is broken everywhere.
                && stalled.is_some_and(|stalled| stalled.reason == "Unschedulable")
        });
        let unplaced = stuck.map(|(id, status)| {
            let decision = status.scheduler_decision.as_ref();
            let reason = decision.map_or_else(String::new, |decision| decision.reason.clone());
            (id.clone(), reason)
        });
        let decided = Decided {
            committed,
            unplaced: unplaced.collect(),
        };
        *self.lock() = Some(Arc::new(decided));
        self.changed.notify_one();
    }

    /// Forgets the decision, as another operator now makes them.
    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    pub(super) fn last(&self) -> Option<Arc<Decided>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Decided>>> {
        // It is written whole.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service as it travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Travelling {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) spec: LatticeServiceSpec,
}

/// What a service needs of other cells; none where it is not for them.
pub(super) fn need(
    here: &str,
    object: &LatticeService,
    pins: &[Arc<LatticeServicePlacement>],
    decided: &Decided,
) -> Option<Need> {
    let id = service_id(object);
    let reason = decided.unplaced.get(&id)?;
    if object.labels().contains_key(GUEST) {
        // Its own cell looks on.
        return None;
    }
    let is_pinned = pins.iter().any(|pin| {
        pin.namespace() == object.namespace()
            && pin.spec.service_ref == id.name
            && pin.spec.cluster.is_some()
    });
    if is_pinned {
        return None;
    }
    let services = &decided.committed.record.snapshot.services;
    let known = services.binary_search_by(|service| service.id.cmp(&id));
    let known = services.get(known.ok()?)?;
    let travelling = Travelling {
        labels: object.labels().clone(),
        spec: object.spec.clone(),
    };
    let service = serde_json::to_string(&travelling).ok()?;
    let uid = object.uid().unwrap_or_default();
    let generation = object.metadata.generation.unwrap_or_default();
    (service.len() <= LONGEST_SERVICE).then(|| Need {
        id: format!("{here}/{id}/{uid}/{generation}"),
        replicas: u64::from(known.replicas),
        milli_cores: known.size.milli_cores,
        mib: known.size.mib,
        labels: known.pools.match_labels.clone(),
        service,
        reason: reason.clone(),
    })
}

/// Sizes of replicas.
type Sizes<'s> = BTreeMap<&'s ServiceId, &'s Resources>;

/// What is free after a decision, by the labels of pools.
pub(super) fn supply(committed: &Committed) -> Summary {
    let record = &committed.record;
    let snapshot = &record.snapshot;
    let services = snapshot.services.iter();
    let sizes: Sizes<'_> = services
        .map(|service| (&service.id, &service.size))
        .collect();
    let mut summary = Summary::default();
    for pool in snapshot.pools.iter().filter(|pool| pool.closed.is_none()) {
        let clusters = record.solution.live().map(|decision| &decision.cluster);
        let clusters: Vec<&Cluster> = clusters.filter(|c| c.pool == pool.name).collect();
        let steps = summary.lots.entry(pool.labels.clone()).or_default();
        steps.extend(idle(snapshot, &sizes, &clusters));
        steps.extend(sold(snapshot, pool, &clusters));
    }
    summary
}

/// Room on machines that are paid for already.
fn idle(snapshot: &Snapshot, sizes: &Sizes<'_>, clusters: &[&Cluster]) -> Vec<Step> {
    let groups = clusters.iter().flat_map(|cluster| &cluster.workers);
    let mut steps: Vec<Step> = groups
        .filter_map(|group| {
            let mut free = class(snapshot, &group.class)?.allocatable();
            for (id, replicas) in &group.services {
                let size = sizes.get(id)?;
                for _ in 0..*replicas {
                    free = free.saturating_sub(**size);
                }
            }
            Some(step(0, &free, u64::from(group.count)))
        })
        .filter(|step| step.milli_cores > 0 && step.mib > 0)
        .collect();
    steps.sort_by_key(|step| std::cmp::Reverse((step.milli_cores, step.mib, step.nodes)));
    steps.truncate(MOST_IDLE);
    steps
}

/// Machines that could be bought.
fn sold<'s>(
    snapshot: &'s Snapshot,
    pool: &'s Pool,
    clusters: &[&Cluster],
) -> impl Iterator<Item = Step> + 's {
    let machines = |cluster: &&Cluster| {
        let workers = cluster.workers.iter().map(|group| u64::from(group.count));
        let control_plane = cluster.control_plane.as_ref();
        workers.sum::<u64>() + control_plane.map_or(0, |(_, count)| u64::from(*count))
    };
    let used: u64 = clusters.iter().map(machines).sum();
    let left = pool
        .caps
        .max_nodes
        .map_or(PLENTY, |most| most.saturating_sub(used));
    pool.offers.iter().filter_map(move |offer| {
        let free = class(snapshot, &offer.class)?.allocatable();
        let hourly = u64::try_from(offer.hourly).ok()?;
        (left > 0).then(|| step(hourly, &free, left))
    })
}

fn class<'s>(snapshot: &'s Snapshot, name: &str) -> Option<&'s NodeClass> {
    snapshot
        .node_classes
        .iter()
        .find(|class| class.name == name)
}

fn step(hourly: u64, free: &Resources, nodes: u64) -> Step {
    Step {
        hourly,
        milli_cores: free.milli_cores,
        mib: free.mib,
        nodes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        placement::record::DecisionRecord,
        scheduler::{
            capacity::CapacityTypes,
            model::{Caps, Moving, NodeGroup, Offer, Origin, Selector, Service},
            solution::{ClusterAction, ClusterDecision, Solution},
        },
    };
    use serde_json::json;
    use std::collections::BTreeSet;

    fn id(name: &str) -> ServiceId {
        ServiceId::new("shop", name)
    }

    fn size(milli_cores: u64, mib: u64) -> Resources {
        Resources {
            milli_cores,
            mib,
            ..Resources::default()
        }
    }

    /// A pool of at most four nodes, with one cluster of two nodes, on one of which is something.
    fn decided(unplaced: &str) -> Decided {
        let group = |services: &[(&str, u32)]| NodeGroup {
            class: "m".into(),
            count: 1,
            services: services.iter().map(|(name, n)| (id(name), *n)).collect(),
        };
        let cluster = Cluster {
            name: "us-1".into(),
            pool: "us".into(),
            origin: Origin::Scheduler { policy: None },
            control_plane: Some(("m".into(), 1)),
            workers: vec![group(&[("small", 2)]), group(&[])],
        };
        let service = |name: &str, milli_cores| Service {
            id: id(name),
            replicas: 3,
            size: size(milli_cores, 1024),
            labels: BTreeMap::new(),
            priority: 0,
            pools: Selector::default(),
            required_regions: Vec::new(),
            compliance: BTreeSet::new(),
            one_per_node: false,
            latency: Vec::new(),
            capacity_types: CapacityTypes::default(),
            moving: Moving::default(),
        };
        let mut snapshot = Snapshot {
            pools: vec![Pool {
                name: "us".into(),
                caps: Caps {
                    max_nodes: Some(4),
                    ..Caps::default()
                },
                offers: vec![Offer {
                    class: "m".into(),
                    hourly: 200_000,
                }],
                ..Pool::default()
            }],
            node_classes: vec![NodeClass {
                name: "m".into(),
                capacity: size(4000, 8192),
                ..NodeClass::default()
            }],
            services: vec![service("small", 500), service("large", 8000)],
            ..Snapshot::default()
        };
        snapshot.normalise();
        let solution = Solution {
            clusters: vec![ClusterDecision {
                cluster,
                action: ClusterAction::Create,
            }],
            ..Solution::default()
        };
        let time = chrono::DateTime::UNIX_EPOCH.into();
        let record = DecisionRecord::new(&snapshot, solution, time).unwrap();
        Decided {
            committed: Arc::new(Committed { id: 1, record }),
            unplaced: BTreeMap::from([(id(unplaced), "us is full".to_owned())]),
        }
    }

    fn object(name: &str, labels: serde_json::Value) -> LatticeService {
        let document = json!({
            "apiVersion": "lattice.dev/v1alpha1",
            "kind": "LatticeService",
            "metadata": {"name": name, "namespace": "shop", "uid": "u", "generation": 2, "labels": labels},
            "spec": {"containers": {"main": {"image": "x:1"}}},
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn idle_room_costs_nothing_and_what_is_left_to_buy_its_price() {
        let decided = decided("large");
        let summary = supply(&decided.committed);
        let steps: Vec<&Step> = summary.lots.values().flatten().collect();
        let told: Vec<_> = steps
            .iter()
            .map(|s| (s.hourly, s.milli_cores, s.nodes))
            .collect();
        assert_eq!(told, [(0, 4000, 1), (0, 3000, 1), (200_000, 4000, 1)]);
    }

    #[test]
    fn only_what_found_no_place_and_is_of_this_cell_goes_elsewhere() {
        let decided = decided("large");
        let need = |object: &LatticeService, pins: &[Arc<LatticeServicePlacement>]| {
            need("east", object, pins, &decided)
        };
        let large = need(&object("large", json!({})), &[]).unwrap();
        assert_eq!(large.id, "east/shop/large/u/2");
        assert_eq!((large.replicas, large.milli_cores), (3, 8000));
        assert_eq!(large.reason, "us is full");
        assert!(need(&object("small", json!({})), &[]).is_none());
        assert!(need(&object("large", json!({GUEST: "west"})), &[]).is_none());
        let pin = json!({
            "apiVersion": "lattice.dev/v1alpha1",
            "kind": "LatticeServicePlacement",
            "metadata": {"name": "p", "namespace": "shop"},
            "spec": {"serviceRef": "large", "cluster": "us-1"},
        });
        let pin = Arc::new(serde_json::from_value(pin).unwrap());
        assert!(need(&object("large", json!({})), &[pin]).is_none());
    }
}
