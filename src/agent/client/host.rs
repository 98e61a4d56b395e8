//! What the agent's client asks of its cluster.

use std::future::Future;

use super::Credentials;
use crate::agent::{
    proto::{
        InboxRecord, RenewResponse, TreeMessage, TunnelDown, TunnelUp, agent_message::Payload,
        cell_command::Command,
    },
    session::{CommandId, News},
};

/// An agent's cluster, and what is kept there.
pub trait Host: Send + Sync + 'static {
    /// The agent's certificate, its key and the authorities of its cell.
    ///
    /// # Errors
    /// If they cannot be read, with the reason.
    fn credentials(&self) -> impl Future<Output = Result<Credentials, String>> + Send;

    /// Keeps a new certificate of the same key.
    ///
    /// # Errors
    /// If it cannot be kept, with the reason.
    fn renewed(&self, response: RenewResponse) -> impl Future<Output = Result<(), String>> + Send;

    /// What was applied before.
    ///
    /// # Errors
    /// If it cannot be read, with the reason.
    fn load(&self) -> impl Future<Output = Result<InboxRecord, String>> + Send;

    /// Keeps what was applied.
    ///
    /// # Errors
    /// If it cannot be kept, with the reason.
    fn keep(&self, record: InboxRecord) -> impl Future<Output = Result<(), String>> + Send;

    /// Applies a command and says what came of it. May come again after a crash, with the same number.
    fn apply(&self, id: CommandId, command: Command) -> impl Future<Output = Payload> + Send;

    /// Answers one request of the cell, over a tunnel that is open.
    fn serve(
        &self,
        down: tonic::Streaming<TunnelDown>,
        up: tokio::sync::mpsc::Sender<TunnelUp>,
    ) -> impl Future<Output = ()> + Send;

    /// Hears what the cell says about places for services.
    fn heard(&self, said: TreeMessage);

    /// Hears what becomes of the session.
    fn told(&self, news: News);
}
