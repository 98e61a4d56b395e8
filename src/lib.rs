//! Lattice, a scheduler-centric fleet brain for Kubernetes.
//!
//! Platform engineers state capacity, cost and rules; app teams state needs; Lattice decides where
//! everything runs, says why, and creates the clusters it takes. `ARCHITECTURE.md` holds the map of
//! the modules below and the rules of what may import what.

pub mod agent;
pub mod api;
pub mod cli;
pub mod clusters;
pub mod operator;
pub mod placement;
pub mod scheduler;

// Tests share their random fleets with those in `tests/`, which know this crate by its name.
#[cfg(test)]
extern crate self as lattice;
