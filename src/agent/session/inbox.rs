//! Commands as they arrive at an agent, and the answers to them.

use std::collections::VecDeque;

use super::limits::WINDOW;
use crate::agent::proto::{
    AgentMessage, Applied, InboxRecord, agent_message::Payload, cell_command::Command,
};

/// What became of a command that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is new, and will be applied in its turn.
    New,
    /// It has arrived before and will be, or is being, applied.
    Waiting,
    /// It has been applied.
    Applied,
    /// One before it is missing, or there is no room: it will come again.
    Early,
}

/// Which commands were applied, with answers that the cell may not have heard. To be kept over restarts, written together
/// with what a command did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inbox {
    epoch: u64,
    applied: u64,
    answers: VecDeque<(u64, Payload)>,
    /// Not kept: it comes again.
    queue: VecDeque<Command>,
}

impl Inbox {
    /// What was kept.
    pub fn restore(record: InboxRecord) -> Self {
        let answers = record.answers.into_iter();
        Self {
            epoch: record.epoch,
            applied: record.applied,
            answers: answers
                .filter_map(|answer| Some((answer.command_id, answer.payload?)))
                .collect(),
            queue: VecDeque::new(),
        }
    }

    /// What is to be kept.
    pub fn record(&self) -> InboxRecord {
        let answers = self.answers.iter();
        InboxRecord {
            epoch: self.epoch,
            applied: self.applied,
            answers: answers
                .map(|(id, payload)| AgentMessage {
                    command_id: *id,
                    payload: Some(payload.clone()),
                    ..AgentMessage::default()
                })
                .collect(),
        }
    }

    /// What was applied.
    pub fn applied(&self) -> Applied {
        Applied {
            epoch: self.epoch,
            up_to: self.applied,
        }
    }

    /// The last command that has arrived with all before it.
    pub(super) fn received(&self) -> u64 {
        self.applied + self.queue.len() as u64
    }

    /// Hears of the epoch that commands to come belong to. Says whether it is another.
    pub(super) fn greeted(&mut self, epoch: u64) -> bool {
        if epoch == self.epoch {
            return false;
        }
        *self = Self {
            epoch,
            ..Self::default()
        };
        true
    }

    /// Takes in a command.
    pub(super) fn arrived(&mut self, (epoch, id): (u64, u64), command: Command) -> Arrival {
        let received = self.received();
        if epoch != self.epoch {
            return Arrival::Early;
        }
        if id <= self.applied {
            Arrival::Applied
        } else if id <= received {
            Arrival::Waiting
        } else if id == received + 1 && self.queue.len() < WINDOW {
            self.queue.push_back(command);
            Arrival::New
        } else {
            Arrival::Early
        }
    }

    /// The command to be applied next, with epoch and number.
    pub(super) fn next(&self) -> Option<((u64, u64), &Command)> {
        Some(((self.epoch, self.applied + 1), self.queue.front()?))
    }

    /// The command was applied, with this answer. Says no if it is not the one that came next.
    pub(super) fn done(&mut self, (epoch, id): (u64, u64), answer: Payload) -> bool {
        let expected = (self.epoch, self.applied + 1);
        if (epoch, id) != expected || self.queue.pop_front().is_none() {
            return false;
        }
        self.applied = id;
        self.answers.push_back((id, answer));
        // The cell sends no more than a window beyond what it knows to be answered.
        while self.answers.len() > WINDOW {
            self.answers.pop_front();
        }
        true
    }

    /// The cell knows the answers up to this one for good.
    pub(super) fn settled(&mut self, up_to: u64) {
        self.answers.retain(|(id, _)| *id > up_to);
    }

    /// Answers that the cell may not have heard.
    pub(super) fn answers(&self) -> impl Iterator<Item = (u64, &Payload)> {
        self.answers.iter().map(|(id, payload)| (*id, payload))
    }

    /// The answer to a command, if it is still kept.
    pub(super) fn answer(&self, id: u64) -> Option<&Payload> {
        let mut answers = self.answers();
        answers
            .find(|(known, _)| *known == id)
            .map(|(_, answer)| answer)
    }
}
