//! Status of LatticePools: what is in use of them, and what it costs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Utc};

use super::{BUDGET_ALERT, observe};
use crate::api::conditions::{self, READY, RECONCILING, STALLED};
use crate::api::pool::{
    AllocatedCapacity, BudgetStatus, DecisionQuality, PoolCluster, PoolPhase, PoolUtilization,
};
use crate::api::{
    ClusterPhase, Cores, LatticeCluster, LatticePool, LatticePoolStatus, MemoryGi, Money, Ratio,
    Timestamp,
};
use crate::placement::diff::nodes;
use crate::placement::facts::{Facts, Usage, monthly};
use crate::placement::inputs::Inputs;
use crate::placement::snapshot::Built;
use crate::scheduler::model::Pool;
use crate::scheduler::solution::Solution;
use crate::scheduler::units::{Micros, decimal};

/// Says whether all that a pool offers is to be had.
const OBTAINABLE: &str = "Obtainable";

pub(super) fn statuses(
    inputs: &Inputs,
    built: &Built,
    facts: &Facts<'_>,
    now: Timestamp,
) -> BTreeMap<String, LatticePoolStatus> {
    let spent = spent(inputs, facts, now);
    let mut found = BTreeMap::new();
    for object in &inputs.pools {
        let name = object.metadata.name.clone().unwrap_or_default();
        let current = spent.get(name.as_str()).copied().unwrap_or(0);
        let status = one(&name, object, current, built, facts, now);
        found.entry(name).or_insert(status);
    }
    found
}

fn one(
    name: &str,
    object: &LatticePool,
    current: Micros,
    built: &Built,
    facts: &Facts<'_>,
    now: Timestamp,
) -> LatticePoolStatus {
    let usage = facts.usage(name);
    let projected = i64::try_from(monthly(usage.hourly)).unwrap_or(i64::MAX);
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let broken = super::errors(built.of("LatticePool", name));
    let offers = facts.pool(name).is_some_and(|pool| !pool.offers.is_empty());
    let short = facts.pool(name).map(shortages).unwrap_or_default();
    let phase = match (&broken, offers) {
        (_, false) => PoolPhase::Failed,
        (Some(_), true) => PoolPhase::Degraded,
        (None, true) if !short.is_empty() => PoolPhase::Degraded,
        (None, true) => PoolPhase::Ready,
    };
    let mut seen = health(object, phase, broken, &short);
    seen.extend(obtainable(&before, short));
    seen.push(alert(object, projected));
    LatticePoolStatus {
        phase: Some(phase),
        capacity: Some(AllocatedCapacity {
            allocated_nodes: usage.nodes,
            allocated_cores: Cores::from_millis(usage.capacity.milli_cores),
            allocated_memory_gi: MemoryGi::from_mib(usage.capacity.mib),
        }),
        utilization: Some(utilization(object, usage)),
        budget: Some(BudgetStatus {
            current_month_cost: Money::from_micros(current),
            projected_month_cost: Money::from_micros(projected),
            utilization_percent: object
                .spec
                .budget
                .as_ref()
                .map(|budget| share(projected, budget.max_monthly_cost.micros())),
        }),
        decision: (usage.nodes > 0).then(|| quality(facts.solution)),
        clusters: clusters(name, facts),
        conditions: observe(&before.conditions, generation, now, &seen),
        observed_generation: generation,
    }
}

/// The same for all pools: bounds add up over none but the whole fleet.
fn quality(solution: &Solution) -> DecisionQuality {
    let gap = solution.gap_ppm().map(|ppm| ppm.max(0));
    DecisionQuality {
        objective: Money::from_micros(solution.objective),
        lower_bound: Money::from_micros(solution.certificate.lower_bound),
        gap: gap.map(|ppm| Ratio::from_ppm(u32::try_from(ppm).unwrap_or(u32::MAX))),
    }
}

fn share(part: Micros, whole: Micros) -> Ratio {
    Ratio::of(
        u64::try_from(part).unwrap_or(0),
        u64::try_from(whole).unwrap_or(0),
    )
}

fn utilization(object: &LatticePool, usage: Usage) -> PoolUtilization {
    let limits = &object.spec.capacity;
    PoolUtilization {
        nodes: limits
            .max_nodes
            .map(|most| Ratio::of(u64::from(usage.nodes), u64::from(most))),
        cores: limits
            .max_cores
            .map(|most| Ratio::of(usage.capacity.milli_cores, most.millis())),
        memory: limits
            .max_memory_gi
            .map(|most| Ratio::of(usage.capacity.mib, most.mib())),
    }
}

fn clusters(pool: &str, facts: &Facts<'_>) -> Vec<PoolCluster> {
    let here = facts.solution.live().filter(|d| d.cluster.pool == pool);
    here.map(|decision| {
        let cluster = &decision.cluster;
        let services: BTreeSet<_> = cluster
            .workers
            .iter()
            .flat_map(|group| group.services.keys())
            .collect();
        PoolCluster {
            name: cluster.name.clone(),
            nodes: nodes(cluster),
            services: u32::try_from(services.len()).unwrap_or(u32::MAX),
        }
    })
    .collect()
}

