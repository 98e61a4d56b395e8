//! Of what the provider has no more, a pool has no more nodes than it had.

use super::{View, Violation, say};
use crate::scheduler::model::Cluster;
use crate::scheduler::zones::zone_of;

pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    for pool in &view.snapshot.pools {
        for offer in pool.shortages.keys() {
            let of = |cluster: &Cluster| match cluster.pool == pool.name {
                true => machines(cluster, offer),
                false => 0,
            };
            let had: u64 = view.snapshot.clusters.iter().map(of).sum();
            let has: u64 = view.live.iter().map(|cluster| of(cluster)).sum();
            if has > had {
                let detail = format!("{has} of {offer}, had {had}");
                say(found, "shortage", &pool.name, detail);
            }
        }
    }
}

/// Machines of an offer, in whatever zone.
fn machines(cluster: &Cluster, offer: &str) -> u64 {
    let workers = cluster.workers.iter().map(|g| (g.class.as_str(), g.count));
    let control = cluster.control_plane.iter().map(|(c, n)| (c.as_str(), *n));
    let all = workers
        .chain(control)
        .filter(|(class, _)| zone_of(class).0 == offer);
    all.map(|(_, n)| u64::from(n)).sum()
}
