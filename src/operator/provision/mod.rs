//! Has Cluster API make the machines of every LatticeCluster, where Cluster API is installed.

mod act;
mod board;
mod error;
mod look;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use kube::{Client, ResourceExt};
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

pub(crate) use board::{Board, Shown};

use self::{act::Subject, board::Found, error::ProvisionError};
use super::{inventory::is_scheduled, leader::Term, seen::Seen, store::Stores};
use crate::{
    api::{LatticeCluster, LatticeNodeClass, LatticePool},
    clusters::{
        lifecycle::{self, Progress, Sight},
        render::{self, Sources},
    },
};

/// How often all clusters are looked at.
const PERIOD: Duration = Duration::from_secs(5);
/// Longest time for one cluster, so that one that hangs holds up no other for long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the first machines of new clusters call.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    /// The bootstrap webhook.
    pub(crate) url: String,
    /// The authority of its certificate, PEM.
    pub(crate) authority: String,
}

/// Looks after the machines of all clusters.
pub(crate) struct Provisioner {
    pub(crate) client: Client,
    pub(crate) stores: Stores,
    pub(crate) board: Board,
    /// Told when there is something new on the board.
    pub(crate) changed: Arc<Notify>,
    /// None where new clusters have nobody to call.
    pub(crate) parent: Option<Parent>,
}

impl Provisioner {
    /// Looks after them whenever there is a term, until the stop.
    pub(crate) async fn run(
        &self,
        mut terms: watch::Receiver<Option<Term>>,
        stop: &CancellationToken,
    ) {
        while !stop.is_cancelled() {
            let term = terms.borrow_and_update().clone();
            if let Some(term) = term {
                let pass = term.over.run_until_cancelled(self.pass());
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
        if self.board.replace(found) {
            self.changed.notify_one();
        }
    }

    /// One look at all clusters; nothing where Cluster API is not installed.
    async fn pass(&self) -> Result<Option<Found>, ProvisionError> {
        if !look::is_installed(&self.client).await? {
            return Ok(None);
        }
        let seen = self.stores.observe();
        let (pools, classes) = copies(&seen);
        let mut found = Found::new();
        for cluster in &seen.clusters {
            let looked = self.one(cluster, &pools, &classes, Utc::now());
            let progress = match timeout(PATIENCE, looked).await {
                Ok(Ok(progress)) => progress,
                Ok(Err(error)) => self.troubled(cluster, error.to_string()),
                Err(_) => self.troubled(cluster, "the API server does not answer".to_owned()),
            };
            found.insert(cluster.name_any(), (cluster.uid(), progress));
            // Others have a turn between two clusters.
            sleep(Duration::ZERO).await;
        }
        Ok(Some(found))
    }

    /// Looks at one cluster and does what is to be done for it.
    async fn one(
        &self,
        cluster: &LatticeCluster,
        pools: &[LatticePool],
        node_classes: &[LatticeNodeClass],
        now: DateTime<Utc>,
    ) -> Result<Progress, ProvisionError> {
        let rendered = render::render(&Sources {
            cluster,
            pools,
            node_classes,
            has_parent: self.parent.is_some() && has_parent(cluster),
        });
        let name = cluster.name_any();
        let namespace = render::namespace(&name);
        let told = rendered.as_ref().ok();
        let found = look::look(&self.client, (&name, &namespace), told, now).await?;
        let decision = lifecycle::decide(&Sight {
            cluster,
            rendered: rendered.as_ref(),
            capi: found.capi.as_ref(),
            deployments: &found.deployments,
            has_credentials: found.has_credentials,
            invitation: found.invitation,
            now,
        });
        let subject = Subject {
            cluster,
            namespace: &namespace,
            rendered: told,
            parent: self.parent.as_ref(),
            now,
        };
        for action in &decision.actions {
            act::act(&self.client, &subject, action).await?;
        }
        Ok(decision.progress)
    }

    /// What is said of a cluster for which something failed; it is tried again with the next look.
    fn troubled(&self, cluster: &LatticeCluster, why: String) -> Progress {
        tracing::warn!(
            cluster = cluster.name_any(),
            why,
            "a cluster is tried again"
        );
        Progress::troubled(cluster, why)
    }
}

/// Whether the cluster is somebody's child; a root is declared and names no parent.
fn has_parent(cluster: &LatticeCluster) -> bool {
    is_scheduled(cluster) || cluster.spec.cell_ref.is_some()
}

fn copies(seen: &Seen) -> (Vec<LatticePool>, Vec<LatticeNodeClass>) {
    let pools = seen.pools.iter().map(|pool| LatticePool::clone(pool));
    let classes = seen.node_classes.iter();
    let classes = classes.map(|class| LatticeNodeClass::clone(class));
    (pools.collect(), classes.collect())
}
