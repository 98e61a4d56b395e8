//! A scenario: changes that hold at once, and the snapshot in which they do.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Change;
use super::request::is_zone;
use super::{Factor, Loss, PriceChange, Scope, WhatIfError, selector};
use crate::api::money::MAX_MONEY;
use crate::placement::problem::nearest;
use crate::placement::snapshot::selects;
use crate::scheduler::limits::excesses;
use crate::scheduler::model::{Pool, Selector, Service, Snapshot};
use crate::scheduler::units::{Micros, decimal};
use crate::scheduler::zones::zone_of;

/// Most replicas that a LatticeService may ask for.
const MOST_REPLICAS: u32 = 100_000;

/// Changes that hold at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// What is lost.
    pub losses: Vec<Loss>,
    /// What costs more or less.
    pub prices: Vec<PriceChange>,
    /// How many times as many replicas there are.
    pub growth: Option<Factor>,
    /// The services that grow; all without.
    pub selector: Option<Selector>,
}

impl Scenario {
    /// What the scenario is called.
    pub fn name(&self) -> String {
        let losses = self.losses.iter().map(ToString::to_string);
        let prices = self.prices.iter().map(ToString::to_string);
        let growth = self.growth.map(|factor| match &self.selector {
            Some(selected) => format!("grow ×{factor} ({})", selector::words(selected)),
            None => format!("grow ×{factor}"),
        });
        let parts: Vec<String> = losses.chain(prices).chain(growth).collect();
        if parts.is_empty() {
            "no change".to_owned()
        } else {
            parts.join(", ")
        }
    }

    /// Whether all that is named is there.
    pub(super) fn check(&self, snapshot: &Snapshot) -> Result<(), WhatIfError> {
        for loss in &self.losses {
            lost(loss, snapshot)?;
        }
        for change in &self.prices {
            target(change, snapshot)?;
        }
        if let Some(selected) = &self.selector
            && !snapshot
                .services
                .iter()
                .any(|s| selects(selected, &s.labels))
        {
            return Err(WhatIfError::NothingSelected {
                selector: selector::words(selected),
                suggestion: meant(selected, &snapshot.services),
            });
        }
        Ok(())
    }

    /// Whether a pool is lost, all of it.
    pub(super) fn loses(&self, pool: &Pool) -> bool {
        let whole = |loss: &Loss| loss.scope != Scope::Zone || pool.zones.is_empty();
        let mut losses = self.losses.iter();
        let zones = pool.zones.iter();
        losses.any(|loss| whole(loss) && loss.scope.has(pool, &loss.name))
            || (!pool.zones.is_empty() && zones.clone().all(|zone| self.loses_zone(pool, zone)))
    }

    fn loses_zone(&self, pool: &Pool, zone: &str) -> bool {
        let mut losses = self.losses.iter().filter(|loss| loss.scope == Scope::Zone);
        losses.any(|loss| is_zone(pool, zone, &loss.name))
    }

    /// Takes the zones that are lost off the pools that have others. Control planes are in no zone that is known, and
    /// stay.
    pub(super) fn lose_zones(&self, changed: &mut Snapshot) {
        let mut gone: BTreeSet<(String, String)> = BTreeSet::new();
        for pool in &mut changed.pools {
            let (lost, left): (BTreeSet<String>, _) = std::mem::take(&mut pool.zones)
                .into_iter()
                .partition(|zone| self.loses_zone(pool, zone));
            if let Some(label) = pool.labels.get_mut("zone").filter(|_| !lost.is_empty()) {
                label.retain(|zone| !lost.contains(zone));
            }
            gone.extend(lost.into_iter().map(|zone| (pool.name.clone(), zone)));
            pool.zones = left;
        }
        if gone.is_empty() {
            return;
        }
        changed.sell_in_zones();
        for cluster in &mut changed.clusters {
            cluster.workers.retain(|group| {
                let zone = zone_of(&group.class).1;
                let key = zone.map(|zone| (cluster.pool.clone(), zone.to_owned()));
                key.is_none_or(|key| !gone.contains(&key))
            });
        }
    }

    /// The snapshot in which the changes hold. What is in pools that are lost is gone, and the names of their
    /// clusters are not given again.
    pub(super) fn apply(&self, base: &Snapshot) -> Result<Snapshot, WhatIfError> {
        let mut changed = base.clone();
        changed.pools.retain(|pool| !self.loses(pool));
        let left: BTreeSet<&str> = changed.pools.iter().map(|p| p.name.as_str()).collect();
        let lost: BTreeSet<&str> = base
            .pools
            .iter()
            .map(|p| p.name.as_str())
            .filter(|name| !left.contains(name))
            .collect();
        let (gone, kept) = changed
            .clusters
            .into_iter()
            .partition(|cluster| lost.contains(cluster.pool.as_str()));
        changed.clusters = kept;
        let gone: Vec<crate::scheduler::model::Cluster> = gone;
        changed
            .reserved_names
            .extend(gone.into_iter().map(|c| c.name));
        self.lose_zones(&mut changed);
        for change in &self.prices {
            let scope = target(change, base)?;
            let pools = changed.pools.iter_mut();
            for pool in pools.filter(|pool| scope.has(pool, &change.name)) {
                reprice(pool, change.factor)?;
            }
        }
        if let Some(factor) = self.growth {
            let services = changed.services.iter_mut();
            for service in services.filter(|s| self.grows(s)) {
                service.replicas = grown(service, factor)?;
            }
        }
        changed.normalise();
        match excesses(&changed).into_iter().next() {
            Some(excess) => Err(WhatIfError::Beyond(excess.to_string())),
            None => Ok(changed),
        }
    }

