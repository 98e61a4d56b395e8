//! What not every fleet has, put into random ones.

use super::Rng;
use lattice::scheduler::capacity::{CapacityType, CapacityTypes};
use lattice::scheduler::extended::Extended;
use lattice::scheduler::model::{
    Expression, NodeClass, Offer, Operator, Policy, Selector, Snapshot, Spread, Topology,
};
use lattice::scheduler::units::Resources;
use lattice::scheduler::zones::in_zone;
use std::collections::{BTreeMap, BTreeSet};

/// Puts machines with two extended resources into some pools, and has some services ask for them.
pub fn add_extended(snapshot: &mut Snapshot, seed: u64) {
    let mut rng = Rng(seed ^ 0xe47e);
    snapshot.extended = ["example.com/fpga", "nvidia.com/gpu"]
        .map(String::from)
        .into();
    for (name, amounts, price) in [
        ("gpu", [(1, 1), (1, 0)], 600_000),
        ("gpus", [(1, 4), (1, 0)], 2_000_000),
        ("both", [(0, 2), (1, 1)], 1_200_000),
    ] {
        let amounts = amounts.into_iter().filter(|(_, n)| *n > 0);
        snapshot.node_classes.push(NodeClass {
            name: name.into(),
            capacity: Resources::new(8_000, 32 * 1024).with(Extended::new(amounts)),
            reserved: Resources::new(100, 256),
            spot: None,
            zone: None,
        });
        for pool in &mut snapshot.pools {
            if rng.chance(60) {
                pool.offers.push(Offer {
                    class: name.into(),
                    hourly: price + rng.below(100_000) as i64,
                });
            }
        }
    }
    for service in &mut snapshot.services {
        if rng.chance(25) {
            let place = usize::from(rng.chance(80));
            service.size.extended = Extended::new([(place, 1 + rng.below(2))]);
        }
    }
}

/// Sells some classes as spot capacity in some pools, and has some services run on it.
pub fn add_spot(snapshot: &mut Snapshot, seed: u64) {
    let mut rng = Rng(seed ^ 0x5907);
    let firm = snapshot.node_classes.clone();
    for class in firm {
        if !rng.chance(60) {
            continue;
        }
        let name = CapacityType::Spot.offer(&class.name);
        for pool in &mut snapshot.pools {
            let sold = pool.offers.iter().find(|o| o.class == class.name);
            if let Some(hourly) = sold.map(|o| o.hourly).filter(|_| rng.chance(70)) {
                pool.offers.push(Offer {
                    class: name.clone(),
                    hourly: hourly * (20 + rng.below(70) as i64) / 100,
                });
            }
        }
        snapshot.node_classes.push(NodeClass {
            name,
            spot: Some(rng.below(20_000_000)),
            ..class
        });
    }
    for service in &mut snapshot.services {
        service.capacity_types = match rng.below(4) {
            0 => CapacityTypes::ALL,
            1 => CapacityTypes {
                on_demand: false,
                spot: true,
            },
            _ => CapacityTypes::default(),
        };
    }
}

const ZONES: [&str; 3] = ["a", "b", "c"];

/// Gives some pools several zones, and has some services spread over zones or choose among them.
pub fn add_zones(snapshot: &mut Snapshot, seed: u64) {
    let mut rng = Rng(seed ^ 0x2072e);
    for pool in &mut snapshot.pools {
        if rng.chance(70) {
            let count = 2 + rng.below(2) as usize;
            pool.zones = some(&mut rng, count);
            pool.zone = None;
        }
    }
    snapshot.sell_in_zones();
    snapshot.policies.push(Policy {
        name: "zones".into(),
        selector: Selector {
            match_labels: BTreeMap::from([("zones".to_owned(), "yes".to_owned())]),
            ..Selector::default()
        },
        spread: vec![Spread {
            topology: Topology::Zone,
            max_skew: 1 + rng.below(2) as u32,
        }],
        ..Policy::default()
    });
    for service in &mut snapshot.services {
        if rng.chance(35) {
            service.labels.insert("zones".into(), "yes".into());
        }
        if rng.chance(20) {
            let count = 1 + rng.below(2) as usize;
            service.pools.match_expressions.push(Expression {
                key: "zone".into(),
                operator: rng.pick(&[Operator::In, Operator::NotIn]),
                values: some(&mut rng, count),
            });
        }
    }
    // Machines that people made are in some zone, or nobody knows in which.
    for cluster in &mut snapshot.clusters {
        let zones = snapshot.pools.iter().find(|pool| pool.name == cluster.pool);
        let zone = zones.and_then(|pool| pool.zones.first());
        for group in &mut cluster.workers {
            if let Some(zone) = zone.filter(|_| rng.chance(50)) {
                group.class = in_zone(&group.class, zone);
            }
        }
    }
}

fn some(rng: &mut Rng, count: usize) -> BTreeSet<String> {
    let picked = super::pick_some(rng, &ZONES, count).into_iter();
    picked.map(str::to_owned).collect()
}
