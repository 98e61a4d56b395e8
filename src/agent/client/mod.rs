//! The agent's client of its cell.

mod dial;
mod host;
mod network;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use backon::{ExponentialBuilder, Retryable};
use chrono::{DateTime, Utc};
use tokio::{
    sync::mpsc,
    task::AbortHandle,
    time::{Instant, sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::Streaming;

use self::dial::{Client, dial, renew};
pub use self::host::Host;
pub use self::network::{Network, Tcp};
pub use super::tls::Credentials;
use super::{
    proto::{
        AgentMessage, AgentState, CellCommand, InboxRecord, TunnelUp, agent_message::Payload,
        tunnel_up::Frame,
    },
    server::STREAMS,
    session::{Child, ChildAct, CommandId, Identity, Inbox, News, limits::GREETING},
};
use crate::clusters::bootstrap::{Leaf, renewal};

/// What happened and was not looked at yet.
const EVENTS: usize = 64;
/// Messages that wait for the network.
const QUEUE: usize = 64;
/// Tunnels at a time: as many as the connection has streams, and some for what else there is to say.
const TUNNELS: usize = STREAMS as usize - 24;
/// Frames of a tunnel that wait for the network.
const CHUNKS: usize = 4;
/// Pause after a renewal that failed.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// What whoever watches over the cluster says of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// The cluster's state.
    State(AgentState),
    /// Something of which only the latest matters.
    Latest(Box<Payload>),
    /// Something that is said once, and lost where the cell is not there.
    Once(Box<Payload>),
}

enum Happening {
    Opened(u64, Box<(Client, Leaf)>, mpsc::Sender<AgentMessage>),
    Heard(u64, Box<CellCommand>),
    Ended(u64, String),
    Applied(CommandId, Box<Payload>),
}

/// Keeps a session with the cell at `endpoint` until the stop.
///
/// # Errors
/// If what was applied before cannot be read.
pub async fn run<H: Host, N: Network>(
    network: N,
    host: Arc<H>,
    endpoint: String,
    identity: Identity,
    reports: mpsc::Receiver<Report>,
    stop: CancellationToken,
) -> Result<(), String> {
    let inbox = Inbox::restore(host.load().await?);
    let (sender, happenings) = mpsc::channel(EVENTS);
    let agent = Agent {
        child: Child::new(identity, inbox, Duration::ZERO),
        began: Instant::now(),
        network,
        host,
        endpoint,
        sender,
        stream: None,
        count: 0,
        tunnels: Arc::new(tokio::sync::Semaphore::new(TUNNELS)),
    };
    agent.run(happenings, reports, stop).await;
    Ok(())
}

struct Agent<H, N> {
    child: Child,
    began: Instant,
    network: N,
    host: Arc<H>,
    endpoint: String,
    sender: mpsc::Sender<Happening>,
    stream: Option<Open>,
    count: u64,
    tunnels: Arc<tokio::sync::Semaphore>,
}

/// A stream that is open, or about to be.
struct Open {
    number: u64,
    dialing: AbortHandle,
    client: Option<Client>,
    messages: Option<mpsc::Sender<AgentMessage>>,
    renewing: Option<AbortHandle>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.dialing.abort();
        if let Some(renewing) = &self.renewing {
            renewing.abort();
        }
    }
}

