//! The domains that replicas are spread over, by number.

use super::model::{Pool, Snapshot, Topology};
use std::collections::BTreeMap;

/// Names of the domains of each topology.
pub(crate) type Names = BTreeMap<Topology, Vec<String>>;

/// The domains that a pool belongs to.
#[derive(Debug)]
pub(crate) struct Domains {
    /// Those of all of it.
    pub whole: BTreeMap<Topology, usize>,
    /// Its zones, which are one if it has no several to choose from.
    pub zones: Vec<usize>,
    /// The zone of nodes of which it is not known.
    pub unknown_zone: usize,
}

/// The domains of all pools.
pub(crate) fn of(snapshot: &Snapshot) -> (Names, Vec<Domains>) {
    let mut names = Names::new();
    let pools = snapshot.pools.iter();
    let domains = pools.map(|pool| of_pool(pool, &mut names)).collect();
    (names, domains)
}

fn of_pool(pool: &Pool, names: &mut Names) -> Domains {
    let mut number = |topology: Topology, name: String| -> usize {
        let known = names.entry(topology).or_default();
        known.iter().position(|n| *n == name).unwrap_or_else(|| {
            known.push(name);
            known.len() - 1
        })
    };
    let mut whole = BTreeMap::from([
        (
            Topology::Region,
            number(Topology::Region, pool.region.clone()),
        ),
        (Topology::Pool, number(Topology::Pool, pool.name.clone())),
        (
            Topology::Provider,
            number(Topology::Provider, pool.provider.clone()),
        ),
    ]);
    let mut zone = |name: Option<&String>| {
        let name = match name {
            Some(zone) => format!("{}/{zone}", pool.region),
            None => format!("pool {}", pool.name),
        };
        number(Topology::Zone, name)
    };
    if pool.zones.is_empty() {
        let only = zone(pool.zone.as_ref());
        whole.insert(Topology::Zone, only);
        return Domains {
            whole,
            zones: vec![only],
            unknown_zone: only,
        };
    }
    Domains {
        zones: pool.zones.iter().map(|one| zone(Some(one))).collect(),
        unknown_zone: zone(None),
        whole,
    }
}
