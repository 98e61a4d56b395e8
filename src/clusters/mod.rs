//! Clusters: what Cluster API is told of them, and how they come to manage themselves.
//!
//! [`render`] is pure: objects in, objects out, and so is [`bootstrap`], but for the keys that it makes. What touches
//! an API server is in files called `apply` and `provider`, and in the operator.

pub mod bootstrap;
pub mod labels;
pub mod provider;
pub mod render;
