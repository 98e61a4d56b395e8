//! The composition root: controllers, leader election, the status writer, metrics and the embedded control plane.

pub mod control_plane;
pub mod crypto;
