//! When an agent dials again.

use std::time::Duration;

use super::limits::{LONGEST_PAUSE, REFUSED_PAUSE, SHORTEST_PAUSE};
use crate::agent::proto::goodbye::Reason;

/// The pause before an attempt, somewhere in the upper three quarters of what it may be at most: agents that lost
/// their cell together do not come back together.
pub fn pause(failed: u32, reason: Option<Reason>, random: u64) -> Duration {
    let most = match reason {
        Some(Reason::Revoked | Reason::Version) => REFUSED_PAUSE,
        Some(Reason::Superseded | Reason::Limit | Reason::Protocol) => LONGEST_PAUSE,
        _ => SHORTEST_PAUSE
            .saturating_mul(1_u32 << failed.min(10))
            .min(LONGEST_PAUSE),
    };
    let thousandths = u32::try_from(250 + random % 751).unwrap_or(1000);
    most.saturating_mul(thousandths) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_the_longest_and_scatter() {
        for failed in 0..40 {
            for random in [0, 1, 750, 751, u64::MAX] {
                let pause = pause(failed, None, random);
                assert!(pause >= SHORTEST_PAUSE / 4 && pause <= LONGEST_PAUSE);
            }
        }
        assert!(pause(0, None, 750) < pause(3, None, 750));
        let all: std::collections::BTreeSet<_> = (0..1000).map(|r| pause(9, None, r)).collect();
        assert!(all.len() > 700);
    }

    #[test]
    fn who_is_not_wanted_comes_back_rarely() {
        assert!(pause(0, Some(Reason::Revoked), 0) > LONGEST_PAUSE);
        assert!(pause(0, Some(Reason::Leaving), 750) <= SHORTEST_PAUSE);
    }
}
