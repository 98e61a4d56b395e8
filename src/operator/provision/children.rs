//! How clusters are reached that manage themselves: through their agents, and where these are not there by the administrator's
//! credentials that Cluster API made for them.
//!
//! That the operator keeps a copy of them says that a cluster's objects may be in the cluster: from then on they are looked for
//! there, and where the cluster does not answer nobody acts.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, Config, Resource, ResourceExt,
    api::{DeleteParams, ObjectMeta, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};

use super::error::ProvisionError;
use crate::{
    api::LatticeCluster,
    operator::{
        decision_log::NAMESPACE,
        objects::gone_is_fine,
        proxy::{Downward, reaching},
    },
};

/// Key of a kubeconfig in Cluster API's Secrets.
const KEY: &str = "value";
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const FIELD_MANAGER: &str = "lattice.dev/children";

/// The clusters that can be reached.
pub(super) struct Children {
    parent: Client,
    downward: Downward,
    /// A client is made once for each kubeconfig.
    clients: Mutex<BTreeMap<String, (Vec<u8>, Client)>>,
}

impl Children {
    pub(super) fn new(parent: Client, downward: Downward) -> Self {
        Children {
            parent,
            downward,
            clients: Mutex::default(),
        }
    }

    /// The cluster, if its credentials are kept; those of an earlier cluster of the same name do not count.
    pub(super) async fn kept(
        &self,
        cluster: &LatticeCluster,
    ) -> Result<Option<Client>, ProvisionError> {
        let name = cluster.name_any();
        let secret = self.secrets().get_opt(&kept_name(&name)).await?;
        let is_its = |secret: &Secret| {
            let owners = secret.owner_references().iter();
            owners
                .into_iter()
                .any(|owner| Some(&owner.uid) == cluster.uid().as_ref())
        };
        match secret.filter(is_its) {
            Some(secret) => Ok(Some(self.client(&name, kubeconfig(secret)).await?)),
            None => Ok(None),
        }
    }

    /// The cluster, by the credentials that Cluster API has for it here.
    pub(super) async fn provisioned(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<(Client, Vec<u8>), ProvisionError> {
        let bytes = provisioned(&self.parent, namespace, name).await?;
        let bytes = bytes.ok_or_else(|| ProvisionError::NoKubeconfig(name.to_owned()))?;
        Ok((self.client(name, bytes.clone()).await?, bytes))
    }

    /// Keeps the credentials as long as there is the LatticeCluster.
    pub(super) async fn keep(
        &self,
        cluster: &LatticeCluster,
        kubeconfig: Vec<u8>,
    ) -> Result<(), ProvisionError> {
        let name = kept_name(&cluster.name_any());
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                owner_references: cluster.owner_ref(&()).map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            data: Some([(KEY.to_owned(), ByteString(kubeconfig))].into()),
            ..Secret::default()
        };
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.secrets()
            .patch(&name, &params, &Patch::Apply(&secret))
            .await?;
        Ok(())
    }

    /// Keeps the credentials that the cluster has for itself now: they are renewed there.
    pub(super) async fn refresh(
        &self,
        cluster: &LatticeCluster,
        child: &Client,
        namespace: &str,
    ) -> Result<(), ProvisionError> {
        let name = cluster.name_any();
        let now = provisioned(child, namespace, &name).await?;
        let known = self.lock().get(&name).map(|(bytes, _)| bytes.clone());
        match now.filter(|bytes| Some(bytes) != known.as_ref()) {
            Some(bytes) => self.keep(cluster, bytes).await,
            None => Ok(()),
        }
    }

    /// Forgets the credentials of a cluster that is gone.
    pub(super) async fn forget(&self, name: &str) -> Result<(), ProvisionError> {
        self.lock().remove(name);
        let deleted = self
            .secrets()
            .delete(&kept_name(name), &DeleteParams::default())
            .await;
        Ok(gone_is_fine(deleted)?)
    }

    async fn client(&self, name: &str, bytes: Vec<u8>) -> Result<Client, ProvisionError> {
        if let Some((_, client)) = self.lock().get(name).filter(|(known, _)| *known == bytes) {
            return Ok(client.clone());
        }
        let client = reaching(connect(name, &bytes).await?, &self.downward, name);
        self.lock().insert(name.to_owned(), (bytes, client.clone()));
        Ok(client)
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.parent.clone(), NAMESPACE)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Vec<u8>, Client)>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kubeconfig that Cluster API has made for a cluster, wherever it acts on it.
async fn provisioned(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Vec<u8>>, ProvisionError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let secret = secrets.get_opt(&format!("{name}-kubeconfig")).await?;
    Ok(secret.map(kubeconfig).filter(|bytes| !bytes.is_empty()))
}

fn kubeconfig(secret: Secret) -> Vec<u8> {
    let value = secret.data.and_then(|mut data| data.remove(KEY));
    value.map(|ByteString(bytes)| bytes).unwrap_or_default()
}

/// The credentials that are kept of a cluster that manages itself.
pub(crate) async fn kept_kubeconfig(
    client: &Client,
    cluster: &str,
) -> Result<Option<Vec<u8>>, kube::Error> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    Ok(secrets.get_opt(&kept_name(cluster)).await?.map(kubeconfig))
}

/// The Secret in the operator's namespace with the credentials of a cluster that manages itself.
fn kept_name(cluster: &str) -> String {
    format!("child-{cluster}")
}

async fn connect(name: &str, kubeconfig: &[u8]) -> Result<Client, ProvisionError> {
    let wrong = |error: &dyn std::fmt::Display| ProvisionError::Kubeconfig {
        cluster: name.to_owned(),
        why: error.to_string(),
    };
    let text = String::from_utf8_lossy(kubeconfig);
    let kubeconfig = Kubeconfig::from_yaml(&text).map_err(|error| wrong(&error))?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(|error| wrong(&error))?;
    // It is this operator's own network that leads there.
    config.proxy_url = None;
    config.connect_timeout = Some(CONNECT_WITHIN);
    config.read_timeout = Some(ANSWER_WITHIN);
    Client::try_from(config).map_err(|error| wrong(&error))
}