    fn grows(&self, service: &Service) -> bool {
        let selector = self.selector.as_ref();
        selector.is_none_or(|selector| selects(selector, &service.labels))
    }

    /// The changes as they are told.
    pub(super) fn told(&self, base: &Snapshot) -> Vec<Change> {
        let pools = |scope: Scope, name: &str| -> Vec<String> {
            let of = base.pools.iter().filter(|pool| scope.has(pool, name));
            of.map(|pool| pool.name.clone()).collect()
        };
        let losses = self.losses.iter().map(|loss| Change::Lose {
            scope: loss.scope.name().to_owned(),
            name: loss.name.clone(),
            pools: pools(loss.scope, &loss.name),
        });
        let prices = self.prices.iter().map(|change| {
            let scope = target(change, base).unwrap_or(Scope::Pool);
            Change::Price {
                scope: scope.name().to_owned(),
                name: change.name.clone(),
                pools: pools(scope, &change.name),
                factor: change.factor.to_string(),
            }
        });
        let growth = self.growth.map(|factor| Change::Grow {
            factor: factor.to_string(),
            selector: self.selector.as_ref().map(selector::words),
        });
        losses.chain(prices).chain(growth).collect()
    }
}

/// What the pools are called by a scope, each once.
pub(super) fn names(snapshot: &Snapshot, scope: Scope) -> BTreeSet<String> {
    let pools = snapshot.pools.iter();
    pools.flat_map(|pool| scope.names(pool)).collect()
}

/// Whether what is lost is there, and one thing.
fn lost(loss: &Loss, snapshot: &Snapshot) -> Result<(), WhatIfError> {
    let names = names(snapshot, loss.scope);
    if loss.scope != Scope::Zone {
        return known(loss.scope.name(), &loss.name, names);
    }
    let pools = snapshot.pools.iter();
    let zones = pools.flat_map(|pool| {
        let zones = pool.zone.iter().chain(&pool.zones);
        let meant = zones.filter(|zone| is_zone(pool, zone, &loss.name));
        meant.map(|zone| format!("{}/{zone}", pool.region))
    });
    let meant: BTreeSet<String> = zones.collect();
    match meant.len() {
        0 => known(loss.scope.name(), &loss.name, names),
        1 => Ok(()),
        _ => Err(WhatIfError::AmbiguousZone {
            name: loss.name.clone(),
            zones: meant.into_iter().collect(),
        }),
    }
}

fn known(what: &'static str, name: &str, names: BTreeSet<String>) -> Result<(), WhatIfError> {
    if names.contains(name) {
        return Ok(());
    }
    Err(WhatIfError::Unknown {
        what,
        name: name.to_owned(),
        suggestion: nearest(name, names.iter().map(String::as_str)),
        known: names.into_iter().collect(),
    })
}

/// What the name of a price change is of.
fn target(change: &PriceChange, snapshot: &Snapshot) -> Result<Scope, WhatIfError> {
    let name = change.name.as_str();
    if let Some(scope) = change.scope {
        return known(scope.name(), name, names(snapshot, scope)).map(|()| scope);
    }
    let providers = names(snapshot, Scope::Provider);
    let pools = names(snapshot, Scope::Pool);
    match (providers.contains(name), pools.contains(name)) {
        (true, true) => Err(WhatIfError::Ambiguous(name.to_owned())),
        (true, false) => Ok(Scope::Provider),
        (false, true) => Ok(Scope::Pool),
        (false, false) => {
            let either = providers.into_iter().chain(pools).collect();
            known("provider or pool", name, either).map(|()| Scope::Pool)
        }
    }
}

fn reprice(pool: &mut Pool, factor: Factor) -> Result<(), WhatIfError> {
    for offer in &mut pool.offers {
        let hourly = factor.price(offer.hourly);
        let most = i128::from(MAX_MONEY) * 1_000_000;
        let price = Micros::try_from(hourly).ok().filter(|_| hourly <= most);
        offer.hourly = price.ok_or_else(|| WhatIfError::Dear {
            class: offer.class.clone(),
            pool: pool.name.clone(),
            hourly: decimal(hourly),
        })?;
    }
    Ok(())
}

fn grown(service: &Service, factor: Factor) -> Result<u32, WhatIfError> {
    let replicas = factor.replicas(service.replicas);
    u32::try_from(replicas)
        .ok()
        .filter(|replicas| *replicas <= MOST_REPLICAS)
        .ok_or_else(|| WhatIfError::Replicas {
            service: service.id.to_string(),
            replicas,
            most: MOST_REPLICAS,
        })
}

/// The label that was perhaps meant by a selector that selects nothing.
fn meant(selected: &Selector, services: &[Service]) -> Option<String> {
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, value) in services.iter().flat_map(|service| &service.labels) {
        labels.entry(key).or_default().insert(value);
    }
    selected.match_expressions.iter().find_map(|term| {
        let value = term.values.first().map(String::as_str);
        match labels.get(term.key.as_str()) {
            None => {
                let key = nearest(&term.key, labels.keys().copied())?;
                Some(value.map_or(key.clone(), |value| format!("{key}={value}")))
            }
            Some(values) => {
                let value = nearest(value?, values.iter().copied())?;
                Some(format!("{}={value}", term.key))
            }
        }
    })
}
