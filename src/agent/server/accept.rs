//! Connections of agents: TLS, and who is at the other end.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::{agent::client::Network, clusters::bootstrap::Leaf};

/// Handshakes at a time; they cost more than anything after them.
const HANDSHAKES: usize = 64;
/// Connections at a time.
const CONNECTIONS: usize = 8192;
/// How long a connection waits for its handshake. Whoever has waited for longer is about to give up: to begin then is work for
/// nothing, and if all work is, nobody ever gets in.
const TURN: Duration = Duration::from_secs(3);
/// Longest time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Pause after the listener failed, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(200);

/// An agent's connection.
pub(super) struct Peer<S> {
    stream: TlsStream<S>,
    leaf: Arc<Leaf>,
    _place: OwnedSemaphorePermit,
}

/// Who is at the other end, as its certificate says.
#[derive(Clone, Debug)]
pub(super) struct PeerInfo(pub(super) Arc<Leaf>);

impl<S> Connected for Peer<S> {
    type ConnectInfo = PeerInfo;
    fn connect_info(&self) -> PeerInfo {
        PeerInfo(Arc::clone(&self.leaf))
    }
}

/// Takes connections until the stop. The TLS of the next one is what is there then.
pub(super) fn accept<N: Network>(
    listener: N::Listener,
    tls: Arc<ArcSwap<ServerConfig>>,
    stop: CancellationToken,
) -> mpsc::Receiver<io::Result<Peer<N::Stream>>> {
    let (ready, peers) = mpsc::channel(HANDSHAKES);
    let (handshakes, places) = (
        Arc::new(Semaphore::new(HANDSHAKES)),
        Arc::new(Semaphore::new(CONNECTIONS)),
    );
    let accepting = async move {
        loop {
            // Who finds no place waits in the kernel's queue.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let stream = match N::accept(&listener).await {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, "no connection of an agent could be taken");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (acceptor, ready) = (TlsAcceptor::from(tls.load_full()), ready.clone());
            let turn = Arc::clone(&handshakes).acquire_owned();
            tokio::spawn(async move {
                let Ok(Ok(_turn)) = timeout(TURN, turn).await else {
                    return tracing::debug!("too many agents come at once; one was sent away");
                };
                match shake(&acceptor, stream, place).await {
                    // The server is gone when nobody takes it.
                    Ok(peer) => drop(ready.send(Ok(peer)).await),
                    Err(why) => tracing::debug!(why, "an agent's connection was refused"),
                }
            });
        }
    };
    tokio::spawn(stop.run_until_cancelled_owned(accepting));
    peers
}

async fn shake<S: AsyncRead + AsyncWrite + Unpin>(
    acceptor: &TlsAcceptor,
    stream: S,
    place: OwnedSemaphorePermit,
) -> Result<Peer<S>, String> {
    let stream = timeout(HANDSHAKE, acceptor.accept(stream))
        .await
        .map_err(|_| "the handshake took too long".to_owned())?
        .map_err(|error| error.to_string())?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = certificates.first().ok_or("there is no certificate")?;
    let leaf = Leaf::from_der(certificate).map_err(|error| error.to_string())?;
    Ok(Peer {
        stream,
        leaf: Arc::new(leaf),
        _place: place,
    })
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Peer<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Peer<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
