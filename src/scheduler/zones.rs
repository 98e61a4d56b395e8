//! Zones of a pool: what it sells in each of them is an offer of its own.

use super::model::{NodeClass, Offer, Snapshot};
use std::collections::BTreeSet;

/// Between the name of an offer and the zone. No name of an object has it.
const IN: char = '@';

/// The name of an offer in one of a pool's zones: `large@a`, `large/spot@a`.
pub fn in_zone(offer: &str, zone: &str) -> String {
    format!("{offer}{IN}{zone}")
}

/// The name of an offer in a zone, or of whatever zone where none is stated.
pub(crate) fn stated(offer: String, zone: &str) -> String {
    match zone {
        "" => offer,
        zone => in_zone(&offer, zone),
    }
}

/// An offer and its zone, from the name that [`in_zone`] makes of them.
pub fn zone_of(offer: &str) -> (&str, Option<&str>) {
    match offer.split_once(IN) {
        Some((offer, zone)) => (offer, Some(zone)),
        None => (offer, None),
    }
}

impl Snapshot {
    /// Has every pool with several zones sell in each of them what it sells. What is of no zone is left to be
    /// sold besides: control planes are of that.
    pub fn sell_in_zones(&mut self) {
        let mut known: BTreeSet<String> =
            self.node_classes.iter().map(|c| c.name.clone()).collect();
        for pool in &mut self.pools {
            pool.offers
                .retain(|offer| zone_of(&offer.class).1.is_none());
            let sold = pool.offers.clone();
            for (zone, offer) in
                (pool.zones.iter()).flat_map(|zone| sold.iter().map(move |o| (zone, o)))
            {
                let name = in_zone(&offer.class, zone);
                let class = self.node_classes.iter().find(|c| c.name == offer.class);
                if let Some(class) = class.filter(|_| known.insert(name.clone())) {
                    self.node_classes.push(NodeClass {
                        name: name.clone(),
                        zone: Some(zone.clone()),
                        ..class.clone()
                    });
                }
                pool.offers.push(Offer {
                    class: name,
                    ..offer.clone()
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::capacity::{CapacityType, class_of};
    use crate::scheduler::fixtures::fleet;

    #[test]
    fn an_offer_in_a_zone_is_named_and_read_back() {
        let spot = in_zone(&CapacityType::Spot.offer("m5.large"), "us-east-1a");
        assert_eq!(spot, "m5.large/spot@us-east-1a");
        assert_eq!(zone_of(&spot), ("m5.large/spot", Some("us-east-1a")));
        assert_eq!(class_of(&spot), ("m5.large", CapacityType::Spot));
        assert_eq!(class_of("large@1"), ("large", CapacityType::OnDemand));
        assert_eq!(zone_of("large"), ("large", None));
    }

    #[test]
    fn a_pool_sells_in_each_of_its_zones_and_pools_share_classes() {
        let mut snapshot = fleet(&[("a", "eu"), ("b", "us"), ("c", "us")], &[]);
        for pool in &mut snapshot.pools[..2] {
            pool.zones = ["1", "2"].map(String::from).into();
        }
        snapshot.sell_in_zones();
        let again = {
            let mut again = snapshot.clone();
            again.sell_in_zones();
            again
        };
        assert_eq!(again, snapshot);
        let names =
            |offers: &[Offer]| -> Vec<String> { offers.iter().map(|o| o.class.clone()).collect() };
        assert_eq!(
            names(&snapshot.pools[0].offers),
            ["small", "small@1", "small@2"]
        );
        assert_eq!(names(&snapshot.pools[2].offers), ["small"]);
        assert_eq!(snapshot.node_classes.len(), 3);
        assert_eq!(snapshot.node_classes[2].zone.as_deref(), Some("2"));
    }
}
