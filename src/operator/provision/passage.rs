//! The way of a cluster's objects into the cluster, and back.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use kube::{Api, Client, ResourceExt, api::DeleteParams};
use tokio::time::sleep;

use super::{act, children::Children, error::ProvisionError, moves::Said};
use crate::{
    api::LatticeCluster,
    clusters::{
        bootstrap::WORKLOAD,
        equipment::{Equipment, Needs},
        lifecycle::Way,
        pivot::{
            ClusterName, PivotError,
            apply::{Direct, Options, pivot},
        },
    },
    operator::{
        decision_log::NAMESPACE,
        equip::{self, EquipError},
    },
};

/// How often it is looked whether what manages the cluster works.
const POLL: Duration = Duration::from_secs(2);
/// Looks until it is said that something is amiss: ten minutes.
const MOST_POLLS: u32 = 300;
/// Times that the operator in a cluster is asked to let go: longer than one look at a cluster may take.
const MOST_ASKING: u32 = 60;

/// Why a cluster's objects did not move.
#[derive(Debug, thiserror::Error)]
pub(super) enum PassageError {
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    #[error("Cluster API could not be installed in the cluster: {0}")]
    Equip(#[from] EquipError),
    #[error("what is to manage the cluster does not work in it. {0}")]
    NotWorking(String),
    #[error(transparent)]
    Pivot(#[from] PivotError),
}

/// A cluster and the way that its objects are to go.
pub(super) struct Passage {
    pub(super) parent: Client,
    pub(super) children: Arc<Children>,
    pub(super) cluster: LatticeCluster,
    pub(super) namespace: String,
    pub(super) needs: Needs,
    pub(super) way: Way,
}

impl Passage {
    /// Goes it, from wherever an earlier attempt has come to.
    pub(super) async fn go(self, said: Said) -> Result<(), PassageError> {
        let child = match self.children.kept(&self.cluster).await? {
            Some(child) => child,
            None => self.prepare(&said).await?,
        };
        match self.way {
            // With the note and without the credentials nobody would know whom to ask, so they are kept before.
            Way::Into => act::note(&self.parent, &self.cluster).await?,
            Way::Back => self.have_it_let_go(&child, &said).await?,
        }
        said.say("the cluster's objects move");
        let name = ClusterName::new(&self.namespace, self.cluster.name_any());
        let (here, there) = (Direct::new(self.parent.clone()), Direct::new(child));
        let options = Options::default();
        match self.way {
            Way::Into => pivot(&here, &there, &name, &options).await?,
            Way::Back => pivot(&there, &here, &name, &options).await?,
        };
        Ok(())
    }

    /// Has the operator in the cluster stop acting on its objects, which it says by letting its LatticeCluster go. Where that
    /// operator does not run, nobody has to be waited for.
    async fn have_it_let_go(&self, child: &Client, said: &Said) -> Result<(), PassageError> {
        said.say("the cluster stops managing itself");
        let clusters: Api<LatticeCluster> = Api::all(child.clone());
        let name = self.cluster.name_any();
        for _ in 0..MOST_ASKING {
            match clusters.delete(&name, &DeleteParams::default()).await {
                Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
                asked => asked.map(drop).map_err(ProvisionError::from)?,
            }
            sleep(POLL).await;
        }
        tracing::warn!(name, "the operator in the cluster does not let go of it");
        Ok(())
    }

    /// Has the cluster able to manage itself, and keeps the credentials for it.
    async fn prepare(&self, said: &Said) -> Result<Client, PassageError> {
        let name = self.cluster.name_any();
        let (child, kubeconfig) = self.children.provisioned(&self.namespace, &name).await?;
        said.say("Cluster API is installed in the cluster");
        let equipment = equip::installed(&self.parent, &self.needs).await?;
        equip::install(&child, &equipment, Utc::now()).await?;
        self.await_managers(&child, &equipment, said).await?;
        self.children.keep(&self.cluster, kubeconfig).await?;
        Ok(child)
    }

    async fn await_managers(
        &self,
        child: &Client,
        equipment: &Equipment,
        said: &Said,
    ) -> Result<(), PassageError> {
        let mut needed = equipment.deployments();
        needed.push((NAMESPACE.to_owned(), WORKLOAD.to_owned()));
        let mut why = String::new();
        for _ in 0..MOST_POLLS {
            match equip::not_working(child, &needed).await? {
                None => return Ok(()),
                Some(reason) => why = reason,
            }
            said.say(format!("waiting in the cluster for {why}"));
            sleep(POLL).await;
        }
        Err(PassageError::NotWorking(why))
    }
}
