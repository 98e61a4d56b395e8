//! This operator as the agent of its cluster: the session with the cell above, if there is one.

mod apply;
mod host;
mod watch;

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, runtime::reflector::Store};
use tokio::{
    sync::{mpsc, watch as channel},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use self::host::KubeHost;
use super::{decision_log::NAMESPACE, leader::Term, proxy::Downward, tree};
use crate::{
    agent::{client, session::Identity},
    api::LatticeCluster,
    clusters::bootstrap::{CERTIFICATE, KEY, PARENT},
};

/// How often is looked whether there is a parent, or another one.
const PERIOD: Duration = Duration::from_secs(3);
/// Reports that were not looked at yet.
const REPORTS: usize = 16;

#[derive(Clone, Debug, PartialEq)]
struct Parent {
    cluster: String,
    endpoint: String,
}

/// What else of this operator the agent works with.
pub(crate) struct Around {
    pub(crate) downward: Downward,
    pub(crate) clusters: Store<LatticeCluster>,
    pub(crate) tree: tree::Post,
}

/// Keeps the session with the cell above whenever there is a term and a parent, until the stop.
pub(crate) async fn run(
    client: Client,
    around: Around,
    terms: channel::Receiver<Option<Term>>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let term = terms.borrow().clone();
        if let Some(term) = term {
            let session = session(&client, &around, stop.child_token());
            let over = term.over.run_until_cancelled(session);
            if let Some(Some(Err(why))) = stop.run_until_cancelled(over).await {
                tracing::warn!(why, "no session with the cell above");
            }
        }
        let _ = timeout(PERIOD, stop.cancelled()).await;
    }
}

/// A session with the parent that there is, until there is another.
async fn session(client: &Client, around: &Around, stop: CancellationToken) -> Result<(), String> {
    let Some(parent) = parent(client).await? else {
        around.tree.without_parent();
        return Ok(());
    };
    let _end = stop.clone().drop_guard();
    let version = client.apiserver_version().await;
    let identity = Identity {
        cluster: parent.cluster.clone(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        kubernetes_version: version.map_or_else(|_| String::new(), |info| info.git_version),
    };
    let (sender, reports) = mpsc::channel(REPORTS);
    let watching = watch::watch(client.clone(), around.clusters.clone(), sender.clone());
    tokio::spawn(stop.clone().run_until_cancelled_owned(watching));
    let host = Arc::new(KubeHost::new(
        client.clone(),
        identity.clone(),
        around.downward.clone(),
        around.tree.clone(),
    ));
    around.tree.below(&parent.cluster, sender);
    let session = client::run(
        client::Tcp,
        host,
        parent.endpoint.clone(),
        identity,
        reports,
        stop,
    );
    tokio::select! {
        ended = session => ended,
        () = moved(client, &parent) => Ok(()),
    }
}

/// Returns once the parent is another.
async fn moved(client: &Client, known: &Parent) {
    loop {
        tokio::time::sleep(PERIOD).await;
        // An API server that does not answer says nothing of the parent.
        if let Ok(found) = parent(client).await
            && found.as_ref() != Some(known)
        {
            return;
        }
    }
}

/// The parent, once all that a session takes is there.
async fn parent(client: &Client) -> Result<Option<Parent>, String> {
    let said = |error: kube::Error| error.to_string();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let Some(map) = maps.get_opt(PARENT).await.map_err(said)? else {
        return Ok(None);
    };
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    for name in [KEY, CERTIFICATE] {
        if secrets.get_opt(name).await.map_err(said)?.is_none() {
            return Ok(None);
        }
    }
    let mut data = map.data.unwrap_or_default();
    let cluster = data.remove("cluster");
    let cluster = cluster.ok_or_else(|| format!("ConfigMap {PARENT} has no `cluster`"))?;
    // The root of a tree knows its name, and has nobody above it.
    Ok(data
        .remove("endpoint")
        .map(|endpoint| Parent { cluster, endpoint }))
}
