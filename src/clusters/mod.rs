//! Clusters: what Cluster API is told of them, and how they come to manage themselves.
//!
//! [`render`], [`lifecycle`], [`equipment`] and all of [`pivot`] but its `apply` files are pure: objects in, objects and actions out; so is
//! [`bootstrap`], but for the keys that it makes. What touches an API server is in files called `apply` and `provider`,
//! and in the operator.

pub mod bootstrap;
pub mod equipment;
pub mod labels;
pub mod lifecycle;
pub mod pivot;
pub mod provider;
pub mod render;
