//! A replica fits one node's allocatable resources.

use crate::scheduler::problem::{Offer, Problem};
use crate::scheduler::reason::Why;
use crate::scheduler::units::Resources;

/// Whether one of the offers can hold a replica.
pub(crate) fn fits_some(offers: &[Offer], size: Resources) -> bool {
    offers.iter().any(|o| size.fits(o.allocatable))
}

/// Why no node class of a pool can hold a replica, if so.
pub(crate) fn check(problem: &Problem<'_>, size: Resources, pool: usize) -> Option<Why> {
    let offers = &problem.pools[pool].offers;
    if fits_some(offers, size) {
        return None;
    }
    let largest = offers
        .iter()
        .max_by_key(|o| (o.allocatable.milli_cores, o.allocatable.mib))
        .map(|o| {
            let name = problem.snapshot.node_classes[o.class].name.clone();
            (name, o.allocatable)
        });
    Some(Why::TooLarge { size, largest })
}
