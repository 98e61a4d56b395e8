//! What went wrong in other systems' agents, each with where that was.

use std::time::Duration;

use crate::agent::{
    proto::{
        AgentMessage, AgentReady, CellCommand, ClusterHealth, CommandDone, ReconcileCommand,
        agent_message::Payload, cell_command::Command,
    },
    session::{
        Child, ChildAct, Event, Identity, Inbox, Outbox, Parent, ParentAct,
        limits::{DEAD_AFTER, HEARTBEAT},
    },
};

/// A cell and an agent, and a stream between them on which everything arrives at once.
struct Pair {
    child: Child,
    parent: Parent,
    now: Duration,
    session: u64,
    applied: Vec<(u64, u64)>,
    told: Vec<Event>,
    /// Whether what the agent says is lost.
    deaf: bool,
}

impl Pair {
    fn new() -> Self {
        let identity = Identity {
            cluster: "east".into(),
            agent_version: "1".into(),
            kubernetes_version: "1".into(),
        };
        let mut pair = Self {
            child: Child::new(identity, Inbox::default(), Duration::ZERO),
            parent: Parent::new("root", "1", "east", Outbox::new(7)),
            now: Duration::ZERO,
            session: 0,
            applied: Vec::new(),
            told: Vec::new(),
            deaf: false,
        };
        pair.dial();
        pair
    }

    fn dial(&mut self) {
        self.now = self.now.max(self.child.wake());
        assert_eq!(self.child.tick(self.now, 5), [ChildAct::Dial]);
        self.session += 1;
        let acts = self.child.opened(self.now, 5);
        self.of_child(acts);
        assert!(self.child.is_connected());
    }

    fn cut(&mut self) {
        let acts = self.child.closed(self.now, 5, "cut");
        self.of_child(acts);
        let acts = self.parent.closed(self.session, "cut");
        self.of_parent(acts);
    }

    /// Another operator leads the cell, with this of its commands.
    fn cell_starts_again(&mut self, outbox: Outbox) {
        self.cut();
        self.parent = Parent::new("root", "1", "east", outbox);
        self.dial();
    }

    fn beats(&mut self) {
        self.now += HEARTBEAT;
        let acts = self.child.tick(self.now, 5);
        self.of_child(acts);
    }

    fn issue(&mut self, command: Command) -> u64 {
        let (id, acts) = self.parent.issue(command).unwrap();
        self.of_parent(acts);
        id
    }

    fn says(&mut self, message: AgentMessage) {
        let acts = match message.payload {
            Some(Payload::Ready(AgentReady { .. })) => {
                self.parent.opened(self.now, self.session, message)
            }
            _ => self.parent.heard(self.now, self.session, message, 8),
        };
        self.of_parent(acts);
    }

    fn of_child(&mut self, acts: Vec<ChildAct>) {
        for act in acts {
            match act {
                ChildAct::Send(message) if !self.deaf => self.says(message),
                ChildAct::Apply(id, _) => {
                    self.applied.push(id);
                    let done = Payload::CommandDone(CommandDone::default());
                    let acts = self.child.applied(id, done);
                    self.of_child(acts);
                }
                _ => {}
            }
        }
    }

    fn of_parent(&mut self, acts: Vec<ParentAct>) {
        for act in acts {
            match act {
                ParentAct::Send(_, command) => self.hears(command),
                ParentAct::Tell(event) => self.told.push(event),
                _ => {}
            }
        }
    }

    fn hears(&mut self, command: CellCommand) {
        let acts = self.child.heard(self.now, 5, command);
        self.of_child(acts);
    }

    fn answers(&self) -> Vec<u64> {
        let answers = self.told.iter().filter_map(|event| match event {
            Event::Answer(id, _) => Some(*id),
            _ => None,
        });
        answers.collect()
    }
}

fn reconcile() -> Command {
    Command::Reconcile(ReconcileCommand {})
}

/// argocd-agent#813, #660.
#[test]
fn a_cell_that_starts_again_has_nothing_undone_and_nothing_done_twice() {
    let mut pair = Pair::new();
    pair.issue(reconcile());
    pair.issue(reconcile());
    assert_eq!(pair.applied, [(7, 1), (7, 2)]);
    let kept = pair.parent.outbox().record();
    pair.cell_starts_again(Outbox::restore(kept));
    pair.beats();
    assert_eq!(pair.applied.len(), 2);
    // Nor where it has lost all that it ever kept.
    pair.cell_starts_again(Outbox::new(9));
    pair.beats();
    assert_eq!(pair.applied.len(), 2);
    // From there on it is obeyed as ever.
    let epoch = pair.parent.outbox().epoch();
    pair.issue(reconcile());
    assert_eq!(pair.applied.last(), Some(&(epoch, 1)));
}

/// argocd-agent#715.
#[test]
fn what_was_reported_while_away_is_told_on_return() {
    let mut pair = Pair::new();
    pair.cut();
    let health = |ready_nodes| {
        Payload::ClusterHealth(ClusterHealth {
            ready_nodes,
            ..ClusterHealth::default()
        })
    };
    pair.told.clear();
    for ready_nodes in 1..4 {
        let acts = pair.child.report(health(ready_nodes));
        pair.of_child(acts);
    }
    assert!(pair.told.is_empty());
    pair.dial();
    let reports = pair.told.iter();
    let reports: Vec<&Event> = reports
        .filter(|event| matches!(event, Event::Report(Payload::ClusterHealth(_))))
        .collect();
    assert_eq!(reports, [&Event::Report(health(3))], "the last, and once");
}

/// argocd-agent#809, #840.
#[test]
fn commands_that_are_alike_are_each_applied_and_answered() {
    let mut pair = Pair::new();
    pair.cut();
    let ids: Vec<u64> = (0..5).map(|_| pair.issue(reconcile())).collect();
    assert!(pair.applied.is_empty());
    pair.dial();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
    assert_eq!(
        pair.applied,
        ids.iter().map(|id| (7, *id)).collect::<Vec<_>>()
    );
    assert_eq!(pair.answers(), ids);
}

/// argocd-agent#839.
#[test]
fn a_lost_answer_is_said_again_and_the_command_not_done_again() {
    let mut pair = Pair::new();
    pair.deaf = true;
    pair.issue(reconcile());
    assert_eq!(pair.applied, [(7, 1)]);
    assert!(pair.answers().is_empty());
    pair.deaf = false;
    // It is said with the next heartbeat, and heard once.
    pair.beats();
    pair.beats();
    assert_eq!(pair.answers(), [1]);
    // Over a new stream too, to a cell that sends the command again.
    pair.deaf = true;
    pair.issue(reconcile());
    pair.deaf = false;
    let kept = pair.parent.outbox().record();
    pair.cell_starts_again(Outbox::restore(kept));
    pair.beats();
    assert_eq!(pair.applied, [(7, 1), (7, 2)]);
    assert_eq!(pair.answers(), [1, 2]);
}

/// A dead peer whose connection says nothing: half-open streams.
#[test]
fn a_session_that_nobody_ends_is_over_after_silence() {
    let mut pair = Pair::new();
    pair.told.clear();
    let acts = pair.parent.tick(pair.now + DEAD_AFTER);
    pair.of_parent(acts);
    assert!(matches!(pair.told[..], [Event::Down(_)]));
}
