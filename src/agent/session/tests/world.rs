//! A cell and its agents in one simulated world, all of whose luck comes from a seed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use prost::Message;

use crate::agent::{
    happenings::Happenings,
    luck::Luck,
    proto::{
        AgentMessage, CellCommand, CommandDone, FluxUpgradeCommand, InboxRecord, OutboxRecord,
        agent_message::Payload, cell_command::Command,
    },
    session::{
        Child, ChildAct, CommandId, Event, Identity, Inbox, Outbox, Parent, ParentAct,
        limits::DEAD_AFTER,
    },
};

pub(super) const AGENTS: usize = 3;

/// How hard the world is, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hardships {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) late: u64,
    pub(super) broken: u64,
    pub(super) crash: u64,
    pub(super) no_dial: u64,
}

#[derive(Clone, Debug)]
enum Happening {
    AgentWakes(usize, u64),
    CellWakes(u64),
    Dialled(usize, u64, u64),
    Up(u64, AgentMessage),
    Down(u64, CellCommand),
    BrokenForAgent(u64),
    BrokenForCell(u64),
    Applied(usize, u64, CommandId, String),
    AgentStarts(usize),
    CellStarts,
    Issue(usize),
}

#[derive(Default)]
struct Stream {
    agent: usize,
    life: u64,
    cell_life: u64,
    broken: bool,
    greeted: bool,
}

/// What a machine has kept, and what it has done.
#[derive(Default)]
pub(super) struct AgentDisk {
    record: Vec<u8>,
    pub(super) effects: Vec<String>,
}

#[derive(Default)]
pub(super) struct CellDisk {
    record: Vec<u8>,
    pub(super) issued: Vec<String>,
    pub(super) answers: BTreeMap<String, u32>,
}

struct Agent {
    life: u64,
    child: Option<Child>,
    stream: Option<u64>,
    disk: AgentDisk,
    last_delivery: Duration,
    wakes: Option<Duration>,
}

pub(super) struct World {
    pub(super) luck: Luck,
    pub(super) hard: Hardships,
    happenings: Happenings<Happening>,
    agents: Vec<Agent>,
    cell: Option<Vec<Parent>>,
    cell_life: u64,
    cell_disks: Vec<CellDisk>,
    streams: BTreeMap<u64, Stream>,
    sessions: BTreeSet<u64>,
    pub(super) cell_crashes: u32,
}

impl World {
    pub(super) fn new(seed: u64, hard: Hardships) -> Self {
        let mut world = Self {
            luck: Luck(seed),
            hard,
            happenings: Happenings::default(),
            agents: Vec::new(),
            cell: None,
            cell_life: 0,
            cell_disks: Vec::new(),
            streams: BTreeMap::new(),
            sessions: BTreeSet::new(),
            cell_crashes: 0,
        };
        for agent in 0..AGENTS {
            world.agents.push(Agent {
                life: 0,
                child: None,
                stream: None,
                disk: AgentDisk::default(),
                last_delivery: Duration::ZERO,
                wakes: None,
            });
            world.cell_disks.push(CellDisk::default());
            world.soon(Happening::AgentStarts(agent));
        }
        world.soon(Happening::CellStarts);
        world
    }

    pub(super) fn agent(&self, agent: usize) -> (&AgentDisk, Option<&Child>) {
        (&self.agents[agent].disk, self.agents[agent].child.as_ref())
    }

    pub(super) fn cell(&self, agent: usize) -> (&CellDisk, Option<&Parent>) {
        let parent = self.cell.as_ref().map(|parents| &parents[agent]);
        (&self.cell_disks[agent], parent)
    }

    pub(super) fn issue_at(&mut self, at: Duration, agent: usize) {
        self.at(at, Happening::Issue(agent));
    }

    pub(super) fn run_until(&mut self, end: Duration) {
        while let Some(what) = self.happenings.next_until(end) {
            self.happen(what);
        }
    }

