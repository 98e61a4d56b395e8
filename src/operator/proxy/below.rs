//! The clusters below, for requests that come from callers here or from above.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::Response;
use kube::Client;

use super::gate;
use crate::{
    agent::{
        proto::RequestHead,
        proxy::{Below, Chunks, ProxyError, forward},
        server::Cell,
    },
    operator::cell::Fleet,
};

/// The cell that this operator is, while it is one.
#[derive(Clone, Default)]
pub(crate) struct Downward(Arc<ArcSwapOption<Cell<Fleet>>>);

impl Downward {
    /// The cell, while this operator is one.
    pub(crate) fn cell(&self) -> Option<Cell<Fleet>> {
        self.0.load_full().map(Arc::unwrap_or_clone)
    }

    pub(crate) fn set(&self, cell: Option<Cell<Fleet>>) {
        self.0.store(cell.map(Arc::new));
    }
}

/// The way down, with who may take it.
#[derive(Clone)]
pub(crate) struct Guarded {
    pub(crate) client: Client,
    pub(crate) downward: Downward,
}

impl Below for Guarded {
    async fn forward(
        &self,
        head: RequestHead,
        body: Chunks,
    ) -> Result<Response<Chunks>, ProxyError> {
        let none = || ProxyError::new(503, "this operator leads no cell");
        let cell = self.downward.0.load_full().ok_or_else(none)?;
        let caller = head.caller.clone().unwrap_or_default();
        let cluster = head.route.first().cloned().unwrap_or_default();
        gate::authorize(&self.client, &caller, &head, &cluster).await?;
        forward(&cell, head, body).await
    }
}
