//! Messages of a session, read from bytes that anybody may have sent, and what its two sides make of them.

use std::{collections::BTreeSet, time::Duration};

use lattice::agent::{
    proto::{
        AgentMessage, AgentReady, Applied, CellCommand, CommandDone, Heartbeat, InboxRecord,
        OutboxRecord, Pulse, ReconcileCommand, TreeMessage, TunnelDown, TunnelUp, Welcome,
        agent_message::Payload, cell_command::Command,
    },
    session::{
        Child, ChildAct, Event, Identity, Inbox, Outbox, Parent, ParentAct,
        limits::{MOST_COMMANDS, WINDOW},
    },
    tree::{self, Broker, Ledger},
};
use prost::Message;

use super::Script;

/// The first epoch of the cell of these tests.
const EPOCH: u64 = 7;

/// Whatever is read from bytes is written and read again as the same.
fn read<M: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<M> {
    let message = M::decode(bytes).ok()?;
    let again = M::decode(message.encode_to_vec().as_slice());
    assert!(again.as_ref() == Ok(&message), "{again:?}");
    Some(message)
}

/// Frames of any kind are read or refused, and the sides of a session keep what they promise whatever they hear.
pub fn sound(bytes: &[u8]) {
    read::<TunnelUp>(bytes);
    read::<TunnelDown>(bytes);
    if let Some(record) = read::<InboxRecord>(bytes) {
        Inbox::restore(record);
    }
    if let Some(record) = read::<OutboxRecord>(bytes) {
        Outbox::restore(record);
    }
    tree_hears(bytes);
    parent_hears(&mut Script::new(bytes));
    child_hears(&mut Script::new(bytes));
}

/// A cell sends to nobody but its neighbours, and a message of its own reads as it was.
fn tree_hears(bytes: &[u8]) {
    let Some(message) = read::<TreeMessage>(bytes).and_then(tree::heard) else {
        return;
    };
    let again = tree::heard(tree::told(message.clone()));
    assert_eq!(again.as_ref(), Some(&message));
    let now = Duration::from_secs(1);
    let mut cell = Broker::new("a", Some("root"), Ledger::default(), Duration::ZERO);
    cell.link(now, "root", true);
    cell.link(now, "below", true);
    for from in ["below", "root", "stranger", "a"] {
        for send in cell.hear(now, from, message.clone(), 3) {
            assert!(
                ["root", "below", "a"].contains(&send.to.as_str()),
                "{send:?}"
            );
        }
        cell.tick(now);
    }
}

/// The cell tells of an answer only to what it has issued, once each and in order, and speaks on streams that are open.
fn parent_hears(script: &mut Script) {
    let mut parent = Parent::new("root", "1", "east", Outbox::new(EPOCH));
    let mut now = Duration::ZERO;
    let (mut issued, mut answered, mut fresh) = (0u32, 0u32, EPOCH);
    let mut open = BTreeSet::new();
    while !script.is_over() {
        let session = u64::from(script.below(3)) + 1;
        let acts = match script.below(6) {
            0 => {
                open.insert(session);
                parent.opened(now, session, agent_message(script, session))
            }
            1 => match parent.issue(Command::Reconcile(ReconcileCommand {})) {
                Ok((_, acts)) => {
                    issued += 1;
                    acts
                }
                Err(_) => Vec::new(),
            },
            2 => {
                now += Duration::from_secs(u64::from(script.below(20)));
                parent.tick(now)
            }
            3 => parent.closed(session, "closed"),
            _ if open.contains(&session) => {
                fresh += 1;
                parent.heard(now, session, agent_message(script, session), fresh)
            }
            _ => Vec::new(),
        };
        for act in acts {
            match act {
                ParentAct::Send(session, _) | ParentAct::Close(session) => {
                    assert!(open.contains(&session), "{session} is not open");
                }
                ParentAct::Tell(Event::Answer(..)) => answered += 1,
                _ => {}
            }
        }
        assert!(answered <= issued, "answers to what was never asked");
        assert!(parent.outbox().waiting() <= MOST_COMMANDS);
        assert_eq!(parent.outbox().waiting() as u32, issued - answered);
    }
}

/// The agent applies each command once and in order, keeps it before it says so, and keeps no more than it may.
fn child_hears(script: &mut Script) {
    let identity = Identity {
        cluster: "east".into(),
        agent_version: "1".into(),
        kubernetes_version: "1".into(),
    };
    let mut child = Child::new(identity, Inbox::default(), Duration::ZERO);
    let mut now = Duration::ZERO;
    let mut applied = BTreeSet::new();
    let mut epoch = 0;
    let mut applying = None;
    while !script.is_over() {
        let random = u64::from(script.below(3));
        let acts = match script.below(7) {
            0 => child.opened(now, random),
            1 => child.closed(now, random, "closed"),
            2 => {
                now += Duration::from_secs(u64::from(script.below(20)));
                child.tick(now, random)
            }
            3 => match applying.take() {
                Some(id) => child.applied(id, Payload::CommandDone(CommandDone::default())),
                None => Vec::new(),
            },
            _ => child.heard(now, random, cell_command(script)),
        };
        for act in acts {
            match act {
                ChildAct::Apply(id, _) => {
                    assert!(applying.is_none(), "two are applied at a time");
                    assert_eq!(id.1, child.inbox().applied().up_to + 1, "out of order");
                    applying = Some(id);
                }
                ChildAct::Keep(record) => {
                    if record.epoch != epoch {
                        epoch = record.epoch;
                        applied.clear();
                    }
                    assert!(record.answers.len() <= WINDOW);
                    if record.applied > 0 {
                        assert!(applied.insert(record.applied), "applied twice");
                    }
                }
                _ => {}
            }
        }
    }
}

fn agent_message(script: &mut Script, session: u64) -> AgentMessage {
    if script.below(4) == 0 {
        return read(script.bytes()).unwrap_or_default();
    }
    let epoch = EPOCH + u64::from(script.below(3)) - 1;
    let payload = match script.below(5) {
        0 => Payload::Ready(AgentReady {
            oldest_protocol: 1,
            newest_protocol: 1,
            nonce: 1,
            ..AgentReady::default()
        }),
        1 | 2 => Payload::CommandDone(CommandDone::default()),
        _ => Payload::Heartbeat(Heartbeat {
            applied: Some(Applied {
                epoch,
                up_to: u64::from(script.below(5)),
            }),
            received: u64::from(script.below(5)),
            ..Heartbeat::default()
        }),
    };
    AgentMessage {
        cluster_name: ["east", "west"][usize::from(script.below(8) / 7)].to_owned(),
        session: session + u64::from(script.below(8) / 7),
        number: u64::from(script.byte()),
        command_id: u64::from(script.below(4)),
        epoch,
        payload: Some(payload),
    }
}

fn cell_command(script: &mut Script) -> CellCommand {
    if script.below(4) == 0 {
        return read(script.bytes()).unwrap_or_default();
    }
    let epoch = EPOCH + u64::from(script.below(2));
    let command = match script.below(5) {
        0 => Command::Welcome(Welcome {
            protocol: 1,
            nonce: u64::from(script.below(3)),
            ..Welcome::default()
        }),
        1 => Command::Pulse(Pulse {
            epoch,
            settled: u64::from(script.below(4)),
        }),
        _ => Command::Reconcile(ReconcileCommand {}),
    };
    CellCommand {
        session: u64::from(script.below(2)),
        id: u64::from(script.below(24)),
        epoch,
        command: Some(command),
    }
}
