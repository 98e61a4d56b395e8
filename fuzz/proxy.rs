//! What goes through of requests to clusters below.

#[path = "../src/agent/proxy/headers.rs"]
pub mod headers;
#[path = "../src/agent/proxy/path.rs"]
pub mod path;
#[path = "../src/agent/proxy/upgrade.rs"]
mod upgrade;
