//! What a pool sells, in whatever zone and in each.

use super::capacity::{self, CapacityType};
use super::domains::Domains;
use super::model::{NodeClass, Pool, Service, Snapshot, Topology};
use super::units::{Micros, Resources};
use super::zones::in_zone;
use std::collections::BTreeMap;

/// A node class as one pool sells it.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    /// Index of the class in the snapshot.
    pub class: usize,
    pub hourly: Micros,
    pub capacity: Resources,
    pub allocatable: Resources,
    pub capacity_type: CapacityType,
    /// What the risk to one replica is taken to cost an hour.
    pub risk: Micros,
    /// Which of its pool's zones it is in; none where the pool has no several, and until one is chosen.
    pub zone: Option<usize>,
}

impl Offer {
    pub fn new(class: usize, node: &NodeClass, hourly: Micros) -> Self {
        Offer {
            class,
            hourly,
            capacity: node.capacity,
            allocatable: node.allocatable(),
            capacity_type: node.capacity_type(),
            risk: capacity::risk(node.spot.unwrap_or(0)),
            zone: None,
        }
    }

    /// Whether an empty node may take a replica.
    pub fn holds(&self, service: &Service) -> bool {
        service.size.fits(self.allocatable) && service.capacity_types.contains(self.capacity_type)
    }
}

/// A pool's offers, those on demand first, each type cheapest first, and the domains it belongs to. Of several
/// zones the offers are the same, and listed once, without a zone.
#[derive(Debug)]
pub(crate) struct PoolView {
    pub offers: Vec<Offer>,
    /// What is sold no more for the time being. Nodes that are there of it stay.
    kept: Vec<Offer>,
    pub zones: Zones,
    domains: BTreeMap<Topology, usize>,
}

impl PoolView {
    pub fn new(
        snapshot: &Snapshot,
        pool: &Pool,
        domains: &Domains,
        classes: &BTreeMap<String, usize>,
    ) -> Self {
        let (offers, by_zone) = offers(pool, snapshot, classes);
        PoolView {
            offers,
            kept: kept(pool, snapshot, classes),
            zones: Zones {
                offers: by_zone,
                domains: domains.zones.clone(),
                unknown: domains.unknown_zone,
            },
            domains: domains.whole.clone(),
        }
    }

    /// Follows the prices of the pool.
    pub fn reprice(&mut self, snapshot: &Snapshot, pool: &Pool, classes: &BTreeMap<String, usize>) {
        (self.offers, self.zones.offers) = offers(pool, snapshot, classes);
        self.kept = kept(pool, snapshot, classes);
    }

    /// The domain of all of it, if it is in one.
    pub fn domain(&self, topology: Topology) -> Option<usize> {
        self.domains.get(&topology).copied()
    }

    /// What fills clusters up, and what control planes are of.
    pub fn on_demand(&self) -> impl Iterator<Item = &Offer> {
        (self.offers.iter()).take_while(|o| o.capacity_type.is_on_demand())
    }

    pub fn offer_of(&self, class: usize) -> Option<&Offer> {
        let mut all = self.offers.iter().chain(self.zones.offers.iter().flatten());
        all.find(|o| o.class == class).or_else(|| self.kept(class))
    }

    /// What is sold no more for the time being.
    pub fn kept(&self, class: usize) -> Option<&Offer> {
        self.kept.iter().find(|o| o.class == class)
    }

    /// What nodes may be of: what is sold, and what is sold no more.
    pub fn sold_or_kept(&self) -> impl Iterator<Item = &Offer> {
        self.offers.iter().chain(&self.kept)
    }

    /// The same offer in one of the pool's zones.
    pub fn in_zone(&self, offer: &Offer, zone: usize) -> Option<&Offer> {
        let at = self.offers.iter().position(|o| o.class == offer.class)?;
        self.zones.offers.get(zone)?.get(at)
    }

