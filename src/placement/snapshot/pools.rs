//! LatticePool to capacity with prices, labels and distances.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::currency::Deviating;
use super::names::Unique;
use crate::api::node_class::Price;
use crate::api::selector::LabelValues;
use crate::api::{LatticePool, Money, ProviderType};
use crate::placement::problem::nearest;
use crate::scheduler::capacity::{CapacityType, class_of};
use crate::scheduler::model::{Caps, Offer, Pool, RegionLatency};

const POOL: &str = "LatticePool";

pub(super) fn build(
    names: &Unique<'_>,
    money: &Deviating,
    problems: &mut Vec<Problem>,
) -> Vec<Pool> {
    names
        .pools
        .iter()
        .map(|(name, pool)| one(name, pool, names, money, problems))
        .collect()
}

fn one(
    name: &str,
    pool: &LatticePool,
    names: &Unique<'_>,
    money: &Deviating,
    problems: &mut Vec<Problem>,
) -> Pool {
    let spec = &pool.spec;
    let region = label(pool, "region").unwrap_or_else(|| spec.provider.region.clone());
    let capacity = &spec.capacity;
    let foreign = money.pools.contains(name);
    let budget = spec.budget.as_ref().filter(|_| !foreign);
    let closed = match spec.suspend {
        Some(true) => Some("suspended".to_owned()),
        _ => foreign.then(|| "its budget is in another currency".to_owned()),
    };
    Pool {
        name: name.to_owned(),
        provider: spec.provider.type_.as_str().to_owned(),
        zone: zone(name, pool, problems),
        zones: spec.provider.zones.iter().cloned().collect(),
        labels: labels(name, pool, &region),
        caps: Caps {
            max_nodes: capacity.max_nodes.map(u64::from),
            max_milli_cores: capacity.max_cores.map(|cores| cores.millis()),
            max_mib: capacity.max_memory_gi.map(|memory| memory.mib()),
        },
        monthly_budget: budget.map(|b| b.max_monthly_cost.micros()),
        offers: offers(name, pool, &region, names, money, problems),
        region,
        closed,
        shortages: BTreeMap::new(),
    }
}

/// The zone that all of a pool is in.
fn zone(name: &str, pool: &LatticePool, problems: &mut Vec<Problem>) -> Option<String> {
    let labelled = label(pool, "zone");
    if pool.spec.provider.zones.is_empty() {
        return labelled.or_else(|| pool.spec.provider.zone.clone());
    }
    if labelled.is_some() {
        let message = "the pool has `zones`, which count instead; leave the label out".to_owned();
        let path = ["spec", "labels", "zone"];
        problems.push(Problem::warning(POOL, name, &path, message));
    }
    None
}

/// The first value of a label.
fn label(pool: &LatticePool, key: &str) -> Option<String> {
    let values = pool.spec.labels.get(key)?;
    values.as_slice().first().cloned()
}

/// The pool's labels, and those it has by being what it is, so that selectors can name them.
fn labels(name: &str, pool: &LatticePool, region: &str) -> BTreeMap<String, BTreeSet<String>> {
    let implicit = [
        ("region", region),
        ("provider", pool.spec.provider.type_.as_str()),
        ("pool", name),
    ];
    let mut labels: BTreeMap<String, BTreeSet<String>> = implicit
        .into_iter()
        .map(|(key, value)| (key.to_owned(), BTreeSet::from([value.to_owned()])))
        .collect();
    for (key, values) in &pool.spec.labels {
        let values = LabelValues::as_slice(values).iter().cloned().collect();
        labels.insert(key.clone(), values);
    }
    let zones = &pool.spec.provider.zones;
    if !zones.is_empty() {
        labels.insert("zone".to_owned(), zones.iter().cloned().collect());
    }
    labels
}

fn offers(
    name: &str,
    pool: &LatticePool,
    region: &str,
    names: &Unique<'_>,
    money: &Deviating,
    problems: &mut Vec<Problem>,
) -> Vec<Offer> {
    let path = ["spec", "nodeClasses"];
    let mut offers: Vec<Offer> = Vec::new();
    for (index, class) in pool.spec.node_classes.iter().enumerate() {
        let Some(known) = names.node_classes.get(class) else {
            let message = format!("there is no LatticeNodeClass `{class}`");
            let near = nearest(class, names.node_classes.keys().map(String::as_str));
            problems.push(
                Problem::error(POOL, name, &path, message)
                    .at(index)
                    .suggest(near),
            );
            continue;
        };
        if money.classes.contains(class) || offers.iter().any(|o| class_of(&o.class).0 == class) {
            continue;
        }
        let firm = price(&known.spec.cost_per_hour, pool, region);
        let spot = known.spec.spot.as_ref();
        let spot = spot.and_then(|spot| price(&spot.cost_per_hour, pool, region));
        if firm.is_none() && spot.is_none() {
            let provider = pool.spec.provider.type_;
            let message = format!(
                "LatticeNodeClass `{class}` has no costPerHour for {provider} here, so it is not offered"
            );
            problems.push(Problem::warning(POOL, name, &path, message).at(index));
            continue;
        }
        let types = [(CapacityType::OnDemand, firm), (CapacityType::Spot, spot)];
        offers.extend(types.into_iter().filter_map(|(capacity, price)| {
            Some(Offer {
                class: capacity.offer(class),
                hourly: price?.micros(),
            })
        }));
    }
    offers
}

/// The price of a class in a pool: by the provider's region or the pool's own, else the general one.
fn price(
    prices: &BTreeMap<ProviderType, Price>,
    pool: &LatticePool,
    region: &str,
) -> Option<Money> {
    let provider = &pool.spec.provider;
    match prices.get(&provider.type_)? {
        Price::Flat(money) => Some(*money),
        Price::ByRegion(price) => {
            let regional = |region: &str| price.regions.get(region).copied();
            regional(&provider.region)
                .or_else(|| regional(region))
                .or(price.default)
        }
    }
}

/// Round trips between the pools' regions. A region may be written as the pools' or as the provider's.
pub(super) fn latencies(
    names: &Unique<'_>,
    pools: &[Pool],
    problems: &mut Vec<Problem>,
) -> Vec<RegionLatency> {
    let mut regions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for pool in pools {
        regions.insert(&pool.region, BTreeSet::from([pool.region.as_str()]));
    }
    for (pool, source) in pools.iter().zip(names.pools.values()) {
        let written = source.spec.provider.region.as_str();
        if !pools.iter().any(|p| p.region == written) {
            regions.entry(written).or_default().insert(&pool.region);
        }
    }
    let mut table: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for (pool, source) in pools.iter().zip(names.pools.values()) {
        for (index, entry) in source.spec.latency.iter().enumerate() {
            let Some(others) = regions.get(entry.region.as_str()) else {
                let message = format!("no pool is in region `{}`", entry.region);
                let near = nearest(&entry.region, regions.keys().copied());
                let path = ["spec", "latency"];
                problems.push(
                    Problem::warning(POOL, &pool.name, &path, message)
                        .at(index)
                        .suggest(near),
                );
                continue;
            };
            for other in others.iter().filter(|other| **other != pool.region) {
                let key = (
                    pool.region.as_str().min(other),
                    pool.region.as_str().max(other),
                );
                // Where two pools state different times, the longer one is safe to rely on.
                let ms = table.entry(key).or_default();
                *ms = entry.ms.max(*ms);
            }
        }
    }
    table
        .into_iter()
        .map(|((from, to), ms)| RegionLatency {
            from: from.to_owned(),
            to: to.to_owned(),
            ms,
        })
        .collect()
}
