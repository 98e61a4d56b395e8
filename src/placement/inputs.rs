//! The objects that a decision is made from, as they are in the API.

use crate::api::{
    LatticeCluster, LatticeExternalService, LatticeNodeClass, LatticePlacementPolicy, LatticePool,
    LatticeService, LatticeServicePlacement,
};

/// Every object that a decision depends on. The order of the lists means nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    /// Capacity.
    pub pools: Vec<LatticePool>,
    /// Machine templates.
    pub node_classes: Vec<LatticeNodeClass>,
    /// Rules.
    pub policies: Vec<LatticePlacementPolicy>,
    /// Needs.
    pub services: Vec<LatticeService>,
    /// What exists or has been decided before.
    pub clusters: Vec<LatticeCluster>,
    /// Services that people put on a cluster.
    pub service_placements: Vec<LatticeServicePlacement>,
    /// What services call outside the fleet.
    pub external_services: Vec<LatticeExternalService>,
}
