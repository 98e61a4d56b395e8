//! Commands on their way to an agent, and what is known of them.

use std::collections::VecDeque;

use super::limits::{MOST_COMMANDS, WINDOW};
use crate::agent::proto::{Applied, CellCommand, OutboxRecord, cell_command::Command};

/// More commands wait for an agent than may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST_COMMANDS} commands wait for this agent already")]
pub struct Full;

/// Commands without a settled answer, in the order of their numbers, which have no gaps. To be kept over restarts.
#[derive(Clone, Debug, PartialEq)]
pub struct Outbox {
    epoch: u64,
    settled: u64,
    waiting: VecDeque<Command>,
}

impl Outbox {
    /// An empty one of this epoch, which must not have been used before.
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            settled: 0,
            waiting: VecDeque::new(),
        }
    }

    /// What was kept.
    pub fn restore(record: OutboxRecord) -> Self {
        let commands = record.waiting.into_iter();
        Self {
            epoch: record.epoch,
            settled: record.settled,
            waiting: commands.filter_map(|command| command.command).collect(),
        }
    }

    /// What is to be kept.
    pub fn record(&self) -> OutboxRecord {
        OutboxRecord {
            epoch: self.epoch,
            settled: self.settled,
            waiting: self
                .numbered()
                .map(|(id, command)| self.message(0, id, command))
                .collect(),
        }
    }

    /// The epoch that numbers belong to.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last command whose answer is known.
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Commands without an answer.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes in a command and numbers it.
    ///
    /// # Errors
    /// If too many wait.
    pub fn issue(&mut self, command: Command) -> Result<u64, Full> {
        if self.waiting.len() >= MOST_COMMANDS {
            return Err(Full);
        }
        self.waiting.push_back(command);
        Ok(self.settled + self.waiting.len() as u64)
    }

    /// Takes in an answer; says whether it is the one that comes next, and so new.
    pub(super) fn answered(&mut self, id: u64) -> bool {
        if id != self.settled + 1 || self.waiting.pop_front().is_none() {
            return false;
        }
        self.settled = id;
        true
    }

    /// Compares with what an agent has applied. Where that cannot have come from here, because one side was set back to an
    /// earlier state, all that waits is numbered anew in a fresh epoch; says whether.
    pub(super) fn reconcile(&mut self, applied: Applied, fresh: u64) -> bool {
        let last = self.settled + self.waiting.len() as u64;
        let another = applied.epoch != self.epoch && self.settled > 0;
        let behind = applied.epoch == self.epoch && applied.up_to < self.settled;
        let ahead = applied.epoch == self.epoch && applied.up_to > last;
        if !(another || behind || ahead) {
            return false;
        }
        self.epoch = fresh;
        self.settled = 0;
        true
    }

    /// Commands that may be under way and come after `received`.
    pub(super) fn due(&self, received: u64) -> impl Iterator<Item = (u64, &Command)> {
        let numbered = self.numbered().take(WINDOW);
        numbered.filter(move |(id, _)| *id > received)
    }

    fn numbered(&self) -> impl Iterator<Item = (u64, &Command)> {
        (self.settled + 1..).zip(&self.waiting)
    }

    /// A command as it is sent.
    pub(super) fn message(&self, session: u64, id: u64, command: &Command) -> CellCommand {
        CellCommand {
            session,
            id,
            epoch: self.epoch,
            command: Some(command.clone()),
        }
    }
}
