//! Labels, annotations and finalizers on the clusters that the scheduler makes.

use kube::ResourceExt;

use crate::api::LatticeCluster;

/// Says who looks after a cluster.
pub const MANAGED_BY: &str = "lattice.dev/managed-by";

/// The value of [`MANAGED_BY`] on clusters that the scheduler makes and may delete.
pub const SCHEDULER: &str = "scheduler";

/// The policy whose cluster rules a cluster follows; an annotation where the name is too long for a label.
pub const POLICY: &str = "lattice.dev/policy";

/// The pool that a cluster is in; an annotation where the name is too long for a label.
pub const POOL: &str = "lattice.dev/pool";

/// Keeps a cluster's object until its machines are gone.
pub const CLUSTER_FINALIZER: &str = "lattice.dev/cluster";

/// Longest value of a label.
pub(crate) const LONGEST_VALUE: usize = 63;

/// Whether the scheduler made the cluster.
pub(crate) fn is_scheduled(cluster: &LatticeCluster) -> bool {
    let owner = cluster.labels().get(MANAGED_BY);
    owner.is_some_and(|owner| owner == SCHEDULER)
}

/// Whether the cluster is somebody's child. What a scheduler makes is the child of the cluster that the scheduler is in; of
/// those that are declared the root alone names no parent.
pub(crate) fn has_parent(cluster: &LatticeCluster) -> bool {
    is_scheduled(cluster) || cluster.spec.cell_ref.is_some()
}
