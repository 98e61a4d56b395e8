//! Agents that are there, and say back what comes through their tunnels.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrono::Utc;
use lattice::{
    agent::{
        client::{self, Credentials, Host, Report},
        proto::{
            AgentState, CommandDone, InboxRecord, RenewResponse, TreeMessage, TunnelDown, TunnelUp,
            agent_message::Payload, cell_command::Command, tunnel_down, tunnel_up,
        },
        session::{CommandId, Identity, News},
    },
    clusters::bootstrap::{Authority, SigningRequest},
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// When each agent was let in, since that was last forgotten.
type There = Arc<Mutex<BTreeMap<u64, Instant>>>;

struct Agent {
    number: u64,
    credentials: Credentials,
    there: There,
}

/// All of them.
pub struct Agents {
    all: Vec<Arc<Agent>>,
    there: There,
}

/// The name of a cluster.
pub fn name(number: u64) -> String {
    format!("cluster-{number}")
}

/// Its UID.
pub fn uid(cluster: &str) -> String {
    format!("uid-{cluster}")
}

impl Agents {
    /// With keys and certificates; nobody dials yet.
    pub fn make(count: u64, authority: &Authority) -> Self {
        let there = There::default();
        let one = |number| {
            let cluster = name(number);
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::default();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, &cluster);
            let request = params.serialize_request(&key).unwrap().pem().unwrap();
            let request = SigningRequest::from_pem(&request).unwrap();
            let certified = authority.certify_agent(&request, &uid(&cluster), Utc::now());
            let credentials = Credentials {
                certificate: certified.unwrap(),
                key: key.serialize_pem(),
                authorities: authority.certificate().to_owned(),
            };
            Arc::new(Agent {
                number,
                credentials,
                there: Arc::clone(&there),
            })
        };
        Self {
            all: (0..count).map(one).collect(),
            there: Arc::clone(&there),
        }
    }

    /// Has all of them dial, and go on for as long as this process runs.
    pub fn dial(&self, address: SocketAddr) {
        for agent in &self.all {
            let (reports, receiver) = mpsc::channel(1);
            let identity = Identity {
                cluster: name(agent.number),
                agent_version: env!("CARGO_PKG_VERSION").to_owned(),
                kubernetes_version: "v1.36.3".to_owned(),
            };
            let host = Arc::clone(agent);
            let stop = CancellationToken::new();
            tokio::spawn(async move {
                // There is room for one.
                let _ = reports.send(Report::State(AgentState::Ready)).await;
                client::run(
                    client::Tcp,
                    host,
                    address.to_string(),
                    identity,
                    receiver,
                    stop,
                )
                .await
            });
        }
    }

    /// From here on nobody counts as there who is not let in anew.
    pub fn forget(&self) {
        self.there.lock().unwrap().clear();
    }

    /// Waits until all were let in, and says how long after a moment each was.
    pub async fn all_there(&self, since: Instant, patience: Duration) -> Vec<Duration> {
        while self.there.lock().unwrap().len() < self.all.len() {
            assert!(since.elapsed() < patience, "not all agents are there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let there = self.there.lock().unwrap();
        let waits = there.values().map(|at| at.saturating_duration_since(since));
        waits.collect()
    }
}

impl Host for Agent {
    async fn credentials(&self) -> Result<Credentials, String> {
        Ok(self.credentials.clone())
    }
    async fn renewed(&self, _: RenewResponse) -> Result<(), String> {
        Err("nothing here lasts that long".to_owned())
    }
    async fn load(&self) -> Result<InboxRecord, String> {
        Ok(InboxRecord::default())
    }
    async fn keep(&self, _: InboxRecord) -> Result<(), String> {
        Ok(())
    }
    async fn apply(&self, _: CommandId, _: Command) -> Payload {
        Payload::CommandDone(CommandDone::default())
    }
    async fn serve(&self, mut down: tonic::Streaming<TunnelDown>, up: mpsc::Sender<TunnelUp>) {
        while let Ok(Some(TunnelDown {
            frame: Some(tunnel_down::Frame::Chunk(bytes)),
        })) = down.message().await
        {
            let frame = Some(tunnel_up::Frame::Chunk(bytes));
            if up.send(TunnelUp { frame }).await.is_err() {
                return;
            }
        }
    }
    fn heard(&self, _: TreeMessage) {}
    fn told(&self, news: News) {
        if matches!(news, News::Connected { .. }) {
            let mut there = self.there.lock().unwrap();
            there.entry(self.number).or_insert_with(Instant::now);
        }
    }
}
