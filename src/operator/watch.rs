//! One watch a kind, each with a connection, a store and a back-off of its own, so that a kind that cannot
//! be watched holds up no other.

use std::{fmt::Debug, hash::Hash, sync::Arc};

use futures::StreamExt;
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt,
        reflector::{self, Store},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{cell, metrics::Metrics, provision::Board, store::Stores, tree};

/// After this many seconds the API server ends a watch and it begins anew: a connection that died without
/// a word is noticed.
const WATCH_SECONDS: u32 = 30;

/// Starts every watch. `changed` is told of each change.
pub(crate) fn start(
    client: &Client,
    changed: &Arc<Notify>,
    metrics: &Arc<Metrics>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Stores {
    let starter = Starter {
        client,
        changed,
        metrics,
        tasks,
        stop,
    };
    Stores {
        pools: starter.watch(),
        node_classes: starter.watch(),
        policies: starter.watch(),
        services: starter.watch(),
        clusters: starter.watch(),
        service_placements: starter.watch(),
        external_services: starter.watch(),
        board: Board::default(),
        agents: cell::Board::default(),
        escalations: tree::Board::default(),
    }
}

struct Starter<'a> {
    client: &'a Client,
    changed: &'a Arc<Notify>,
    metrics: &'a Arc<Metrics>,
    tasks: &'a TaskTracker,
    stop: &'a CancellationToken,
}

impl Starter<'_> {
    fn watch<K>(&self) -> Store<K>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
        K::DynamicType: Default + Eq + Hash + Clone + Send + Sync,
    {
        let (store, writer) = reflector::store::<K>();
        let kind = K::kind(&K::DynamicType::default()).into_owned();
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let events = watcher(Api::<K>::all(self.client.clone()), config)
            .default_backoff()
            .reflect(writer);
        let (changed, metrics) = (Arc::clone(self.changed), Arc::clone(self.metrics));
        let watching = async move {
            let mut events = std::pin::pin!(events);
            while let Some(event) = events.next().await {
                match event {
                    Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
                    Ok(_) => changed.notify_one(),
                    // Nothing is lost: it lists anew and goes on from there.
                    Err(watcher::Error::WatchError(status)) if status.code == 410 => {
                        tracing::debug!(%kind, "a watch came too late and begins anew");
                    }
                    Err(error) => {
                        tracing::warn!(%kind, %error, "a watch is interrupted and tried again");
                        metrics.watch_restarted(&kind);
                    }
                }
            }
        };
        self.tasks
            .spawn(self.stop.clone().run_until_cancelled_owned(watching));
        store
    }
}
