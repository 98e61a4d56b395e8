//! Ranking by the price of a replica's share of a node.

use crate::scheduler::model::Service;
use crate::scheduler::problem::{Offer, Problem};
use crate::scheduler::units::{Micros, PPM, Resources};
use std::collections::BTreeMap;

/// Price of a replica's dominant share of one node, rounded up.
pub(crate) fn share(offer: &Offer, size: Resources) -> Micros {
    let room = offer.allocatable;
    let part = |used: u64, room: u64| {
        let room = room.max(1);
        // Wide division is slow, and hardly ever needed.
        match (offer.hourly as u64).checked_mul(used) {
            Some(product) => product.div_ceil(room) as Micros,
            None => (u128::from(offer.hourly as u64) * u128::from(used)).div_ceil(u128::from(room))
                as Micros,
        }
    };
    let plain = part(size.milli_cores, room.milli_cores).max(part(size.mib, room.mib));
    let extended = size.extended.iter();
    extended
        .map(|(place, asked)| part(asked, room.extended.get(place)))
        .fold(plain, Micros::max)
}

/// Price of a replica's share of the cheapest node class in a pool that fits it.
pub(crate) fn in_pool(problem: &Problem<'_>, service: &Service, pool: usize) -> Option<Micros> {
    problem.pools[pool]
        .offers
        .iter()
        .filter(|o| o.holds(service))
        .map(|o| share(o, service.size))
        .min()
}

/// The prices of one service's replica in all pools where it may run.
pub(crate) struct Prices {
    by_pool: BTreeMap<usize, Micros>,
    bounds: Option<(Micros, Micros)>,
}

impl Prices {
    pub fn new(problem: &Problem<'_>, s: usize) -> Self {
        let service = problem.service(s);
        let by_pool: BTreeMap<usize, Micros> = problem.demands[s]
            .usable
            .iter()
            .filter_map(|&p| Some((p, in_pool(problem, service, p)?)))
            .collect();
        let bounds = by_pool
            .values()
            .min()
            .zip(by_pool.values().max())
            .map(|(least, most)| (*least, *most));
        Prices { by_pool, bounds }
    }

    /// The least price anywhere: the reference price.
    pub fn least(&self) -> Option<Micros> {
        self.bounds.map(|(least, _)| least)
    }

    /// 0 in the cheapest pool, one million in the dearest.
    pub fn rank(&self, pool: usize) -> u64 {
        match (self.bounds, self.by_pool.get(&pool)) {
            (Some((least, most)), Some(price)) if most > least => {
                let above = i128::from(price - least) * i128::from(PPM);
                (above / i128::from(most - least)) as u64
            }
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::extended::Extended;
    use crate::scheduler::model::NodeClass;

    #[test]
    fn the_dominant_resource_decides_the_share() {
        let node = NodeClass {
            capacity: Resources::new(4000, 16384),
            ..NodeClass::default()
        };
        let offer = Offer::new(0, &node, 192_000);
        assert_eq!(share(&offer, Resources::new(2000, 4096)), 96_000);
        assert_eq!(share(&offer, Resources::new(100, 16384)), 192_000);
        assert_eq!(share(&offer, Resources::new(1, 1)), 48);
        let mut offer = offer;
        offer.allocatable.extended = Extended::new([(0, 4)]);
        let asking = |n| Resources::new(2000, 4096).with(Extended::new([(0, n)]));
        assert_eq!(share(&offer, asking(1)), 96_000);
        assert_eq!(share(&offer, asking(3)), 144_000);
    }
}
