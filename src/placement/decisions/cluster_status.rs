//! Status of LatticeClusters: what they are to be made of, what is on it and what it costs.

use std::collections::BTreeMap;

use super::observe;
use crate::api::cluster_status::{ClusterCost, NodeCounts, NodeGroupStatus, NodeRole};
use crate::api::conditions::{self, READY, RECONCILING, STALLED};
use crate::api::{ClusterPhase, LatticeCluster, LatticeClusterStatus, Money, Timestamp};
use crate::placement::diff::nodes;
use crate::placement::facts::Facts;
use crate::placement::inputs::Inputs;
use crate::placement::snapshot::Built;
use crate::scheduler::model::Cluster;

pub(super) fn statuses(
    inputs: &Inputs,
    built: &Built,
    facts: &Facts<'_>,
    now: Timestamp,
) -> BTreeMap<String, LatticeClusterStatus> {
    let known: BTreeMap<&str, &LatticeCluster> = inputs
        .clusters
        .iter()
        .filter_map(|cluster| Some((cluster.metadata.name.as_deref()?, cluster)))
        .collect();
    let live = facts.solution.live().map(|decision| {
        let cluster = &decision.cluster;
        let object = known.get(cluster.name.as_str()).copied();
        (
            cluster.name.clone(),
            one(cluster, object, built, facts, now),
        )
    });
    // One that goes has the name before another gets it.
    let leaving = known
        .iter()
        .filter(|(_, cluster)| cluster.metadata.deletion_timestamp.is_some())
        .map(|(name, cluster)| ((*name).to_owned(), leaving(cluster, now)));
    live.chain(leaving).collect()
}

/// A deleted cluster is no inventory any more. What it was stays to be seen until it is gone.
fn leaving(cluster: &LatticeCluster, now: Timestamp) -> LatticeClusterStatus {
    let mut status = cluster.status.clone().unwrap_or_default();
    let generation = cluster.metadata.generation;
    status.phase = Some(ClusterPhase::Deleting);
    let (word, why) = (phase_word(ClusterPhase::Deleting), provisioned(&status));
    let seen = [
        (READY, false.into(), word, why.clone()),
        (RECONCILING, true.into(), word, why),
        (STALLED, false.into(), word, String::new()),
    ];
    status.conditions = observe(&status.conditions, generation, now, &seen);
    status.observed_generation = generation;
    status
}

/// Why its machines are not as they should be, if whoever makes them has said so.
fn provisioned(status: &LatticeClusterStatus) -> String {
    let found = conditions::find(&status.conditions, conditions::PROVISIONED);
    found.map_or(String::new(), |condition| condition.message.clone())
}

fn one(
    cluster: &Cluster,
    object: Option<&LatticeCluster>,
    built: &Built,
    facts: &Facts<'_>,
    now: Timestamp,
) -> LatticeClusterStatus {
    let mut status = object
        .and_then(|object| object.status.clone())
        .unwrap_or_default();
    let phase = status.phase.unwrap_or(ClusterPhase::Pending);
    let ready = status.nodes.map_or(0, |nodes| nodes.ready);
    let cost = facts.cost(&cluster.name);
    let generation = object.and_then(|object| object.metadata.generation);
    let failure = super::errors(built.of("LatticeCluster", &cluster.name));
    status.phase = Some(phase);
    status.nodes = Some(NodeCounts {
        ready,
        total: nodes(cluster),
    });
    status.node_groups = groups(cluster);
    status.cost = Some(ClusterCost {
        hourly: Money::from_micros(cost.total),
        overhead_hourly: Money::from_micros(cost.overhead),
    });
    let is_ready = phase == ClusterPhase::Ready;
    let (word, message) = match phase {
        ClusterPhase::Pending => ("Pending", "Waits for provisioning".to_owned()),
        ClusterPhase::Ready => ("Ready", String::new()),
        other => (phase_word(other), provisioned(&status)),
    };
    let stalled = failure.is_some() || phase == ClusterPhase::Failed;
    let seen = [
        (READY, is_ready.into(), word, message.clone()),
        (RECONCILING, (!is_ready && !stalled).into(), word, message),
        (
            STALLED,
            stalled.into(),
            if failure.is_some() {
                "InvalidSpec"
            } else {
                word
            },
            failure.unwrap_or_default(),
        ),
    ];
    status.conditions = observe(&status.conditions, generation, now, &seen);
    status.observed_generation = generation;
    status
}

fn phase_word(phase: ClusterPhase) -> &'static str {
    match phase {
        ClusterPhase::Pending => "Pending",
        ClusterPhase::Provisioning => "Provisioning",
        ClusterPhase::Pivoting => "Pivoting",
        ClusterPhase::Ready => "Ready",
        ClusterPhase::Failed => "Failed",
        ClusterPhase::Deleting => "Deleting",
    }
}

/// What is on which machine, for the next decision to start from.
fn groups(cluster: &Cluster) -> Vec<NodeGroupStatus> {
    let control_plane = cluster.control_plane.iter();
    let control_plane = control_plane.map(|(class, count)| NodeGroupStatus {
        class: class.clone(),
        role: NodeRole::ControlPlane,
        count: *count,
        services: BTreeMap::new(),
    });
    let workers = cluster.workers.iter().map(|group| NodeGroupStatus {
        class: group.class.clone(),
        role: NodeRole::Worker,
        count: group.count,
        services: group
            .services
            .iter()
            .map(|(id, n)| (id.to_string(), *n))
            .collect(),
    });
    control_plane.chain(workers).collect()
}
