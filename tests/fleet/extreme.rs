//! Fleets with numbers at the ends of their types and of the limits, and with nothing.

use super::{Rng, Shape, offers, random};
use lattice::scheduler::limits::{
    MOST_AMOUNT, MOST_IN_ALL, MOST_INTERRUPTIONS, MOST_MIB, MOST_MILLI_CORES, MOST_OF_A_CLUSTER,
    MOST_REPLICAS, MOST_SECONDS, MOST_WEIGHT,
};
use lattice::scheduler::model::{Moving, NodeGroup, Origin, Pin, Snapshot};
use lattice::scheduler::solve;

/// A small random fleet, often with what a decision made of it, in which some numbers are replaced.
pub fn extreme(seed: u64) -> Snapshot {
    let mut rng = Rng(seed);
    let shape = Shape {
        pools: 1 + rng.below(4),
        services: 1 + rng.below(7),
        wild: true,
    };
    let mut snapshot = random(seed, &shape);
    match rng.below(3) {
        0 => offers::add_spot(&mut snapshot, seed),
        1 => offers::add_extended(&mut snapshot, seed),
        _ => {}
    }
    if rng.chance(50) {
        let solution = solve(&snapshot);
        snapshot.clusters = solution.live().map(|d| d.cluster.clone()).collect();
    }
    // Numbers beyond a limit have nothing decided: of many changes hardly a fleet would be left.
    let wild = rng.chance(30);
    for _ in 0..1 + rng.below(6) {
        change(&mut snapshot, &mut rng, wild);
    }
    snapshot
}

/// A number about which something ends, `most` among them; those beyond it only where all are wanted.
fn number(rng: &mut Rng, most: u64, all: bool) -> u64 {
    let within = [0, 1, 2, most / 2, most - 1, most, rng.below(most)];
    let beyond = [
        most + 1,
        u64::MAX,
        u64::MAX / 2,
        i64::MAX as u64,
        u32::MAX.into(),
    ];
    match all && rng.chance(50) {
        true => rng.pick(&beyond),
        false => rng.pick(&within),
    }
}

fn money(rng: &mut Rng, most: u64, all: bool) -> i64 {
    match all && rng.chance(20) {
        true => rng.pick(&[-1, i64::MIN, i64::MIN / 2]),
        false => number(rng, most, all).min(i64::MAX as u64) as i64,
    }
}

/// How many of what is reckoned with one by one: few, or more than can be.
fn count(rng: &mut Rng, all: bool) -> u32 {
    let beyond = [MOST_REPLICAS as u32 + 1, u32::MAX, u32::MAX / 2];
    match all && rng.chance(20) {
        true => rng.pick(&beyond),
        false => rng.pick(&[0, 1, 3, 40, 200]),
    }
}

