//! Nodes, clusters and pools.

use super::{View, Violation, say};
use crate::scheduler::model::{Cluster, Origin, Pool};
use crate::scheduler::solution::ClusterAction;
use crate::scheduler::units::HOURS_PER_MONTH;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    let mut names = BTreeSet::new();
    for cluster in &view.live {
        if !names.insert(&cluster.name) {
            say(found, "unique names", &cluster.name, "twice".into());
        }
        nodes(view, cluster, found);
        size(view, cluster, found);
    }
    for decision in &view.solution.clusters {
        let declared = matches!(decision.cluster.origin, Origin::Declared { .. });
        if declared && decision.action == ClusterAction::Delete {
            let detail = "a declared cluster is deleted".into();
            say(found, "declared", &decision.cluster.name, detail);
        }
    }
    for pool in &view.snapshot.pools {
        limits(view, pool, found);
    }
}

fn nodes(view: &View<'_>, cluster: &Cluster, found: &mut Vec<Violation>) {
    for group in &cluster.workers {
        let Some(class) = view.class(&group.class) else {
            say(
                found,
                "fit",
                &cluster.name,
                format!("class {} is unknown", group.class),
            );
            continue;
        };
        let declared = matches!(cluster.origin, Origin::Declared { .. });
        if !declared && view.price(&cluster.pool, &group.class).is_none() {
            let detail = format!("{} does not offer {}", cluster.pool, group.class);
            say(found, "offer", &cluster.name, detail);
        }
        let (mut cores, mut mib) = (0u128, 0u128);
        let mut extended: BTreeMap<&String, (u64, u64)> = BTreeMap::new();
        for (id, n) in &group.services {
            let Some(service) = view.service(id) else {
                say(found, "fit", &cluster.name, format!("{id} is unknown"));
                continue;
            };
            cores += u128::from(service.size.milli_cores) * u128::from(*n);
            mib += u128::from(service.size.mib) * u128::from(*n);
            for (at, name) in view.snapshot.extended.iter().enumerate() {
                let known = extended.entry(name).or_default();
                known.0 += service.size.extended.get(at) * u64::from(*n);
                known.1 = class.capacity.extended.get(at);
            }
            let spot = class.spot.is_some();
            let types = service.capacity_types;
            if (spot && !types.spot) || (!spot && !types.on_demand) {
                let detail = format!("{types} is wanted, {} is not", group.class);
                say(found, "capacity type", &id.to_string(), detail);
            }
            if service.one_per_node && *n > 1 {
                say(
                    found,
                    "replicaSpread",
                    &id.to_string(),
                    format!("{n} on one node"),
                );
            }
        }
        let room_cores = class
            .capacity
            .milli_cores
            .saturating_sub(class.reserved.milli_cores);
        let room_mib = class.capacity.mib.saturating_sub(class.reserved.mib);
        if cores > u128::from(room_cores) || mib > u128::from(room_mib) {
            let detail = format!(
                "{cores}m/{mib}Mi on {} ({room_cores}m/{room_mib}Mi)",
                group.class
            );
            say(found, "fit", &cluster.name, detail);
        }
        for (name, (asked, has)) in extended.iter().filter(|(_, (asked, has))| asked > has) {
            let detail = format!("{asked} {name} on {} ({has})", group.class);
            say(found, "fit", &cluster.name, detail);
        }
    }
}

fn size(view: &View<'_>, cluster: &Cluster, found: &mut Vec<Violation>) {
    let workers: u32 = cluster.workers.iter().map(|g| g.count).sum();
    let old = view
        .snapshot
        .clusters
        .iter()
        .find(|c| c.name == cluster.name);
    let old_workers = old.map(|c| c.workers.iter().map(|g| g.count).sum::<u32>());
    let (min, max) = match &cluster.origin {
        Origin::Declared {
            resize: Some(range),
        } => *range,
        Origin::Declared { resize: None } => {
            let n = old_workers.unwrap_or(0);
            (n, n)
        }
        Origin::Scheduler { policy } => {
            let rules = policy
                .as_ref()
                .and_then(|name| view.snapshot.policies.iter().find(|p| p.name == *name))
                .and_then(|p| p.cluster_policy.as_ref());
            rules.map_or((0, u32::MAX), |r| {
                (r.min_nodes, r.max_nodes.unwrap_or(u32::MAX))
            })
        }
    };
    let grandfathered = old_workers.is_some_and(|old| workers <= old);
    // Rules may by now ask for more than the pool has space for.
    let pool = view.snapshot.pools.iter().find(|p| p.name == cluster.pool);
    let limited = pool.is_some_and(|pool| most(pool).iter().any(|(_, limit)| limit.is_some()));
    let short = workers < min && !(limited && old_workers.is_some_and(|old| workers >= old));
    if short || (workers > max && !grandfathered) {
        say(
            found,
            "cluster size",
            &cluster.name,
            format!("{workers} not in {min}..{max}"),
        );
    }
}

/// Whether no pool has more than its limits, even if it had before.
pub(super) fn within_limits(view: &View<'_>) -> bool {
    view.snapshot.pools.iter().all(|pool| {
        let used = used(view, &pool.name, view.live.iter().copied());
        let mut limits = most(pool).into_iter();
        limits.all(|(rule, limit)| limit.is_none_or(|limit| used[rule] <= limit))
    })
}

fn most(pool: &Pool) -> [(&'static str, Option<i128>); 4] {
    let budget = pool
        .monthly_budget
        .map(|b| b as i128 / i128::from(HOURS_PER_MONTH));
    [
        ("maxNodes", pool.caps.max_nodes.map(i128::from)),
        ("maxCores", pool.caps.max_milli_cores.map(i128::from)),
        ("maxMemory", pool.caps.max_mib.map(i128::from)),
        ("budget", budget),
    ]
}

fn limits(view: &View<'_>, pool: &Pool, found: &mut Vec<Violation>) {
    let after = used(view, &pool.name, view.live.iter().copied());
    let before = used(view, &pool.name, view.snapshot.clusters.iter());
    for (rule, limit) in most(pool) {
        let (now, was) = (after[rule], before[rule]);
        if let Some(limit) = limit
            && now > limit
            && now > was
        {
            say(
                found,
                rule,
                &pool.name,
                format!("{now} of {limit}, was {was}"),
            );
        }
    }
}

fn used<'a>(
    view: &View<'_>,
    pool: &str,
    clusters: impl Iterator<Item = &'a Cluster>,
) -> BTreeMap<&'static str, i128> {
    let (mut nodes, mut cores, mut mib, mut cost) = (0, 0, 0, 0);
    for cluster in clusters.filter(|c| c.pool == pool) {
        let workers = cluster.workers.iter().map(|g| (&g.class, g.count));
        let control = cluster.control_plane.iter().map(|(class, n)| (class, *n));
        for (class, n) in workers.chain(control) {
            let n = i128::from(n);
            nodes += n;
            if let Some(class) = view.class(class) {
                cores += i128::from(class.capacity.milli_cores) * n;
                mib += i128::from(class.capacity.mib) * n;
            }
            cost += i128::from(view.price(pool, class).unwrap_or(0)) * n;
        }
    }
    BTreeMap::from([
        ("maxNodes", nodes),
        ("maxCores", cores),
        ("maxMemory", mib),
        ("budget", cost),
    ])
}
