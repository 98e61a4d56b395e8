//! Fleets as they are sold and asked for: node classes of the usual clouds' shapes and prices, pools
//! with limits and budgets, services of skewed sizes of which some are tied to a region, need
//! compliance, spread over regions or stay near a dependency.

use super::Rng;
use lattice::scheduler::model::{
    Caps, ClusterPolicy, ControlPlaneRule, LatencyBound, Moving, NodeClass, Offer, Policy, Pool,
    Selector, Service, ServiceId, Snapshot,
};
use lattice::scheduler::units::{Micros, Resources};
use std::collections::{BTreeMap, BTreeSet};

/// Micro-dollars per core and hour, and GiB per core, of each family.
const FAMILIES: [(&str, i64, u64); 4] = [
    ("general", 48_000, 4),
    ("compute", 42_500, 2),
    ("memory", 63_000, 8),
    ("arm", 38_500, 4),
];
const CORES: [u64; 5] = [2, 4, 8, 16, 32];
/// Milli-cores of a replica, each as often as its share of a log-normal distribution about 500.
const SIZES: [(u64, u64); 19] = [
    (100, 6),
    (150, 5),
    (200, 6),
    (250, 6),
    (300, 8),
    (400, 9),
    (500, 9),
    (600, 9),
    (750, 9),
    (1000, 8),
    (1250, 6),
    (1500, 5),
    (2000, 5),
    (2500, 3),
    (3000, 2),
    (4000, 2),
    (5000, 1),
    (6000, 1),
    (8000, 1),
];
/// MiB per core.
const RATIOS: [u64; 7] = [1024, 1536, 2048, 3072, 4096, 6144, 8192];
/// Within one region, in milliseconds.
const NEAR: u32 = 5;

/// A fleet of so many services and pools.
pub fn market(seed: u64, services: u64, pools: u64) -> Snapshot {
    let mut rng = Rng(seed);
    let regions = (pools / 5).clamp(3, 30);
    let services = demands(&mut rng, services, regions);
    let cores: u64 = (services.iter())
        .map(|s| s.size.milli_cores * u64::from(s.replicas))
        .sum();
    Snapshot {
        pools: supplies(&mut rng, pools, regions, cores),
        node_classes: classes(),
        policies: policies(),
        services,
        ..Snapshot::default()
    }
}

fn classes() -> Vec<NodeClass> {
    let of = |(family, _, gib): (&str, i64, u64)| {
        CORES.map(|cores| NodeClass {
            name: format!("{family}-{cores}"),
            capacity: Resources::new(cores * 1000, cores * gib * 1024),
            reserved: Resources::new(70 + 10 * cores.min(4), 700 + cores * gib * 31),
            spot: None,
            zone: None,
        })
    };
    FAMILIES.into_iter().flat_map(of).collect()
}

/// Clusters with a hosted control plane, so that all cost is that of workers.
fn policies() -> Vec<Policy> {
    let hosted = ClusterPolicy {
        control_plane: ControlPlaneRule {
            replicas: 0,
            class: None,
        },
        ..ClusterPolicy::default()
    };
    vec![
        Policy {
            name: "hosted".into(),
            cluster_policy: Some(hosted),
            ..Policy::default()
        },
        Policy {
            name: "regions".into(),
            selector: only("spread", "regions"),
            min_regions: Some(2),
            ..Policy::default()
        },
    ]
}

fn only(key: &str, value: &str) -> Selector {
    Selector {
        match_labels: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..Selector::default()
    }
}

fn supplies(rng: &mut Rng, count: u64, regions: u64, cores: u64) -> Vec<Pool> {
    let levels: Vec<i64> = (0..regions).map(|_| 1000 + rng.below(350) as i64).collect();
    let fair = cores / count;
    (0..count)
        .map(|i| {
            let region = i % regions;
            let level = levels[region as usize] * (950 + rng.below(101) as i64) / 1000;
            let most = (fair * (1200 + rng.below(1800)) / 1000).max(128_000);
            let name = format!("region-{region:02}");
            let mut labels =
                BTreeMap::from([("region".to_owned(), BTreeSet::from([name.clone()]))]);
            if (i / regions).is_multiple_of(4) {
                labels.insert("compliance".into(), BTreeSet::from(["gdpr".to_owned()]));
            }
            Pool {
                name: format!("pool-{i:04}"),
                provider: "aws".into(),
                region: name,
                labels,
                caps: Caps {
                    max_nodes: Some((most / (5_000 + rng.below(7_000))).max(8)),
                    max_milli_cores: Some(most),
                    max_mib: Some(most * (3584 + rng.below(3584)) / 1000),
                },
                monthly_budget: Some((most * 36 * (600 + rng.below(900)) / 1000 * 1000) as Micros),
                offers: offers(rng, level),
                ..Pool::default()
            }
        })
        .collect()
}

