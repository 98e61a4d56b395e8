//! The cell's side of the sessions with one agent.

use std::time::Duration;

use super::{
    limits::{DEAD_AFTER, WINDOW},
    outbox::{Full, Outbox},
    pace::Pace,
    version::agreed,
};
use crate::agent::proto::{
    AgentMessage, AgentReady, Applied, CellCommand, Goodbye, Heartbeat, OutboxRecord, Pulse,
    Welcome, agent_message::Payload, cell_command::Command, goodbye::Reason,
};

/// What whoever runs the machine has to do, in this order.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Send a message on the stream of a session. What cannot be sent may be lost.
    Send(u64, CellCommand),
    /// Close the stream of a session once what was sent is out.
    Close(u64),
    /// Keep this over restarts, before anything after it is done.
    Keep(OutboxRecord),
    /// Hand this to whom it concerns.
    Tell(Event),
}

/// What concerns others.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The agent is there.
    Up(AgentReady),
    /// It is gone.
    Down(String),
    /// It says something of its cluster.
    Report(Payload),
    /// It has answered a command. Told again where a crash came between this and the keeping of it.
    Answer(u64, Payload),
}

/// The cell's side of the sessions with one agent: at most one that counts and one that is about to.
#[derive(Clone, Debug)]
pub struct Parent {
    cell: String,
    version: String,
    cluster: String,
    outbox: Outbox,
    current: Option<Stream>,
    /// Said hello, and was answered. It counts once it has said more: then somebody is really there.
    candidate: Option<Stream>,
}

#[derive(Clone, Debug)]
struct Stream {
    session: u64,
    ready: AgentReady,
    heard: Duration,
    pace: Pace,
    number: u64,
}

impl Parent {
    /// Nobody is there yet.
    pub fn new(cell: &str, version: &str, cluster: &str, outbox: Outbox) -> Self {
        Self {
            cell: cell.to_owned(),
            version: version.to_owned(),
            cluster: cluster.to_owned(),
            outbox,
            current: None,
            candidate: None,
        }
    }

    /// Whether the agent is there.
    pub fn is_connected(&self) -> bool {
        self.current.is_some()
    }

    /// The session that counts.
    pub fn session(&self) -> Option<u64> {
        self.current.as_ref().map(|stream| stream.session)
    }

    /// Commands and what is known of them.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// When [`Parent::tick`] is due at the latest.
    pub fn wake(&self) -> Option<Duration> {
        let streams = [&self.current, &self.candidate];
        let heard = streams.into_iter().flatten().map(|stream| stream.heard);
        heard.min().map(|heard| heard + DEAD_AFTER)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) -> Vec<Act> {
        let silent = |stream: &Stream| now >= stream.heard + DEAD_AFTER;
        let mut acts = Vec::new();
        if self.current.as_ref().is_some_and(silent) {
            acts.extend(self.end_current(Reason::Silent, "nothing was heard for too long"));
        }
        if let Some(stream) = self.candidate.take_if(|stream| silent(stream)) {
            acts.extend(end(
                stream.session,
                Reason::Silent,
                "nothing came after the greeting",
            ));
        }
        acts
    }

    /// A stream was opened, and this came first. The session's number must not have been used before.
    pub fn opened(&mut self, now: Duration, session: u64, first: AgentMessage) -> Vec<Act> {
        let ready = match first.payload {
            Some(Payload::Ready(ready)) if first.cluster_name == self.cluster => ready,
            Some(Payload::Ready(_)) => {
                let why = format!("this stream's certificate is for `{}`", self.cluster);
                return end(session, Reason::Protocol, &why);
            }
            _ => {
                return end(
                    session,
                    Reason::Protocol,
                    "the first message must be `ready`",
                );
            }
        };
        let protocol = match agreed(&ready) {
            Ok(protocol) => protocol,
            Err(why) => return end(session, Reason::Version, &why.to_string()),
        };
        let welcome = Welcome {
            protocol,
            nonce: ready.nonce,
            cell_name: self.cell.clone(),
            cell_version: self.version.clone(),
        };
        let mut acts = Vec::new();
        if let Some(earlier) = self.candidate.take() {
            acts.extend(end(earlier.session, Reason::Superseded, SUPERSEDED));
        }
        self.candidate = Some(Stream {
            session,
            ready,
            heard: now,
            pace: Pace::new(now),
            number: 0,
        });
        acts.push(send(session, Command::Welcome(welcome)));
        acts
    }

    /// A stream has ended.
    pub fn closed(&mut self, session: u64, why: &str) -> Vec<Act> {
        self.candidate.take_if(|stream| stream.session == session);
        match self.current.take_if(|stream| stream.session == session) {
            Some(_) => vec![Act::Tell(Event::Down(why.to_owned()))],
            None => Vec::new(),
        }
    }

