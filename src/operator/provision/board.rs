//! What clusters have come to, for whoever writes their statuses.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::Utc;
use kube::ResourceExt;

use crate::{
    api::{
        ClusterPhase, LatticeCluster,
        cluster_status::NodeCounts,
        conditions::{self, ConditionStatus, Observation},
    },
    clusters::lifecycle::Progress,
    operator::seen::PROVISIONED,
};

/// The latest progress of each cluster, by name; of the very object that was looked at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<String, (Option<String>, Progress)>>>);

impl Board {
    /// Puts up what was found of all clusters. Says whether anything is new.
    pub(super) fn replace(&self, found: BTreeMap<String, (Option<String>, Progress)>) -> bool {
        let mut shown = self.lock();
        let is_new = *shown != found;
        *shown = found;
        is_new
    }

    /// The cluster with the progress that is known of it in its status.
    pub(crate) fn shown_on(&self, cluster: Arc<LatticeCluster>) -> Arc<LatticeCluster> {
        let shown = self.lock();
        match shown.get(&cluster.name_any()) {
            Some((uid, progress)) if *uid == cluster.uid() => Arc::new(with(&cluster, progress)),
            _ => cluster,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, (Option<String>, Progress)>> {
        // What is on the board is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with(cluster: &LatticeCluster, progress: &Progress) -> LatticeCluster {
    let mut cluster = cluster.clone();
    let generation = cluster.metadata.generation;
    let status = cluster.status.get_or_insert_default();
    status.phase = Some(progress.phase);
    status.nodes = Some(NodeCounts {
        ready: progress.ready,
        total: status.nodes.map_or(0, |nodes| nodes.total),
    });
    let is_ready = progress.phase == ClusterPhase::Ready;
    let observation = Observation {
        type_: PROVISIONED,
        status: ConditionStatus::from(is_ready),
        reason: progress.reason,
        message: progress.message.clone(),
        observed_generation: generation,
    };
    conditions::set(&mut status.conditions, observation, Utc::now().into());
    cluster
}
