//! A cell and agents in memory, that speak over real sockets.

// Each test binary uses what it needs of it.
#![allow(dead_code)]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use http::Response;
use kube::Client;
use lattice::{
    agent::{
        client::{self, Host, Report, Tcp},
        proto::{
            CommandDone, InboxRecord, OutboxRecord, RenewResponse, RequestHead, ResponseHead,
            TreeMessage, TunnelDown, TunnelUp, agent_message::Payload, cell_command::Command,
            tunnel_down, tunnel_up,
        },
        proxy::{Below, Chunks, ProxyError, serve},
        server::{Cell, Credentials, Registry, Server},
        session::{CommandId, Event, Identity, News},
    },
    clusters::bootstrap::{Authority, Known, SigningRequest},
    operator::crypto::install_fips_provider,
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Tries to listen, and the pause between two.
const BINDS: usize = 40;
const BIND_PAUSE: Duration = Duration::from_millis(250);

/// What a cell knows and was told.
pub struct Fleet {
    pub authority: Arc<Authority>,
    pub known: Mutex<BTreeMap<String, Known>>,
    pub kept: Mutex<BTreeMap<String, OutboxRecord>>,
    pub events: Mutex<Vec<(String, Event)>>,
}

/// Shared, so that tests see what the server does.
#[derive(Clone)]
pub struct Shared(pub Arc<Fleet>);

impl Registry for Shared {
    fn known(&self, cluster: &str) -> Option<Known> {
        self.0.known.lock().unwrap().get(cluster).cloned()
    }
    async fn load(&self, cluster: &str) -> Result<Option<OutboxRecord>, String> {
        Ok(self.0.kept.lock().unwrap().get(cluster).cloned())
    }
    async fn keep(&self, cluster: &str, record: OutboxRecord) -> Result<(), String> {
        self.0
            .kept
            .lock()
            .unwrap()
            .insert(cluster.to_owned(), record);
        Ok(())
    }
    fn told(&self, cluster: &str, event: Event) {
        self.0
            .events
            .lock()
            .unwrap()
            .push((cluster.to_owned(), event));
    }
    fn certify(&self, request: &SigningRequest, uid: &str) -> Result<RenewResponse, String> {
        let certificate = self.0.authority.certify_agent(request, uid, Utc::now());
        Ok(RenewResponse {
            certificate: certificate.map_err(|error| error.to_string())?,
            authorities: self.0.authority.certificate().to_owned(),
        })
    }
}

impl Shared {
    pub fn new() -> Self {
        install_fips_provider().unwrap();
        let authority = Authority::generate("test", Utc::now()).unwrap();
        Self(Arc::new(Fleet {
            authority: Arc::new(authority),
            known: Mutex::default(),
            kept: Mutex::default(),
            events: Mutex::default(),
        }))
    }

    /// A cluster of this name, with UID `uid-NAME`.
    pub fn add(&self, cluster: &str) {
        let known = Known {
            uid: format!("uid-{cluster}"),
            revoked_before: None,
        };
        self.0
            .known
            .lock()
            .unwrap()
            .insert(cluster.to_owned(), known);
    }

    pub fn heard(&self, is: impl Fn(&str, &Event) -> bool) -> bool {
        let events = self.0.events.lock().unwrap();
        events.iter().any(|(cluster, event)| is(cluster, event))
    }
}

/// A running cell.
pub struct Running {
    pub cell: Cell<Shared>,
    pub address: SocketAddr,
    pub stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Running {
    pub async fn start(fleet: &Shared, address: SocketAddr) -> Self {
        let hosts = ["127.0.0.1".to_owned()];
        let (certificate, key) = fleet
            .0
            .authority
            .certify_server(&hosts, Utc::now())
            .unwrap();
        let credentials = Credentials {
            certificate,
            key,
            authorities: fleet.0.authority.certificate().to_owned(),
        };
        let server = bound(address, &credentials).await;
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        let cell = Cell::new("root", fleet.clone());
        let serving = tokio::spawn({
            let (cell, stop) = (cell.clone(), stop.clone());
            async move { cell.serve(server, stop).await.unwrap() }
        });
        Self {
            cell,
            address,
            stop,
            serving,
        }
    }

    pub async fn end(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

/// Listens. The port of a cell that ended may be that of a connection for a moment: an agent that dials a port where
/// nobody listens can be given the same one for itself.
async fn bound(address: SocketAddr, credentials: &Credentials) -> Server {
    for _ in 0..BINDS {
        if let Ok(server) = Server::bind(&Tcp, address, credentials).await {
            return server;
        }
        tokio::time::sleep(BIND_PAUSE).await;
    }
    Server::bind(&Tcp, address, credentials).await.unwrap()
}

/// What comes back through an agent's tunnels.
pub enum Answers {
    /// What went in.
    Echo,
    /// What this API server says, as of a cluster's agent.
    ApiServer(Box<Client>),
    /// This head, whatever is asked.
    Lie(ResponseHead),
}

struct Nothing;

impl Below for Nothing {
    async fn forward(&self, _: RequestHead, _: Chunks) -> Result<Response<Chunks>, ProxyError> {
        Err(ProxyError::new(503, "there is nothing below"))
    }
}

/// What an agent has, and did.
pub struct Machine {
    answers: Answers,
    pub cluster: String,
    pub key: KeyPair,
    pub certificate: Mutex<String>,
    pub authorities: Mutex<String>,
    pub kept: Mutex<InboxRecord>,
    pub applied: Mutex<Vec<(CommandId, Command)>>,
    pub news: Mutex<Vec<News>>,
    pub renewals: Mutex<u32>,
}

impl Machine {
    /// With a certificate that was made at this time by this authority.
    pub fn new(cluster: &str, authority: &Authority, at: DateTime<Utc>) -> Arc<Self> {
        Self::answering(cluster, authority, at, Answers::Echo)
    }

    /// The same, with what comes back through its tunnels.
    pub fn answering(
        cluster: &str,
        authority: &Authority,
        at: DateTime<Utc>,
        answers: Answers,
    ) -> Arc<Self> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, cluster);
        let request = params.serialize_request(&key).unwrap().pem().unwrap();
        let request = SigningRequest::from_pem(&request).unwrap();
        let uid = format!("uid-{cluster}");
        let certificate = authority.certify_agent(&request, &uid, at).unwrap();
        Arc::new(Self {
            answers,
            cluster: cluster.to_owned(),
            key,
            certificate: Mutex::new(certificate),
            authorities: Mutex::new(authority.certificate().to_owned()),
            kept: Mutex::default(),
            applied: Mutex::default(),
            news: Mutex::default(),
            renewals: Mutex::default(),
        })
    }

    pub fn run(self: &Arc<Self>, address: SocketAddr) -> (mpsc::Sender<Report>, CancellationToken) {
        let (sender, reports) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let identity = Identity {
            cluster: self.cluster.clone(),
            agent_version: "1.0.0".into(),
            kubernetes_version: "v1.36.3".into(),
        };
        let running = client::run(
            Tcp,
            Arc::clone(self),
            address.to_string(),
            identity,
            reports,
            stop.clone(),
        );
        tokio::spawn(running);
        (sender, stop)
    }

    pub fn lost_because(&self, part: &str) -> bool {
        let news = self.news.lock().unwrap();
        news.iter()
            .any(|news| matches!(news, News::Lost { why, .. } if why.contains(part)))
    }
}

impl Host for Machine {
    async fn credentials(&self) -> Result<Credentials, String> {
        Ok(Credentials {
            certificate: self.certificate.lock().unwrap().clone(),
            key: self.key.serialize_pem(),
            authorities: self.authorities.lock().unwrap().clone(),
        })
    }
    async fn renewed(&self, response: RenewResponse) -> Result<(), String> {
        *self.certificate.lock().unwrap() = response.certificate;
        *self.authorities.lock().unwrap() = response.authorities;
        *self.renewals.lock().unwrap() += 1;
        Ok(())
    }
    async fn load(&self) -> Result<InboxRecord, String> {
        Ok(self.kept.lock().unwrap().clone())
    }
    async fn keep(&self, record: InboxRecord) -> Result<(), String> {
        *self.kept.lock().unwrap() = record;
        Ok(())
    }
    async fn apply(&self, id: CommandId, command: Command) -> Payload {
        self.applied.lock().unwrap().push((id, command));
        Payload::CommandDone(CommandDone {
            success: true,
            error_message: String::new(),
        })
    }
    async fn serve(&self, mut down: tonic::Streaming<TunnelDown>, up: mpsc::Sender<TunnelUp>) {
        match &self.answers {
            Answers::Echo => {}
            Answers::ApiServer(client) => return serve(client, &Nothing, down, up).await,
            Answers::Lie(head) => {
                let frame = Some(tunnel_up::Frame::Head(head.clone()));
                up.send(TunnelUp { frame }).await.unwrap();
                while let Ok(Some(_)) = down.message().await {}
                return;
            }
        }
        while let Ok(Some(TunnelDown { frame: Some(frame) })) = down.message().await {
            let tunnel_down::Frame::Chunk(bytes) = frame else {
                return;
            };
            let frame = Some(tunnel_up::Frame::Chunk(bytes));
            if up.send(TunnelUp { frame }).await.is_err() {
                return;
            }
        }
    }
    fn heard(&self, _said: TreeMessage) {}
    fn told(&self, news: News) {
        self.news.lock().unwrap().push(news);
    }
}

/// Waits until it is so.
pub async fn eventually(what: &str, seconds: u64, is: impl Fn() -> bool) {
    for _ in 0..seconds * 20 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within {seconds} s");
}
