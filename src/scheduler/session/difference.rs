//! What differs between two snapshots, as changes that a session can make.

use super::change::{Change, Refused, Unfit};
use crate::scheduler::model::{Cluster, Origin, Pool, Service, ServiceId, Snapshot};
use crate::scheduler::zones::zone_of;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The changes that make one snapshot of another: prices first, then what gives room, then what takes it, the most
/// important first. Clusters that the scheduler made, and what is on clusters, are not looked at. Refused where
/// anything differs that no session can follow.
pub fn changes(before: &Snapshot, after: &Snapshot) -> Result<Vec<Change>, Refused> {
    let (mut before, mut after) = (before.clone(), after.clone());
    before.normalise();
    after.normalise();
    let mut changes = prices(&before, &after);
    for snapshot in [&mut before, &mut after] {
        let offers = snapshot.pools.iter_mut().flat_map(|pool| &mut pool.offers);
        offers.for_each(|offer| offer.hourly = 0);
    }
    refuse_others(&before, &after)?;
    changes.extend(services(&before, &after)?);
    Ok(changes)
}

fn prices(before: &Snapshot, after: &Snapshot) -> Vec<Change> {
    let was: BTreeMap<(&str, &str), i64> = sold(&before.pools).collect();
    let other = sold(&after.pools).filter(|(offer, hourly)| was.get(offer) != Some(hourly));
    let other = other.filter(|((_, class), _)| zone_of(class).1.is_none());
    let change = |((pool, class), hourly): ((&str, &str), i64)| Change::Price {
        pool: pool.to_owned(),
        class: class.to_owned(),
        hourly,
    };
    other.map(change).collect()
}

fn sold(pools: &[Pool]) -> impl Iterator<Item = ((&str, &str), i64)> {
    pools.iter().flat_map(|pool| {
        let offers = pool.offers.iter();
        offers.map(|offer| ((pool.name.as_str(), offer.class.as_str()), offer.hourly))
    })
}

/// Declared clusters without what is on them.
fn declared(clusters: &[Cluster]) -> Vec<Cluster> {
    let declared = clusters.iter();
    let declared = declared.filter(|c| matches!(c.origin, Origin::Declared { .. }));
    let mut bare: Vec<Cluster> = declared.cloned().collect();
    for cluster in &mut bare {
        for group in &mut cluster.workers {
            group.services = BTreeMap::new();
        }
        cluster.normalise();
    }
    bare
}

fn refuse_others(before: &Snapshot, after: &Snapshot) -> Result<(), Refused> {
    let differs = [
        ("pools", before.pools != after.pools),
        ("node classes", before.node_classes != after.node_classes),
        ("policies", before.policies != after.policies),
        ("pins", before.pins != after.pins),
        (
            "latencies between regions",
            before.region_latencies != after.region_latencies,
        ),
        (
            "reserved names",
            before.reserved_names != after.reserved_names,
        ),
        ("extended resources", before.extended != after.extended),
        (
            "declared clusters",
            declared(&before.clusters) != declared(&after.clusters),
        ),
    ];
    let found = differs.into_iter().find(|(_, differs)| *differs);
    found.map_or(Ok(()), |(what, _)| {
        Err(Refused::Solve(Unfit::Different(what)))
    })
}

fn services(before: &Snapshot, after: &Snapshot) -> Result<Vec<Change>, Refused> {
    let was: BTreeMap<&ServiceId, &Service> = before.services.iter().map(|s| (&s.id, s)).collect();
    let mut gone = was.clone();
    let (mut fewer, mut more) = (Vec::new(), Vec::new());
    for service in &after.services {
        gone.remove(&service.id);
        let Some(known) = was.get(&service.id) else {
            more.push((
                Reverse(service.priority),
                Change::Add(Box::new(service.clone())),
            ));
            continue;
        };
        let replicas = service.replicas;
        let scaled = Service {
            replicas,
            ..(*known).clone()
        };
        if scaled != *service {
            let id = service.id.clone();
            return Err(Refused::Solve(Unfit::OtherService(id)));
        }
        let change = Change::Scale {
            service: service.id.clone(),
            replicas,
        };
        match replicas.cmp(&known.replicas) {
            std::cmp::Ordering::Less => fewer.push(change),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => more.push((Reverse(service.priority), change)),
        }
    }
    more.sort_by_key(|(priority, _)| *priority);
    let gone = gone.into_keys().cloned().map(Change::Remove);
    let more = more.into_iter().map(|(_, change)| change);
    Ok(gone.chain(fewer).chain(more).collect())
}
