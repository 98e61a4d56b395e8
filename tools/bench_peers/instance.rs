//! Instances and plans as both sides read and write them, and instances by seed.

use crate::fleet::Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A node type: what pods can use of one node, and its price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Class {
    pub name: String,
    pub milli_cores: u64,
    pub mib: u64,
    pub max_pods: u64,
    pub hourly_micros: i64,
}

/// A number of equal pods.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    pub name: String,
    pub milli_cores: u64,
    pub mib: u64,
    pub replicas: u32,
}

/// One problem: all services on nodes of these classes, as cheap as can be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Instance {
    pub classes: Vec<Class>,
    pub services: Vec<Service>,
}

/// A node with the pods of each service on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub class: String,
    pub services: BTreeMap<String, u32>,
}

/// What a scheduler made of an instance, by its own account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Version of the scheduler.
    pub version: String,
    /// Threads it was given.
    pub threads: usize,
    /// How often it solved; the fastest counts.
    pub runs: usize,
    pub milliseconds: f64,
    pub hourly_micros: i64,
    pub nodes: Vec<Node>,
}

/// What is short at the prices of an instance, which decides how hard it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// Cores: the cheapest node for a core has memory to spare, and what fits by its cores fits.
    Cores,
    /// Cores and memory: a node is full only if what is on it is right in both.
    Both,
}

/// A family with its GiB a core and the micro-dollars an hour of two cores: list prices of one large
/// cloud, linear in size.
type Family = (&'static str, u64, i64);

impl Short {
    pub const ALL: [Short; 2] = [Short::Cores, Short::Both];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Short::Cores => "cores",
            Short::Both => "cores and memory",
        }
    }

    fn families(self) -> [Family; 4] {
        match self {
            Short::Cores => [
                ("c5", 2, 85_000),
                ("m6g", 4, 77_000),
                ("m5", 4, 96_000),
                ("r5", 8, 126_000),
            ],
            Short::Both => [
                ("c6i", 2, 85_000),
                ("m6a", 4, 86_400),
                ("m6i", 4, 96_000),
                ("r6i", 8, 126_000),
            ],
        }
    }

    /// Memory of a replica in MiB a core.
    fn mib_per_core(self) -> &'static [u64] {
        match self {
            Short::Cores => &[1024, 1024, 1536, 2048, 3072, 4096, 6144, 8192],
            Short::Both => &[1024, 1536, 2048, 3072, 4096, 6144, 7168, 8192],
        }
    }
}

const SIZES: [(&str, u64); 5] = [
    ("large", 2),
    ("xlarge", 4),
    ("2xlarge", 8),
    ("4xlarge", 16),
    ("8xlarge", 32),
];

/// What system and kubelet keep back, by the rule of a managed service: thousandths of each slice of
/// the machine, and memory below which pods are evicted.
const KEPT_OF_CORES: [(u64, u64); 4] = [(1000, 60), (2000, 10), (4000, 5), (u64::MAX, 2)];
const KEPT_OF_MIB: [(u64, u64); 5] = [
    (4 * 1024, 250),
    (8 * 1024, 200),
    (16 * 1024, 100),
    (128 * 1024, 60),
    (u64::MAX, 20),
];
const EVICTION_MIB: u64 = 100;

/// Milli-cores of a replica, and of so many services how many have them: most are small.
const MILLI_CORES: [(u64, u64); 18] = [
    (100, 15),
    (150, 15),
    (200, 15),
    (250, 15),
    (300, 15),
    (400, 15),
    (500, 15),
    (600, 15),
    (750, 15),
    (1000, 15),
    (1250, 12),
    (1500, 8),
    (2000, 6),
    (2500, 4),
    (3000, 3),
    (4000, 2),
    (6000, 1),
    (8000, 1),
];
/// So many services of one to ten replicas each; twenty node types with room for `max_pods`.
pub fn random(seed: u64, short: Short, services: usize, max_pods: u64) -> Instance {
    let mut rng = Rng(seed);
    let services = (0..services).map(|i| {
        let milli_cores = milli_cores(&mut rng);
        Service {
            name: format!("service-{i:05}"),
            milli_cores,
            mib: milli_cores * rng.pick(short.mib_per_core()) / 1000,
            replicas: 1 + rng.below(10) as u32,
        }
    });
    Instance {
        services: services.collect(),
        classes: classes(short, max_pods),
    }
}

fn milli_cores(rng: &mut Rng) -> u64 {
    let all = MILLI_CORES.iter().map(|(_, weight)| weight).sum();
    let mut left = rng.below(all);
    for (milli_cores, weight) in MILLI_CORES {
        if left < weight {
            return milli_cores;
        }
        left -= weight;
    }
    unreachable!("a number below the sum of the weights is within one of them")
}

fn classes(short: Short, max_pods: u64) -> Vec<Class> {
    let mut list = Vec::new();
    for (family, gib, two_cores) in short.families() {
        for (size, cores) in SIZES {
            let (milli_cores, mib) = (cores * 1000, cores * gib * 1024);
            list.push(Class {
                name: format!("{family}.{size}"),
                milli_cores: milli_cores - taken(milli_cores, &KEPT_OF_CORES),
                mib: mib - taken(mib, &KEPT_OF_MIB) - EVICTION_MIB,
                max_pods,
                hourly_micros: two_cores * cores as i64 / 2,
            });
        }
    }
    list
}

/// What is kept back of an amount: of each slice up to the amount given, so many thousandths.
fn taken(amount: u64, slices: &[(u64, u64)]) -> u64 {
    let mut from = 0;
    let mut thousandths = 0;
    for &(to, share) in slices {
        thousandths += (amount.min(to) - amount.min(from)) * share;
        from = to;
    }
    thousandths.div_ceil(1000)
}

impl Instance {
    /// Pods of all services.
    pub fn pods(&self) -> u64 {
        self.services.iter().map(|s| u64::from(s.replicas)).sum()
    }
}
