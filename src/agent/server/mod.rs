//! The cell's server for its agents.

mod accept;
mod registry;
mod seat;
mod service;
mod tunnel;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use aws_lc_rs::rand;
use chrono::Utc;
use rustls::ServerConfig;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

pub use self::registry::Registry;
pub use self::tunnel::{NoTunnel, Tunnel};
use self::{seat::Seat, tunnel::Tickets};
pub use super::tls::{Credentials, TlsError};
use super::{
    client::{Network, Tcp},
    proto::{cell_command::Command, goodbye::Reason, lattice_agent_server::LatticeAgentServer},
    session::{
        Full, Outbox, ParentAct,
        limits::{DEAD_AFTER, HEARTBEAT, LARGEST_MESSAGE},
    },
    tls,
};
use crate::clusters::bootstrap::{Standing, standing};

/// What agents are told when the server ends.
const LEAVING: &str = "the cell's operator stops or hands over";
/// How often the machines are told the time, and certificates are looked at again.
const TICK: Duration = Duration::from_secs(1);
/// Bytes under way on one stream.
pub(crate) const STREAM_WINDOW: u32 = 64 << 10;
/// Streams of one connection: a thousand tunnels, with room for those that end and begin meanwhile.
pub(crate) const STREAMS: u32 = 1088;
/// Bytes under way on one connection: what all streams may hold together, so that those that stall leave room for the
/// others.
pub(crate) const CONNECTION_WINDOW: u32 = STREAM_WINDOW * (STREAMS + 1);

/// What goes wrong with the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address cannot be had.
    #[error("cannot listen for agents on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Certificate, key or authorities.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The transport.
    #[error("the agents' server: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// Why a command could not be given to an agent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// Too much waits already.
    #[error(transparent)]
    Full(#[from] Full),
    /// It could not be kept.
    #[error("the command could not be kept: {0}")]
    Kept(String),
}

type SeatLock = Arc<tokio::sync::Mutex<Seat>>;

struct Inner<R> {
    name: String,
    registry: R,
    seats: Mutex<BTreeMap<String, SeatLock>>,
    tickets: Tickets,
    /// From here on nobody new gets a session.
    leaving: CancellationToken,
    began: Instant,
}

/// A cell for its agents. Copies are of the same cell.
pub struct Cell<R>(Arc<Inner<R>>);

impl<R> Clone for Cell<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A server that listens, but does not serve yet.
pub struct Server<N: Network = Tcp> {
    listener: N::Listener,
    tls: Arc<ArcSwap<ServerConfig>>,
}

impl<N: Network> Server<N> {
    /// Listens.
    ///
    /// # Errors
    /// If the address is taken, or the credentials are none.
    pub async fn bind(
        network: &N,
        address: SocketAddr,
        credentials: &Credentials,
    ) -> Result<Self, ServerError> {
        let config = tls::server(credentials)?;
        let listen = |source| ServerError::Listen { address, source };
        Ok(Self {
            listener: network.listen(address).await.map_err(listen)?,
            tls: Arc::new(ArcSwap::from_pointee(config)),
        })
    }

    /// Where it listens, which matters for port 0.
    ///
    /// # Errors
    /// If the socket does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        N::address(&self.listener)
    }

    /// A handle by which connections to come get other credentials; those that are open stay.
    pub fn rotation(&self) -> Rotation {
        Rotation(Arc::clone(&self.tls))
    }
}

/// Changes the credentials of a running server.
pub struct Rotation(Arc<ArcSwap<ServerConfig>>);

impl Rotation {
    /// Takes these for connections to come.
    ///
    /// # Errors
    /// If they are none.
    pub fn replace(&self, credentials: &Credentials) -> Result<(), TlsError> {
        self.0.store(Arc::new(tls::server(credentials)?));
        Ok(())
    }
}

impl<R: Registry> Cell<R> {
    /// A cell of this name.
    pub fn new(name: &str, registry: R) -> Self {
        Self(Arc::new(Inner {
            name: name.to_owned(),
            registry,
            seats: Mutex::default(),
            tickets: Tickets::default(),
            leaving: CancellationToken::new(),
            began: Instant::now(),
        }))
    }

