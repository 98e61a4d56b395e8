//! What connects agents and cells.

use std::{future::Future, io, net::SocketAddr};

use aws_lc_rs::rand;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
};

/// Connections that wait to be taken: agents that all come back at once find the line long enough.
const LINE: u32 = 4096;

/// A network, and luck: what differs where the world is simulated.
pub trait Network: Clone + Send + Sync + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;
    /// Where connections come in.
    type Listener: Send + Sync + 'static;

    /// Connects to `HOST:PORT`.
    ///
    /// # Errors
    /// If nobody answers there.
    fn connect(&self, endpoint: &str) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Listens.
    ///
    /// # Errors
    /// If the address is taken.
    fn listen(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Listener>> + Send;

    /// Where a listener listens, which matters for port 0.
    ///
    /// # Errors
    /// If it does not say.
    fn address(listener: &Self::Listener) -> io::Result<SocketAddr>;

    /// Takes the next connection.
    ///
    /// # Errors
    /// If there is none to be had, as when there are too many open files.
    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// A number that nobody knows before. Only pauses and names of streams come of it.
    fn luck(&self) -> u64;
}

/// TCP, as the operating system has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Network for Tcp {
    type Stream = TcpStream;
    type Listener = TcpListener;

    async fn connect(&self, endpoint: &str) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(endpoint).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Those of a cell that was here before may not be quite over.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(LINE)
    }

    fn address(listener: &TcpListener) -> io::Result<SocketAddr> {
        listener.local_addr()
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept().await?;
        // Whoever is gone already is noticed by whoever speaks with them.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }

    fn luck(&self) -> u64 {
        let mut bytes = [0; 8];
        match rand::fill(&mut bytes) {
            Ok(()) => u64::from_le_bytes(bytes),
            Err(_) => u64::from(std::process::id()),
        }
    }
}