impl<H: Host, N: Network> Agent<H, N> {
    async fn run(
        mut self,
        mut happenings: mpsc::Receiver<Happening>,
        mut reports: mpsc::Receiver<Report>,
        stop: CancellationToken,
    ) {
        loop {
            let wake = self.child.wake().saturating_sub(self.now());
            let acts = tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(wake) => self.child.tick(self.now(), self.network.luck()),
                Some(happening) = happenings.recv() => self.happened(happening),
                Some(report) = reports.recv() => self.reported(report),
            };
            if stop.run_until_cancelled(self.act(acts)).await.is_none() {
                return;
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn reported(&mut self, report: Report) -> Vec<ChildAct> {
        match report {
            Report::State(state) => {
                self.child.set_state(state);
                Vec::new()
            }
            Report::Latest(payload) => self.child.report(*payload),
            Report::Once(payload) => self.child.say(*payload),
        }
    }

    fn happened(&mut self, happening: Happening) -> Vec<ChildAct> {
        let (now, random) = (self.now(), self.network.luck());
        let current = self.stream.as_ref().map(|stream| stream.number);
        match happening {
            Happening::Opened(number, dialled, messages) if current == Some(number) => {
                let (client, leaf) = *dialled;
                if let Some(stream) = &mut self.stream {
                    let renewing = renewals(Arc::clone(&self.host), client.clone(), leaf);
                    stream.renewing = Some(tokio::spawn(renewing).abort_handle());
                    stream.client = Some(client);
                    stream.messages = Some(messages);
                }
                self.child.opened(now, random)
            }
            Happening::Heard(number, command) if current == Some(number) => {
                self.child.heard(now, random, *command)
            }
            Happening::Ended(number, why) if current == Some(number) => {
                self.stream = None;
                self.child.closed(now, random, &why)
            }
            Happening::Applied(id, answer) => self.child.applied(id, *answer),
            // Of a stream that was closed.
            _ => Vec::new(),
        }
    }

    async fn act(&mut self, acts: Vec<ChildAct>) {
        for act in acts {
            match act {
                ChildAct::Dial => self.dial(),
                ChildAct::Send(message) => self.send(message),
                ChildAct::Close => self.stream = None,
                ChildAct::Apply(id, command) => {
                    let (host, sender) = (Arc::clone(&self.host), self.sender.clone());
                    tokio::spawn(async move {
                        let answer = Box::new(host.apply(id, command).await);
                        // Nobody hears it where the agent stops; the command comes again then.
                        let _ = sender.send(Happening::Applied(id, answer)).await;
                    });
                }
                ChildAct::Keep(record) => self.keep(record).await,
                ChildAct::Tunnel(open) => self.tunnel(open.ticket),
                ChildAct::Hear(said) => self.host.heard(said),
                ChildAct::Tell(news) => self.tell(news),
            }
        }
    }

    fn tell(&self, news: News) {
        match &news {
            News::Connected { cell } => tracing::info!(cell, "connected to the cell"),
            News::Lost { why, pause } => {
                tracing::warn!(
                    why,
                    ?pause,
                    "no session with the cell; the cluster goes on by itself"
                );
            }
        }
        self.host.told(news);
    }

    /// Until it is kept nothing more is said: an answer must not be known to the cell before it is to us.
    async fn keep(&self, record: InboxRecord) {
        let keep = || self.host.keep(record.clone());
        let for_ever = ExponentialBuilder::default().without_max_times();
        let kept = keep.retry(for_ever).notify(|why, pause| {
            tracing::warn!(why, ?pause, "what was applied could not be kept");
        });
        // It is tried until the agent stops.
        let _ = kept.await;
    }

    fn send(&mut self, mut message: AgentMessage) {
        if let Some(Payload::Heartbeat(beat)) = &mut message.payload {
            beat.timestamp = Some(SystemTime::now().into());
        }
        let messages = self
            .stream
            .as_ref()
            .and_then(|stream| stream.messages.as_ref());
        // Where the network is that slow the session ends by silence; nothing is lost by it.
        if let Some(messages) = messages
            && messages.try_send(message).is_err()
        {
            tracing::debug!("a message to the cell was dropped");
        }
    }

    fn dial(&mut self) {
        self.count += 1;
        let number = self.count;
        let (host, endpoint) = (Arc::clone(&self.host), self.endpoint.clone());
        let network = self.network.clone();
        let sender = self.sender.clone();
        let dialing = tokio::spawn(async move {
            let why = match open(&network, host.as_ref(), &endpoint).await {
                Ok((client, leaf, messages, commands)) => {
                    let opened = Happening::Opened(number, Box::new((client, leaf)), messages);
                    // Nobody hears it where the agent stops.
                    let _ = sender.send(opened).await;
                    listen(number, commands, &sender).await
                }
                Err(why) => why,
            };
            let _ = sender.send(Happening::Ended(number, why)).await;
        });
        self.stream = Some(Open {
            number,
            dialing: dialing.abort_handle(),
            client: None,
            messages: None,
            renewing: None,
        });
    }

    fn tunnel(&self, ticket: Vec<u8>) {
        let client = self
            .stream
            .as_ref()
            .and_then(|stream| stream.client.clone());
        let place = Arc::clone(&self.tunnels).try_acquire_owned();
        let (Some(mut client), Ok(place)) = (client, place) else {
            tracing::warn!("the cell asks for more tunnels than there may be");
            return;
        };
        let host = Arc::clone(&self.host);
        tokio::spawn(async move {
            let _place = place;
            let (up, frames) = mpsc::channel(CHUNKS);
            let ticket = TunnelUp {
                frame: Some(Frame::Ticket(ticket)),
            };
            // The channel is empty.
            let _ = up.try_send(ticket);
            match timeout(GREETING, client.tunnel(ReceiverStream::new(frames))).await {
                Ok(Ok(down)) => host.serve(down.into_inner(), up).await,
                Ok(Err(status)) => tracing::debug!(why = status.message(), "a tunnel was refused"),
                Err(_) => tracing::debug!("a tunnel did not open"),
            }
        });
    }
}

type Stream = (
    Client,
    Leaf,
    mpsc::Sender<AgentMessage>,
    Streaming<CellCommand>,
);

async fn open<H: Host, N: Network>(
    network: &N,
    host: &H,
    endpoint: &str,
) -> Result<Stream, String> {
    let (mut client, leaf) = dial(network, host, endpoint).await?;
    let (messages, receiver) = mpsc::channel(QUEUE);
    let connected = client.connect(ReceiverStream::new(receiver)).await;
    let commands = connected.map_err(|status| status.message().to_owned())?;
    Ok((client, leaf, messages, commands.into_inner()))
}

async fn listen(
    number: u64,
    mut commands: Streaming<CellCommand>,
    sender: &mpsc::Sender<Happening>,
) -> String {
    loop {
        match commands.message().await {
            Ok(Some(command)) => {
                let heard = Happening::Heard(number, Box::new(command));
                if sender.send(heard).await.is_err() {
                    return "the agent stops".to_owned();
                }
            }
            Ok(None) => return "the cell has ended the stream".to_owned(),
            Err(status) => return status.message().to_owned(),
        }
    }
}

/// Renews the certificate as long as the stream is there.
async fn renewals<H: Host>(host: Arc<H>, client: Client, mut leaf: Leaf) {
    loop {
        sleep(until(renewal(&leaf))).await;
        let renewed = async {
            let credentials = host.credentials().await?;
            renew(host.as_ref(), client.clone(), &credentials, &leaf).await?;
            host.credentials().await?.leaf()
        };
        match renewed.await {
            Ok(next) => {
                tracing::info!(until = %next.not_after, "the agent's certificate was renewed");
                leaf = next;
            }
            Err(why) => {
                tracing::warn!(why, "the agent's certificate could not be renewed");
                sleep(RENEWAL_PAUSE).await;
            }
        }
    }
}

fn until(at: DateTime<Utc>) -> Duration {
    (at - Utc::now()).to_std().unwrap_or_default()
}
