//! One cell's part in placing services over the tree.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::discriminant,
    time::Duration,
};

use super::{
    message::{CellName, Deal, Message, Need, Request, Send, Summary},
    origin::{Entry, Mine, Status, WINDOW, back, onward},
    passed::Passed,
    relay::Relayed,
    summary::summary,
};

/// How often a cell tells its parent what is free.
const SUMMARIES: Duration = Duration::from_secs(5);

/// A cell's own services that look for a place: what outlives a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub(super) mine: BTreeMap<String, Mine>,
}

impl Ledger {
    /// What is to be kept of each service.
    pub fn entries(&self) -> BTreeMap<String, Entry> {
        let entries = self.mine.iter();
        entries
            .map(|(id, mine)| (id.clone(), mine.entry()))
            .collect()
    }
}

/// One cell. It knows the time from whoever calls, and acts by the messages that it returns. Its own scheduler is to it one more
/// neighbour, under its own name: it is delegated to, and it answers, like a child.
#[derive(Clone, Debug)]
pub struct Broker {
    pub(super) name: CellName,
    /// What it was called before it had a parent.
    former: Option<CellName>,
    pub(super) parent: Option<CellName>,
    pub(super) connected: BTreeSet<CellName>,
    pub(super) children: BTreeMap<CellName, Summary>,
    pub(super) ledger: Ledger,
    pub(super) relayed: BTreeMap<String, Relayed>,
    pub(super) passed: Passed,
    /// Whether the parent, if it is there, reaches the cells above it.
    beyond: bool,
    /// Another number each time that a cell has come to this one, or to one above it.
    arrivals: u64,
    /// The same, as the parent says it.
    arrivals_above: u64,
    told: u64,
    next_summary: Duration,
}

impl Broker {
    /// A cell that has just started.
    pub fn new(name: &str, parent: Option<&str>, ledger: Ledger, now: Duration) -> Self {
        Self {
            name: name.to_owned(),
            former: None,
            parent: parent.map(str::to_owned),
            connected: BTreeSet::from([name.to_owned()]),
            children: BTreeMap::new(),
            ledger,
            relayed: BTreeMap::new(),
            passed: Passed::default(),
            beyond: true,
            // Another than before.
            arrivals: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            arrivals_above: 0,
            // Greater than any number that it gave before.
            told: u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            next_summary: now,
        }
    }

    /// The same, for a cell that was called this before: what goes on a way with that name still is for it.
    #[must_use]
    pub fn formerly(self, name: Option<&str>) -> Self {
        Self {
            former: name.map(str::to_owned),
            ..self
        }
    }

    /// What is to be kept.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What is free in this cell itself.
    pub fn supply(&mut self, own: Summary) {
        self.children.insert(self.name.clone(), own);
    }

    /// A service that had come this far before a restart.
    pub fn resume(&mut self, now: Duration, need: Need, entry: Entry) {
        let id = need.id.clone();
        self.ledger.mine.insert(id, Mine::resumed(need, entry, now));
    }

