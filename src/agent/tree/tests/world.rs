//! A tree of cells in a simulated world, all of whose luck comes from a seed.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use super::stock::{Lot, Stock};
use crate::agent::{
    happenings::Happenings,
    luck::Luck,
    tree::{Broker, Labels, Ledger, Message, Need, Send},
};

/// How hard the world is, in thousandths.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hardships {
    pub(super) lost: u64,
    pub(super) doubled: u64,
    pub(super) late: u64,
    pub(super) cut: u64,
    pub(super) crash: u64,
}

enum Happening {
    Tick,
    Arrives(String, String, Message),
    Want(String, Need),
    Unwant(String, String),
    Restore(String, String),
}

pub(super) struct World {
    pub(super) luck: Luck,
    pub(super) hard: Hardships,
    pub(super) cells: BTreeMap<String, Broker>,
    /// Their schedulers.
    pub(super) stocks: BTreeMap<String, Stock>,
    pub(super) parents: BTreeMap<String, String>,
    pub(super) wanted: BTreeMap<String, (String, Need)>,
    pub(super) messages: u64,
    /// How often cells are told the time.
    pub(super) period: Duration,
    cut: BTreeSet<(String, String)>,
    deleted: BTreeSet<String>,
    happenings: Happenings<Happening>,
}

/// `root`, below it `a` and `b`, below each three more.
pub(super) const SHAPE: [(&str, Option<&str>); 9] = [
    ("root", None),
    ("a", Some("root")),
    ("b", Some("root")),
    ("a1", Some("a")),
    ("a2", Some("a")),
    ("a3", Some("a")),
    ("b1", Some("b")),
    ("b2", Some("b")),
    ("b3", Some("b")),
];

pub(super) fn labels(region: &str) -> Labels {
    Labels::from([("region".to_owned(), BTreeSet::from([region.to_owned()]))])
}

impl World {
    /// Cells with these lots each.
    pub(super) fn new(
        seed: u64,
        hard: Hardships,
        mut lots: impl FnMut(&mut Luck, &str) -> BTreeMap<String, Lot>,
    ) -> Self {
        let mut luck = Luck(seed);
        let mut cells = BTreeMap::new();
        let mut stocks = BTreeMap::new();
        let mut parents = BTreeMap::new();
        for (name, parent) in SHAPE {
            stocks.insert(name.to_owned(), Stock::new(lots(&mut luck, name)));
            let cell = Broker::new(name, parent, Ledger::default(), Duration::ZERO);
            cells.insert(name.to_owned(), cell);
            if let Some(parent) = parent {
                parents.insert(name.to_owned(), parent.to_owned());
            }
        }
        let mut world = Self {
            luck,
            hard,
            cells,
            stocks,
            parents,
            wanted: BTreeMap::new(),
            messages: 0,
            period: Duration::from_secs(5),
            cut: BTreeSet::new(),
            deleted: BTreeSet::new(),
            happenings: Happenings::default(),
        };
        for (child, parent) in world.parents.clone() {
            world.set_link(&child, &parent, true);
        }
        world.at(Duration::ZERO, Happening::Tick);
        world
    }

    pub(super) fn want(&mut self, at: Duration, cell: &str, need: Need) {
        self.wanted
            .insert(need.id.clone(), (cell.to_owned(), need.clone()));
        self.at(at, Happening::Want(cell.to_owned(), need));
    }

    pub(super) fn unwant(&mut self, at: Duration, id: &str) {
        let (cell, _) = self.wanted.remove(id).unwrap();
        self.at(at, Happening::Unwant(cell, id.to_owned()));
    }

    pub(super) fn set_link(&mut self, child: &str, parent: &str, is_up: bool) {
        let link = (child.to_owned(), parent.to_owned());
        match is_up {
            true => self.cut.remove(&link),
            false => self.cut.insert(link),
        };
        self.with(child, |cell, now| cell.link(now, parent, is_up));
        self.with(parent, |cell, now| cell.link(now, child, is_up));
    }

    pub(super) fn now(&self) -> Duration {
        self.happenings.now
    }

    pub(super) fn run_until(&mut self, end: Duration) {
        while let Some(what) = self.happenings.next_until(end) {
            self.happen(what);
        }
    }

