//! How many messages a peer may send.

use std::time::Duration;

use super::limits::{BURST, MESSAGES_PER_SECOND};

/// A bucket of permissions that fills with time.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// In thousandths of a message.
    left: u64,
    filled: Duration,
}

const FULL: u64 = BURST as u64 * 1000;

impl Pace {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            left: FULL,
            filled: now,
        }
    }

    /// Whether one more message is within the limit.
    pub(super) fn take(&mut self, now: Duration) -> bool {
        let millis = now.saturating_sub(self.filled).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        let gained = millis.saturating_mul(u64::from(MESSAGES_PER_SECOND));
        if gained > 0 {
            self.filled = now;
        }
        self.left = self.left.saturating_add(gained).min(FULL);
        match self.left.checked_sub(1000) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_so_many_a_second() {
        let mut pace = Pace::new(Duration::ZERO);
        let mut taken = |millis| {
            let now = Duration::from_millis(millis);
            std::iter::from_fn(|| pace.take(now).then_some(())).count()
        };
        assert_eq!(taken(0), BURST as usize);
        assert_eq!(taken(1000), MESSAGES_PER_SECOND as usize);
        assert_eq!(taken(3_600_000), BURST as usize);
    }
}
