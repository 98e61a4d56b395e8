//! Single situations of the machines.

use std::time::Duration;

use crate::agent::{
    proto::{
        AgentMessage, AgentReady, AgentState, Applied, CellCommand, ClusterHealth, CommandDone,
        Heartbeat, ReconcileCommand, agent_message::Payload, cell_command::Command,
        goodbye::Reason,
    },
    session::{
        Child, ChildAct, Event, Identity, Inbox, Outbox, Parent, ParentAct,
        limits::{BURST, DEAD_AFTER, MOST_COMMANDS, WINDOW},
    },
};

const NOW: Duration = Duration::from_secs(100);

fn reconcile() -> Command {
    Command::Reconcile(ReconcileCommand {})
}

fn ready(cluster: &str, newest_protocol: u32) -> AgentMessage {
    AgentMessage {
        cluster_name: cluster.to_owned(),
        payload: Some(Payload::Ready(AgentReady {
            oldest_protocol: 1,
            newest_protocol,
            ..AgentReady::default()
        })),
        ..AgentMessage::default()
    }
}

fn beat(session: u64, number: u64, epoch: u64, up_to: u64) -> AgentMessage {
    said(
        session,
        number,
        Payload::Heartbeat(Heartbeat {
            state: AgentState::Ready.into(),
            applied: Some(Applied { epoch, up_to }),
            received: up_to,
            timestamp: None,
        }),
    )
}

fn said(session: u64, number: u64, payload: Payload) -> AgentMessage {
    AgentMessage {
        session,
        number,
        payload: Some(payload),
        ..AgentMessage::default()
    }
}

fn parent() -> Parent {
    Parent::new("root", "1", "east", Outbox::new(77))
}

fn connected() -> Parent {
    let mut parent = parent();
    parent.opened(NOW, 1, ready("east", 1));
    parent.heard(NOW, 1, beat(1, 1, 0, 0), 78);
    assert_eq!(parent.session(), Some(1));
    parent
}

fn commands(acts: &[ParentAct]) -> Vec<u64> {
    let sent = acts.iter().filter_map(|act| match act {
        ParentAct::Send(_, command) if command.id > 0 => Some(command.id),
        _ => None,
    });
    sent.collect()
}

fn goodbye(acts: &[ParentAct]) -> Option<Reason> {
    acts.iter().find_map(|act| match act {
        ParentAct::Send(
            _,
            CellCommand {
                command: Some(Command::Goodbye(goodbye)),
                ..
            },
        ) => Some(goodbye.reason()),
        _ => None,
    })
}

#[test]
fn a_stream_is_for_the_cluster_of_its_certificate_and_of_a_known_version() {
    let acts = parent().opened(NOW, 1, ready("west", 1));
    assert_eq!(goodbye(&acts), Some(Reason::Protocol));
    let acts = parent().opened(NOW, 1, ready("east", 0));
    assert_eq!(goodbye(&acts), Some(Reason::Version));
    let acts = parent().opened(NOW, 1, beat(1, 1, 0, 0));
    assert_eq!(goodbye(&acts), Some(Reason::Protocol));
}

#[test]
fn a_greeting_alone_ends_no_session() {
    let mut parent = connected();
    // An old hello that was under way for long, and nobody behind it.
    parent.opened(NOW, 2, ready("east", 1));
    assert_eq!(parent.session(), Some(1));
    let acts = parent.heard(NOW, 2, beat(2, 1, 77, 0), 78);
    assert_eq!(goodbye(&acts), Some(Reason::Superseded));
    assert_eq!(parent.session(), Some(2));
    // What the earlier one still says is not heard.
    assert!(parent.heard(NOW, 1, beat(1, 9, 77, 0), 78).is_empty());
}

#[test]
fn silence_ends_a_session_on_both_sides() {
    let mut parent = connected();
    assert!(parent.tick(NOW + DEAD_AFTER / 2).is_empty());
    let acts = parent.tick(NOW + DEAD_AFTER);
    assert_eq!(goodbye(&acts), Some(Reason::Silent));
    assert!(matches!(acts.last(), Some(ParentAct::Tell(Event::Down(_)))));

    let identity = Identity {
        cluster: "east".into(),
        agent_version: "1".into(),
        kubernetes_version: "1".into(),
    };
    let mut child = Child::new(identity, Inbox::default(), NOW);
    assert_eq!(child.tick(NOW, 5), [ChildAct::Dial]);
    child.opened(NOW, 5);
    let acts = child.tick(NOW + Duration::from_secs(10), 5);
    assert_eq!(acts.first(), Some(&ChildAct::Close));
}

#[test]
fn more_than_the_limits_allow_ends_the_session() {
    let mut parent = connected();
    let health = |number| said(1, number, Payload::ClusterHealth(ClusterHealth::default()));
    let mut ended = None;
    for number in 0..u64::from(BURST) + 1 {
        ended = ended.or(goodbye(&parent.heard(NOW, 1, health(number + 2), 78)));
    }
    assert_eq!(ended, Some(Reason::Limit));
    assert!(!parent.is_connected());

    let mut parent = connected();
    for _ in 0..MOST_COMMANDS {
        parent.issue(reconcile()).unwrap();
    }
    assert!(parent.issue(reconcile()).is_err());
}

#[test]
fn a_window_of_commands_is_under_way_and_each_answer_lets_one_more_go() {
    let mut parent = connected();
    let mut sent = Vec::new();
    for _ in 0..WINDOW + 3 {
        sent.extend(commands(&parent.issue(reconcile()).unwrap().1));
    }
    assert_eq!(sent, (1..=WINDOW as u64).collect::<Vec<_>>());
    let answer = AgentMessage {
        command_id: 1,
        epoch: 77,
        ..said(1, 2, Payload::CommandDone(CommandDone::default()))
    };
    let acts = parent.heard(NOW, 1, answer.clone(), 78);
    assert_eq!(commands(&acts), [WINDOW as u64 + 1]);
    assert!(matches!(acts[0], ParentAct::Tell(Event::Answer(1, _))));
    // The same answer again says nothing.
    assert!(parent.heard(NOW, 1, answer, 78).is_empty());
}

#[test]
fn a_side_that_was_set_back_begins_a_new_epoch() {
    let mut parent = connected();
    for _ in 0..2 {
        parent.issue(reconcile()).unwrap();
    }
    let answer = AgentMessage {
        command_id: 1,
        epoch: 77,
        ..said(1, 2, Payload::CommandDone(CommandDone::default()))
    };
    parent.heard(NOW, 1, answer, 78);
    // The agent knows nothing of command 1 any more, nor of the epoch.
    let acts = parent.heard(NOW, 1, beat(1, 3, 0, 0), 78);
    assert_eq!(parent.outbox().epoch(), 78);
    assert_eq!(
        commands(&acts),
        [1],
        "what waited goes on under a new number"
    );
    // The cell was set back: the agent has applied what the cell never issued.
    let acts = parent.heard(NOW, 1, beat(1, 4, 78, 9), 79);
    assert_eq!((parent.outbox().epoch(), commands(&acts)), (79, vec![1]));
}

#[test]
fn of_two_reports_the_later_one_holds() {
    let mut parent = connected();
    let health = |number, ready_nodes| {
        said(
            1,
            number,
            Payload::ClusterHealth(ClusterHealth {
                ready_nodes,
                ..ClusterHealth::default()
            }),
        )
    };
    assert_eq!(parent.heard(NOW, 1, health(5, 3), 78).len(), 1);
    assert!(parent.heard(NOW, 1, health(4, 1), 78).is_empty());
}