/// Six of the classes, a large one among them.
fn offers(rng: &mut Rng, level: i64) -> Vec<Offer> {
    let mut all: Vec<(usize, usize)> = (0..FAMILIES.len())
        .flat_map(|f| (0..CORES.len()).map(move |c| (f, c)))
        .collect();
    for i in (1..all.len()).rev() {
        all.swap(i, rng.below(i as u64 + 1) as usize);
    }
    all.truncate(6);
    if !all.iter().any(|&(_, c)| c >= 3) {
        all[0] = (rng.below(4) as usize, 3 + rng.below(2) as usize);
    }
    all.into_iter()
        .map(|(f, c)| Offer {
            class: format!("{}-{}", FAMILIES[f].0, CORES[c]),
            hourly: FAMILIES[f].1 * CORES[c] as i64 * level / 1000,
        })
        .collect()
}

fn demands(rng: &mut Rng, count: u64, regions: u64) -> Vec<Service> {
    let mut services: Vec<Service> = (0..count).map(|i| demand(rng, i, regions)).collect();
    tie(rng, &mut services, regions);
    services
}

fn demand(rng: &mut Rng, i: u64, regions: u64) -> Service {
    let weights: u64 = SIZES.iter().map(|(_, weight)| weight).sum();
    let mut drawn = rng.below(weights);
    let mut milli_cores = SIZES[0].0;
    for (size, weight) in SIZES {
        milli_cores = size;
        if drawn < weight {
            break;
        }
        drawn -= weight;
    }
    let mut mib = milli_cores * rng.pick(&RATIOS) / 1000;
    if rng.chance(10) {
        milli_cores = (milli_cores * (800 + rng.below(400)) / 10_000).max(10) * 10;
        mib = milli_cores * (1024 + rng.below(7168)) / 1000;
    }
    let pinned = rng.chance(30);
    let region = format!("region-{:02}", rng.below(regions));
    let replicas = 1 + rng.below(10) as u32;
    let spread = rng.chance(30) && !pinned && replicas > 1;
    let mut labels = BTreeMap::new();
    if spread {
        labels.insert("spread".to_owned(), "regions".to_owned());
    }
    Service {
        id: ServiceId::new("apps", format!("service-{i:06}")),
        labels,
        priority: 0,
        replicas,
        size: Resources::new(milli_cores, (mib / 16).max(1) * 16),
        pools: if pinned {
            only("region", &region)
        } else {
            Selector::default()
        },
        required_regions: Vec::new(),
        compliance: match rng.chance(10) {
            true => BTreeSet::from(["gdpr".to_owned()]),
            false => BTreeSet::new(),
        },
        one_per_node: false,
        latency: Vec::new(),
        capacity_types: Default::default(),
        moving: Moving::default(),
    }
}

/// Ties a tenth of the services to an earlier one in the same region, where both can be in one.
fn tie(rng: &mut Rng, services: &mut [Service], regions: u64) {
    let everywhere = (1u64 << regions) - 1;
    let mut group: Vec<usize> = (0..services.len()).collect();
    let mut allowed: Vec<u64> = (services.iter())
        .map(|s| match s.pools.match_labels.get("region") {
            Some(name) => 1 << name[7..].parse::<u64>().unwrap_or(0),
            None => everywhere,
        })
        .collect();
    for s in 1..services.len() {
        let d = rng.below(s as u64) as usize;
        let root = group[d];
        let common = allowed[root] & allowed[s];
        let alike = services[s].labels == services[d].labels;
        if rng.chance(90) || common == 0 || !alike || !services[s].labels.is_empty() {
            continue;
        }
        allowed[root] = common;
        group[s] = root;
        services[s].latency.push(LatencyBound {
            dependency: services[d].id.clone(),
            max_ms: NEAR,
        });
    }
}
