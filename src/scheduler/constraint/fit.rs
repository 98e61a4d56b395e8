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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::fixtures::{fleet, words};
    use crate::scheduler::model::{NodeClass, Offer};

    #[test]
    fn a_replica_fits_if_one_class_of_the_pool_has_both_cores_and_memory_left() {
        let mut snapshot = fleet(&[("a", "eu"), ("b", "eu")], &[("web", 1)]);
        snapshot.node_classes[0].reserved = Resources::new(500, 1024);
        snapshot.node_classes.push(NodeClass {
            name: "tall".into(),
            capacity: Resources::new(2000, 32 * 1024),
            reserved: Resources::default(),
        });
        snapshot.pools[0].offers.push(Offer {
            class: "tall".into(),
            hourly: 50_000,
        });
        let problem = Problem::new(&snapshot);
        let fits = |cores, mib, pool| check(&problem, Resources::new(cores, mib), pool).is_none();
        assert!(fits(3500, 7168, 0));
        assert!(fits(2000, 32 * 1024, 0));
        assert!(!fits(3501, 7168, 0), "what is reserved cannot be used");
        assert!(
            !fits(3500, 8192, 0),
            "cores of one class, memory of another"
        );
        assert!(!fits(2000, 32 * 1024, 1), "another pool's class");
    }

    #[test]
    fn the_largest_class_is_named() {
        let mut snapshot = fleet(&[("a", "eu"), ("b", "eu")], &[("web", 1)]);
        snapshot.pools[1].offers.clear();
        let problem = Problem::new(&snapshot);
        let of = |pool| words(check(&problem, Resources::new(16_000, 1024), pool));
        assert_eq!(
            of(0),
            [
                "A replica of 16 cores / 1 Gi fits no node class: the largest, small, leaves 4 cores / 8 Gi"
            ]
        );
        assert_eq!(
            check(&problem, Resources::default(), 1),
            Some(Why::TooLarge {
                size: Resources::default(),
                largest: None
            }),
            "where nothing is sold, nothing fits"
        );
    }
}
