//! Fleets as input of tests and benches: random ones from a seed, and small ones by hand.

#![allow(dead_code)]

use lattice::scheduler::model::{
    Caps, Cluster, ClusterPolicy, ControlPlaneRule, LatencyBound, Moving, NodeClass, NodeGroup,
    Offer, Origin, Pin, Policy, Pool, Preference, RegionLatency, Selector, Service, ServiceId,
    Snapshot, SortBy, Spread, Topology,
};
use lattice::scheduler::units::Resources;
use std::collections::{BTreeMap, BTreeSet};

/// SplitMix64: small, and the same everywhere.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// So many of a list, in its order.
fn pick_some<T: Copy>(rng: &mut Rng, from: &[T], count: usize) -> Vec<T> {
    let mut all: Vec<usize> = (0..from.len()).collect();
    while all.len() > count {
        all.remove(rng.below(all.len() as u64) as usize);
    }
    all.into_iter().map(|i| from[i]).collect()
}

pub mod edits;
pub mod extreme;
pub mod market;
pub mod offers;
pub mod small;
pub mod tiny;

const REGIONS: [&str; 5] = ["us", "eu", "ap", "sa", "af"];
const LABELS: [&str; 3] = ["soc2", "gdpr", "hipaa"];

/// What a random fleet is made of.
pub struct Shape {
    pub pools: u64,
    pub services: u64,
    /// Tight caps and budgets, pins, closed pools, policies of all sorts.
    pub wild: bool,
}

/// A random fleet.
pub fn random(seed: u64, shape: &Shape) -> Snapshot {
    let mut rng = Rng(seed);
    let mut snapshot = Snapshot {
        node_classes: classes(),
        ..Snapshot::default()
    };
    for i in 0..shape.pools {
        let pool = pool(&mut rng, i, shape);
        snapshot.pools.push(pool);
    }
    snapshot.policies = policies(&mut rng, shape);
    for i in 0..shape.services {
        let service = service(&mut rng, i, shape);
        snapshot.services.push(service);
    }
    if shape.wild {
        snapshot.region_latencies.push(RegionLatency {
            from: "eu".into(),
            to: "us".into(),
            ms: 80,
        });
        if rng.chance(40) {
            declare(&mut rng, &mut snapshot);
        }
    }
    snapshot
}

fn classes() -> Vec<NodeClass> {
    [
        ("small", 2, 8),
        ("medium", 4, 16),
        ("large", 8, 32),
        ("xlarge", 16, 64),
        ("cpu", 16, 32),
        ("memory", 8, 64),
    ]
    .into_iter()
    .map(|(name, cores, gib)| NodeClass {
        name: name.into(),
        capacity: Resources::new(cores * 1000, gib * 1024),
        reserved: Resources::new(100, 256),
        spot: None,
        zone: None,
    })
    .collect()
}

fn pool(rng: &mut Rng, i: u64, shape: &Shape) -> Pool {
    let region = REGIONS[(i % REGIONS.len() as u64) as usize];
    let compliance: BTreeSet<String> = LABELS
        .iter()
        .filter(|_| rng.chance(60))
        .map(|l| (*l).to_owned())
        .collect();
    // Dollars per hour: about 0.048 a core and 0.006 a GiB, ten percent up or down.
    let level = 900 + rng.below(200) as i64;
    let offers = classes()
        .into_iter()
        .filter(|_| !shape.wild || rng.chance(80))
        .map(|class| {
            let cores = class.capacity.milli_cores as i64;
            let gib = (class.capacity.mib / 1024) as i64;
            Offer {
                class: class.name,
                hourly: (cores * 30 + gib * 4500) * level / 1000,
            }
        })
        .collect();
    let tight = shape.wild && rng.chance(40);
    let caps = match (shape.wild, tight) {
        (true, true) => Caps {
            max_nodes: Some(3 + rng.below(8)),
            max_milli_cores: rng.chance(50).then_some(16_000 + rng.below(64) * 1000),
            max_mib: None,
        },
        (true, false) => Caps::default(),
        (false, _) => Caps {
            max_nodes: Some(2_000),
            max_milli_cores: Some(10_000_000),
            max_mib: Some(40_000_000),
        },
    };
    let mut labels = BTreeMap::from([("compliance".to_owned(), compliance)]);
    let tier = rng.pick(&["production", "staging"]);
    labels.insert("tier".into(), BTreeSet::from([tier.to_owned()]));
    Pool {
        name: format!("pool-{i:04}"),
        provider: rng.pick(&["aws", "gcp", "azure"]).into(),
        region: region.into(),
        zone: rng.chance(50).then(|| rng.pick(&["a", "b"]).to_owned()),
        zones: BTreeSet::new(),
        labels,
        caps,
        monthly_budget: (shape.wild && rng.chance(20)).then_some(800_000_000),
        offers,
        closed: (shape.wild && rng.chance(8)).then(|| "suspended".to_owned()),
        shortages: BTreeMap::new(),
    }
}

