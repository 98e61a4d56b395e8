//! The place of one agent at its cell: the machine of its session, and the streams that it speaks on.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::registry::Registry;
use crate::{
    agent::{
        proto::CellCommand,
        session::{Outbox, Parent, ParentAct},
    },
    clusters::bootstrap::Leaf,
};

/// Messages to an agent that wait for the network.
pub(super) const QUEUE: usize = 64;

/// One open stream.
pub(super) struct Stream {
    pub(super) sender: mpsc::Sender<Result<CellCommand, Status>>,
    pub(super) over: CancellationToken,
    /// With which it was opened.
    pub(super) leaf: Arc<Leaf>,
}

/// The place of one agent.
pub(super) struct Seat {
    pub(super) cluster: String,
    pub(super) parent: Parent,
    pub(super) streams: BTreeMap<u64, Stream>,
    /// Until when the last certificate holds that was made over a stream.
    pub(super) renewed_until: Option<DateTime<Utc>>,
    /// When it was made.
    pub(super) renewed_at: DateTime<Utc>,
}

impl Seat {
    pub(super) fn new(cell: &str, cluster: &str, outbox: Outbox) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self {
            cluster: cluster.to_owned(),
            parent: Parent::new(cell, version, cluster, outbox),
            streams: BTreeMap::new(),
            renewed_until: None,
            renewed_at: DateTime::UNIX_EPOCH,
        }
    }

    /// Does what the machine says. After an error the machine is ahead of what is kept: the seat must not be used again.
    pub(super) async fn act<R: Registry>(
        &mut self,
        registry: &R,
        acts: Vec<ParentAct>,
    ) -> Result<(), String> {
        for act in acts {
            match act {
                ParentAct::Send(session, command) => self.send(session, command),
                ParentAct::Close(session) => self.close(session),
                ParentAct::Keep(record) => registry.keep(&self.cluster, record).await?,
                ParentAct::Tell(event) => registry.told(&self.cluster, event),
            }
        }
        Ok(())
    }

    fn send(&mut self, session: u64, command: CellCommand) {
        let Some(stream) = self.streams.get(&session) else {
            return;
        };
        // Whoever does not read is not waited for; the session ends by that, and goes on over the next stream.
        if stream.sender.try_send(Ok(command)).is_err() {
            self.close(session);
        }
    }

    fn close(&mut self, session: u64) {
        if let Some(stream) = self.streams.remove(&session) {
            stream.over.cancel();
        }
    }

    pub(super) fn close_all(&mut self) {
        for (_, stream) in std::mem::take(&mut self.streams) {
            stream.over.cancel();
        }
    }
}
