//! In which zone each node is, and whether it may be there.

use super::{View, Violation, say};
use crate::scheduler::model::{Cluster, Pool};
use std::collections::BTreeMap;

/// Every worker of a pool with several zones is in one of them. Those of which nobody knew before may stay so.
pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    for cluster in &view.live {
        let Some(pool) = view.pool(&cluster.pool).filter(|p| !p.zones.is_empty()) else {
            continue;
        };
        let old = view.snapshot.clusters.iter();
        let old = old.filter(|c| c.name == cluster.name);
        let mut before: BTreeMap<&str, u32> = BTreeMap::new();
        for (class, n) in old.flat_map(|c| nowhere(view, pool, c)) {
            *before.entry(class).or_default() += n;
        }
        let mut now: BTreeMap<&str, u32> = BTreeMap::new();
        for (class, n) in nowhere(view, pool, cluster) {
            *now.entry(class).or_default() += n;
        }
        for (class, n) in now {
            let was = before.get(class).copied().unwrap_or(0);
            if n > was {
                let detail = format!("{n} × {class} in no zone of {}, was {was}", pool.name);
                say(found, "zone", &cluster.name, detail);
            }
        }
    }
}

/// Workers that are in none of their pool's zones.
fn nowhere<'a>(
    view: &View<'a>,
    pool: &'a Pool,
    cluster: &'a Cluster,
) -> impl Iterator<Item = (&'a str, u32)> {
    let groups = cluster.workers.iter().map(|g| (g.class.as_str(), g.count));
    let list: Vec<_> = (groups)
        .filter(|(class, _)| of_class(view, pool, class).is_none())
        .collect();
    list.into_iter()
}

/// The zone of a pool in which nodes of a class are, of those that it has to choose from.
pub(super) fn of_class<'a>(view: &View<'a>, pool: &'a Pool, class: &str) -> Option<&'a str> {
    let zone = view.class(class)?.zone.as_ref()?;
    pool.zones.get(zone).map(String::as_str)
}

/// What counts as one zone when replicas are spread.
pub(super) fn domain(pool: &Pool, zone: Option<&str>) -> String {
    match zone.or(pool.zone.as_deref().filter(|_| pool.zones.is_empty())) {
        Some(zone) => format!("{} {zone}", pool.region),
        None => format!("pool {}", pool.name),
    }
}
