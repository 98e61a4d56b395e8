//! The webhook that the first machine of a new cluster calls: `POST /api/clusters/register?cluster=NAME`, over TLS,
//! with the token as bearer and the certificate signing request as body.

mod answer;
pub(crate) mod authority;
mod error;
mod server;
mod store;

use std::net::SocketAddr;

pub use error::BootstrapError;
pub use server::{Server, serve};
pub(crate) use store::grant;
pub use store::issue;

/// Where the webhook listens if nothing else is said.
pub const PORT: u16 = 8444;

/// What the webhook needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Names and addresses under which children reach it, the one that they are told first; all are in its
    /// certificate.
    pub hosts: Vec<String>,
    /// Host and port of the agents' stream.
    pub endpoint: String,
    /// Lattice's image.
    pub image: String,
}
