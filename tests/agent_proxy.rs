//! Requests through a tunnel, and connections that become others on the way, against API servers and agents that do what they
//! should not.
//!
//! The API server is a stand-in of this test: a socket that says what the test wants it to say. A real one, with kubectl before it,
//! is in `clusters_streams.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "support/agents.rs"]
mod agents;

use std::{net::SocketAddr, time::Duration};

use agents::{Answers, Machine, Running, Shared, eventually};
use bytes::Bytes;
use chrono::Utc;
use futures::{StreamExt, stream};
use http::Response;
use kube::{Client, Config};
use lattice::agent::{
    client::Report,
    proto::{Caller, Header, RequestHead, ResponseHead},
    proxy::{Chunks, ProxyError, forward},
    server::Cell,
    session::Event,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nSet-Cookie: a=b\r\n\r\n";
const REFUSE: &str =
    "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nno";
const ENOUGH: Duration = Duration::from_secs(20);

/// A cell with one agent.
struct Place {
    cell: Cell<Shared>,
    _running: Running,
    _reports: mpsc::Sender<Report>,
    _stop: CancellationToken,
}

impl Place {
    async fn new(answers: Answers) -> Self {
        let fleet = Shared::new();
        fleet.add("east");
        let running = Running::start(&fleet, "127.0.0.1:0".parse().unwrap()).await;
        let machine = Machine::answering("east", &fleet.0.authority, Utc::now(), answers);
        let (reports, stop) = machine.run(running.address);
        eventually("the agent is there", 20, || {
            fleet.heard(|_, event| matches!(event, Event::Up(_)))
        })
        .await;
        Self {
            cell: running.cell.clone(),
            _running: running,
            _reports: reports,
            _stop: stop,
        }
    }

    /// With a stand-in for the API server.
    async fn with(api: SocketAddr) -> Self {
        let config = Config::new(format!("http://{api}").parse().unwrap());
        let client = Client::try_from(config).unwrap();
        Self::new(Answers::ApiServer(Box::new(client))).await
    }

    async fn ask(&self, upgrade: bool, said: Chunks) -> Result<Response<Chunks>, ProxyError> {
        self.ask_as(Some("ann"), upgrade, said).await
    }

    async fn ask_as(
        &self,
        user: Option<&str>,
        upgrade: bool,
        said: Chunks,
    ) -> Result<Response<Chunks>, ProxyError> {
        let header = |name: &str, value: &str| Header {
            name: name.to_owned(),
            value: value.as_bytes().to_vec(),
        };
        let head = RequestHead {
            method: "POST".to_owned(),
            path: "/api/v1/namespaces/default/pods/p/exec?command=sh".to_owned(),
            headers: vec![
                header("upgrade", "SPDY/3.1"),
                header("x-stream-protocol-version", "v4.channel.k8s.io"),
                header("authorization", "Bearer secret"),
            ],
            caller: user.map(|user| Caller {
                user: user.to_owned(),
                ..Caller::default()
            }),
            route: vec!["east".to_owned()],
            upgrade,
        };
        timeout(ENOUGH, forward(&self.cell, head, said))
            .await
            .expect("an answer")
    }
}

async fn head_of(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_ascii_lowercase()
}

/// A stand-in for an API server that takes one connection, reads a head, answers, and gives the connection back.
async fn answers(
    answer: &'static str,
    after: oneshot::Receiver<()>,
) -> (SocketAddr, oneshot::Receiver<(String, TcpStream)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let head = head_of(&mut socket).await;
        after.await.unwrap();
        let mut early = [0; 1];
        // What comes before the answer is nobody's.
        let heard = timeout(Duration::from_millis(300), socket.read(&mut early)).await;
        assert!(heard.is_err(), "the caller was heard before the answer");
        socket.write_all(answer.as_bytes()).await.unwrap();
        let _ = sender.send((head, socket));
    });
    (address, receiver)
}

fn now() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    sender.send(()).unwrap();
    receiver
}

