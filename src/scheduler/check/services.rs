//! What each service must have.

use super::{View, Violation, say, zones};
use crate::scheduler::model::{
    Cluster, Expression, Operator, Origin, Policy, Pool, Selector, Service, ServiceId, Topology,
};
use crate::scheduler::solution::Verdict;
use crate::scheduler::topology::{OTHER_REGION_MS, SAME_CLUSTER_MS, SAME_REGION_MS, SAME_ZONE_MS};
use std::collections::{BTreeMap, BTreeSet};

/// Cluster, pool, replicas, and which of the pool's zones.
type Place<'a> = (&'a Cluster, &'a Pool, u32, Option<&'a str>);

pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    let mut places: BTreeMap<&ServiceId, Vec<Place<'_>>> = BTreeMap::new();
    for &cluster in &view.live {
        let Some(pool) = view.pool(&cluster.pool) else {
            continue;
        };
        for ((id, zone), n) in by_zone(view, cluster, pool) {
            places.entry(id).or_default().push((cluster, pool, n, zone));
        }
    }
    let none = Vec::new();
    for service in &view.snapshot.services {
        let name = service.id.to_string();
        let Some(outcome) = view.outcome(&service.id) else {
            say(found, "outcome", &name, "has none".into());
            continue;
        };
        let mine = places.get(&service.id).unwrap_or(&none);
        match outcome.verdict {
            Verdict::Placed | Verdict::Unchanged => {
                one(view, service, mine, &places, found);
                closed(view, service, mine, found);
            }
            Verdict::Unschedulable | Verdict::Escalated => {
                if outcome.reasons.is_empty() {
                    say(found, "outcome", &name, "no reason is given".into());
                }
                let names: BTreeSet<&str> = mine.iter().map(|p| p.0.name.as_str()).collect();
                for cluster in names {
                    let key = (&service.id, cluster);
                    let n = view.after.get(&key).copied().unwrap_or(0);
                    if view.before.get(&key).is_none_or(|&had| n > had) {
                        let detail = format!("{n} placed by halves in {cluster}");
                        say(found, "outcome", &name, detail);
                    }
                }
            }
        }
    }
}

/// Replicas on a cluster, by service and zone of the pool.
fn by_zone<'a>(
    view: &View<'a>,
    cluster: &'a Cluster,
    pool: &'a Pool,
) -> BTreeMap<(&'a ServiceId, Option<&'a str>), u32> {
    let mut counts = BTreeMap::new();
    for group in &cluster.workers {
        let zone = zones::of_class(view, pool, &group.class);
        for (id, n) in &group.services {
            *counts.entry((id, zone)).or_default() += n * group.count;
        }
    }
    counts
}

pub(super) fn policies<'a>(view: &View<'a>, service: &Service) -> Vec<&'a Policy> {
    let labels: BTreeMap<String, BTreeSet<String>> = service
        .labels
        .iter()
        .map(|(k, v)| (k.clone(), BTreeSet::from([v.clone()])))
        .collect();
    let mut list: Vec<&Policy> = view
        .snapshot
        .policies
        .iter()
        .filter(|p| selected(&p.selector, &labels))
        .collect();
    list.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.name.cmp(&b.name)));
    list
}

fn selected(selector: &Selector, labels: &BTreeMap<String, BTreeSet<String>>) -> bool {
    let has = |e: &Expression| {
        labels
            .get(&e.key)
            .is_some_and(|values| !values.is_disjoint(&e.values))
    };
    selector
        .match_labels
        .iter()
        .all(|(k, v)| labels.get(k).is_some_and(|values| values.contains(v)))
        && selector.match_expressions.iter().all(|e| match e.operator {
            Operator::In => has(e),
            Operator::NotIn => !has(e),
            Operator::Exists => labels.contains_key(&e.key),
            Operator::DoesNotExist => !labels.contains_key(&e.key),
        })
}

