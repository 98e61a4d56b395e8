//! Lattice, a scheduler-centric fleet brain for Kubernetes.
//!
//! Platform engineers state capacity, cost and rules; app teams state needs; Lattice decides where
//! everything runs, says why, and creates the clusters it takes. `ARCHITECTURE.md` holds the map of
//! the modules below and the rules of what may import what.

pub mod api;
pub mod cli;
pub mod operator;
pub mod placement;
pub mod scheduler;
