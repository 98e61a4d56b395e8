//! Clusters with what is on them, by index: what the steps of a decision hand to each other, without a name looked up
//! twice.

use super::model::{Cluster, NodeGroup, Origin};
use super::problem::Problem;
use std::collections::BTreeMap;

/// A cluster of a fleet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LaidCluster {
    pub name: String,
    pub pool: usize,
    pub origin: Origin,
    /// Class and number of control-plane nodes.
    pub control: Option<(usize, u32)>,
    /// Workers, equal ones grouped.
    pub workers: Vec<LaidNodes>,
}

/// Equal nodes with equal content.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LaidNodes {
    pub class: usize,
    pub count: u32,
    /// Replicas of each service on each of these nodes, in the order of services.
    pub tenants: Vec<(usize, u32)>,
}

/// Reads clusters. What is not known any more (a pool, a class, a service) is left out.
pub(crate) fn read(problem: &Problem<'_>, clusters: &[Cluster]) -> Vec<LaidCluster> {
    let nodes = |group: &NodeGroup| {
        let services = group.services.iter();
        Some(LaidNodes {
            class: problem.class(&group.class)?,
            count: group.count,
            tenants: services
                .filter_map(|(id, &n)| Some((problem.service_named(id)?, n)))
                .collect(),
        })
    };
    let read = |cluster: &Cluster| {
        let control = cluster.control_plane.as_ref();
        Some(LaidCluster {
            name: cluster.name.clone(),
            pool: problem.pool(&cluster.pool)?,
            origin: cluster.origin.clone(),
            control: control.and_then(|(class, n)| Some((problem.class(class)?, *n))),
            workers: cluster.workers.iter().filter_map(nodes).collect(),
        })
    };
    clusters.iter().filter_map(read).collect()
}

/// Writes clusters out.
pub(crate) fn written(problem: &Problem<'_>, clusters: &[LaidCluster]) -> Vec<Cluster> {
    let snapshot = problem.snapshot;
    let class = |k: usize| snapshot.node_classes[k].name.clone();
    let nodes = |group: &LaidNodes| NodeGroup {
        class: class(group.class),
        count: group.count,
        services: (group.tenants.iter())
            .map(|&(s, n)| (snapshot.services[s].id.clone(), n))
            .collect(),
    };
    let write = |cluster: &LaidCluster| Cluster {
        name: cluster.name.clone(),
        pool: snapshot.pools[cluster.pool].name.clone(),
        origin: cluster.origin.clone(),
        control_plane: cluster.control.map(|(k, n)| (class(k), n)),
        workers: cluster.workers.iter().map(nodes).collect(),
    };
    clusters.iter().map(write).collect()
}

/// Groups equal nodes and puts the groups into order: by class, then by what is on them.
pub(crate) fn merged(nodes: impl Iterator<Item = LaidNodes>) -> Vec<LaidNodes> {
    let mut counts: BTreeMap<(usize, Vec<(usize, u32)>), u32> = BTreeMap::new();
    for group in nodes {
        *counts.entry((group.class, group.tenants)).or_default() += group.count;
    }
    let groups = counts.into_iter();
    groups
        .map(|((class, tenants), count)| LaidNodes {
            class,
            count,
            tenants,
        })
        .collect()
}
