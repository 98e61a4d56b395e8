//! How far apart two places are.

use super::model::{Snapshot, Topology};
use std::collections::BTreeMap;

/// Round trip within one cluster, ms.
pub const SAME_CLUSTER_MS: u32 = 1;
/// Round trip between clusters of one zone, ms.
pub const SAME_ZONE_MS: u32 = 2;
/// Round trip between zones of one region, ms.
pub const SAME_REGION_MS: u32 = 5;
/// Round trip between two regions for which the platform team set nothing, ms.
pub const OTHER_REGION_MS: u32 = 150;

/// A pool, and a cluster in it when one is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub pool: usize,
    pub cluster: usize,
}

/// Round trips between pools.
#[derive(Debug)]
pub(crate) struct Distances {
    /// Region and zone of each pool, by number.
    pools: Vec<(usize, Option<usize>)>,
    table: BTreeMap<(usize, usize), u32>,
}

impl Distances {
    pub fn new(snapshot: &Snapshot) -> Self {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut number = |name| {
            let next = numbers.len();
            *numbers.entry(name).or_insert(next)
        };
        let pools = snapshot
            .pools
            .iter()
            .map(|p| (number(&p.region), p.zone.as_deref().map(&mut number)))
            .collect();
        let mut table = BTreeMap::new();
        for pair in &snapshot.region_latencies {
            let (from, to) = (number(&pair.from), number(&pair.to));
            table.insert((from, to), pair.ms);
            table.insert((to, from), pair.ms);
        }
        Self { pools, table }
    }

    /// Between two pools, in different clusters.
    pub fn pools(&self, a: usize, b: usize) -> u32 {
        if a == b {
            return SAME_ZONE_MS;
        }
        let ((ra, za), (rb, zb)) = (self.pools[a], self.pools[b]);
        if ra != rb {
            return self
                .table
                .get(&(ra, rb))
                .copied()
                .unwrap_or(OTHER_REGION_MS);
        }
        if za.is_some() && za == zb {
            SAME_ZONE_MS
        } else {
            SAME_REGION_MS
        }
    }

    /// Between two places.
    pub fn places(&self, a: Place, b: Place) -> u32 {
        if a.cluster == b.cluster {
            SAME_CLUSTER_MS
        } else {
            self.pools(a.pool, b.pool)
        }
    }
}

/// The topologies whose domains are sets of pools.
pub(crate) fn is_of_pools(topology: Topology) -> bool {
    topology != Topology::Cluster
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::model::{Pool, RegionLatency};

    fn pool(name: &str, region: &str, zone: Option<&str>) -> Pool {
        Pool {
            name: name.into(),
            region: region.into(),
            zone: zone.map(Into::into),
            ..Pool::default()
        }
    }

    #[test]
    fn nearer_places_are_nearer() {
        let snapshot = Snapshot {
            pools: vec![
                pool("a", "eu", Some("1")),
                pool("b", "eu", Some("1")),
                pool("c", "eu", Some("2")),
                pool("d", "eu", None),
                pool("e", "us", Some("1")),
                pool("f", "ap", None),
            ],
            region_latencies: vec![RegionLatency {
                from: "us".into(),
                to: "eu".into(),
                ms: 80,
            }],
            ..Snapshot::default()
        };
        let d = Distances::new(&snapshot);
        let place = |pool, cluster| Place { pool, cluster };
        assert_eq!(d.places(place(0, 7), place(0, 7)), SAME_CLUSTER_MS);
        assert_eq!(d.places(place(0, 7), place(0, 8)), SAME_ZONE_MS);
        assert_eq!(d.pools(0, 1), SAME_ZONE_MS);
        assert_eq!(d.pools(0, 2), SAME_REGION_MS);
        assert_eq!(d.pools(2, 3), SAME_REGION_MS);
        assert_eq!(d.pools(0, 4), 80);
        assert_eq!(d.pools(4, 0), 80);
        assert_eq!(d.pools(4, 5), OTHER_REGION_MS);
    }
}
