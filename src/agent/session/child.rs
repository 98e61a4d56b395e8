//! The agent's side of a session.

use std::{collections::BTreeMap, time::Duration};

use super::{
    inbox::{Arrival, Inbox},
    limits::{DEAD_AFTER, GREETING, HEARTBEAT, STEADY},
    redial::pause,
    version::{NEWEST, OLDEST},
};
use crate::agent::proto::{
    AgentMessage, AgentReady, AgentState, CellCommand, Heartbeat, InboxRecord, OpenTunnel,
    TreeMessage, Welcome, agent_message::Payload, cell_command::Command, goodbye::Reason,
};

/// Who an agent is.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Name of its cluster.
    pub cluster: String,
    /// Lattice's version.
    pub agent_version: String,
    /// Kubernetes' version.
    pub kubernetes_version: String,
}

/// Which command: its epoch and number.
pub type CommandId = (u64, u64);

/// What whoever runs the machine has to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Open a stream. What comes of it is told by [`Child::opened`] or [`Child::closed`].
    Dial,
    /// Send a message on the stream; heartbeats get the time then. What cannot be sent may be lost.
    Send(AgentMessage),
    /// Close the stream.
    Close,
    /// Apply a command, and tell [`Child::applied`]. The same one is not asked for again before.
    Apply(CommandId, Command),
    /// Keep this over restarts, before anything after it is done.
    Keep(InboxRecord),
    /// Open a tunnel.
    Tunnel(OpenTunnel),
    /// Hand this to whoever places services.
    Hear(TreeMessage),
    /// For the log.
    Tell(News),
}

/// What happens to a session, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// The cell has answered.
    Connected {
        /// Its name.
        cell: String,
    },
    /// The stream is gone; another is opened after the pause.
    Lost {
        /// Why, as far as that is known.
        why: String,
        /// The pause.
        pause: Duration,
    },
}

/// The agent's side of a session. It knows the time only from whoever calls, as what has passed since some moment.
#[derive(Clone, Debug)]
pub struct Child {
    identity: Identity,
    inbox: Inbox,
    state: AgentState,
    /// The last report of each kind: of those only the latest matters.
    reports: BTreeMap<u8, Payload>,
    /// The command that is being applied.
    applying: Option<CommandId>,
    failed: u32,
    link: Link,
}

#[derive(Clone, Debug)]
enum Link {
    Idle { until: Duration },
    Dialing { since: Duration },
    Greeting { since: Duration, nonce: u64 },
    Up(Up),
}

#[derive(Clone, Debug)]
struct Up {
    session: u64,
    since: Duration,
    heard: Duration,
    next_beat: Duration,
    number: u64,
}

impl Child {
    /// An agent that has not dialled yet.
    pub fn new(identity: Identity, inbox: Inbox, now: Duration) -> Self {
        Self {
            identity,
            inbox,
            state: AgentState::Unknown,
            reports: BTreeMap::new(),
            applying: None,
            failed: 0,
            link: Link::Idle { until: now },
        }
    }

    /// Whether the cell is there.
    pub fn is_connected(&self) -> bool {
        matches!(self.link, Link::Up(_))
    }

