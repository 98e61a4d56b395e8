//! Clusters: what Cluster API is told of them, and how they come to manage themselves.
//!
//! [`render`] is pure: objects in, objects out. What touches an API server is in files called `apply` and
//! `provider`.

pub mod labels;
pub mod provider;
pub mod render;