    fn at(&mut self, at: Duration, what: Happening) {
        self.happenings.at(at, what);
    }

    fn soon(&mut self, what: Happening) {
        let delay = Duration::from_millis(self.luck.below(500));
        self.at(self.happenings.now + delay, what);
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::AgentStarts(agent) => self.agent_starts(agent),
            Happening::CellStarts => self.cell_starts(),
            Happening::AgentWakes(agent, life) if self.agents[agent].life == life => {
                if self.agents[agent].wakes != Some(self.happenings.now) {
                    return;
                }
                self.agents[agent].wakes = None;
                self.with_agent(agent, |child, now, random| child.tick(now, random));
                let known = &self.agents[agent];
                let connected = known.child.as_ref().is_some_and(Child::is_connected);
                assert!(
                    !connected || self.happenings.now <= known.last_delivery + DEAD_AFTER,
                    "agent {agent} has not noticed that the cell is gone"
                );
            }
            Happening::CellWakes(life) if self.cell_life == life => {
                for agent in 0..AGENTS {
                    self.with_cell(agent, |parent, now, _| parent.tick(now));
                }
                let life = self.cell_life;
                self.at(
                    self.happenings.now + Duration::from_secs(1),
                    Happening::CellWakes(life),
                );
            }
            Happening::Dialled(agent, life, stream) if self.agents[agent].life == life => {
                if self.agents[agent].stream != Some(stream) {
                    return;
                }
                if self.cell.is_none() || self.luck.in_thousand(self.hard.no_dial) {
                    self.agents[agent].stream = None;
                    self.with_agent(agent, |child, now, r| child.closed(now, r, "refused"));
                    return;
                }
                self.streams.insert(
                    stream,
                    Stream {
                        agent,
                        life,
                        cell_life: self.cell_life,
                        ..Stream::default()
                    },
                );
                self.with_agent(agent, |child, now, random| child.opened(now, random));
            }
            Happening::Up(stream, message) => self.arrives_at_cell(stream, message),
            Happening::Down(stream, command) => self.arrives_at_agent(stream, command),
            Happening::BrokenForAgent(stream) => {
                let Some(known) = self.streams.get(&stream) else {
                    return;
                };
                let agent = known.agent;
                if self.agents[agent].stream == Some(stream)
                    && self.agents[agent].life == known.life
                {
                    self.agents[agent].stream = None;
                    self.with_agent(agent, |child, now, r| child.closed(now, r, "broken"));
                }
            }
            Happening::BrokenForCell(stream) => {
                let Some(known) = self.streams.get(&stream) else {
                    return;
                };
                let agent = known.agent;
                if known.cell_life == self.cell_life {
                    self.with_cell(agent, |parent, _, _| parent.closed(stream, "broken"));
                }
            }
            Happening::Applied(agent, life, id, tag) if self.agents[agent].life == life => {
                // The effect and the mark of it are one write, which is the `Keep` that comes first.
                let answer = Payload::CommandDone(CommandDone {
                    success: true,
                    error_message: tag.clone(),
                });
                let child = self.agents[agent].child.as_mut().unwrap();
                let acts = child.applied(id, answer);
                if matches!(acts.first(), Some(ChildAct::Keep(_))) {
                    self.agents[agent].disk.effects.push(tag);
                }
                self.agent_acts(agent, acts);
            }
            Happening::Issue(agent) => self.issue(agent),
            _ => {}
        }
    }

    fn issue(&mut self, agent: usize) {
        let tag = format!("{agent}/{}", self.cell_disks[agent].issued.len());
        let Some(parents) = self.cell.as_mut() else {
            self.at(
                self.happenings.now + Duration::from_secs(1),
                Happening::Issue(agent),
            );
            return;
        };
        let command = Command::UpgradeFlux(FluxUpgradeCommand {
            version: tag.clone(),
            force: false,
        });
        let (_, acts) = parents[agent].issue(command).unwrap();
        // Whoever issues knows that it is issued once it is kept.
        assert!(matches!(acts.first(), Some(ParentAct::Keep(_))));
        self.cell_disks[agent].issued.push(tag);
        self.cell_acts(agent, acts);
    }

    fn agent_starts(&mut self, agent: usize) {
        let known = &mut self.agents[agent];
        known.life += 1;
        known.last_delivery = self.happenings.now;
        let record = InboxRecord::decode(known.disk.record.as_slice()).unwrap();
        let identity = Identity {
            cluster: format!("cluster-{agent}"),
            agent_version: "1".into(),
            kubernetes_version: "1.34".into(),
        };
        known.child = Some(Child::new(
            identity,
            Inbox::restore(record),
            self.happenings.now,
        ));
        known.wakes = None;
        self.agent_acts(agent, Vec::new());
    }

    fn agent_crashes(&mut self, agent: usize) {
        let known = &mut self.agents[agent];
        known.life += 1;
        known.child = None;
        if let Some(stream) = known.stream.take() {
            self.soon(Happening::BrokenForCell(stream));
        }
        let pause = Duration::from_millis(self.luck.below(20_000));
        self.at(self.happenings.now + pause, Happening::AgentStarts(agent));
    }

    fn cell_starts(&mut self) {
        self.cell_life += 1;
        let mut parents = Vec::new();
        for agent in 0..AGENTS {
            let bytes = self.cell_disks[agent].record.as_slice();
            let outbox = match bytes {
                [] => Outbox::new(self.luck.next()),
                bytes => Outbox::restore(OutboxRecord::decode(bytes).unwrap()),
            };
            parents.push(Parent::new(
                "cell",
                "1",
                &format!("cluster-{agent}"),
                outbox,
            ));
        }
        self.cell = Some(parents);
        self.at(self.happenings.now, Happening::CellWakes(self.cell_life));
    }

    fn cell_crashes(&mut self) {
        self.cell_life += 1;
        self.cell_crashes += 1;
        self.cell = None;
        let open: Vec<u64> = self
            .agents
            .iter()
            .filter_map(|agent| agent.stream)
            .collect();
        for stream in open {
            self.soon(Happening::BrokenForAgent(stream));
        }
        let pause = Duration::from_millis(self.luck.below(20_000));
        self.at(self.happenings.now + pause, Happening::CellStarts);
    }

    fn with_agent(
        &mut self,
        agent: usize,
        ask: impl FnOnce(&mut Child, Duration, u64) -> Vec<ChildAct>,
    ) {
        let random = self.luck.next();
        let Some(child) = self.agents[agent].child.as_mut() else {
            return;
        };
        let acts = ask(child, self.happenings.now, random);
        self.agent_acts(agent, acts);
    }

    fn agent_acts(&mut self, agent: usize, acts: Vec<ChildAct>) {
        for act in acts {
            match act {
                ChildAct::Dial => {
                    // Numbers of streams serve as numbers of sessions.
                    let stream = self.luck.next();
                    self.agents[agent].stream = Some(stream);
                    let life = self.agents[agent].life;
                    self.soon(Happening::Dialled(agent, life, stream));
                }
                ChildAct::Send(message) => {
                    if let Some(stream) = self.agents[agent].stream {
                        self.send(stream, Happening::Up(stream, message));
                    }
                }
                ChildAct::Close => {
                    if let Some(stream) = self.agents[agent].stream.take() {
                        self.soon(Happening::BrokenForCell(stream));
                    }
                }
                ChildAct::Apply(id, command) => {
                    let Command::UpgradeFlux(command) = command else {
                        panic!("{command:?}")
                    };
                    let life = self.agents[agent].life;
                    let takes = Duration::from_millis(self.luck.below(3000));
                    let done = Happening::Applied(agent, life, id, command.version);
                    self.at(self.happenings.now + takes, done);
                }
                ChildAct::Keep(record) => self.agents[agent].disk.record = record.encode_to_vec(),
                ChildAct::Tunnel(_) | ChildAct::Hear(_) | ChildAct::Tell(_) => {}
            }
            if self.luck.in_thousand(self.hard.crash) {
                self.agent_crashes(agent);
                return;
            }
        }
        let known = &mut self.agents[agent];
        let wake = known
            .child
            .as_ref()
            .map(|child| child.wake().max(self.happenings.now));
        if let Some(wake) = wake.filter(|wake| known.wakes != Some(*wake)) {
            known.wakes = Some(wake);
            let life = known.life;
            self.at(wake, Happening::AgentWakes(agent, life));
        }
    }

    fn with_cell(
        &mut self,
        agent: usize,
        ask: impl FnOnce(&mut Parent, Duration, u64) -> Vec<ParentAct>,
    ) {
        let fresh = self.luck.next();
        let Some(parents) = self.cell.as_mut() else {
            return;
        };
        let acts = ask(&mut parents[agent], self.happenings.now, fresh);
        self.cell_acts(agent, acts);
    }

    fn cell_acts(&mut self, agent: usize, acts: Vec<ParentAct>) {
        for act in acts {
            match act {
                ParentAct::Send(stream, command) => {
                    self.send(stream, Happening::Down(stream, command))
                }
                ParentAct::Close(stream) => self.soon(Happening::BrokenForAgent(stream)),
                ParentAct::Keep(record) => self.cell_disks[agent].record = record.encode_to_vec(),
                ParentAct::Tell(Event::Answer(_, Payload::CommandDone(done))) => {
                    let answers = &mut self.cell_disks[agent].answers;
                    *answers.entry(done.error_message).or_default() += 1;
                }
                ParentAct::Tell(Event::Up(_)) => {
                    let session = self.cell.as_ref().and_then(|all| all[agent].session());
                    assert!(
                        self.sessions.insert(session.unwrap()),
                        "a session is up twice"
                    );
                }
                ParentAct::Tell(_) => {}
            }
            if self.luck.in_thousand(self.hard.crash) {
                self.cell_crashes();
                return;
            }
        }
    }

    fn send(&mut self, stream: u64, what: Happening) {
        let Some(known) = self.streams.get_mut(&stream) else {
            return;
        };
        if self.luck.in_thousand(self.hard.broken) {
            known.broken = true;
            // Sometimes neither side is told.
            if self.luck.in_thousand(500) {
                self.soon(Happening::BrokenForAgent(stream));
                self.soon(Happening::BrokenForCell(stream));
            }
        }
        if self.streams[&stream].broken || self.luck.in_thousand(self.hard.lost) {
            return;
        }
        let copies = 1 + u64::from(self.luck.in_thousand(self.hard.doubled));
        for _ in 0..copies {
            let late = self.luck.in_thousand(self.hard.late);
            let delay = if late { self.luck.below(12_000) } else { 20 };
            self.at(
                self.happenings.now + Duration::from_millis(delay),
                what.clone(),
            );
        }
    }

    fn arrives_at_cell(&mut self, stream: u64, message: AgentMessage) {
        let Some(known) = self.streams.get_mut(&stream) else {
            return;
        };
        if known.cell_life != self.cell_life {
            return;
        }
        let agent = known.agent;
        if matches!(message.payload, Some(Payload::Ready(_))) && !known.greeted {
            known.greeted = true;
            self.with_cell(agent, |parent, now, _| parent.opened(now, stream, message));
        } else if known.greeted && !matches!(message.payload, Some(Payload::Ready(_))) {
            self.with_cell(agent, |parent, now, fresh| {
                parent.heard(now, stream, message, fresh)
            });
        }
    }

    fn arrives_at_agent(&mut self, stream: u64, command: CellCommand) {
        let known = &self.streams[&stream];
        let agent = known.agent;
        if self.agents[agent].stream == Some(stream) && self.agents[agent].life == known.life {
            self.agents[agent].last_delivery = self.happenings.now;
            self.with_agent(agent, |child, now, r| child.heard(now, r, command));
        }
    }
}
