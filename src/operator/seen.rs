//! One look at all objects, shared with the watches' stores.

use std::sync::Arc;

use kube::Resource;

use super::{cell, provision::Shown, tree};
use crate::{
    api::{
        ClusterPhase, LatticeCluster, LatticeExternalService, LatticeNodeClass,
        LatticePlacementPolicy, LatticePool, LatticeService, LatticeServicePlacement,
    },
    placement::inputs::Inputs,
};

/// All objects, each kind by namespace and name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) pools: Vec<Arc<LatticePool>>,
    pub(crate) node_classes: Vec<Arc<LatticeNodeClass>>,
    pub(crate) policies: Vec<Arc<LatticePlacementPolicy>>,
    pub(crate) services: Vec<Arc<LatticeService>>,
    pub(crate) clusters: Vec<Arc<LatticeCluster>>,
    pub(crate) service_placements: Vec<Arc<LatticeServicePlacement>>,
    pub(crate) external_services: Vec<Arc<LatticeExternalService>>,
    /// What clusters have come to, which their statuses may not say yet.
    pub(crate) progress: Shown,
    /// What their agents have said.
    pub(crate) agents: cell::Shown,
    /// Where services stand that found no place here.
    pub(crate) escalations: tree::Shown,
}

impl Seen {
    /// Whether decisions and statuses come out the same as from an earlier look. What Lattice itself writes
    /// into a status is not asked for again; what others report there is.
    pub(crate) fn asks_the_same(&self, before: &Self) -> bool {
        self.progress == before.progress
            && self.agents == before.agents
            && self.escalations == before.escalations
            && all_same(&self.pools, &before.pools, |_, _| true)
            && all_same(&self.node_classes, &before.node_classes, |_, _| true)
            && all_same(&self.policies, &before.policies, |_, _| true)
            && all_same(&self.services, &before.services, same_health)
            && all_same(&self.clusters, &before.clusters, same_progress)
            && all_same(
                &self.service_placements,
                &before.service_placements,
                |_, _| true,
            )
            && all_same(
                &self.external_services,
                &before.external_services,
                |_, _| true,
            )
    }

    /// Copies, to decide on.
    pub(crate) fn inputs(&self) -> Inputs {
        Inputs {
            pools: copies(&self.pools),
            node_classes: copies(&self.node_classes),
            policies: copies(&self.policies),
            services: copies(&self.services),
            clusters: (self.clusters.iter())
                .map(|cluster| self.agents.on(self.progress.on(cluster)))
                .collect(),
            service_placements: copies(&self.service_placements),
            external_services: copies(&self.external_services),
        }
    }
}

/// The objects themselves, for what works on them without the stores.
pub(crate) fn copies<K: Clone>(objects: &[Arc<K>]) -> Vec<K> {
    objects.iter().map(|object| K::clone(object)).collect()
}

fn all_same<K: Resource>(now: &[Arc<K>], before: &[Arc<K>], told: fn(&K, &K) -> bool) -> bool {
    now.len() == before.len()
        && now.iter().zip(before).all(|(now, before)| {
            Arc::ptr_eq(now, before) || (same_wish(now.as_ref(), before) && told(now, before))
        })
}

/// The API server counts the generation up with every change of a spec, and with none of a status.
fn same_wish<K: Resource>(now: &K, before: &K) -> bool {
    let (now, before) = (now.meta(), before.meta());
    now.generation == before.generation
        && now.uid == before.uid
        && now.name == before.name
        && now.namespace == before.namespace
        && now.labels == before.labels
        && now.annotations == before.annotations
        && now.finalizers == before.finalizers
        && now.deletion_timestamp == before.deletion_timestamp
}

fn same_health(now: &LatticeService, before: &LatticeService) -> bool {
    let health = |service: &LatticeService| service.status.as_ref().and_then(|s| s.health);
    health(now).unwrap_or_default() == health(before).unwrap_or_default()
}

fn same_progress(now: &LatticeCluster, before: &LatticeCluster) -> bool {
    let progress = |cluster: &LatticeCluster| {
        let status = cluster.status.as_ref();
        let phase = status.and_then(|status| status.phase);
        let nodes = status.and_then(|status| status.nodes);
        (
            phase.unwrap_or(ClusterPhase::Pending),
            nodes.map_or(0, |nodes| nodes.ready),
        )
    };
    progress(now) == progress(before)
}
