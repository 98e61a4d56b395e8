//! Has Cluster API make the machines of every LatticeCluster, where Cluster API is installed.

mod act;
mod board;
mod care;
mod children;
mod clear;
mod error;
mod hand_down;
mod look;
mod moves;
mod passage;
mod prune;

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use kube::{Client, ResourceExt};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

pub(crate) use board::{Board, Shown};
pub(crate) use children::kept_kubeconfig;
pub(super) use error::ProvisionError;
pub(super) use hand_down::FIELD_MANAGER as TOLD_BY_PARENT;
pub(super) use look::own_name;

use self::{board::Found, care::Care, children::Children, hand_down::HandedDown, moves::Moves};
use super::{
    bootstrap::authority::Kept, leader::Term, proxy::Downward, seen::copies, store::Stores,
};
use crate::{api::LatticeCluster, clusters::lifecycle::Progress};

/// How often all clusters are looked at.
const PERIOD: Duration = Duration::from_secs(5);
/// Longest time for one cluster, so that one that hangs holds up no other for long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Clusters that are looked at at a time.
const AT_A_TIME: usize = 8;

/// Where the first machines of new clusters call.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    /// The bootstrap webhook.
    pub(crate) url: String,
    /// The authorities of its certificate.
    pub(crate) authorities: Kept,
    /// Whether clusters that name no parent have this one.
    pub(crate) is_of_roots: bool,
}

/// Looks after the machines of all clusters.
pub(crate) struct Provisioner {
    client: Client,
    stores: Stores,
    changed: Arc<Notify>,
    parent: watch::Receiver<Option<Parent>>,
    children: Arc<Children>,
    moves: Moves,
    handed_down: HandedDown,
}

impl Provisioner {
    /// For the clusters of an API server. `changed` is told when there is something new on the board; without a `parent`
    /// new clusters have nobody to call. Clusters that manage themselves are reached on the way `downward`.
    pub(crate) fn new(
        client: Client,
        stores: Stores,
        changed: Arc<Notify>,
        parent: watch::Receiver<Option<Parent>>,
        downward: Downward,
    ) -> Self {
        Provisioner {
            children: Arc::new(Children::new(client.clone(), downward)),
            moves: Moves::new(),
            handed_down: HandedDown::default(),
            client,
            stores,
            changed,
            parent,
        }
    }

    /// Looks after them whenever there is a term, until the stop.
    pub(crate) async fn run(
        &self,
        mut terms: watch::Receiver<Option<Term>>,
        stop: &CancellationToken,
    ) {
        while !stop.is_cancelled() {
            let term = terms.borrow_and_update().clone();
            if let Some(term) = term {
                let pass = term.over.run_until_cancelled(self.pass(&term));
                match stop.run_until_cancelled(pass).await.flatten() {
                    Some(Ok(Some(found))) => self.show(found),
                    Some(Err(error)) => tracing::warn!(%error, "clusters could not be looked at"),
                    _ => {}
                }
            }
            let _ = timeout(PERIOD, stop.cancelled()).await;
        }
    }

    fn show(&self, found: Found) {
        if self.stores.board.replace(found) {
            self.changed.notify_one();
        }
    }

    /// One look at all clusters; nothing where Cluster API is not installed.
    async fn pass(&self, term: &Term) -> Result<Option<Found>, ProvisionError> {
        if !look::is_installed(&self.client).await? {
            return Ok(None);
        }
        let seen = self.stores.observe();
        let (pools, node_classes) = (copies(&seen.pools), copies(&seen.node_classes));
        let care = Care {
            provisioner: self,
            term,
            own: look::own_name(&self.client).await?,
            parent: self.parent.borrow().clone(),
            pools: &pools,
            node_classes: &node_classes,
        };
        let care = &care;
        let found = stream::iter(seen.clusters.clone())
            .map(|cluster| async move {
                let progress = match timeout(PATIENCE, care.of(&cluster)).await {
                    Ok(Ok(progress)) => progress,
                    Ok(Err(error)) => troubled(&cluster, error.to_string()),
                    Err(_) => troubled(&cluster, "the API server does not answer".to_owned()),
                };
                (cluster.name_any(), (cluster.uid(), progress))
            })
            .buffer_unordered(AT_A_TIME)
            .collect()
            .await;
        Ok(Some(found))
    }
}

/// What is said of a cluster for which something failed; it is tried again with the next look.
fn troubled(cluster: &LatticeCluster, why: String) -> Progress {
    tracing::warn!(
        cluster = cluster.name_any(),
        why,
        "a cluster is tried again"
    );
    Progress::troubled(cluster, why)
}
