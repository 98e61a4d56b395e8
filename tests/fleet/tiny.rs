//! Fleets small enough to be solved to the optimum by other means, with every rule now and then.

use super::{Rng, pick_some, selector};
use lattice::scheduler::model::{
    Caps, ClusterPolicy, ControlPlaneRule, LatencyBound, NodeClass, Offer, Policy, Pool,
    Preference, RegionLatency, Selector, Service, ServiceId, Snapshot, SortBy, Spread, Topology,
};
use lattice::scheduler::units::Resources;
use std::collections::{BTreeMap, BTreeSet};

const REGIONS: [&str; 3] = ["ap", "eu", "us"];
const LABELS: [&str; 2] = ["gdpr", "soc2"];
/// Name, cores, GiB and milli-dollars per hour.
const CLASSES: [(&str, u64, u64, i64); 5] = [
    ("compute", 8, 16, 340),
    ("large", 8, 32, 384),
    ("medium", 4, 16, 192),
    ("memory", 4, 32, 252),
    ("small", 2, 8, 96),
];

/// The largest that a tiny fleet gets.
pub struct Limits {
    pub services: u64,
    pub pools: u64,
    pub classes: usize,
    pub replicas: u64,
}

/// A random fleet within these limits, of which nothing runs yet.
pub fn tiny(seed: u64, limits: &Limits) -> Snapshot {
    let mut rng = Rng(seed);
    let count = 1 + rng.below(limits.classes as u64) as usize;
    let classes = pick_some(&mut rng, &CLASSES, count);
    let pools = 1 + rng.below(limits.pools);
    let services = 1 + rng.below(limits.services);
    // Without limits that bind it is prices and overhead that decide.
    let tight = rng.chance(50);
    let mut snapshot = Snapshot {
        pools: (0..pools)
            .map(|i| pool(&mut rng, i, &classes, tight))
            .collect(),
        node_classes: classes.iter().map(class).collect(),
        policies: policies(&mut rng),
        ..Snapshot::default()
    };
    for i in 0..services {
        let service = service(&mut rng, i, limits.replicas);
        snapshot.services.push(service);
    }
    if rng.chance(50) {
        snapshot.region_latencies.push(RegionLatency {
            from: "eu".into(),
            to: "us".into(),
            ms: 80,
        });
    }
    snapshot
}

fn class(&(name, cores, gib, _): &(&str, u64, u64, i64)) -> NodeClass {
    NodeClass {
        name: name.into(),
        capacity: Resources::new(cores * 1000, gib * 1024),
        reserved: Resources::new(100, 256),
        spot: None,
        zone: None,
    }
}

fn pool(rng: &mut Rng, i: u64, classes: &[(&str, u64, u64, i64)], tight: bool) -> Pool {
    let level = 85 + rng.below(31) as i64;
    let offers: Vec<Offer> = classes
        .iter()
        .filter(|_| rng.chance(80))
        .map(|(name, _, _, price)| Offer {
            class: (*name).into(),
            // Whole milli-dollars, so that sums are exact also in floating point.
            hourly: price * level / 100 * 1000,
        })
        .collect();
    let limit = |rng: &mut Rng, unit: u64, from: u64, below: u64| {
        (tight && rng.chance(30)).then(|| (from + rng.below(below)) * unit)
    };
    let held = rng.below(3) as usize;
    let held = pick_some(rng, &LABELS, held);
    Pool {
        name: format!("pool-{i}"),
        provider: rng.pick(&["aws", "gcp"]).into(),
        region: rng.pick(&REGIONS).into(),
        zone: rng.chance(50).then(|| rng.pick(&["a", "b"]).to_owned()),
        zones: BTreeSet::new(),
        labels: BTreeMap::from([
            (
                "compliance".to_owned(),
                held.iter().map(|l| (*l).to_owned()).collect(),
            ),
            (
                "tier".to_owned(),
                BTreeSet::from([rng.pick(&["edge", "core"]).to_owned()]),
            ),
        ]),
        caps: Caps {
            max_nodes: limit(rng, 1, 1, 8),
            max_milli_cores: limit(rng, 1000, 4, 40),
            max_mib: limit(rng, 1024, 16, 160),
        },
        monthly_budget: limit(rng, 72_000_000, 1, 24).map(|b| b as i64),
        offers,
        closed: (tight && rng.chance(10)).then(|| "suspended".to_owned()),
        shortages: BTreeMap::new(),
    }
}

