//! The composition root: controllers, leader election, the status writer, metrics and the embedded control plane.

pub mod control_plane;
pub mod crypto;
pub mod decision_log;
pub mod error;
mod http;
mod inventory;
mod leader;
mod metrics;
mod status_writer;
mod store;
mod watch;
