//! Places that services from below have here or beyond: they are given back when the cell that they come from is gone for good, as
//! nobody there will ever do it.
//!
//! A service's own cell asks after its place every minute, so whoever passes that on knows of it. That is in memory alone: a cell that
//! starts again knows a minute after its children are back.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    broker::Broker,
    message::{CellName, Deal, Message, Send},
    origin::AGAIN,
};

/// Most places that are remembered.
pub const MOST_PASSED: usize = 1 << 16;

/// A service and the way to its place.
type Way = (String, Vec<CellName>);

/// What was passed on from below.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed {
    /// The child that it came from, and the attempt.
    known: BTreeMap<Way, (CellName, u64)>,
    /// Of children that are gone: the attempt, and when to say it again.
    leaving: BTreeMap<Way, (u64, Duration)>,
}

impl Passed {
    /// A child asks after a place.
    pub(super) fn note(&mut self, child: &str, deal: &Deal) {
        let way = (deal.id.clone(), deal.path.clone());
        if self.known.len() < MOST_PASSED || self.known.contains_key(&way) {
            self.known.insert(way, (child.to_owned(), deal.attempt));
        }
    }

    /// There is no such place any more. Says whether it was this cell that gave it back.
    pub(super) fn is_free(&mut self, deal: &Deal) -> bool {
        let way = (deal.id.clone(), deal.path.clone());
        let is_it = |attempt: u64| attempt <= deal.attempt;
        if self
            .known
            .get(&way)
            .is_some_and(|(_, attempt)| is_it(*attempt))
        {
            self.known.remove(&way);
        }
        let is_left = self
            .leaving
            .get(&way)
            .is_some_and(|(attempt, _)| is_it(*attempt));
        if is_left {
            self.leaving.remove(&way);
        }
        is_left
    }

    /// Has what came from children that are there no more given back.
    fn remain(&mut self, now: Duration, is_there: impl Fn(&str) -> bool) {
        let children: BTreeSet<&CellName> = self.known.values().map(|(child, _)| child).collect();
        let gone = children.into_iter().filter(|child| !is_there(child));
        let gone: BTreeSet<CellName> = gone.cloned().collect();
        if gone.is_empty() {
            return;
        }
        let theirs = self
            .known
            .extract_if(.., |_, (child, _)| gone.contains(child));
        for (way, (_, attempt)) in theirs {
            self.leaving.insert(way, (attempt, now));
        }
    }

    fn due(&mut self, now: Duration) -> Vec<Deal> {
        let due = self.leaving.iter_mut().filter(|(_, (_, at))| now >= *at);
        let deals = due.map(|((id, path), (attempt, at))| {
            *at = now + AGAIN;
            Deal {
                id: id.clone(),
                attempt: *attempt,
                path: path.clone(),
            }
        });
        deals.collect()
    }
}

impl Broker {
    /// Takes in which clusters there are below this cell, whether they are connected or not. From the next tick on, what services of
    /// others have is given back.
    pub fn remain(&mut self, now: Duration, is_there: impl Fn(&str) -> bool) {
        self.passed.remain(now, is_there);
    }

    /// Says for those that are gone what they would have said themselves, until it is answered.
    pub(super) fn give_back(&mut self, now: Duration) -> Vec<Send> {
        let due = self.passed.due(now);
        due.into_iter()
            .flat_map(|deal| self.onward(&deal.path.clone(), Message::Release(deal)))
            .filter(|send| self.connected.contains(&send.to))
            .collect()
    }
}
