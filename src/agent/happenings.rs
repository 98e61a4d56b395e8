//! What is to happen in simulations, and when.

use std::{collections::BTreeMap, time::Duration};

/// Happenings in the order of their times, and of those of one time the first that was said.
pub(super) struct Happenings<H> {
    /// The time of the last one.
    pub(super) now: Duration,
    coming: BTreeMap<(Duration, u64), H>,
    count: u64,
}

impl<H> Default for Happenings<H> {
    fn default() -> Self {
        Self {
            now: Duration::ZERO,
            coming: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<H> Happenings<H> {
    /// Has something happen at a time, or now where that is over.
    pub(super) fn at(&mut self, at: Duration, what: H) {
        self.count += 1;
        self.coming.insert((at.max(self.now), self.count), what);
    }

    /// The next one, and its time has come. None is left before the end where there is none, and that is the time then.
    pub(super) fn next_until(&mut self, end: Duration) -> Option<H> {
        match self.coming.first_entry() {
            Some(first) if first.key().0 <= end => {
                self.now = first.key().0;
                Some(first.remove())
            }
            _ => {
                self.now = end;
                None
            }
        }
    }
}
