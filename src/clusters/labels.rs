//! Labels on what belongs to a cluster, and on its nodes.

/// The LatticeCluster that an object belongs to.
pub const CLUSTER: &str = "lattice.dev/cluster";

/// Whether the cluster provisions children: `true` on a cell, `false` on a leaf.
pub const CELL: &str = "lattice.dev/cell";

/// The LatticeNodeClass of a node.
pub const NODE_CLASS: &str = "lattice.dev/node-class";

/// `on-demand` or `spot`, on a node.
pub const CAPACITY_TYPE: &str = "lattice.dev/capacity-type";

/// The region of a node, where Kubernetes looks for it.
pub const REGION: &str = "topology.kubernetes.io/region";

/// The zone of a node, where Kubernetes looks for it.
pub const ZONE: &str = "topology.kubernetes.io/zone";

/// Cluster API's own mark on everything of a cluster.
pub const CAPI_CLUSTER: &str = "cluster.x-k8s.io/cluster-name";

/// Cluster API's own mark on machines of the control plane.
pub const CAPI_CONTROL_PLANE: &str = "cluster.x-k8s.io/control-plane";

/// Cluster API's own mark on the machines of a MachineDeployment.
pub const CAPI_DEPLOYMENT: &str = "cluster.x-k8s.io/deployment-name";

/// Has `clusterctl move`, and the pivot, take an object along that no owner leads to.
pub const MOVES: &str = "clusterctl.cluster.x-k8s.io/move";
