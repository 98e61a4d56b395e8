//! The kinds of the API group, one file a kind, with conditions, labels, quantities and money.
//!
//! Everything here is data: types, their schemas and the rules that hold over them. Nothing reads a clock,
//! a file or an API server. Rules are written once, as schema keywords and CEL expressions beside the
//! fields they bind; the API server enforces them from the CRDs in `crds/`, and [`validation`] enforces the
//! same schema offline.

pub mod capacity;
pub mod catalog;
pub mod cluster;
pub mod cluster_agent;
pub mod cluster_provider;
pub mod cluster_status;
pub mod conditions;
pub mod container;
pub mod container_mount;
pub mod cost;
pub mod credentials;
pub mod environment;
pub mod extended;
pub mod external_service;
pub mod flux;
pub mod git;
pub mod image_registry;
pub mod local_infrastructure;
pub mod money;
pub mod moving;
pub mod node_class;
pub mod placement_policy;
pub mod pool;
pub mod provider_type;
pub mod quantity;
pub mod ratio;
pub mod registration;
pub mod repo_config;
mod schema;
pub mod secret_bindings;
pub mod selector;
pub mod service;
pub mod service_config;
pub mod service_placement;
pub mod service_status;
pub mod timestamp;
pub mod validation;

pub use catalog::{Kind, crds, crds_yaml, kind, kinds};
pub use cluster::{LatticeCluster, LatticeClusterSpec};
pub use cluster_status::{ClusterPhase, LatticeClusterStatus};
pub use conditions::{Condition, ConditionStatus};
pub use environment::{LatticeEnvironment, LatticeEnvironmentSpec, LatticeEnvironmentStatus};
pub use external_service::{
    LatticeExternalService, LatticeExternalServiceSpec, LatticeExternalServiceStatus,
};
pub use image_registry::{
    LatticeImageRegistry, LatticeImageRegistrySpec, LatticeImageRegistryStatus,
};
pub use money::Money;
pub use moving::Moving;
pub use node_class::{LatticeNodeClass, LatticeNodeClassSpec, LatticeNodeClassStatus};
pub use placement_policy::{
    LatticePlacementPolicy, LatticePlacementPolicySpec, LatticePlacementPolicyStatus,
};
pub use pool::{LatticePool, LatticePoolSpec, LatticePoolStatus};
pub use provider_type::ProviderType;
pub use quantity::{Cores, MemoryGi, QuantityError};
pub use ratio::Ratio;
pub use registration::{
    LatticeServiceRegistration, LatticeServiceRegistrationSpec, LatticeServiceRegistrationStatus,
};
pub use repo_config::{LatticeRepoConfig, LatticeRepoConfigSpec};
pub use secret_bindings::{
    LatticeSecretBindings, LatticeSecretBindingsSpec, LatticeSecretBindingsStatus,
};
pub use selector::LabelSelector;
pub use service::{LatticeService, LatticeServiceSpec};
pub use service_config::{
    LatticeServiceConfig, LatticeServiceConfigSpec, LatticeServiceConfigStatus,
};
pub use service_placement::{
    LatticeServicePlacement, LatticeServicePlacementSpec, LatticeServicePlacementStatus,
};
pub use service_status::{LatticeServiceStatus, ServicePhase};
pub use timestamp::Timestamp;
pub use validation::{PathSegment, Violation, apply_defaults, validate_object};

/// The API group of every kind here.
pub const GROUP: &str = "lattice.dev";

/// The one version served and stored.
pub const VERSION: &str = "v1alpha1";

/// `apiVersion` as it is written in a document.
pub const API_VERSION: &str = "lattice.dev/v1alpha1";
