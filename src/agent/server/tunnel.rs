//! Tunnels: streams that an agent opens because it was asked to.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::rand;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tonic::{Status, Streaming};

use super::{Cell, Registry};
use crate::agent::{
    proto::{OpenTunnel, TunnelDown, TunnelUp, cell_command::Command},
    session::limits::GREETING,
};

/// Frames of a tunnel that wait for the network.
pub(super) const CHUNKS: usize = 4;
/// Tunnels that were asked for and are not open yet.
const MOST_TICKETS: usize = 1024;

/// An open tunnel.
pub struct Tunnel {
    /// What comes from the agent.
    pub up: Streaming<TunnelUp>,
    /// What goes to it.
    pub down: mpsc::Sender<Result<TunnelDown, Status>>,
}

/// Why there is no tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoTunnel {
    /// The agent is not there.
    #[error("the cluster's agent is not connected")]
    Away,
    /// Too many were asked for at a time.
    #[error("too many requests wait for agents")]
    TooMany,
    /// The agent does not open it.
    #[error("the cluster's agent does not answer")]
    Silent,
}

/// Tunnels that were asked for.
#[derive(Default)]
pub(super) struct Tickets(Mutex<BTreeMap<Vec<u8>, Waiting>>);

struct Waiting {
    cluster: String,
    sender: oneshot::Sender<Tunnel>,
}

impl Tickets {
    fn issue(&self, cluster: &str, sender: oneshot::Sender<Tunnel>) -> Result<Vec<u8>, NoTunnel> {
        let mut ticket = vec![0; 32];
        rand::fill(&mut ticket).map_err(|_| NoTunnel::TooMany)?;
        let mut all = self.lock();
        // Those that nobody waits for any more.
        all.retain(|_, waiting| !waiting.sender.is_closed());
        if all.len() >= MOST_TICKETS {
            return Err(NoTunnel::TooMany);
        }
        let cluster = cluster.to_owned();
        all.insert(ticket.clone(), Waiting { cluster, sender });
        Ok(ticket)
    }

    /// Who waits for this tunnel: once, and of this cluster only.
    pub(super) fn redeem(&self, ticket: &[u8], cluster: &str) -> Option<oneshot::Sender<Tunnel>> {
        let mut all = self.lock();
        if all.get(ticket)?.cluster != cluster {
            return None;
        }
        all.remove(ticket).map(|waiting| waiting.sender)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Registry> Cell<R> {
    /// Has the agent of a cluster open a tunnel.
    ///
    /// # Errors
    /// If it is not there, or does not.
    pub async fn open_tunnel(&self, cluster: &str) -> Result<Tunnel, NoTunnel> {
        let seat = self.lock().get(cluster).cloned().ok_or(NoTunnel::Away)?;
        let (sender, receiver) = oneshot::channel();
        let ticket = self.0.tickets.issue(cluster, sender)?;
        if !self
            .say_to(seat, Command::OpenTunnel(OpenTunnel { ticket }))
            .await
        {
            return Err(NoTunnel::Away);
        }
        match timeout(GREETING, receiver).await {
            Ok(Ok(tunnel)) => Ok(tunnel),
            _ => Err(NoTunnel::Silent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_its_cluster_only() {
        let tickets = Tickets::default();
        let (sender, _receiver) = oneshot::channel();
        let ticket = tickets.issue("east", sender).unwrap();
        assert!(tickets.redeem(&ticket, "west").is_none());
        assert!(tickets.redeem(&[0; 32], "east").is_none());
        assert!(tickets.redeem(&ticket, "east").is_some());
        assert!(tickets.redeem(&ticket, "east").is_none());
    }

    #[test]
    fn who_waits_no_more_takes_no_place() {
        let tickets = Tickets::default();
        for _ in 0..MOST_TICKETS + 10 {
            tickets.issue("east", oneshot::channel().0).unwrap();
        }
        let waiting: Vec<_> = (0..MOST_TICKETS)
            .map(|_| {
                let (sender, receiver) = oneshot::channel();
                tickets.issue("east", sender).unwrap();
                receiver
            })
            .collect();
        let (sender, _receiver) = oneshot::channel();
        assert_eq!(tickets.issue("east", sender), Err(NoTunnel::TooMany));
        drop(waiting);
    }
}