    fn at(&mut self, at: Duration, what: Happening) {
        self.happenings.at(at, what);
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Tick => {
                let names: Vec<String> = self.cells.keys().cloned().collect();
                for name in names {
                    let stock = self.stocks.get_mut(&name).unwrap();
                    stock.expire(self.happenings.now);
                    let summary = stock.summary();
                    let deleted = self.deleted.clone();
                    self.with(&name, |cell, now| {
                        cell.supply(summary);
                        cell.remain(now, |cluster| !deleted.contains(cluster));
                        cell.tick(now)
                    });
                    if self.luck.in_thousand(self.hard.crash) {
                        self.restart(&name);
                    }
                }
                let links: Vec<(String, String)> = self
                    .parents
                    .iter()
                    .map(|(c, p)| (c.clone(), p.clone()))
                    .collect();
                for (child, parent) in links {
                    if self.luck.in_thousand(self.hard.cut) {
                        self.set_link(&child, &parent, false);
                        let pause = Duration::from_millis(self.luck.below(120_000));
                        self.at(
                            self.happenings.now + pause,
                            Happening::Restore(child, parent),
                        );
                    }
                }
                self.at(self.happenings.now + self.period, Happening::Tick);
            }
            Happening::Arrives(from, to, message) => {
                let random = self.luck.next();
                self.with(&to, |cell, now| cell.hear(now, &from, message, random));
            }
            Happening::Want(cell, need) => self.with(&cell, |cell, now| cell.want(now, need)),
            Happening::Unwant(cell, id) => self.with(&cell, |cell, now| cell.unwant(now, &id)),
            Happening::Restore(child, parent) => self.set_link(&child, &parent, true),
        }
    }

    /// The cluster of a cell is deleted.
    pub(super) fn delete(&mut self, name: &str) {
        let parent = self.parents[name].clone();
        self.set_link(name, &parent, false);
        self.deleted.insert(name.to_owned());
    }

    /// A cell is called something else from now on.
    pub(super) fn rename(&mut self, cell: &str, name: &str) {
        let former = self.cells[cell].name.clone();
        self.restart_as(cell, name, Some(&former));
    }

    /// A cell loses everything but what is kept of its services, and its stock.
    pub(super) fn restart(&mut self, name: &str) {
        self.restart_as(name, name, None);
    }

    fn restart_as(&mut self, name: &str, called: &str, former: Option<&str>) {
        let cell = &self.cells[name];
        let parent = self.parents.get(name).cloned();
        let now = self.happenings.now;
        let anew = Broker::new(called, parent.as_deref(), Ledger::default(), now);
        let mut anew = anew.formerly(former);
        for (id, entry) in cell.ledger().entries() {
            // What a service needs is read anew.
            let need = match self.wanted.get(&id) {
                Some((_, need)) => need.clone(),
                None => Need {
                    id,
                    ..Need::default()
                },
            };
            anew.resume(now, need, entry);
        }
        self.cells.insert(name.to_owned(), anew);
        let links: Vec<(String, String)> = self
            .parents
            .iter()
            .filter(|(child, parent)| *child == name || *parent == name)
            .map(|(child, parent)| (child.clone(), parent.clone()))
            .filter(|link| !self.cut.contains(link))
            .collect();
        for (child, parent) in links {
            self.set_link(&child, &parent, false);
            self.set_link(&child, &parent, true);
        }
    }

    fn with(&mut self, name: &str, ask: impl FnOnce(&mut Broker, Duration) -> Vec<Send>) {
        let cell = self.cells.get_mut(name).unwrap();
        let stock = self.stocks.get_mut(name).unwrap();
        let mut asked = VecDeque::from(ask(cell, self.happenings.now));
        let mut sends = Vec::new();
        let own = cell.name.clone();
        while let Some(send) = asked.pop_front() {
            if send.to != own {
                sends.push(send);
                continue;
            }
            let answer = stock.hear(self.happenings.now, send.message);
            cell.supply(stock.summary());
            asked.extend(cell.hear(self.happenings.now, &own, answer, self.luck.next()));
        }
        for (lot, known) in stock.lots() {
            assert!(
                stock.used(lot) <= known.nodes,
                "{name}: {lot} is booked twice"
            );
        }
        for Send { to, message } in sends {
            self.messages += 1;
            let is_child = self.parents.get(name) == Some(&to);
            let link = match is_child {
                true => (name.to_owned(), to.clone()),
                false => (to.clone(), name.to_owned()),
            };
            assert!(
                self.parents.get(&link.0) == Some(&link.1),
                "{name} has no link to {to}"
            );
            if self.cut.contains(&link) || self.luck.in_thousand(self.hard.lost) {
                continue;
            }
            for _ in 0..1 + u64::from(self.luck.in_thousand(self.hard.doubled)) {
                let late = self.luck.in_thousand(self.hard.late);
                let delay = if late { self.luck.below(90_000) } else { 20 };
                let arrives = Happening::Arrives(name.to_owned(), to.clone(), message.clone());
                self.at(self.happenings.now + Duration::from_millis(delay), arrives);
            }
        }
    }
}
