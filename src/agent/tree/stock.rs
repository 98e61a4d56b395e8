//! A cell's own capacity, and who has it. This is the one place where capacity is given away.

use std::{collections::BTreeMap, time::Duration};

use super::message::{Labels, Need, Step};

/// How long a place is held for an origin that has not confirmed it.
pub const HOLD: Duration = Duration::from_secs(60);
/// How long an attempt that is over is remembered: longer than any message of it can be under way.
pub const MEMORY: Duration = Duration::from_secs(600);

/// Capacity of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// What it is labelled.
    pub labels: Labels,
    /// Milli-cores of one node.
    pub milli_cores: u64,
    /// MiB of one node.
    pub mib: u64,
    /// Micro-dollars an hour for one node.
    pub hourly: u64,
    /// All nodes there may be.
    pub nodes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Held(Duration),
    Confirmed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Booking {
    attempt: u64,
    lot: String,
    nodes: u64,
    state: State,
}

/// What became of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmation {
    Confirmed,
    Lapsed,
}

/// Lots by name and bookings by service. To be kept over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    lots: BTreeMap<String, Lot>,
    bookings: BTreeMap<String, Booking>,
    /// The last attempt of a service that is over, and until when that is remembered.
    over: BTreeMap<String, (u64, Duration)>,
}

impl Stock {
    /// Capacity of which nobody has anything.
    pub fn new(lots: BTreeMap<String, Lot>) -> Self {
        Self {
            lots,
            ..Self::default()
        }
    }

    /// Nodes of a lot that nobody has, and nobody is held.
    pub fn free(&self, lot: &str) -> u64 {
        let all = self.lots.get(lot).map_or(0, |lot| lot.nodes);
        all.saturating_sub(self.used(lot))
    }

    /// Nodes of a lot that are held or taken.
    pub fn used(&self, lot: &str) -> u64 {
        let bookings = self.bookings.values().filter(|booking| booking.lot == lot);
        bookings.map(|booking| booking.nodes).sum()
    }

    /// Lots by name.
    pub fn lots(&self) -> &BTreeMap<String, Lot> {
        &self.lots
    }

    /// Services that have a place here for good.
    pub fn confirmed(&self) -> impl Iterator<Item = &str> {
        let all = self.bookings.iter();
        all.filter(|(_, booking)| booking.state == State::Confirmed)
            .map(|(id, _)| id.as_str())
    }

