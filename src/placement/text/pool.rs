//! `lattice explain pool`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::ExplainError;
use super::writing::counted;
use crate::placement::plan::{Plan, PlanPool};
use crate::placement::problem::nearest;

/// What is used of a pool, by whom, and why others are not there.
///
/// # Errors
/// When the plan has no such pool.
pub fn explain_pool(plan: &Plan, name: &str) -> Result<String, ExplainError> {
    let Some(pool) = plan.pools.iter().find(|pool| pool.name == name) else {
        return Err(ExplainError::Unknown {
            kind: "pool",
            name: name.to_owned(),
            suggestion: nearest(name, plan.pools.iter().map(|p| p.name.as_str())),
        });
    };
    let mut text = format!("Pool {}: {}, {}\n", pool.name, pool.provider, pool.region);
    if let Some(closed) = &pool.closed {
        let _ = writeln!(text, "Takes no new services: {closed}");
    }
    capacity(&mut text, pool);
    clusters(&mut text, plan, pool);
    services(&mut text, plan, pool);
    rejections(&mut text, plan, pool);
    Ok(text)
}

fn capacity(text: &mut String, pool: &PlanPool) {
    let of = |limit: Option<&String>| limit.map_or(String::new(), |limit| format!(" of {limit}"));
    let max_nodes = pool.max_nodes.map(|n| n.to_string());
    text.push_str("\nWhat is used\n");
    let _ = writeln!(text, "  nodes: {}{}", pool.nodes, of(max_nodes.as_ref()));
    let _ = writeln!(
        text,
        "  cores: {}{}",
        pool.cores,
        of(pool.max_cores.as_ref())
    );
    let _ = writeln!(
        text,
        "  memory: {}{} Gi",
        pool.memory_gi,
        of(pool.max_memory_gi.as_ref())
    );
    for (name, amount) in &pool.extended {
        let _ = writeln!(text, "  {name}: {amount}");
    }
    let _ = writeln!(
        text,
        "  cost: {}/h, {}{} per month",
        pool.hourly_cost,
        pool.projected_month_cost,
        of(pool.budget.as_ref())
    );
}

fn clusters(text: &mut String, plan: &Plan, pool: &PlanPool) {
    let mut here = plan
        .clusters
        .iter()
        .filter(|c| c.pool == pool.name)
        .peekable();
    if here.peek().is_some() {
        text.push_str("\nClusters\n");
    }
    for cluster in here {
        let nodes: u32 = cluster.nodes.iter().map(|n| n.count).sum();
        let _ = writeln!(
            text,
            "  {}: {}, overhead {}/h",
            cluster.name,
            counted(u64::from(nodes), "node"),
            cluster.overhead_hourly_cost
        );
    }
}

fn services(text: &mut String, plan: &Plan, pool: &PlanPool) {
    let mut here = plan
        .placements
        .iter()
        .filter(|p| p.pool == pool.name)
        .peekable();
    if here.peek().is_some() {
        text.push_str("\nServices\n");
    }
    for place in here {
        let _ = writeln!(
            text,
            "  {}/{}: {}, {}/h",
            place.namespace,
            place.service,
            counted(u64::from(place.replicas), "replica"),
            place.hourly_cost
        );
    }
}

/// Why services are not here, by constraint, counted.
fn rejections(text: &mut String, plan: &Plan, pool: &PlanPool) {
    let mut groups: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    let mut turned_away: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for rejection in plan.rejections.iter().filter(|r| r.pool == pool.name) {
        for reason in &rejection.reasons {
            let group = groups.entry(&reason.constraint).or_default();
            *group.entry(&reason.message).or_default() += 1;
            let service = format!("{}/{}", rejection.namespace, rejection.service);
            turned_away
                .entry(&reason.constraint)
                .or_default()
                .insert(service);
        }
    }
    if !groups.is_empty() {
        text.push_str("\nWhy others are not here\n");
    }
    for (constraint, messages) in groups {
        let services = turned_away.get(constraint).map_or(0, BTreeSet::len) as u64;
        let _ = writeln!(text, "  {constraint} ({})", counted(services, "service"));
        for (message, n) in messages {
            let _ = writeln!(text, "    {message} ({n})");
        }
    }
}
