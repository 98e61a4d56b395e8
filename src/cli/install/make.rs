//! The temporary cluster, until the root manages itself.

use std::{path::Path, time::Duration};

use kube::Client;
use tokio_util::sync::CancellationToken;

use super::root::Root;
use crate::{
    cli::{
        apply,
        beside::{self, Clusters},
        follow::{Clock, follow},
        online::{self, OnlineError},
        up::{self, Settings, Up},
    },
    operator::{control_plane::write_private, kept_kubeconfig},
};

/// What the temporary cluster is for.
pub(super) struct Job<'a> {
    pub(super) clusters: &'a Clusters,
    pub(super) root: &'a Root,
    /// Where the root's kubeconfig goes once it manages itself.
    pub(super) kubeconfig: &'a Path,
    pub(super) patience: Duration,
    pub(super) clock: &'a Clock,
}

impl Job<'_> {
    /// Runs the temporary cluster in this folder until the root manages itself, or the stop.
    pub(super) async fn run(
        &self,
        folder: &Path,
        stop: CancellationToken,
    ) -> Result<(), OnlineError> {
        let settings = Settings {
            plane: up::plane(folder.to_owned())?,
            http: None,
            operator: true,
            clusters: Some(self.clusters.clone()),
            is_temporary: true,
        };
        up::session(settings, stop, async |up: &Up, stop| {
            stop.run_until_cancelled(self.root_of(&up.client))
                .await
                .ok_or(OnlineError::Stopped)?
        })
        .await
    }

    async fn root_of(&self, client: &Client) -> Result<(), OnlineError> {
        let Root { name, .. } = self.root;
        self.clock.say(
            "the temporary cluster runs: etcd, kube-apiserver, Lattice and Cluster API's managers",
        );
        beside::put_credentials(client, &self.root.secret, &self.clusters.access()?).await?;
        apply::all(client, &self.root.needed).await?;
        follow(client, self.clock, self.patience).await?;
        let Some(kubeconfig) = kept_kubeconfig(client, name).await? else {
            let why = format!("the temporary cluster has no credentials of `{name}`");
            return Err(OnlineError::Ended(why));
        };
        self.clock.say("what it says of itself:");
        let itself = online::nearby(&kubeconfig).await?;
        follow(&itself, self.clock, self.patience).await?;
        // From here on there is a root, whatever becomes of this process.
        Ok(write_private(self.kubeconfig, &kubeconfig)?)
    }
}