    /// Serves agents until the stop, and then tells them to dial again.
    ///
    /// # Errors
    /// If the transport fails.
    pub async fn serve<N: Network>(
        &self,
        server: Server<N>,
        stop: CancellationToken,
    ) -> Result<(), ServerError> {
        // Not the stop itself: the transport must not find that nobody comes any more before the agents were told.
        let accepting = CancellationToken::new();
        let _end = accepting.clone().drop_guard();
        let peers = accept::accept::<N>(server.listener, server.tls, accepting.clone());
        let service = LatticeAgentServer::new(self.clone())
            .max_decoding_message_size(LARGEST_MESSAGE)
            .max_encoding_message_size(2 * LARGEST_MESSAGE);
        let ticking = tokio::spawn(
            accepting
                .clone()
                .run_until_cancelled_owned(self.clone().tick()),
        );
        let leaving = {
            let cell = self.clone();
            async move {
                stop.cancelled().await;
                cell.0.leaving.cancel();
                cell.leave().await;
            }
        };
        tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(HEARTBEAT))
            .http2_keepalive_timeout(Some(DEAD_AFTER - HEARTBEAT))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(STREAMS)
            .add_service(service)
            .serve_with_incoming_shutdown(ReceiverStream::new(peers), leaving)
            .await?;
        ticking.abort();
        Ok(())
    }

    /// Has the agent of a cluster do something, now or once it is there. Returns the command's epoch and number, under
    /// which the answer comes.
    ///
    /// # Errors
    /// If too much waits for it already, or the command cannot be kept.
    pub async fn issue(&self, cluster: &str, command: Command) -> Result<(u64, u64), IssueError> {
        let lock = self.seat(cluster).await.map_err(IssueError::Kept)?;
        let mut seat = lock.lock().await;
        let (id, acts) = seat.parent.issue(command)?;
        let epoch = seat.parent.outbox().epoch();
        self.act(&mut seat, acts).await.map_err(IssueError::Kept)?;
        Ok((epoch, id))
    }

    /// Whether the agent of a cluster is there.
    pub async fn is_connected(&self, cluster: &str) -> bool {
        let seat = self.lock().get(cluster).cloned();
        match seat {
            Some(seat) => seat.lock().await.parent.is_connected(),
            None => false,
        }
    }

    /// Says something that is no command to the agent of a cluster, once. Says whether it is there.
    pub async fn say(&self, cluster: &str, said: Command) -> bool {
        let seat = self.lock().get(cluster).cloned();
        match seat {
            Some(seat) => self.say_to(seat, said).await,
            None => false,
        }
    }

    async fn say_to(&self, seat: SeatLock, said: Command) -> bool {
        let mut seat = seat.lock().await;
        match seat.parent.say(said) {
            Some(act) => self.act(&mut seat, vec![act]).await.is_ok(),
            None => false,
        }
    }

    fn now(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SeatLock>> {
        self.0.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn seat(&self, cluster: &str) -> Result<SeatLock, String> {
        if let Some(seat) = self.lock().get(cluster) {
            return Ok(Arc::clone(seat));
        }
        let record = self.0.registry.load(cluster).await?;
        let outbox = match record {
            Some(record) => Outbox::restore(record),
            None => Outbox::new(random()?),
        };
        let made = Arc::new(tokio::sync::Mutex::new(Seat::new(
            &self.0.name,
            cluster,
            outbox,
        )));
        // Of two that make one at the same time, both have the first.
        Ok(Arc::clone(
            self.lock().entry(cluster.to_owned()).or_insert(made),
        ))
    }

    async fn act(&self, seat: &mut Seat, acts: Vec<ParentAct>) -> Result<(), String> {
        let done = seat.act(&self.0.registry, acts).await;
        if let Err(why) = &done {
            tracing::error!(
                cluster = seat.cluster,
                why,
                "commands of an agent could not be kept"
            );
            seat.close_all();
            self.lock().remove(&seat.cluster);
        }
        done
    }

    async fn tick(self) {
        let mut every = tokio::time::interval(TICK);
        loop {
            every.tick().await;
            let seats: Vec<SeatLock> = self.lock().values().cloned().collect();
            for lock in seats {
                let mut seat = lock.lock().await;
                let mut acts = seat.parent.tick(self.now());
                if let Some((reason, why)) = self.distrusted(&seat) {
                    acts.extend(seat.parent.end(reason, &why));
                }
                // It has been logged, and the seat is gone.
                let _ = self.act(&mut seat, acts).await;
            }
        }
    }

    /// Why the streams of an agent must end, if they must.
    fn distrusted(&self, seat: &Seat) -> Option<(Reason, String)> {
        let stream = seat.streams.values().next_back()?;
        let now = Utc::now();
        let known = self.0.registry.known(&seat.cluster);
        match standing(&stream.leaf, known.as_ref(), now) {
            Err(why) => Some((Reason::Revoked, why.to_string())),
            Ok(Standing::Expired) if seat.renewed_until.is_none_or(|until| until < now) => {
                let why = "the certificate is over and was not renewed".to_owned();
                Some((Reason::Leaving, why))
            }
            Ok(_) => None,
        }
    }

    async fn leave(&self) {
        let seats: Vec<SeatLock> = self.lock().values().cloned().collect();
        for lock in seats {
            let mut seat = lock.lock().await;
            let acts = seat.parent.end(Reason::Leaving, LEAVING);
            let _ = self.act(&mut seat, acts).await;
        }
    }
}

/// A number that nobody has used before, and not 0.
fn random() -> Result<u64, String> {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).map_err(|_| "there is no randomness".to_owned())?;
    Ok(u64::from_le_bytes(bytes).max(1))
}
