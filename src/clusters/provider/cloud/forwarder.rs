//! The cloud's load balancer: whoever connects to an endpoint is connected to a machine that answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(1);
/// More connections than this have to wait.
const AT_ONCE: usize = 1024;

/// A running forwarder. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Forwarder {
    targets: watch::Sender<Vec<Ipv4Addr>>,
    task: JoinHandle<()>,
}

impl Forwarder {
    /// Listens.
    pub(crate) async fn start(address: Ipv4Addr, port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(address), port)).await?;
        let (targets, seen) = watch::channel(Vec::new());
        let task = tokio::spawn(accept(listener, port, seen));
        Ok(Self { targets, task })
    }

    /// Where connections are to go.
    pub(crate) fn aim(&self, targets: Vec<Ipv4Addr>) {
        self.targets.send_if_modified(|now| {
            let changed = *now != targets;
            *now = targets;
            changed
        });
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, port: u16, targets: watch::Receiver<Vec<Ipv4Addr>>) {
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let turn = Arc::new(AtomicUsize::new(0));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let Ok((mut client, _)) = listener.accept().await else {
            // Out of file handles, perhaps; others will be given back.
            tokio::time::sleep(PATIENCE).await;
            continue;
        };
        let (targets, turn) = (targets.clone(), Arc::clone(&turn));
        tokio::spawn(async move {
            let first = turn.fetch_add(1, Ordering::Relaxed);
            if let Some(mut server) = connect(&targets, first, port).await {
                forward(&mut client, &mut server, targets).await;
            }
            drop(permit);
        });
    }
}

/// A connection to the first that accepts one, each in its turn the first to be asked.
async fn connect(
    targets: &watch::Receiver<Vec<Ipv4Addr>>,
    first: usize,
    port: u16,
) -> Option<TcpStream> {
    let targets = targets.borrow().clone();
    for step in 0..targets.len() {
        let target = targets[(first.wrapping_add(step)) % targets.len()];
        let asked = TcpStream::connect((target, port));
        if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, asked).await {
            return Some(stream);
        }
    }
    None
}

/// Until either ends, or the machine is no longer one to connect to: nobody would tell the client.
async fn forward(
    client: &mut TcpStream,
    server: &mut TcpStream,
    mut targets: watch::Receiver<Vec<Ipv4Addr>>,
) {
    let Ok(SocketAddr::V4(peer)) = server.peer_addr() else {
        return;
    };
    let peer = *peer.ip();
    tokio::select! {
        // How a connection ended is for those at its ends.
        _ = copy_bidirectional(client, server) => {}
        _ = targets.wait_for(|targets| !targets.contains(&peer)) => {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn server(address: [u8; 4], port: u16) {
        let listener = TcpListener::bind((Ipv4Addr::from(address), port))
            .await
            .unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    stream.write_all(&address[3..]).await.unwrap();
                    let _ = stream.read(&mut [0]).await;
                });
            }
        });
    }

    #[tokio::test]
    async fn connections_go_to_those_that_answer_and_end_with_them() {
        let port = {
            let free = TcpListener::bind("127.0.0.9:0").await.unwrap();
            free.local_addr().unwrap().port()
        };
        server([127, 0, 0, 2], port).await;
        server([127, 0, 0, 3], port).await;
        let forwarder = Forwarder::start(Ipv4Addr::new(127, 0, 0, 9), port)
            .await
            .unwrap();
        let ask = async || {
            let mut stream = TcpStream::connect(("127.0.0.9", port)).await.unwrap();
            let mut answer = [0];
            let read = stream.read(&mut answer).await.unwrap_or(0);
            (stream, (read == 1).then_some(answer[0]))
        };
        assert_eq!(ask().await.1, None);
        let all = [2, 3, 4].map(|last| Ipv4Addr::new(127, 0, 0, last));
        forwarder.aim(all.to_vec());
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..6 {
            seen.insert(ask().await.1.unwrap());
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [2, 3]);
        forwarder.aim(vec![all[0]]);
        let (mut open, from) = ask().await;
        assert_eq!(from, Some(2));
        forwarder.aim(vec![all[1]]);
        assert_eq!(open.read(&mut [0]).await.unwrap_or(0), 0);
    }
}
