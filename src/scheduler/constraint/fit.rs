//! A replica fits one node's allocatable resources.

use crate::scheduler::model::Service;
use crate::scheduler::problem::{Offer, Problem};
use crate::scheduler::reason::Why;
use crate::scheduler::units::Resources;

/// Whether one of the offers can hold a replica.
pub(crate) fn fits_some(offers: &[Offer], service: &Service) -> bool {
    offers.iter().any(|o| o.holds(service))
}

/// Why no node class of a pool can hold a replica: none is of a type of capacity that it may use, each
/// extended resource of which none has enough, or that it is too large.
pub(crate) fn check(problem: &Problem<'_>, service: &Service, pool: usize) -> Vec<Why> {
    let all = &problem.pools[pool].offers;
    if fits_some(all, service) {
        return Vec::new();
    }
    let short = shortages(problem, service, pool);
    if !short.is_empty() {
        return short;
    }
    let size = service.size;
    let wanted = service.capacity_types;
    let takes = |o: &&Offer| wanted.contains(o.capacity_type);
    let offers: Vec<&Offer> = all.iter().filter(takes).collect();
    if offers.is_empty() && !all.is_empty() {
        return vec![Why::NoCapacityType { wanted }];
    }
    let names = &problem.snapshot.extended;
    let lacking = names.iter().enumerate().filter_map(|(place, resource)| {
        let wanted = size.extended.get(place);
        let has = |offer: &&Offer| offer.allocatable.extended.get(place);
        let most = offers.iter().map(has).max().unwrap_or(0);
        (wanted > most).then(|| Why::LacksExtended {
            resource: resource.clone(),
            wanted,
            most,
        })
    });
    let mut found: Vec<Why> = lacking.collect();
    let plain = Resources::new(size.milli_cores, size.mib);
    if found.is_empty() || !offers.iter().any(|o| plain.fits(o.allocatable)) {
        found.push(too_large(problem, size, &offers));
    }
    found
}

/// What could hold a replica if there were more of it.
fn shortages(problem: &Problem<'_>, service: &Service, pool: usize) -> Vec<Why> {
    let snapshot = problem.snapshot;
    let short = snapshot.pools[pool].shortages.iter();
    let holds = short.filter(|(class, _)| {
        let mut classes = snapshot.node_classes.iter();
        let node = classes.find(|node| node.name == **class);
        node.is_some_and(|node| Offer::new(0, node, 0).holds(service))
    });
    holds
        .map(|(class, shortage)| Why::Shortage {
            class: class.clone(),
            why: shortage.why.clone(),
        })
        .collect()
}

fn too_large(problem: &Problem<'_>, size: Resources, offers: &[&Offer]) -> Why {
    let has_all = |o: &&&Offer| size.extended.fits(o.allocatable.extended);
    let any = offers.iter().any(|o| has_all(&o));
    let largest = offers
        .iter()
        .filter(|o| !any || has_all(o))
        .max_by_key(|o| (o.allocatable.milli_cores, o.allocatable.mib))
        .map(|o| {
            let name = problem.snapshot.node_classes[o.class].name.clone();
            (name, o.allocatable)
        });
    Why::TooLarge { size, largest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::extended::Extended;
    use crate::scheduler::fixtures::{fleet, service, words};
    use crate::scheduler::model::{NodeClass, Offer};

    fn sized(size: Resources) -> Service {
        Service {
            size,
            ..service("web", 1)
        }
    }

    #[test]
    fn a_replica_fits_if_one_class_of_the_pool_has_both_cores_and_memory_left() {
        let mut snapshot = fleet(&[("a", "eu"), ("b", "eu")], &[("web", 1)]);
        snapshot.node_classes[0].reserved = Resources::new(500, 1024);
        snapshot.node_classes.push(NodeClass {
            name: "tall".into(),
            capacity: Resources::new(2000, 32 * 1024),
            reserved: Resources::default(),
            spot: None,
            zone: None,
        });
        snapshot.pools[0].offers.push(Offer {
            class: "tall".into(),
            hourly: 50_000,
        });
        let problem = Problem::new(&snapshot);
        let fits =
            |cores, mib, pool| check(&problem, &sized(Resources::new(cores, mib)), pool).is_empty();
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
    fn extended_resources_that_no_class_has_are_all_named() {
        let mut snapshot = fleet(&[("a", "eu"), ("b", "eu")], &[("web", 1)]);
        snapshot.extended = ["example.com/fpga", "nvidia.com/gpu"]
            .map(String::from)
            .into();
        snapshot.node_classes.push(NodeClass {
            name: "gpu".into(),
            capacity: Resources::new(4000, 4096).with(Extended::new([(1, 2)])),
            reserved: Resources::default(),
            spot: None,
            zone: None,
        });
        snapshot.pools[0].offers.push(Offer {
            class: "gpu".into(),
            hourly: 500_000,
        });
        let problem = Problem::new(&snapshot);
        let of = |gib: u64, extended: &[(usize, u64)], pool| {
            let asked = Extended::new(extended.iter().copied());
            words(check(
                &problem,
                &sized(Resources::new(1000, gib * 1024).with(asked)),
                pool,
            ))
        };
        assert_eq!(of(4, &[(1, 2)], 0), [""; 0]);
        assert_eq!(of(4, &[(1, 2)], 1), ["No node class with nvidia.com/gpu"]);
        assert_eq!(
            of(4, &[(0, 1), (1, 3)], 0),
            [
                "No node class with example.com/fpga",
                "No node class with 3 nvidia.com/gpu: the most is 2"
            ]
        );
        assert_eq!(
            of(8, &[(1, 1)], 0),
            [
                "A replica of 1 cores / 8 Gi fits no node class: the largest, gpu, leaves 4 cores / 4 Gi"
            ],
            "of those that have what it asks for"
        );
        assert_eq!(of(16, &[(1, 1)], 1).len(), 2, "both are the matter");
    }

    #[test]
    fn the_largest_class_is_named() {
        let mut snapshot = fleet(&[("a", "eu"), ("b", "eu")], &[("web", 1)]);
        snapshot.pools[1].offers.clear();
        let problem = Problem::new(&snapshot);
        let of = |pool| words(check(&problem, &sized(Resources::new(16_000, 1024)), pool));
        assert_eq!(
            of(0),
            [
                "A replica of 16 cores / 1 Gi fits no node class: the largest, small, leaves 4 cores / 8 Gi"
            ]
        );
        assert_eq!(
            check(&problem, &sized(Resources::default()), 1),
            [Why::TooLarge {
                size: Resources::default(),
                largest: None
            }],
            "where nothing is sold, nothing fits"
        );
    }
}
