//! What the watches have seen, as typed stores, and one look at all of it.

use std::sync::Arc;

use kube::{Resource, runtime::reflector::Store};

use super::{cell, provision::Board, seen::Seen, tree};

use crate::api::{
    LatticeCluster, LatticeExternalService, LatticeNodeClass, LatticePlacementPolicy, LatticePool,
    LatticeService, LatticeServicePlacement,
};

/// One store a kind.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) pools: Store<LatticePool>,
    pub(crate) node_classes: Store<LatticeNodeClass>,
    pub(crate) policies: Store<LatticePlacementPolicy>,
    pub(crate) services: Store<LatticeService>,
    pub(crate) clusters: Store<LatticeCluster>,
    pub(crate) service_placements: Store<LatticeServicePlacement>,
    pub(crate) external_services: Store<LatticeExternalService>,
    /// What is known of clusters that is not in their status yet.
    pub(crate) board: Board,
    /// What their agents have said.
    pub(crate) agents: cell::Board,
    /// Where services stand that found no place here.
    pub(crate) escalations: tree::Board,
}

impl Stores {
    /// Waits until every store has seen its whole kind once. Deciding on a part would move what runs.
    pub(crate) async fn ready(&self) {
        // An error means that the watch has ended, which only a stop of the operator brings about.
        let _ = tokio::join!(
            self.pools.wait_until_ready(),
            self.node_classes.wait_until_ready(),
            self.policies.wait_until_ready(),
            self.services.wait_until_ready(),
            self.clusters.wait_until_ready(),
            self.service_placements.wait_until_ready(),
            self.external_services.wait_until_ready(),
        );
    }

    /// Everything as of now, by namespace and name.
    pub(crate) fn observe(&self) -> Seen {
        Seen {
            pools: objects(&self.pools),
            node_classes: objects(&self.node_classes),
            policies: objects(&self.policies),
            services: alive(objects(&self.services)),
            clusters: objects(&self.clusters),
            progress: self.board.shown(),
            agents: self.agents.shown(),
            escalations: self.escalations.shown(),
            service_placements: alive(objects(&self.service_placements)),
            external_services: objects(&self.external_services),
        }
    }
}

fn objects<K>(store: &Store<K>) -> Vec<Arc<K>>
where
    K: Resource + Clone + 'static,
    K::DynamicType: std::hash::Hash + Eq + Clone,
{
    let mut found = store.state();
    found.sort_by(|a, b| {
        let (a, b) = (a.meta(), b.meta());
        (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name))
    });
    found
}

/// Without those that somebody deleted and a finalizer still holds.
fn alive<K: Resource>(mut objects: Vec<Arc<K>>) -> Vec<Arc<K>> {
    objects.retain(|object| object.meta().deletion_timestamp.is_none());
    objects
}
