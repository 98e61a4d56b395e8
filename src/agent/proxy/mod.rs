//! Requests to the API servers of clusters below, over tunnels that their agents open.

mod ask;
mod forward;
pub mod headers;
mod join;
pub mod path;
mod serve;
mod upgrade;

use bytes::Bytes;
use futures::stream::BoxStream;

pub use self::ask::{Framed, ask, chunks, framed};
pub use self::forward::forward;
pub use self::join::{join, later};
pub use self::serve::{Below, serve};

/// A body, in pieces. An error is a body that was cut off.
pub type Chunks = BoxStream<'static, Result<Bytes, String>>;

/// Largest piece of a body in one frame, bytes.
const LARGEST_CHUNK: usize = 32 << 10;

/// Why there is no answer of the API server that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProxyError {
    /// The HTTP status that says it best.
    pub status: u16,
    /// Why, and where.
    pub message: String,
}

impl ProxyError {
    /// An error with a status.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}