fn policies(rng: &mut Rng, shape: &Shape) -> Vec<Policy> {
    let production = Policy {
        name: "production-policy".into(),
        selector: selector("env", "production"),
        min_regions: Some(2),
        cluster_policy: Some(ClusterPolicy {
            min_nodes: 3,
            max_nodes: Some(20),
            bin_packing_threshold_ppm: Some(800_000),
            consolidate_below_ppm: Some(300_000),
            ..ClusterPolicy::default()
        }),
        ..Policy::default()
    };
    if !shape.wild {
        let production = Policy {
            min_regions: None,
            ..production
        };
        return vec![production];
    }
    let topology = rng.pick(&[
        Topology::Region,
        Topology::Zone,
        Topology::Pool,
        Topology::Cluster,
        Topology::Provider,
    ]);
    vec![
        production,
        Policy {
            name: "even".into(),
            priority: 5,
            selector: selector("spread", "yes"),
            spread: vec![Spread {
                topology,
                max_skew: 1 + rng.below(2) as u32,
            }],
            ..Policy::default()
        },
        Policy {
            name: "wishes".into(),
            selector: selector("env", "staging"),
            compliance: BTreeSet::from(["soc2".to_owned()]),
            preferences: vec![
                Preference {
                    weight: 50,
                    sort_by: SortBy::Cost,
                    descending: false,
                },
                Preference {
                    weight: 30,
                    sort_by: SortBy::AvailableCapacity,
                    descending: true,
                },
            ],
            cluster_policy: Some(ClusterPolicy {
                max_nodes: Some(6),
                control_plane: ControlPlaneRule {
                    replicas: 0,
                    class: None,
                },
                ..ClusterPolicy::default()
            }),
            ..Policy::default()
        },
    ]
}

fn selector(key: &str, value: &str) -> Selector {
    Selector {
        match_labels: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..Selector::default()
    }
}

fn service(rng: &mut Rng, i: u64, shape: &Shape) -> Service {
    // Skewed sizes: 0.1 to 8 cores, 1 to 8 GiB a core.
    let top = rng.pick(&[500, 1000, 1000, 2000, 4000, 8000]);
    let cores = 100 + rng.below(top - 99);
    let gib_per_core = 1 + rng.below(8);
    let mib = (cores * gib_per_core * 1024 / 1000).clamp(128, 60_000);
    let mut labels = BTreeMap::new();
    if rng.chance(70) {
        let env = rng.pick(&["production", "staging"]);
        labels.insert("env".to_owned(), env.to_owned());
    }
    if shape.wild && rng.chance(30) {
        labels.insert("spread".to_owned(), "yes".to_owned());
    }
    // Services that depend on each other are of one team, and a tame team stays in one region.
    let region = match shape.wild {
        true => rng.pick(&REGIONS),
        false => REGIONS[(i / 8 % REGIONS.len() as u64) as usize],
    };
    let pools = match rng.chance(10) {
        true => selector("tier", "production"),
        false => Selector::default(),
    };
    let compliance = match rng.chance(10) {
        true => BTreeSet::from([rng.pick(&LABELS).to_owned()]),
        false => BTreeSet::new(),
    };
    Service {
        id: id(i),
        labels,
        priority: if shape.wild { rng.below(3) as i64 } else { 0 },
        replicas: 1 + rng.below(if shape.wild { 6 } else { 10 }) as u32,
        size: Resources::new(cores, mib),
        pools,
        required_regions: match rng.chance(30) {
            true => vec![region.to_owned()],
            false => Vec::new(),
        },
        compliance,
        one_per_node: rng.chance(if shape.wild { 70 } else { 50 }),
        latency: latency(rng, i, shape),
        capacity_types: Default::default(),
        moving: Moving::default(),
    }
}

fn latency(rng: &mut Rng, i: u64, shape: &Shape) -> Vec<LatencyBound> {
    if i == 0 || !rng.chance(20) {
        return Vec::new();
    }
    // Always to an earlier service of the same small group, so that there is no cycle and no
    // group without bound; now and then to one that nobody knows.
    let group = i - i % 8;
    let dependency = match shape.wild && rng.chance(5) {
        true => ServiceId::new("apps", "nobody"),
        false => id(group + rng.below(i % 8)),
    };
    match dependency == id(i) {
        true => Vec::new(),
        false => vec![LatencyBound {
            dependency,
            max_ms: rng.pick(&[1, 2, 5, 10, 100, 200]),
        }],
    }
}

fn id(i: u64) -> ServiceId {
    ServiceId::new("apps", format!("service-{i:06}"))
}

/// A cluster that people made, and a service fixed to it.
fn declare(rng: &mut Rng, snapshot: &mut Snapshot) {
    let pool = snapshot.pools[rng.below(snapshot.pools.len() as u64) as usize].clone();
    let Some(offer) = pool.offers.last() else {
        return;
    };
    snapshot.clusters.push(Cluster {
        name: "by-hand".into(),
        pool: pool.name,
        origin: Origin::Declared {
            resize: rng.chance(50).then_some((2, 5)),
        },
        control_plane: None,
        workers: vec![NodeGroup {
            class: offer.class.clone(),
            count: 2 + rng.below(2) as u32,
            services: BTreeMap::new(),
        }],
    });
    let pinned = snapshot.services[0].id.clone();
    snapshot.pins.push(Pin {
        service: pinned,
        cluster: "by-hand".into(),
        replicas: Some(1),
    });
}