fn one(
    view: &View<'_>,
    service: &Service,
    mine: &[Place<'_>],
    all: &BTreeMap<&ServiceId, Vec<Place<'_>>>,
    found: &mut Vec<Violation>,
) {
    let name = service.id.to_string();
    let policies = policies(view, service);
    let total: u32 = mine.iter().map(|place| place.2).sum();
    if total != service.replicas {
        say(
            found,
            "replicas",
            &name,
            format!("{total} of {}", service.replicas),
        );
    }
    if total == 0 {
        return;
    }
    let governing = policies
        .iter()
        .find(|p| p.cluster_policy.is_some())
        .map(|p| &p.name);
    for (cluster, pool, _, zone) in mine {
        let here = match zone {
            Some(zone) => in_zone(service, pool, zone),
            None => pool.zones.iter().all(|zone| in_zone(service, pool, zone)),
        };
        if !passes(service, &policies, pool) || !here {
            let zone = zone.map_or(String::new(), |zone| format!(", {zone}"));
            let detail = format!("in {}{zone}", pool.name);
            say(found, "selector or compliance", &name, detail);
        }
        let pinned = view
            .snapshot
            .pins
            .iter()
            .any(|p| p.service == service.id && p.cluster == cluster.name);
        if let Origin::Scheduler { policy } = &cluster.origin
            && policy.as_ref() != governing
            && !pinned
        {
            say(
                found,
                "cluster policy",
                &name,
                format!("in {}", cluster.name),
            );
        }
    }
    for region in &service.required_regions {
        if !mine
            .iter()
            .any(|(_, p, ..)| p.region == *region || p.name == *region)
        {
            say(
                found,
                "requiredRegions",
                &name,
                format!("nothing in {region}"),
            );
        }
    }
    let regions: BTreeSet<&str> = mine.iter().map(|(_, p, ..)| p.region.as_str()).collect();
    for policy in &policies {
        if policy
            .min_regions
            .is_some_and(|min| (regions.len() as u32) < min)
        {
            say(
                found,
                "minRegions",
                &name,
                format!("{} regions", regions.len()),
            );
        }
        for rule in &policy.spread {
            let counts = counts(view, service, &policies, mine, rule.topology);
            let most = counts.values().max().copied().unwrap_or(0);
            let fewest = counts.values().min().copied().unwrap_or(0);
            if most - fewest > rule.max_skew {
                say(found, "spreadConstraint", &name, format!("{counts:?}"));
            }
        }
    }
    let pins = view.snapshot.pins.iter();
    let mut fixed: BTreeMap<&str, u32> = BTreeMap::new();
    for pin in pins.filter(|p| p.service == service.id) {
        *fixed.entry(&pin.cluster).or_default() += pin.replicas.unwrap_or(service.replicas);
    }
    for (cluster, wanted) in fixed {
        let there = mine.iter().filter(|(c, ..)| c.name == cluster);
        let there: u32 = there.map(|place| place.2).sum();
        if there < wanted {
            say(found, "pin", &name, format!("{there} on {cluster}"));
        }
    }
    for bound in &service.latency {
        if view.service(&bound.dependency).is_none() {
            continue;
        }
        let theirs = all.get(&bound.dependency).map_or(&[][..], Vec::as_slice);
        for here in mine {
            let near = theirs
                .iter()
                .any(|there| distance(view, here, there) <= bound.max_ms);
            if !near {
                let detail = format!("{} from {}", bound.dependency, here.0.name);
                say(found, "latency", &name, detail);
            }
        }
    }
}

pub(super) fn passes(service: &Service, policies: &[&Policy], pool: &Pool) -> bool {
    let empty = BTreeSet::new();
    let held = pool.labels.get("compliance").unwrap_or(&empty);
    let zones = &pool.zones;
    let chosen = match zones.is_empty() {
        true => selected(&service.pools, &pool.labels),
        false => zones.iter().any(|zone| in_zone(service, pool, zone)),
    };
    chosen
        && service.compliance.is_subset(held)
        && policies.iter().all(|p| p.compliance.is_subset(held))
}

/// Whether a service may be in a pool that has this zone and no other.
fn in_zone(service: &Service, pool: &Pool, zone: &str) -> bool {
    let mut labels = pool.labels.clone();
    labels.insert("zone".into(), BTreeSet::from([zone.to_owned()]));
    selected(&service.pools, &labels)
}

fn counts(
    view: &View<'_>,
    service: &Service,
    policies: &[&Policy],
    mine: &[Place<'_>],
    topology: Topology,
) -> BTreeMap<String, u32> {
    let domain = |pool: &Pool, zone: Option<&str>| match topology {
        Topology::Region => pool.region.clone(),
        Topology::Zone => zones::domain(pool, zone),
        Topology::Provider => pool.provider.clone(),
        Topology::Pool | Topology::Cluster => pool.name.clone(),
    };
    let mut counts = BTreeMap::new();
    if topology != Topology::Cluster {
        let eligible = view
            .snapshot
            .pools
            .iter()
            .filter(|p| passes(service, policies, p));
        for pool in eligible {
            let zones = pool.zones.iter();
            let zones = zones.filter(|zone| in_zone(service, pool, zone));
            counts.extend(zones.map(|zone| (domain(pool, Some(zone)), 0)));
            if pool.zones.is_empty() {
                counts.insert(domain(pool, None), 0);
            }
        }
    }
    for (cluster, pool, n, zone) in mine {
        let key = match topology {
            Topology::Cluster => cluster.name.clone(),
            _ => domain(pool, *zone),
        };
        *counts.entry(key).or_default() += n;
    }
    counts
}

fn distance(view: &View<'_>, a: &Place<'_>, b: &Place<'_>) -> u32 {
    if a.1.region == b.1.region {
        let same_zone = zones::domain(a.1, a.3) == zones::domain(b.1, b.3);
        return match (same_zone, a.0.name == b.0.name) {
            (true, true) => SAME_CLUSTER_MS,
            (true, false) => SAME_ZONE_MS,
            (false, _) => SAME_REGION_MS,
        };
    }
    let pair = view.snapshot.region_latencies.iter().rev().find(|l| {
        (l.from == a.1.region && l.to == b.1.region) || (l.to == a.1.region && l.from == b.1.region)
    });
    pair.map_or(OTHER_REGION_MS, |l| l.ms)
}

/// A closed pool gets nothing that it did not have.
fn closed(view: &View<'_>, service: &Service, mine: &[Place<'_>], found: &mut Vec<Violation>) {
    for pool in view.snapshot.pools.iter().filter(|p| p.closed.is_some()) {
        let now: u32 = mine
            .iter()
            .filter(|p| p.1.name == pool.name)
            .map(|p| p.2)
            .sum();
        let was: u32 = view
            .snapshot
            .clusters
            .iter()
            .filter(|c| c.pool == pool.name)
            .filter_map(|c| view.before.get(&(&service.id, c.name.as_str())))
            .sum();
        let pinned = view.snapshot.pins.iter().any(|p| p.service == service.id);
        if now > was && !pinned {
            let detail = format!("{now} in closed pool {}, had {was}", pool.name);
            say(found, "closed pool", &service.id.to_string(), detail);
        }
    }
}
