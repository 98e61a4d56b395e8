//! What a pool's clusters use of its limits.

use crate::scheduler::problem::Offer;
use crate::scheduler::units::{Micros, Resources};

/// What a pool's clusters use, control planes included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub nodes: u64,
    pub size: Resources,
    pub hourly: Micros,
}

impl Usage {
    /// Counts `other` too.
    pub fn add(&mut self, other: Usage) {
        self.nodes += other.nodes;
        self.size += other.size;
        self.hourly += other.hourly;
    }

    pub(super) fn remove(&mut self, other: Usage) {
        self.nodes -= other.nodes;
        self.size -= other.size;
        self.hourly -= other.hourly;
    }

    /// What so many nodes use.
    pub fn of(offer: &Offer, n: u64) -> Usage {
        Usage {
            nodes: n,
            // No limit of a pool speaks of extended resources.
            size: Resources::new(offer.capacity.milli_cores, offer.capacity.mib).times(n),
            hourly: offer.hourly * n as i64,
        }
    }
}