/// A caller that talks at once, and goes on.
fn talks() -> Chunks {
    stream::once(async { Ok(Bytes::from_static(b"ping")) })
        .chain(stream::pending())
        .boxed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_101_bytes_go_both_ways_and_before_it_none() {
    let (go, after) = oneshot::channel();
    let (api, answered) = answers(SWITCH, after).await;
    let place = Place::with(api).await;
    let asking = place.ask(true, talks());
    let (response, ()) = tokio::join!(asking, async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        go.send(()).unwrap();
    });
    let response = response.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["upgrade"], "SPDY/3.1");
    assert_eq!(response.headers()["connection"], "upgrade");
    assert_eq!(
        response.headers()["x-stream-protocol-version"],
        "v4.channel.k8s.io"
    );
    assert!(!response.headers().contains_key("set-cookie"));
    let (head, mut socket) = answered.await.unwrap();
    assert!(head.contains("\r\nupgrade: spdy/3.1\r\n"), "{head}");
    assert!(head.contains("\r\nconnection: upgrade\r\n"), "{head}");
    assert!(head.contains("\r\nimpersonate-user: ann\r\n"), "{head}");
    assert!(!head.contains("authorization"), "{head}");
    let mut ping = [0; 4];
    socket.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping, b"ping");
    socket.write_all(b"pong").await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "pong");
    // The end of one is the end of both.
    drop(socket);
    assert!(timeout(ENOUGH, body.next()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_takes_the_connection_along() {
    let (api, answered) = answers(SWITCH, now()).await;
    let place = Place::with(api).await;
    let said = stream::iter([Ok(Bytes::from_static(b"last"))]).boxed();
    let response = place.ask(true, said).await.unwrap();
    let (_, mut socket) = answered.await.unwrap();
    let mut all = Vec::new();
    timeout(ENOUGH, socket.read_to_end(&mut all))
        .await
        .expect("the end is told")
        .unwrap();
    assert_eq!(all, b"last");
    // Half of it is still open, until the caller wants no more.
    socket.write_all(b"more").await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "more");
    drop(body);
    let gone = async {
        while socket.write_all(&[0; 1024]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(ENOUGH, gone).await.expect("nobody holds it");
}

/// kubernetes#71411: after an upgrade that is refused, what the caller sends must not reach the API server as the proxy's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_upgrade_leaves_no_pipe_behind() {
    let (api, answered) = answers(REFUSE, now()).await;
    let place = Place::with(api).await;
    let response = place.ask(true, talks()).await.unwrap();
    assert_eq!(response.status(), 403);
    assert!(!response.headers().contains_key("connection"));
    let (_, mut socket) = answered.await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "no");
    assert!(
        timeout(ENOUGH, body.next()).await.unwrap().is_none(),
        "the answer has an end"
    );
    let mut heard = [0; 1];
    let heard = timeout(Duration::from_secs(1), socket.read(&mut heard)).await;
    assert!(matches!(heard, Err(_) | Ok(Ok(0))), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_asked_for_is_no_answer() {
    const OTHER: &str =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for (answer, upgrade) in [(OTHER, true), (SWITCH, false)] {
        let (api, _answered) = answers(answer, now()).await;
        let place = Place::with(api).await;
        let body = stream::empty().boxed();
        let error = place.ask(upgrade, body).await.err().expect("no answer");
        assert_eq!(error.status, 502, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_switches_unasked_is_not_believed() {
    let switch = |status| ResponseHead {
        status,
        headers: vec![Header {
            name: "upgrade".to_owned(),
            value: b"websocket".to_vec(),
        }],
    };
    let place = Place::new(Answers::Lie(switch(101))).await;
    for upgrade in [false, true] {
        let error = place.ask(upgrade, talks()).await.err().expect("no answer");
        assert_eq!(error.status, 502, "{error}");
    }
    let place = Place::new(Answers::Lie(switch(103))).await;
    let error = place.ask(true, talks()).await.err().expect("no answer");
    assert_eq!(error.status, 502, "{error}");
}

/// karmada#5485: where nobody is said to ask, nothing is asked, least of all as the agent itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_caller_nothing_is_asked() {
    let (api, answered) = answers(REFUSE, now()).await;
    let place = Place::with(api).await;
    for user in [
        None,
        Some(""),
        Some("ann\r\nImpersonate-Group: system:masters"),
    ] {
        for upgrade in [false, true] {
            let body = stream::empty().boxed();
            let error = place.ask_as(user, upgrade, body).await.err();
            assert_eq!(error.expect("no answer").status, 400, "{user:?}");
        }
    }
    // The stand-in has heard nothing so far, and hears whoever is somebody.
    let response = place.ask(false, stream::empty().boxed()).await.unwrap();
    assert_eq!(response.status(), 403);
    let (head, _) = answered.await.unwrap();
    assert!(head.contains("\r\nimpersonate-user: ann\r\n"), "{head}");
}