fn policies(rng: &mut Rng) -> Vec<Policy> {
    let mut policies = vec![
        Policy {
            name: "everything".into(),
            cluster_policy: rng.chance(70).then(|| cluster_policy(rng)),
            ..Policy::default()
        },
        Policy {
            name: "production".into(),
            priority: 10,
            selector: selector("env", "production"),
            min_regions: rng.chance(50).then_some(2),
            cluster_policy: rng.chance(50).then(|| cluster_policy(rng)),
            ..Policy::default()
        },
    ];
    if rng.chance(40) {
        policies.push(Policy {
            name: "even".into(),
            priority: 5,
            selector: selector("spread", "yes"),
            spread: vec![Spread {
                topology: rng.pick(&[
                    Topology::Region,
                    Topology::Zone,
                    Topology::Pool,
                    Topology::Cluster,
                    Topology::Provider,
                ]),
                max_skew: 1 + rng.below(2) as u32,
            }],
            ..Policy::default()
        });
    }
    if rng.chance(25) {
        policies.push(Policy {
            name: "wishes".into(),
            compliance: match rng.chance(30) {
                true => BTreeSet::from(["soc2".to_owned()]),
                false => BTreeSet::new(),
            },
            preferences: vec![Preference {
                weight: 1 + rng.below(100) as u32,
                sort_by: SortBy::Cost,
                descending: rng.chance(50),
            }],
            ..Policy::default()
        });
    }
    policies
}

fn cluster_policy(rng: &mut Rng) -> ClusterPolicy {
    let min_nodes = rng.pick(&[0, 0, 1, 2, 3]);
    ClusterPolicy {
        min_nodes,
        max_nodes: rng
            .chance(40)
            .then(|| min_nodes.max(2) + rng.below(4) as u32),
        control_plane: ControlPlaneRule {
            replicas: rng.pick(&[0, 0, 1, 3]),
            class: None,
        },
        ..ClusterPolicy::default()
    }
}

fn service(rng: &mut Rng, i: u64, most: u64) -> Service {
    let cores = rng.pick(&[100, 250, 500, 750, 1000, 1500, 2000, 3000]);
    let mib_per_core = rng.pick(&[1024, 2048, 4096, 8192]);
    let mut labels = BTreeMap::new();
    if rng.chance(50) {
        labels.insert("env".to_owned(), "production".to_owned());
    }
    if rng.chance(40) {
        labels.insert("spread".to_owned(), "yes".to_owned());
    }
    Service {
        id: id(i),
        labels,
        priority: rng.below(3) as i64,
        replicas: 1 + rng.below(most) as u32,
        size: Resources::new(cores, cores * mib_per_core / 1000),
        pools: match rng.chance(15) {
            true => selector("tier", "core"),
            false => Selector::default(),
        },
        required_regions: match rng.chance(15) {
            true => vec![rng.pick(&["eu", "us", "pool-0"]).to_owned()],
            false => Vec::new(),
        },
        compliance: match rng.chance(15) {
            true => BTreeSet::from([rng.pick(&LABELS).to_owned()]),
            false => BTreeSet::new(),
        },
        one_per_node: rng.chance(50),
        latency: match i > 0 && rng.chance(25) {
            true => vec![LatencyBound {
                dependency: id(rng.below(i)),
                max_ms: rng.pick(&[1, 2, 5, 100, 200]),
            }],
            false => Vec::new(),
        },
        capacity_types: Default::default(),
        moving: Default::default(),
    }
}

fn id(i: u64) -> ServiceId {
    ServiceId::new("apps", format!("service-{i:02}"))
}