fn change(snapshot: &mut Snapshot, rng: &mut Rng, all: bool) {
    let at = |rng: &mut Rng, n: usize| rng.below(n as u64) as usize;
    let p = at(rng, snapshot.pools.len());
    let s = at(rng, snapshot.services.len());
    let k = at(rng, snapshot.node_classes.len());
    let q = at(rng, snapshot.policies.len());
    match rng.below(14) {
        0 => {
            for offer in &mut snapshot.pools[p].offers {
                offer.hourly = money(rng, MOST_IN_ALL / 100_000, all);
            }
        }
        1 => snapshot.pools[p].monthly_budget = Some(money(rng, MOST_AMOUNT as u64, all)),
        2 => {
            let caps = &mut snapshot.pools[p].caps;
            caps.max_nodes = Some(number(rng, MOST_MIB, all));
            caps.max_milli_cores = rng.chance(50).then(|| number(rng, MOST_MIB, all));
            caps.max_mib = rng.chance(50).then(|| number(rng, MOST_MIB, all));
        }
        3 => snapshot.node_classes[k].capacity.milli_cores = number(rng, MOST_MILLI_CORES, all),
        4 => snapshot.node_classes[k].capacity.mib = number(rng, MOST_MIB, all),
        5 => snapshot.node_classes[k].reserved.mib = number(rng, u64::MAX - 1, all),
        6 => {
            let often = number(rng, MOST_INTERRUPTIONS, all);
            let class = &mut snapshot.node_classes[k];
            // A class does not become spot capacity: it is another one then.
            class.spot = class.spot.map(|_| often);
        }
        7 => {
            let size = &mut snapshot.services[s].size;
            size.milli_cores = number(rng, MOST_MILLI_CORES, all);
            size.mib = rng.pick(&[0, 1, 4096, MOST_MIB]);
        }
        8 => snapshot.services[s].replicas = count(rng, all),
        9 => {
            let moving = Moving {
                per_replica: Some(money(rng, MOST_AMOUNT as u64, all)),
                horizon_seconds: Some(number(rng, MOST_SECONDS, all)),
                margin: Some(money(rng, MOST_AMOUNT as u64, all)),
            };
            snapshot.services[s].moving = moving;
            snapshot.policies[q].moving = rng.chance(50).then_some(moving);
        }
        // Rules that ask for more machines than there is room for are another matter.
        10 if snapshot.clusters.is_empty() => rules(snapshot, q, rng, all),
        10 => {}
        11 => {
            let policy = &mut snapshot.policies[q];
            policy.min_regions = Some(rng.pick(&[0, 1, 2, u32::MAX]));
            for wish in &mut policy.preferences {
                wish.weight = number(rng, MOST_WEIGHT.into(), all).min(u32::MAX.into()) as u32;
            }
            for spread in &mut policy.spread {
                spread.max_skew = rng.pick(&[1, 2, u32::MAX]);
            }
            policy.priority = rng.pick(&[i64::MIN, -1, 0, i64::MAX]);
            snapshot.services[s].priority = rng.pick(&[i64::MIN, -1, 0, i64::MAX]);
        }
        12 => {
            for latency in &mut snapshot.region_latencies {
                latency.ms = rng.pick(&[0, 1, u32::MAX]);
            }
            for bound in &mut snapshot.services[s].latency {
                bound.max_ms = rng.pick(&[0, u32::MAX]);
            }
            if let Some(cluster) = snapshot.clusters.first() {
                snapshot.pins.push(Pin {
                    service: snapshot.services[s].id.clone(),
                    cluster: cluster.name.clone(),
                    replicas: rng.chance(70).then(|| count(rng, all)),
                });
            }
        }
        _ => cluster(snapshot, s, rng, all),
    }
}

fn rules(snapshot: &mut Snapshot, q: usize, rng: &mut Rng, all: bool) {
    let rules = snapshot.policies[q].cluster_policy.get_or_insert_default();
    let fewest = number(rng, MOST_OF_A_CLUSTER.into(), all).min(u32::MAX.into());
    rules.min_nodes = fewest as u32;
    // Less than the fewest is refused as a policy.
    let most = rules.min_nodes.max(1);
    rules.max_nodes = rng
        .chance(50)
        .then(|| rng.pick(&[most, most.saturating_add(5), u32::MAX]));
    let share = |rng: &mut Rng| rng.chance(50).then(|| rng.pick(&[0, 1, 999_999, u64::MAX]));
    rules.bin_packing_threshold_ppm = share(rng);
    rules.consolidate_below_ppm = share(rng);
    let control = number(rng, MOST_OF_A_CLUSTER.into(), all).min(u32::MAX.into());
    rules.control_plane.replicas = control as u32;
}

fn cluster(snapshot: &mut Snapshot, s: usize, rng: &mut Rng, all: bool) {
    let id = snapshot.services[s].id.clone();
    let Some(cluster) = snapshot.clusters.first_mut() else {
        return;
    };
    match rng.below(3) {
        0 => {
            let workers = cluster.workers.iter().map(|group| group.count);
            let workers = workers.fold(0, u32::saturating_add);
            let fewest = rng.pick(&[0, workers]);
            let resize = (
                fewest,
                rng.pick(&[fewest, fewest.saturating_add(5), u32::MAX]),
            );
            cluster.origin = Origin::Declared {
                resize: rng.chance(70).then_some(resize),
            };
        }
        1 => {
            let declared = matches!(cluster.origin, Origin::Declared { .. });
            if let Some((_, n)) = cluster.control_plane.as_mut().filter(|_| declared) {
                *n = count(rng, all);
            }
        }
        _ => {
            let class = cluster.workers.first().map(|group| group.class.clone());
            let group = NodeGroup {
                class: class.unwrap_or_default(),
                count: count(rng, all),
                services: [(id, count(rng, all))].into(),
            };
            // Twice, so that what is alike is added up.
            cluster.workers.extend([group.clone(), group]);
        }
    }
}
