//! What the cell's server asks of the cell.

use std::future::Future;

use crate::{
    agent::{
        proto::{OutboxRecord, RenewResponse},
        session::Event,
    },
    clusters::bootstrap::{Known, SigningRequest},
};

/// A cell's clusters, and what is kept of their agents.
pub trait Registry: Send + Sync + 'static {
    /// What is known of a cluster; none if there is no such cluster.
    fn known(&self, cluster: &str) -> Option<Known>;

    /// The commands that were kept for an agent.
    ///
    /// # Errors
    /// If they cannot be read, with the reason.
    fn load(
        &self,
        cluster: &str,
    ) -> impl Future<Output = Result<Option<OutboxRecord>, String>> + Send;

    /// Keeps the commands for an agent over restarts.
    ///
    /// # Errors
    /// If they cannot be kept, with the reason.
    fn keep(
        &self,
        cluster: &str,
        record: OutboxRecord,
    ) -> impl Future<Output = Result<(), String>> + Send;

    /// Hears of what an agent has said.
    fn told(&self, cluster: &str, event: Event);

    /// Certifies an agent's key, of a cluster whose UID this is.
    ///
    /// # Errors
    /// If it cannot, with the reason.
    fn certify(&self, request: &SigningRequest, uid: &str) -> Result<RenewResponse, String>;
}
