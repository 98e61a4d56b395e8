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
};

/// Progress of clusters by name; of the very object that was looked at, by its UID.
pub(super) type Found = BTreeMap<String, (Option<String>, Progress)>;

/// Where the latest progress of all clusters is put up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Shown>>);

/// The progress of all clusters at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown(Arc<Found>);

impl Board {
    /// Puts up what was found of all clusters. Says whether anything is new.
    pub(super) fn replace(&self, found: Found) -> bool {
        let mut shown = self.lock();
        let is_new = *shown.0 != found;
        *shown = Shown(Arc::new(found));
        is_new
    }

    /// What is up now.
    pub(crate) fn shown(&self) -> Shown {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // What is on the board is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// A copy of the cluster, with the progress that is known of it in its status.
    pub(crate) fn on(&self, cluster: &LatticeCluster) -> LatticeCluster {
        match self.0.get(&cluster.name_any()) {
            Some((uid, progress)) if *uid == cluster.uid() => with(cluster, progress),
            _ => cluster.clone(),
        }
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
    status.shortages.clone_from(&progress.shortages);
    if progress.version.is_some() {
        status.kubernetes_version = progress.version.clone();
    }
    let is_ready = progress.phase == ClusterPhase::Ready;
    let observation = Observation {
        type_: conditions::PROVISIONED,
        status: ConditionStatus::from(is_ready),
        reason: progress.reason,
        message: progress.message.clone(),
        observed_generation: generation,
    };
    conditions::set(&mut status.conditions, observation, Utc::now().into());
    cluster
}