    /// The agent has said something on the stream of this session. `fresh` is a number that was never an epoch.
    pub fn heard(
        &mut self,
        now: Duration,
        session: u64,
        said: AgentMessage,
        fresh: u64,
    ) -> Vec<Act> {
        if said.session != session {
            return Vec::new();
        }
        let mut acts = self.promote(session);
        let Some(stream) = self.current.as_mut().filter(|up| up.session == session) else {
            return acts;
        };
        if !stream.pace.take(now) {
            acts.extend(self.end_current(Reason::Limit, "more messages than the limits allow"));
            return acts;
        }
        stream.heard = now;
        let latest = said.number > stream.number;
        stream.number = stream.number.max(said.number);
        let answers = (said.command_id != 0).then_some((said.epoch, said.command_id));
        match (said.payload, answers) {
            (Some(Payload::Ready(_)), _) => {
                acts.extend(self.end_current(Reason::Protocol, "`ready` comes once"));
            }
            (Some(answer), Some(id)) => acts.extend(self.answered(session, id, answer)),
            (Some(Payload::Heartbeat(beat)), None) if latest => {
                acts.extend(self.beat(session, beat, fresh));
            }
            // Of two reports the later one holds. What is newer than this cell has no payload.
            (Some(report), None) if latest => acts.push(Act::Tell(Event::Report(report))),
            _ => {}
        }
        acts
    }

    /// Has the agent do something, as soon as it is there.
    ///
    /// # Errors
    /// If too much waits for it already.
    pub fn issue(&mut self, command: Command) -> Result<(u64, Vec<Act>), Full> {
        let id = self.outbox.issue(command)?;
        let mut acts = vec![Act::Keep(self.outbox.record())];
        acts.extend(self.due(id - 1));
        Ok((id, acts))
    }

    /// Says something that is no command, once, to an agent that is there.
    pub fn say(&self, said: Command) -> Option<Act> {
        Some(send(self.session()?, said))
    }

    /// Ends all streams.
    pub fn end(&mut self, reason: Reason, why: &str) -> Vec<Act> {
        let mut acts = self.end_current(reason, why);
        if let Some(stream) = self.candidate.take() {
            acts.extend(end(stream.session, reason, why));
        }
        acts
    }

    fn promote(&mut self, session: u64) -> Vec<Act> {
        let candidate = self.candidate.take_if(|stream| stream.session == session);
        let Some(stream) = candidate else {
            return Vec::new();
        };
        let mut acts = self.end_current(Reason::Superseded, SUPERSEDED);
        acts.push(Act::Tell(Event::Up(stream.ready.clone())));
        self.current = Some(stream);
        acts
    }

    fn beat(&mut self, session: u64, beat: Heartbeat, fresh: u64) -> Vec<Act> {
        let mut acts = Vec::new();
        let applied = beat.applied.unwrap_or_default();
        if self.outbox.reconcile(applied, fresh) {
            acts.push(Act::Keep(self.outbox.record()));
        }
        let pulse = Pulse {
            epoch: self.outbox.epoch(),
            settled: self.outbox.settled(),
        };
        acts.push(send(session, Command::Pulse(pulse)));
        let received = self.known(applied, beat.received);
        acts.extend(self.due(received));
        acts.push(Act::Tell(Event::Report(Payload::Heartbeat(beat))));
        acts
    }

    /// What an agent has received counts in its own epoch only.
    fn known(&self, applied: Applied, received: u64) -> u64 {
        match applied.epoch == self.outbox.epoch() {
            true => received,
            false => 0,
        }
    }

    fn answered(&mut self, session: u64, id: (u64, u64), answer: Payload) -> Vec<Act> {
        if id.0 != self.outbox.epoch() || !self.outbox.answered(id.1) {
            return Vec::new();
        }
        let mut acts = vec![
            Act::Tell(Event::Answer(id.1, answer)),
            Act::Keep(self.outbox.record()),
        ];
        // Room for one more.
        let due: Vec<Act> = self.due(self.outbox.settled() + WINDOW as u64 - 1);
        acts.extend(due);
        let pulse = Pulse {
            epoch: self.outbox.epoch(),
            settled: self.outbox.settled(),
        };
        acts.push(send(session, Command::Pulse(pulse)));
        acts
    }

    fn due(&self, received: u64) -> Vec<Act> {
        let Some(session) = self.session() else {
            return Vec::new();
        };
        let due = self.outbox.due(received);
        due.map(|(id, command)| Act::Send(session, self.outbox.message(session, id, command)))
            .collect()
    }

    fn end_current(&mut self, reason: Reason, why: &str) -> Vec<Act> {
        let Some(stream) = self.current.take() else {
            return Vec::new();
        };
        let mut acts = end(stream.session, reason, why);
        acts.push(Act::Tell(Event::Down(why.to_owned())));
        acts
    }
}

const SUPERSEDED: &str = "a newer stream of this cluster is there";

/// Says goodbye to a session and closes its stream.
pub fn end(session: u64, reason: Reason, why: &str) -> Vec<Act> {
    let goodbye = Goodbye {
        reason: reason.into(),
        message: why.to_owned(),
    };
    vec![
        send(session, Command::Goodbye(goodbye)),
        Act::Close(session),
    ]
}

fn send(session: u64, command: Command) -> Act {
    Act::Send(
        session,
        CellCommand {
            session,
            command: Some(command),
            ..CellCommand::default()
        },
    )
}
