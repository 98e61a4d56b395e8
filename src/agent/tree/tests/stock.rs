//! A cell's scheduler in simulation: lots of nodes, of which the cheapest that has room is taken.

use std::{collections::BTreeMap, time::Duration};

use crate::agent::tree::{Asked, Bookings, Deal, Labels, Message, Need, Request, Step, Summary};

/// Capacity of one kind.
#[derive(Clone, Debug)]
pub(super) struct Lot {
    pub(super) labels: Labels,
    pub(super) milli_cores: u64,
    pub(super) mib: u64,
    pub(super) hourly: u64,
    pub(super) nodes: u64,
}

/// Lots by name, and who has what of them. Outlives a restart of its cell.
#[derive(Clone, Debug, Default)]
pub(super) struct Stock {
    lots: BTreeMap<String, Lot>,
    bookings: Bookings,
    /// Of each booking the lot and the nodes.
    places: BTreeMap<String, (String, u64)>,
}

impl Stock {
    pub(super) fn new(lots: BTreeMap<String, Lot>) -> Self {
        Self {
            lots,
            ..Self::default()
        }
    }

    pub(super) fn lots(&self) -> &BTreeMap<String, Lot> {
        &self.lots
    }

    pub(super) fn used(&self, lot: &str) -> u64 {
        let places = self.places.values().filter(|(name, _)| name == lot);
        places.map(|(_, nodes)| nodes).sum()
    }

    pub(super) fn free(&self, lot: &str) -> u64 {
        self.lots[lot].nodes - self.used(lot)
    }

    /// Services that have a place here for good.
    pub(super) fn confirmed(&self) -> impl Iterator<Item = &str> {
        let all = self.bookings.iter();
        all.filter(|(_, booking)| booking.until.is_none())
            .map(|(id, _)| id)
    }

    pub(super) fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for (name, lot) in &self.lots {
            let step = Step {
                hourly: lot.hourly,
                milli_cores: lot.milli_cores,
                mib: lot.mib,
                nodes: self.free(name),
            };
            let steps = summary.lots.entry(lot.labels.clone()).or_default();
            steps.push(step);
        }
        summary
    }

    pub(super) fn expire(&mut self, now: Duration) {
        self.bookings.expire(now);
        self.forget();
    }

    pub(super) fn hear(&mut self, now: Duration, message: Message) -> Message {
        match message {
            Message::Delegate(request) => self.place(now, &request),
            Message::Confirm(deal) if self.bookings.confirm(&deal.id, deal.attempt, now) => {
                Message::Confirmed(deal)
            }
            Message::Confirm(deal) => Message::Lapsed(deal),
            Message::Release(deal) => {
                self.bookings.release(&deal.id, deal.attempt, now);
                self.forget();
                Message::Released(deal)
            }
            other => panic!("{other:?}"),
        }
    }

    fn place(&mut self, now: Duration, request: &Request) -> Message {
        let need = &request.need;
        let deal = Deal {
            id: need.id.clone(),
            attempt: request.attempt,
            path: request.path.clone(),
        };
        let place = match self.bookings.asked(&need.id, request.attempt, now) {
            Asked::Late => None,
            Asked::Again => self.places.get(&need.id).cloned(),
            Asked::New => {
                self.places.remove(&need.id);
                self.cheapest(need)
            }
        };
        let Some((lot, nodes)) = place else {
            let ways_out = Vec::new();
            return Message::No { deal, ways_out };
        };
        if self
            .places
            .insert(need.id.clone(), (lot.clone(), nodes))
            .is_none()
        {
            self.bookings.hold(&need.id, request.attempt, now);
        }
        let hourly = nodes * self.lots[&lot].hourly;
        Message::Offer { deal, hourly }
    }

    fn cheapest(&self, need: &Need) -> Option<(String, u64)> {
        let lots = self.lots.iter();
        let lots = lots.filter(|(_, lot)| need.matches(&lot.labels));
        let offers = lots.filter_map(|(name, lot)| {
            let nodes = need.nodes(lot.milli_cores, lot.mib)?;
            (nodes <= self.free(name)).then(|| (nodes * lot.hourly, name, nodes))
        });
        let (_, name, nodes) = offers.min()?;
        Some((name.clone(), nodes))
    }

    fn forget(&mut self) {
        let bookings = &self.bookings;
        self.places.retain(|id, _| bookings.get(id).is_some());
    }
}
