//! What is free of each pool, and of all pools with a label.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::document::{Headroom, LabelHeadroom, Limit, PoolHeadroom, Room};
use crate::placement::facts::{Facts, Usage, cores, gib, monthly};
use crate::scheduler::model::Pool;
use crate::scheduler::reason::{Constraint, Why};
use crate::scheduler::units::{Micros, Resources, decimal};

/// A pool's limit, and what is used of it.
pub(super) struct Use {
    pub constraint: Constraint,
    pub used: i128,
    pub most: i128,
}

impl Use {
    /// Which has the greater share in use; crosswise, so that nothing is rounded.
    pub fn by_share(&self, other: &Self) -> Ordering {
        (self.used * other.most.max(1)).cmp(&(other.used * self.most.max(1)))
    }

    /// An amount of what is limited, in writing.
    fn written(&self, amount: i128) -> String {
        let whole = u64::try_from(amount).unwrap_or(u64::MAX);
        match self.constraint {
            Constraint::MaxCores => cores(whole),
            Constraint::MaxMemory => gib(whole),
            Constraint::Budget => decimal(amount),
            _ => amount.to_string(),
        }
    }

    /// The facts, in the words of the reasons.
    pub fn words(&self) -> String {
        let whole = |n: i128| u64::try_from(n).unwrap_or(u64::MAX);
        let (used, limit) = (whole(self.used), whole(self.most));
        let why = match self.constraint {
            Constraint::MaxCores => Why::CoresExhausted { used, limit },
            Constraint::MaxMemory => Why::MemoryExhausted { used, limit },
            Constraint::Budget if self.used > self.most => Why::OverBudget {
                projected: self.used,
                limit: Micros::try_from(self.most).unwrap_or(Micros::MAX),
            },
            Constraint::Budget => {
                return format!(
                    "Budget {}/month: {} in use",
                    decimal(self.most),
                    decimal(self.used)
                );
            }
            _ => Why::NodesExhausted { used, limit },
        };
        why.to_string()
    }
}

