//! What cells and agents say to each other, and the machines that hear it.

#[path = "../src/agent/proto.rs"]
pub mod proto;
#[path = "proxy.rs"]
pub mod proxy;
#[path = "../src/agent/session/mod.rs"]
pub mod session;
#[path = "../src/agent/tree/mod.rs"]
pub mod tree;
