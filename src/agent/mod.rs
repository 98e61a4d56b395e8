//! Cells and agents: what a cluster and the cell above it say to each other, and how a session goes on over streams
//! that break.

pub mod client;
#[cfg(test)]
mod happenings;
#[cfg(test)]
mod luck;
pub mod proto;
pub mod proxy;
pub mod server;
pub mod session;
pub mod subtree;
mod tls;
pub mod tree;