/// The limits of a pool, in one order.
pub(super) fn uses(pool: &Pool, usage: &Usage) -> Vec<Use> {
    let of = |constraint, used: i128, most: Option<i128>| {
        most.map(|most| Use {
            constraint,
            used,
            most,
        })
    };
    let caps = &pool.caps;
    let budget = pool.monthly_budget.map(i128::from);
    let (used_cores, used_mib) = (usage.capacity.milli_cores, usage.capacity.mib);
    [
        of(
            Constraint::MaxNodes,
            usage.nodes.into(),
            caps.max_nodes.map(i128::from),
        ),
        of(
            Constraint::MaxCores,
            used_cores.into(),
            caps.max_milli_cores.map(i128::from),
        ),
        of(
            Constraint::MaxMemory,
            used_mib.into(),
            caps.max_mib.map(i128::from),
        ),
        of(Constraint::Budget, monthly(usage.hourly), budget),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The limit of which most is used; the first pool and limit among equals.
pub(super) fn nearest_limit(facts: &Facts<'_>) -> Option<Limit> {
    let mut nearest: Option<(&Pool, Use)> = None;
    for pool in &facts.snapshot.pools {
        for found in uses(pool, &facts.usage(&pool.name)) {
            let nearer = nearest.as_ref();
            if nearer.is_none_or(|(_, least)| found.by_share(least) == Ordering::Greater) {
                nearest = Some((pool, found));
            }
        }
    }
    let (pool, limit) = nearest?;
    let most = limit.most.max(1);
    let tenths = (limit.used * 1000 + most - 1) / most;
    Some(Limit {
        pool: pool.name.clone(),
        constraint: limit.constraint.name().to_owned(),
        used: limit.written(limit.used),
        most: limit.written(limit.most),
        percent: decimal(tenths * 100_000),
    })
}

/// What is free in some pools, in integers; nothing where there is no limit.
#[derive(Clone, Copy)]
struct Free {
    nodes: Option<i128>,
    milli_cores: Option<i128>,
    mib: Option<i128>,
    budget: Option<i128>,
    idle: Resources,
}

impl Free {
    const NOTHING: Self = Self {
        nodes: Some(0),
        milli_cores: Some(0),
        mib: Some(0),
        budget: Some(0),
        idle: Resources::new(0, 0),
    };

    fn of(pool: &Pool, usage: &Usage, idle: Resources) -> Self {
        let uses = uses(pool, usage);
        let left = |constraint| {
            let limit = uses.iter().find(|u| u.constraint == constraint)?;
            Some(limit.most - limit.used)
        };
        Self {
            nodes: left(Constraint::MaxNodes),
            milli_cores: left(Constraint::MaxCores),
            mib: left(Constraint::MaxMemory),
            budget: left(Constraint::Budget),
            idle,
        }
    }

    /// Both together. What one pool exceeds takes nothing from another.
    fn and(self, other: Self) -> Self {
        let sum = |a: Option<i128>, b: Option<i128>| Some(a? + b?.max(0));
        Self {
            nodes: sum(self.nodes, other.nodes),
            milli_cores: sum(self.milli_cores, other.milli_cores),
            mib: sum(self.mib, other.mib),
            budget: sum(self.budget, other.budget),
            idle: self.idle + other.idle,
        }
    }

    fn told(self) -> Room {
        let signed = |n: i128, words: fn(u64) -> String| {
            let size = words(u64::try_from(n.unsigned_abs()).unwrap_or(u64::MAX));
            if n < 0 { format!("-{size}") } else { size }
        };
        Room {
            nodes: self.nodes.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
            cores: self.milli_cores.map(|n| signed(n, cores)),
            memory_gi: self.mib.map(|n| signed(n, gib)),
            monthly_budget: self.budget.map(decimal),
            idle_cores: cores(self.idle.milli_cores),
            idle_memory_gi: gib(self.idle.mib),
        }
    }
}

/// What is free after a solution.
pub(super) fn headroom(facts: &Facts<'_>) -> Headroom {
    let idle = idle(facts);
    let mut labels: BTreeMap<(&str, &str), (u32, Free)> = BTreeMap::new();
    let mut pools = Vec::new();
    for pool in &facts.snapshot.pools {
        let idle = idle.get(pool.name.as_str()).copied().unwrap_or_default();
        let free = Free::of(pool, &facts.usage(&pool.name), idle);
        let counted = match pool.closed {
            Some(_) => Free::NOTHING,
            None => free,
        };
        // Every pool has a label of its own name, which says nothing more.
        let own = |key: &str, value: &str| key == "pool" && value == pool.name;
        for (key, value) in pool
            .labels
            .iter()
            .flat_map(|(k, vs)| vs.iter().map(move |v| (k, v)))
        {
            if !own(key, value) {
                let entry = labels.entry((key, value)).or_insert((0, Free::NOTHING));
                *entry = (entry.0 + 1, entry.1.and(counted));
            }
        }
        pools.push(PoolHeadroom {
            pool: pool.name.clone(),
            region: pool.region.clone(),
            provider: pool.provider.clone(),
            room: free.told(),
            closed: pool.closed.clone(),
        });
    }
    let labels = labels
        .into_iter()
        .map(|((key, value), (pools, free))| LabelHeadroom {
            label: format!("{key}={value}"),
            pools,
            room: free.told(),
        });
    Headroom {
        pools,
        labels: labels.collect(),
    }
}

/// What the workers of each pool leave to services, less what is asked for on them.
fn idle<'a>(facts: &Facts<'a>) -> BTreeMap<&'a str, Resources> {
    let classes: BTreeMap<&str, Resources> = facts
        .snapshot
        .node_classes
        .iter()
        .map(|class| (class.name.as_str(), class.allocatable()))
        .collect();
    let mut idle: BTreeMap<&str, Resources> = BTreeMap::new();
    for decision in facts.solution.live() {
        for group in &decision.cluster.workers {
            let has = classes
                .get(group.class.as_str())
                .copied()
                .unwrap_or_default();
            let asked = group
                .services
                .iter()
                .fold(Resources::default(), |sum, (id, n)| {
                    let size = facts.service(id).map(|service| service.size);
                    sum + size.unwrap_or_default().times(u64::from(*n))
                });
            let free = has.saturating_sub(asked).times(u64::from(group.count));
            *idle.entry(&decision.cluster.pool).or_default() += free;
        }
    }
    idle
}