    /// The services of this cell that look for a place, or have one elsewhere.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        let mine = self.ledger.mine.iter();
        mine.filter(|(_, mine)| !mine.is_leaving())
            .map(|(id, _)| id.as_str())
    }

    /// Where a service of this cell stands.
    pub fn status(&self, id: &str) -> Option<Status> {
        Some(self.ledger.mine.get(id)?.status(!self.is_whole()))
    }

    /// Whether the way up is open as far as there are cells.
    fn is_whole(&self) -> bool {
        let reached = |parent: &CellName| self.beyond && self.connected.contains(parent);
        self.parent.as_ref().is_none_or(reached)
    }

    /// A service of this cell needs a place: here if there is one, else wherever the tree finds one.
    pub fn want(&mut self, now: Duration, need: Need) -> Vec<Send> {
        if self.ledger.mine.contains_key(&need.id) {
            return Vec::new();
        }
        let id = need.id.clone();
        self.ledger.mine.insert(id, Mine::waiting(need, now));
        self.ask_next(now)
    }

    /// A service of this cell needs its place no more.
    pub fn unwant(&mut self, now: Duration, id: &str) -> Vec<Send> {
        let Some(mine) = self.ledger.mine.get_mut(id) else {
            return Vec::new();
        };
        mine.leave();
        self.relayed.remove(id);
        self.say_again(now)
    }

    /// The stream to a neighbour has come or gone.
    pub fn link(&mut self, now: Duration, neighbour: &str, is_up: bool) -> Vec<Send> {
        let is_parent = self.parent.as_deref() == Some(neighbour);
        if !is_up {
            self.connected.remove(neighbour);
            // What it had free says nothing now.
            self.children.remove(neighbour);
            return if is_parent {
                self.tell_children()
            } else {
                Vec::new()
            };
        }
        self.connected.insert(neighbour.to_owned());
        if !is_parent {
            return Vec::from_iter(self.tell_above(neighbour));
        }
        self.next_summary = now;
        self.reopened(now)
    }

    /// The way up is open again, as far as this cell knows.
    fn reopened(&mut self, now: Duration) -> Vec<Send> {
        self.beyond = true;
        for mine in self.ledger.mine.values_mut() {
            mine.reconnected(now);
        }
        let mut sends = self.tell_children();
        sends.extend(self.ask_next(now));
        sends
    }

    /// The parent says whether it reaches the cells above it, and whether others have come there.
    fn above(&mut self, now: Duration, whole: bool, arrivals: u64) -> Vec<Send> {
        let have_come = std::mem::replace(&mut self.arrivals_above, arrivals) != arrivals;
        match (self.beyond, whole) {
            (false, true) => self.reopened(now),
            (true, false) => {
                self.beyond = false;
                self.tell_children()
            }
            (true, true) if have_come => {
                let asks = self.arrived(now);
                let mut sends = self.tell_children();
                sends.extend(asks);
                sends
            }
            _ => Vec::new(),
        }
    }

    /// A cell has come that may have room: whoever was told that there is none is asked for again.
    fn arrived(&mut self, now: Duration) -> Vec<Send> {
        self.arrivals = self.arrivals.wrapping_add(1);
        for mine in self.ledger.mine.values_mut() {
            mine.encouraged(now);
        }
        self.ask_next(now)
    }

    /// Each child goes by what is said here: what it needs from further up it cannot know by itself.
    fn tell_children(&self) -> Vec<Send> {
        let all = self.connected.iter();
        let children = all.filter(|cell| **cell != self.name && self.parent.as_ref() != Some(cell));
        children
            .filter_map(|child| self.tell_above(child))
            .collect()
    }

    fn tell_above(&self, child: &str) -> Option<Send> {
        let (whole, arrivals) = (self.is_whole(), self.arrivals);
        self.reach(child, Message::Above { whole, arrivals })
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) -> Vec<Send> {
        self.relayed.retain(|_, relayed| now < relayed.until);
        self.ledger.mine.retain(|_, mine| !mine.is_gone());
        let mut sends = self.say_again(now);
        sends.extend(self.give_back(now));
        sends.extend(self.ask_next(now));
        if now >= self.next_summary
            && let Some(parent) = self.parent.clone()
        {
            self.next_summary = now + SUMMARIES;
            self.told += 1;
            let summary = summary(self.told, self.children.values());
            sends.extend(self.reach(&parent, Message::Summary(summary)));
        }
        sends
    }

    /// A neighbour has said something.
    pub fn hear(&mut self, now: Duration, from: &str, message: Message, random: u64) -> Vec<Send> {
        let from_parent = self.parent.as_deref() == Some(from);
        if message
            .path()
            .is_some_and(|path| !self.speaks_for(from, path))
        {
            return Vec::new();
        }
        let kind = discriminant(&message);
        let mut sends = match message {
            Message::Ask(request) if !from_parent => self.look(now, request, false),
            Message::Delegate(request) if from_parent => self.look(now, request, true),
            // Of one that has just gone it says nothing any more, and would hide that it has come when it does.
            Message::Summary(summary) if !from_parent && self.connected.contains(from) => {
                let known = self.children.get(from).map(|known| known.number);
                if summary.number > known.unwrap_or(0) {
                    self.children.insert(from.to_owned(), summary);
                }
                let asks = known.is_none().then(|| self.arrived(now));
                // Said with each, as it may have been lost. The others hear of an arrival with their own next one, so that many
                // that come at a time cause no flood.
                let mut sends = Vec::from_iter(self.tell_above(from));
                sends.extend(asks.into_iter().flatten());
                sends
            }
            Message::Above { whole, arrivals } if from_parent => self.above(now, whole, arrivals),
            Message::Offer { deal, hourly } => self.offered(now, deal, hourly),
            Message::No { deal, ways_out } => self.refused(now, from, deal, ways_out),
            Message::Confirm(deal) => {
                if !from_parent && from != self.name {
                    self.passed.note(from, &deal);
                }
                self.onward(&deal.path.clone(), Message::Confirm(deal))
            }
            Message::Release(deal) => self.onward(&deal.path.clone(), Message::Release(deal)),
            Message::Confirmed(deal) => self.pass_back(deal, Message::Confirmed, |mine, deal| {
                mine.confirmed(deal);
            }),
            // Of a cell that is gone: nobody there need hear it.
            Message::Lapsed(ref deal) | Message::Released(ref deal)
                if self.passed.is_free(deal) =>
            {
                Vec::new()
            }
            Message::Lapsed(deal) => self.pass_back(deal, Message::Lapsed, |mine, deal| {
                mine.lapsed(deal, now, random);
            }),
            Message::Released(deal) => self.pass_back(deal, Message::Released, |mine, deal| {
                mine.released(deal);
            }),
            // Nothing that a parent asks or sums up, or a child delegates or says of what is above.
            Message::Ask(_)
            | Message::Delegate(_)
            | Message::Summary(_)
            | Message::Above { .. } => Vec::new(),
        };
        if from_parent {
            // What came down and cannot go on, as its way is cut, goes nowhere, least of all up again.
            sends.retain(|send| {
                Some(&send.to) != self.parent.as_ref() || discriminant(&send.message) != kind
            });
        }
        sends
    }

    /// Looks for a place for what has waited longest, so many at a time.
    pub(super) fn ask_next(&mut self, now: Duration) -> Vec<Send> {
        let mine = &mut self.ledger.mine;
        let asking = mine.values().filter(|mine| mine.is_asking(now)).count();
        let mut due: Vec<(Duration, String)> = mine
            .iter()
            .filter(|(_, mine)| mine.is_due(now))
            .map(|(id, mine)| (mine.since(), id.clone()))
            .collect();
        due.sort();
        let next = due.into_iter().take(WINDOW.saturating_sub(asking));
        let asked: Vec<Request> = next
            .filter_map(|(_, id)| Some(mine.get_mut(&id)?.ask(now)))
            .collect();
        let mut sends = Vec::new();
        for request in asked {
            sends.extend(self.look(now, request, false));
        }
        sends
    }

    fn say_again(&mut self, now: Duration) -> Vec<Send> {
        let mine = self.ledger.mine.values_mut();
        let again = mine.filter_map(|mine| mine.again(&self.name, now));
        let again: Vec<Send> = again.collect();
        let mut sends: Vec<Send> = again.into_iter().map(|send| self.hop(send)).collect();
        let due = self
            .relayed
            .iter()
            .filter(|(_, relayed)| now >= relayed.again);
        let due: Vec<String> = due.map(|(id, _)| id.clone()).collect();
        for id in due {
            // Whoever was asked last has not answered: perhaps the next one does.
            sends.extend(self.next_place(now, &id));
        }
        sends.retain(|send| self.connected.contains(&send.to));
        sends
    }

    /// The message to the next cell of its path; at the end to this cell's own scheduler.
    pub(super) fn onward(&self, path: &[CellName], message: Message) -> Vec<Send> {
        let send = self.place_on(path);
        let send = send.map(|at| self.hop(onward(path, at, &self.name, message)));
        send.into_iter().collect()
    }

    /// The message to the cell before this one on its path.
    pub(super) fn back(&self, path: &[CellName], message: Message) -> Vec<Send> {
        let send = self.place_on(path).and_then(|at| back(path, at, message));
        send.map(|send| self.hop(send)).into_iter().collect()
    }

    /// Where on a path this cell is.
    pub(super) fn place_on(&self, path: &[CellName]) -> Option<usize> {
        let is_me = |cell: &CellName| *cell == self.name || self.former.as_ref() == Some(cell);
        path.iter().position(is_me)
    }

    /// A cell calls itself what its own parent calls it, and its children do not know that name: whoever is none of them is the
    /// parent.
    fn hop(&self, send: Send) -> Send {
        match &self.parent {
            Some(parent) if send.to != self.name && !self.connected.contains(&send.to) => Send {
                to: parent.clone(),
                ..send
            },
            _ => send,
        }
    }

    /// Whether a message with this path may come from there: children speak for themselves and what is below them alone.
    fn speaks_for(&self, from: &str, path: &[CellName]) -> bool {
        let at = self.place_on(path);
        let before = at.unwrap_or(path.len()).checked_sub(1);
        let is_from = |cell: &CellName| cell == from;
        from == self.name
            || self.parent.as_deref() == Some(from)
            || before.and_then(|at| path.get(at)).is_some_and(is_from)
            || at.and_then(|at| path.get(at + 1)).is_some_and(is_from)
    }

    fn pass_back(
        &mut self,
        deal: Deal,
        message: fn(Deal) -> Message,
        hear: impl FnOnce(&mut Mine, &Deal),
    ) -> Vec<Send> {
        if self.place_on(&deal.path) == Some(0) {
            if let Some(mine) = self.ledger.mine.get_mut(&deal.id) {
                hear(mine, &deal);
            }
            return Vec::new();
        }
        let path = deal.path.clone();
        self.back(&path, message(deal))
    }

    fn reach(&self, to: &str, message: Message) -> Option<Send> {
        let to = self.connected.get(to)?.clone();
        Some(Send { to, message })
    }
}
