//! How far apart two places are.

use super::domains::Domains;
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

/// Stands for a cluster that is not there yet.
pub(crate) const NEW_CLUSTER: usize = usize::MAX;

/// A pool, a cluster in it when one is known, and the domain of the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub pool: usize,
    pub cluster: usize,
    pub zone: usize,
}

/// Round trips between pools.
#[derive(Debug, Default)]
pub(crate) struct Distances {
    /// Region of each pool, by number, and its zones, by domain.
    pools: Vec<(usize, Vec<usize>)>,
    table: BTreeMap<(usize, usize), u32>,
}

impl Distances {
    pub fn new(snapshot: &Snapshot, domains: &[Domains]) -> Self {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        let mut number = |name| {
            let next = numbers.len();
            *numbers.entry(name).or_insert(next)
        };
        let pools = snapshot
            .pools
            .iter()
            .zip(domains)
            .map(|(pool, of)| (number(&pool.region), of.zones.clone()))
            .collect();
        let mut table = BTreeMap::new();
        for pair in &snapshot.region_latencies {
            let (from, to) = (number(&pair.from), number(&pair.to));
            table.insert((from, to), pair.ms);
            table.insert((to, from), pair.ms);
        }
        Self { pools, table }
    }

    /// Between two pools, in different clusters, where they are nearest.
    pub fn pools(&self, a: usize, b: usize) -> u32 {
        let (ours, theirs) = (&self.pools[a].1, &self.pools[b].1);
        match self.regions(a, b) {
            None if a == b || ours.iter().any(|zone| theirs.contains(zone)) => SAME_ZONE_MS,
            None => SAME_REGION_MS,
            Some(ms) => ms,
        }
    }

    /// Between the regions of two pools, if they are not in the same.
    fn regions(&self, a: usize, b: usize) -> Option<u32> {
        let pair = (self.pools[a].0, self.pools[b].0);
        let set = || self.table.get(&pair).copied();
        (pair.0 != pair.1).then(|| set().unwrap_or(OTHER_REGION_MS))
    }

    /// Between two places. Nodes of one cluster may be in different zones, and are then no nearer than these.
    pub fn places(&self, a: Place, b: Place) -> u32 {
        if let Some(ms) = self.regions(a.pool, b.pool) {
            return ms;
        }
        match (a.zone == b.zone, a.cluster == b.cluster) {
            (true, true) => SAME_CLUSTER_MS,
            (true, false) => SAME_ZONE_MS,
            (false, _) => SAME_REGION_MS,
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
    use crate::scheduler::domains;
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
        let (_, domains) = domains::of(&snapshot);
        let d = Distances::new(&snapshot, &domains);
        let place = |pool: usize, cluster| Place {
            pool,
            cluster,
            zone: domains[pool].zones[0],
        };
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