    /// What was applied, and answered, so far.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// When [`Child::tick`] is due at the latest.
    pub fn wake(&self) -> Duration {
        match &self.link {
            Link::Idle { until } => *until,
            Link::Dialing { since } | Link::Greeting { since, .. } => *since + GREETING,
            Link::Up(up) => up.next_beat.min(up.heard + DEAD_AFTER),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration, random: u64) -> Vec<Act> {
        match &mut self.link {
            Link::Idle { until } if now >= *until => {
                self.link = Link::Dialing { since: now };
                vec![Act::Dial]
            }
            Link::Dialing { since } | Link::Greeting { since, .. } if now >= *since + GREETING => {
                self.hang_up(now, random, None, "the cell does not answer")
            }
            Link::Up(up) if now >= up.heard + DEAD_AFTER => {
                self.hang_up(now, random, None, "the cell has fallen silent")
            }
            Link::Up(up) if now >= up.next_beat => {
                up.next_beat = now + HEARTBEAT;
                self.beat()
            }
            _ => Vec::new(),
        }
    }

    /// The stream that was asked for is open.
    pub fn opened(&mut self, now: Duration, random: u64) -> Vec<Act> {
        let Link::Dialing { since } = self.link else {
            return vec![Act::Close];
        };
        self.link = Link::Greeting {
            since: since.min(now),
            nonce: random,
        };
        let ready = AgentReady {
            agent_version: self.identity.agent_version.clone(),
            kubernetes_version: self.identity.kubernetes_version.clone(),
            oldest_protocol: OLDEST,
            newest_protocol: NEWEST,
            nonce: random,
        };
        vec![Act::Send(AgentMessage {
            cluster_name: self.identity.cluster.clone(),
            payload: Some(Payload::Ready(ready)),
            ..AgentMessage::default()
        })]
    }

    /// The stream has ended, or could not be opened.
    pub fn closed(&mut self, now: Duration, random: u64, why: &str) -> Vec<Act> {
        match self.link {
            Link::Idle { .. } => Vec::new(),
            _ => self.lost(now, random, None, why),
        }
    }

    /// The cell has said something.
    pub fn heard(&mut self, now: Duration, random: u64, said: CellCommand) -> Vec<Act> {
        let session = said.session;
        match (&mut self.link, said.command) {
            (Link::Greeting { nonce, .. }, Some(Command::Welcome(welcome)))
                if welcome.nonce == *nonce =>
            {
                self.welcomed(now, session, welcome)
            }
            (Link::Greeting { .. }, Some(Command::Goodbye(goodbye))) => {
                self.hang_up(now, random, Some(goodbye.reason()), &goodbye.message)
            }
            (Link::Up(up), Some(command)) if up.session == session => {
                up.heard = now;
                match command {
                    Command::Goodbye(goodbye) => {
                        self.hang_up(now, random, Some(goodbye.reason()), &goodbye.message)
                    }
                    Command::Welcome(_) => Vec::new(),
                    Command::Pulse(pulse) => self.pulse(pulse.epoch, pulse.settled),
                    Command::OpenTunnel(open) => vec![Act::Tunnel(open)],
                    Command::Tree(said) => vec![Act::Hear(said)],
                    command => self.commanded((said.epoch, said.id), command),
                }
            }
            // Of an earlier stream, or newer than this agent.
            _ => Vec::new(),
        }
    }

    /// A command was applied, and what it did is kept together with what [`Act::Keep`] says.
    pub fn applied(&mut self, id: CommandId, answer: Payload) -> Vec<Act> {
        self.applying = None;
        let mut acts = Vec::new();
        if self.inbox.done(id, answer.clone()) {
            acts.push(Act::Keep(self.inbox.record()));
            acts.extend(self.send(Some(id), answer));
        }
        acts.extend(self.apply_next());
        acts
    }

    /// What the cluster is now.
    pub fn set_state(&mut self, state: AgentState) {
        self.state = state;
    }

    /// Says something of which only the latest matters. It is said again in each session.
    pub fn report(&mut self, report: Payload) -> Vec<Act> {
        let Some(kind) = report_kind(&report) else {
            return Vec::new();
        };
        if self.reports.get(&kind) == Some(&report) {
            return Vec::new();
        }
        self.reports.insert(kind, report.clone());
        self.send(None, report)
    }

    /// Says something once, to a cell that is there.
    pub fn say(&mut self, payload: Payload) -> Vec<Act> {
        self.send(None, payload)
    }

    fn welcomed(&mut self, now: Duration, session: u64, welcome: Welcome) -> Vec<Act> {
        self.link = Link::Up(Up {
            session,
            since: now,
            heard: now,
            next_beat: now + HEARTBEAT,
            number: 0,
        });
        let mut acts = vec![Act::Tell(News::Connected {
            cell: welcome.cell_name,
        })];
        acts.extend(self.beat());
        for report in self.reports.clone().into_values() {
            acts.extend(self.send(None, report));
        }
        acts
    }

    /// Also says what the cell may not have heard.
    fn beat(&mut self) -> Vec<Act> {
        let answers = self
            .inbox
            .answers()
            .map(|(id, answer)| (id, answer.clone()));
        let answers: Vec<(u64, Payload)> = answers.collect();
        let applied = self.inbox.applied();
        let heartbeat = Heartbeat {
            state: self.state.into(),
            timestamp: None,
            applied: Some(applied),
            received: self.inbox.received(),
        };
        let mut acts = self.send(None, Payload::Heartbeat(heartbeat));
        for (id, answer) in answers {
            acts.extend(self.send(Some((applied.epoch, id)), answer));
        }
        acts
    }

    fn pulse(&mut self, epoch: u64, settled: u64) -> Vec<Act> {
        if self.inbox.greeted(epoch) {
            return vec![Act::Keep(self.inbox.record())];
        }
        self.inbox.settled(settled);
        Vec::new()
    }

    fn commanded(&mut self, id: CommandId, command: Command) -> Vec<Act> {
        match self.inbox.arrived(id, command) {
            Arrival::New => self.apply_next(),
            Arrival::Waiting | Arrival::Early => Vec::new(),
            Arrival::Applied => {
                let answer = self.inbox.answer(id.1).cloned();
                match answer {
                    Some(answer) => self.send(Some(id), answer),
                    None => Vec::new(),
                }
            }
        }
    }

    fn apply_next(&mut self) -> Vec<Act> {
        match self.inbox.next() {
            Some((id, command)) if self.applying.is_none() => {
                self.applying = Some(id);
                vec![Act::Apply(id, command.clone())]
            }
            _ => Vec::new(),
        }
    }

    fn send(&mut self, answers: Option<CommandId>, payload: Payload) -> Vec<Act> {
        let Link::Up(up) = &mut self.link else {
            return Vec::new();
        };
        up.number += 1;
        let (epoch, command_id) = answers.unwrap_or_default();
        vec![Act::Send(AgentMessage {
            cluster_name: self.identity.cluster.clone(),
            session: up.session,
            number: up.number,
            command_id,
            epoch,
            payload: Some(payload),
        })]
    }

    fn hang_up(
        &mut self,
        now: Duration,
        random: u64,
        reason: Option<Reason>,
        why: &str,
    ) -> Vec<Act> {
        let mut acts = vec![Act::Close];
        acts.extend(self.lost(now, random, reason, why));
        acts
    }

    fn lost(&mut self, now: Duration, random: u64, reason: Option<Reason>, why: &str) -> Vec<Act> {
        if let Link::Up(up) = &self.link
            && now >= up.since + STEADY
        {
            self.failed = 0;
        }
        let pause = pause(self.failed, reason, random);
        self.failed = self.failed.saturating_add(1);
        self.link = Link::Idle { until: now + pause };
        let why = why.to_owned();
        vec![Act::Tell(News::Lost { why, pause })]
    }
}

/// Which kind of report; none for what is no report.
fn report_kind(payload: &Payload) -> Option<u8> {
    match payload {
        Payload::ClusterHealth(_) => Some(0),
        Payload::Status(_) => Some(1),
        Payload::FluxStatus(_) => Some(2),
        Payload::Subtree(_) => Some(3),
        _ => None,
    }
}