    /// The same offer where another node is, if that is known.
    pub fn beside(&self, offer: &Offer, node: &Offer) -> Option<Offer> {
        match (self.zones.are_several(), node.zone) {
            (false, _) => Some(offer.clone()),
            (true, Some(zone)) => self.in_zone(offer, zone).cloned(),
            (true, None) => None,
        }
    }
}

/// The zones of a pool: several to choose from, or the one that all of it is.
#[derive(Debug)]
pub(crate) struct Zones {
    /// The domains: of several zones, in the order of the snapshot.
    pub domains: Vec<usize>,
    /// For each of several zones the pool's offers there, in the order of its offers.
    offers: Vec<Vec<Offer>>,
    /// The domain of nodes of which the zone is not known.
    unknown: usize,
}

impl Zones {
    /// Whether there is a choice to make.
    pub fn are_several(&self) -> bool {
        !self.offers.is_empty()
    }

    /// The domain of a node.
    pub fn domain(&self, zone: Option<usize>) -> usize {
        zone.map_or(self.unknown, |zone| self.domains[zone])
    }

    /// The domains that a node may be in.
    pub fn all(&self) -> impl Iterator<Item = usize> {
        let unknown = (!self.domains.contains(&self.unknown)).then_some(self.unknown);
        self.domains.iter().copied().chain(unknown)
    }

    /// How many there are to choose from.
    pub fn count(&self) -> usize {
        self.offers.len()
    }
}

/// What a pool has no more of, each in whatever zone and in each of its zones.
fn kept(pool: &Pool, snapshot: &Snapshot, classes: &BTreeMap<String, usize>) -> Vec<Offer> {
    let short = pool
        .offers
        .iter()
        .filter(|o| pool.shortage(&o.class).is_some());
    let mut kept: Vec<Offer> = short
        .filter_map(|offer| {
            let class = *classes.get(offer.class.as_str())?;
            let node = &snapshot.node_classes[class];
            let mut zones = pool.zones.iter();
            Some(Offer {
                zone: zones.position(|zone| node.zone.as_ref() == Some(zone)),
                ..Offer::new(class, node, offer.hourly)
            })
        })
        .collect();
    kept.sort_by_key(|o| (o.capacity_type, o.hourly, o.class));
    kept
}

/// What a pool sells in whatever zone, and the same in each of its zones.
fn offers(
    pool: &Pool,
    snapshot: &Snapshot,
    classes: &BTreeMap<String, usize>,
) -> (Vec<Offer>, Vec<Vec<Offer>>) {
    let sold: BTreeMap<&str, Offer> = (pool.sold())
        .filter_map(|offer| {
            let class = *classes.get(offer.class.as_str())?;
            let node = &snapshot.node_classes[class];
            Some((offer.class.as_str(), Offer::new(class, node, offer.hourly)))
        })
        .collect();
    let name = |o: &Offer| snapshot.node_classes[o.class].name.as_str();
    let in_every_zone = |offer: &Offer| {
        let mut zones = pool.zones.iter();
        zones.all(|zone| sold.contains_key(in_zone(name(offer), zone).as_str()))
    };
    let mut offers: Vec<Offer> = (sold.values())
        .filter(|offer| snapshot.node_classes[offer.class].zone.is_none())
        .filter(|offer| in_every_zone(offer))
        .cloned()
        .collect();
    offers.sort_by_key(|o| (o.capacity_type, o.hourly, o.class));
    let there = |at: usize, zone: &String| -> Vec<Offer> {
        let zoned = offers
            .iter()
            .filter_map(|o| sold.get(in_zone(name(o), zone).as_str()));
        let zoned = zoned.map(|o| Offer {
            zone: Some(at),
            ..o.clone()
        });
        zoned.collect()
    };
    let zones = pool.zones.iter().enumerate();
    let by_zone = zones.map(|(at, zone)| there(at, zone)).collect();
    (offers, by_zone)
}
