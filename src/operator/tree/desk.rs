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
#[derive(Clone, Debug)]
pub(super) struct Decided {
    pub(super) committed: Arc<Committed>,
    pub(super) unplaced: BTreeMap<ServiceId, String>,
}

/// Where the last decision lies for the tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desk {
    last: Arc<Mutex<Option<Decided>>>,
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
        *self.lock() = Some(Decided {
            committed,
            unplaced: unplaced.collect(),
        });
        self.changed.notify_one();
    }

    /// Forgets the decision, as another operator now makes them.
    pub(super) fn clear(&self) {
        *self.lock() = None;
    }

    pub(super) fn last(&self) -> Option<Decided> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Decided>> {
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
    let known = services.iter().find(|service| service.id == id)?;
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

/// What is free after a decision, by the labels of pools.
pub(super) fn supply(committed: &Committed) -> Summary {
    let record = &committed.record;
    let snapshot = &record.snapshot;
    let mut summary = Summary::default();
    for pool in snapshot.pools.iter().filter(|pool| pool.closed.is_none()) {
        let clusters = record.solution.live().map(|decision| &decision.cluster);
        let clusters: Vec<&Cluster> = clusters.filter(|c| c.pool == pool.name).collect();
        let steps = summary.lots.entry(pool.labels.clone()).or_default();
        steps.extend(idle(snapshot, &clusters));
        steps.extend(sold(snapshot, pool, &clusters));
    }
    summary
}

/// Room on machines that are paid for already.
fn idle(snapshot: &Snapshot, clusters: &[&Cluster]) -> Vec<Step> {
    let groups = clusters.iter().flat_map(|cluster| &cluster.workers);
    let mut steps: Vec<Step> = groups
        .filter_map(|group| {
            let mut free = class(snapshot, &group.class)?.allocatable();
            for (id, replicas) in &group.services {
                let service = snapshot.services.iter().find(|service| service.id == *id)?;
                for _ in 0..*replicas {
                    free = free.saturating_sub(service.size.clone());
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