type Seen = (
    &'static str,
    crate::api::ConditionStatus,
    &'static str,
    String,
);

/// What is not to be had for the time being, as a sentence; empty where all is.
fn shortages(pool: &Pool) -> String {
    let each = pool.shortages.iter().map(|(offer, shortage)| {
        let until = DateTime::from_timestamp(shortage.until, 0).unwrap_or_default();
        let until = until.to_rfc3339_opts(SecondsFormat::Secs, true);
        format!("no more of {offer} until {until} ({})", shortage.why)
    });
    each.collect::<Vec<_>>().join("; ")
}

/// Whether all that the pool offers is to be had. Of a pool of which nothing was ever short nothing is said.
fn obtainable(before: &LatticePoolStatus, short: String) -> Option<Seen> {
    let was_short = conditions::find(&before.conditions, OBTAINABLE).is_some();
    match short.is_empty() {
        true => was_short.then(|| (OBTAINABLE, true.into(), "InStock", String::new())),
        false => Some((OBTAINABLE, false.into(), "Shortage", short)),
    }
}

fn health(
    object: &LatticePool,
    phase: PoolPhase,
    broken: Option<String>,
    short: &str,
) -> Vec<Seen> {
    let suspended = object.spec.suspend == Some(true);
    let (word, message) = match phase {
        PoolPhase::Failed => (
            "NoNodeClass",
            "offers no node class at a known price".to_owned(),
        ),
        PoolPhase::Degraded if broken.is_none() => ("Shortage", short.to_owned()),
        PoolPhase::Degraded => ("Degraded", broken.clone().unwrap_or_default()),
        _ if suspended => ("Suspended", "takes no new services".to_owned()),
        _ => ("Ready", String::new()),
    };
    let stalled = broken.is_some() || phase == PoolPhase::Failed;
    let why = broken.unwrap_or_else(|| message.clone());
    vec![
        (READY, (phase == PoolPhase::Ready).into(), word, message),
        (RECONCILING, false.into(), word, String::new()),
        (
            STALLED,
            stalled.into(),
            if stalled { "InvalidSpec" } else { word },
            if stalled { why } else { String::new() },
        ),
    ]
}

fn alert(object: &LatticePool, projected: Micros) -> Seen {
    let Some(budget) = &object.spec.budget else {
        return (BUDGET_ALERT, false.into(), "NoBudget", String::new());
    };
    let most = i128::from(budget.max_monthly_cost.micros());
    let threshold = most * i128::from(budget.alert_threshold.ppm()) / 1_000_000;
    let message = format!(
        "projected {} of {} {} a month, alert from {}",
        decimal(i128::from(projected)),
        decimal(most),
        budget.currency,
        decimal(threshold)
    );
    if projected > 0 && i128::from(projected) >= threshold {
        (BUDGET_ALERT, true.into(), "NearBudget", message)
    } else {
        (BUDGET_ALERT, false.into(), "WithinBudget", message)
    }
}

/// What each pool's clusters have cost since the month began, at their present price and in whole hours, so
/// that it moves once an hour. Clusters that are not provisioned cost nothing yet.
fn spent<'a>(inputs: &Inputs, facts: &Facts<'a>, now: Timestamp) -> BTreeMap<&'a str, Micros> {
    let running: BTreeMap<&str, &LatticeCluster> = inputs
        .clusters
        .iter()
        .filter(|cluster| {
            let phase = cluster.status.as_ref().and_then(|status| status.phase);
            phase.is_some_and(|phase| phase != ClusterPhase::Pending)
        })
        .filter_map(|cluster| Some((cluster.metadata.name.as_deref()?, cluster)))
        .collect();
    let mut spent: BTreeMap<&str, Micros> = BTreeMap::new();
    for decision in facts.solution.live() {
        let cluster = &decision.cluster;
        if let Some(object) = running.get(cluster.name.as_str()) {
            let hours = hours_this_month(object, now);
            let cost = facts.cost(&cluster.name).total.saturating_mul(hours);
            *spent.entry(&cluster.pool).or_default() += cost;
        }
    }
    spent
}

fn hours_this_month(object: &LatticeCluster, now: Timestamp) -> i64 {
    let now = now.datetime();
    let month = NaiveDate::from_ymd_opt(now.year(), now.month(), 1)
        .and_then(|day| day.and_hms_opt(0, 0, 0))
        .map_or(now, |start| start.and_utc());
    let created = object.metadata.creation_timestamp.as_ref();
    let created = created
        .and_then(|time| DateTime::<Utc>::from_timestamp(time.0.as_second(), 0))
        .unwrap_or(month);
    (now - month.max(created)).num_hours().max(0)
}