    /// What is free, by labels.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&Labels, Step)> {
        self.lots.iter().map(|(name, lot)| {
            let step = Step {
                hourly: lot.hourly,
                milli_cores: lot.milli_cores,
                mib: lot.mib,
                nodes: self.free(name),
            };
            (&lot.labels, step)
        })
    }

    /// The cheapest lot that has room, and what the place costs.
    pub(super) fn cheapest(&self, need: &Need) -> Option<(String, u64, u64)> {
        let offers = self
            .lots
            .iter()
            .filter(|(_, lot)| need.matches(&lot.labels));
        let offers = offers.filter_map(|(name, lot)| {
            let nodes = need.nodes(lot.milli_cores, lot.mib)?;
            (nodes <= self.free(name)).then(|| (nodes.saturating_mul(lot.hourly), name, nodes))
        });
        let (hourly, name, nodes) = offers.min()?;
        Some((name.clone(), nodes, hourly))
    }

    /// Holds a place for an attempt, and says what it costs. The same attempt gets the same place.
    pub(super) fn hold(&mut self, need: &Need, attempt: u64, now: Duration) -> Option<u64> {
        if self
            .over
            .get(&need.id)
            .is_some_and(|(over, _)| *over >= attempt)
        {
            return None;
        }
        if let Some(known) = self.bookings.get_mut(&need.id) {
            if known.attempt == attempt {
                if known.state != State::Confirmed {
                    known.state = State::Held(now + HOLD);
                }
                let hourly = self.lots.get(&known.lot).map_or(0, |lot| lot.hourly);
                return Some(hourly.saturating_mul(known.nodes));
            }
            // An attempt before this one is over, or this one is; a place that is taken is given back first.
            if known.state == State::Confirmed || known.attempt > attempt {
                return None;
            }
        }
        self.bookings.remove(&need.id);
        let (lot, nodes, hourly) = self.cheapest(need)?;
        let booking = Booking {
            attempt,
            lot,
            nodes,
            state: State::Held(now + HOLD),
        };
        self.bookings.insert(need.id.clone(), booking);
        Some(hourly)
    }

    /// Takes the place that is held for an attempt.
    pub(super) fn confirm(&mut self, id: &str, attempt: u64, now: Duration) -> Confirmation {
        match self.bookings.get_mut(id) {
            Some(booking) if booking.attempt == attempt => {
                booking.state = State::Confirmed;
                Confirmation::Confirmed
            }
            _ => {
                self.end(id, attempt, now);
                Confirmation::Lapsed
            }
        }
    }

    /// Frees the place of an attempt, and of all before it.
    pub(super) fn release(&mut self, id: &str, attempt: u64, now: Duration) {
        let is_over = |booking: &Booking| booking.attempt <= attempt;
        if self.bookings.get(id).is_some_and(is_over) {
            self.bookings.remove(id);
        }
        self.end(id, attempt, now);
    }

    /// Frees what was held for too long.
    pub(super) fn expire(&mut self, now: Duration) {
        let lapsed = self
            .bookings
            .iter()
            .filter_map(|(id, booking)| match booking.state {
                State::Held(until) if now >= until => Some((id.clone(), booking.attempt)),
                _ => None,
            });
        for (id, attempt) in lapsed.collect::<Vec<_>>() {
            self.bookings.remove(&id);
            self.end(&id, attempt, now);
        }
        self.over.retain(|_, (_, until)| now < *until);
    }

    fn end(&mut self, id: &str, attempt: u64, now: Duration) {
        let over = self.over.entry(id.to_owned()).or_insert((0, now));
        *over = (over.0.max(attempt), now + MEMORY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    fn stock(nodes: u64) -> Stock {
        let lot = |hourly, nodes| Lot {
            labels: Labels::new(),
            milli_cores: 4000,
            mib: 8192,
            hourly,
            nodes,
        };
        Stock::new(BTreeMap::from([
            ("cheap".into(), lot(10, nodes)),
            ("dear".into(), lot(20, 100)),
        ]))
    }

    fn need(id: &str) -> Need {
        Need {
            id: id.into(),
            replicas: 4,
            milli_cores: 2000,
            mib: 1024,
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn a_place_is_held_once_however_often_it_is_asked_for() {
        let mut stock = stock(3);
        assert_eq!(stock.hold(&need("a"), 1, NOW), Some(20));
        assert_eq!(stock.hold(&need("a"), 1, NOW), Some(20));
        assert_eq!(stock.free("cheap"), 1);
        // The next one finds only the dearer lot.
        assert_eq!(stock.hold(&need("b"), 1, NOW), Some(40));
    }

    #[test]
    fn what_lapsed_cannot_be_taken_nor_held_again() {
        let mut stock = stock(3);
        stock.hold(&need("a"), 1, NOW);
        stock.expire(NOW + HOLD);
        assert_eq!(stock.free("cheap"), 3);
        let later = NOW + HOLD;
        // A late copy of the request, and a late confirmation.
        assert_eq!(stock.hold(&need("a"), 1, later), None);
        assert_eq!(stock.confirm("a", 1, later), Confirmation::Lapsed);
        assert_eq!(stock.hold(&need("a"), 2, later), Some(20));
        assert_eq!(stock.confirm("a", 2, later), Confirmation::Confirmed);
        stock.expire(later + HOLD);
        assert_eq!(stock.free("cheap"), 1, "what is taken stays");
        stock.release("a", 2, later);
        assert_eq!(stock.free("cheap"), 3);
    }
}
