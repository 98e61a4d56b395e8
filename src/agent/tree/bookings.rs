//! Who has a place in a cell, and by which attempt. Only the cell that has capacity gives it away, and this is where it
//! keeps count of that.

use std::{collections::BTreeMap, time::Duration};

/// How long a place is held for an origin that has not confirmed it.
pub const HOLD: Duration = Duration::from_secs(60);
/// How long an attempt that is over is remembered: longer than any message of it can be under way.
pub const MEMORY: Duration = Duration::from_secs(600);

/// The place of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booking {
    /// For which attempt.
    pub attempt: u64,
    /// Until when it is held; none where it is taken for good.
    pub until: Option<Duration>,
}

/// What is to be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Look for a place.
    New,
    /// It has the place that it had.
    Again,
    /// The attempt is over, or an earlier one has a place for good.
    Late,
}

/// Bookings by service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bookings {
    all: BTreeMap<String, Booking>,
    /// The last attempt of a service that is over, and until when that is remembered.
    over: BTreeMap<String, (u64, Duration)>,
}

impl Bookings {
    /// The booking of a service.
    pub fn get(&self, id: &str) -> Option<Booking> {
        self.all.get(id).copied()
    }

    /// All bookings.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Booking)> {
        self.all.iter().map(|(id, booking)| (id.as_str(), *booking))
    }

    /// Takes in a booking that was kept.
    pub fn restore(&mut self, id: &str, booking: Booking) {
        self.all.insert(id.to_owned(), booking);
    }

    /// What an attempt's request comes to. The same attempt has the same place, for longer.
    pub fn asked(&mut self, id: &str, attempt: u64, now: Duration) -> Asked {
        if self.over.get(id).is_some_and(|(over, _)| *over >= attempt) {
            return Asked::Late;
        }
        match self.all.get_mut(id) {
            Some(known) if known.attempt == attempt => {
                known.until = known.until.map(|_| now + HOLD);
                Asked::Again
            }
            // A place that is taken is given back first.
            Some(known) if known.until.is_none() || known.attempt > attempt => Asked::Late,
            _ => Asked::New,
        }
    }

    /// Holds the place that was found for an attempt, in place of an earlier one.
    pub fn hold(&mut self, id: &str, attempt: u64, now: Duration) {
        let until = Some(now + HOLD);
        self.all.insert(id.to_owned(), Booking { attempt, until });
    }

    /// Takes the place that is held for an attempt; says whether it still was.
    pub fn confirm(&mut self, id: &str, attempt: u64, now: Duration) -> bool {
        match self.all.get_mut(id) {
            Some(booking) if booking.attempt == attempt => {
                booking.until = None;
                true
            }
            _ => {
                self.end(id, attempt, now);
                false
            }
        }
    }

    /// Frees the place of an attempt, and of all before it.
    pub fn release(&mut self, id: &str, attempt: u64, now: Duration) {
        if self
            .all
            .get(id)
            .is_some_and(|booking| booking.attempt <= attempt)
        {
            self.all.remove(id);
        }
        self.end(id, attempt, now);
    }

    /// Frees what was held for too long.
    pub fn expire(&mut self, now: Duration) {
        let is_over = |booking: &Booking| booking.until.is_some_and(|until| now >= until);
        let lapsed = self.all.iter().filter(|(_, booking)| is_over(booking));
        let lapsed: Vec<(String, u64)> = lapsed
            .map(|(id, booking)| (id.clone(), booking.attempt))
            .collect();
        for (id, attempt) in lapsed {
            self.release(&id, attempt, now);
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

    #[test]
    fn what_lapsed_cannot_be_taken_nor_held_again() {
        let mut bookings = Bookings::default();
        assert_eq!(bookings.asked("a", 1, NOW), Asked::New);
        bookings.hold("a", 1, NOW);
        assert_eq!(bookings.asked("a", 1, NOW), Asked::Again);
        let later = NOW + HOLD;
        bookings.expire(later);
        assert_eq!(bookings.get("a"), None);
        // A late copy of the request, and a late confirmation.
        assert_eq!(bookings.asked("a", 1, later), Asked::Late);
        assert!(!bookings.confirm("a", 1, later));
        assert_eq!(bookings.asked("a", 2, later), Asked::New);
        bookings.hold("a", 2, later);
        assert!(bookings.confirm("a", 2, later));
        bookings.expire(later + HOLD);
        assert!(bookings.get("a").is_some(), "what is taken stays");
        assert_eq!(bookings.asked("a", 3, later), Asked::Late);
        bookings.release("a", 2, later);
        assert_eq!(bookings.get("a"), None);
    }
}
