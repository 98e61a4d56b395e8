//! `lattice explain service`.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::writing::{counted, listed, signed};
use super::{ExplainError, conflict};
use crate::placement::plan::{Decision, Plan, PlanMove, PlanReason, Rejection};
use crate::placement::problem::nearest;

/// Most pools that one line names.
const NAMED_POOLS: usize = 5;

/// Why a service is where it is, why not elsewhere, what that costs and what would change it.
///
/// # Errors
/// When the plan has no such service, or several and `namespace` is not given.
pub fn explain_service(
    plan: &Plan,
    name: &str,
    namespace: Option<&str>,
) -> Result<String, ExplainError> {
    let decision = find(plan, name, namespace)?;
    let of = |service: &str, namespace: &str| {
        service == decision.service && namespace == decision.namespace
    };
    let rejections: Vec<&Rejection> = plan
        .rejections
        .iter()
        .filter(|r| of(&r.service, &r.namespace))
        .collect();
    let unschedulable = plan
        .unschedulable
        .iter()
        .find(|u| of(&u.service, &u.namespace));
    let mut text = format!(
        "Service {}/{}: {}\n{}\n",
        decision.namespace, decision.service, decision.verdict, decision.reason
    );
    placements(&mut text, plan, decision);
    constraints(&mut text, decision);
    moves(&mut text, plan, decision);
    match unschedulable {
        Some(found) => {
            why_not(&mut text, plan, &per_pool(&found.reasons));
            conflict::conflicts(&mut text, found);
            conflict::relaxations(&mut text, found);
        }
        None => {
            let reasons = rejections
                .iter()
                .map(|r| (r.pool.as_str(), r.reasons.iter().collect()));
            let per_pool: Vec<(&str, Vec<&PlanReason>)> = reasons.collect();
            why_not(&mut text, plan, &per_pool);
            alternatives(&mut text, &per_pool);
        }
    }
    Ok(text)
}

fn find<'a>(
    plan: &'a Plan,
    name: &str,
    namespace: Option<&str>,
) -> Result<&'a Decision, ExplainError> {
    let (namespace, bare) = match name.split_once('/') {
        Some((own, bare)) => (Some(own), bare),
        None => (namespace, name),
    };
    let matching: Vec<&Decision> = plan
        .decisions
        .iter()
        .filter(|d| d.service == bare && namespace.is_none_or(|n| n == d.namespace))
        .collect();
    match matching.as_slice() {
        [one] => Ok(one),
        [] => Err(ExplainError::Unknown {
            kind: "service",
            name: name.to_owned(),
            suggestion: nearest(bare, plan.decisions.iter().map(|d| d.service.as_str())),
        }),
        several => Err(ExplainError::Ambiguous {
            name: name.to_owned(),
            choices: several
                .iter()
                .map(|d| format!("{}/{}", d.namespace, d.service))
                .collect(),
        }),
    }
}

fn placements(text: &mut String, plan: &Plan, decision: &Decision) {
    let places = plan
        .placements
        .iter()
        .filter(|p| p.service == decision.service && p.namespace == decision.namespace);
    let mut any = false;
    for place in places {
        if !any {
            text.push_str("\nWhere it is\n");
            any = true;
        }
        let _ = writeln!(
            text,
            "  {}: {} on {} in cluster {}, {}/h",
            place.pool,
            counted(u64::from(place.replicas), "replica"),
            place.node_class,
            place.cluster,
            place.hourly_cost
        );
    }
    if any {
        let _ = writeln!(
            text,
            "\nWhat it costs\n  {}/h, {} per 30 days",
            decision.hourly_cost, decision.projected_30_day
        );
    }
}

/// What is moved of it for savings, or what that would have to pay for.
fn moves(text: &mut String, plan: &Plan, decision: &Decision) {
    let concerns = |found: &&PlanMove| {
        let mut replicas = found.replicas.iter();
        replicas.any(|m| m.service == decision.service && m.namespace == decision.namespace)
    };
    let mut tell = |title: &str, list: &[PlanMove]| {
        for (index, found) in list.iter().filter(concerns).enumerate() {
            if index == 0 {
                let _ = writeln!(text, "\n{title}");
            }
            let _ = writeln!(text, "  {}", found.reason);
        }
    };
    tell("Moved for savings", &plan.moves.made);
    tell("Left on the table", &plan.moves.left);
}

fn constraints(text: &mut String, decision: &Decision) {
    if !decision.constraints.is_empty() || !decision.unenforced.is_empty() {
        text.push_str("\nWhat it must have\n");
    }
    for line in decision.constraints.iter().chain(&decision.unenforced) {
        let _ = writeln!(text, "  {line}");
    }
}

/// Reasons by pool; those about the service as a whole have no pool and come first.
fn per_pool(reasons: &[PlanReason]) -> Vec<(&str, Vec<&PlanReason>)> {
    let mut found: BTreeMap<&str, Vec<&PlanReason>> = BTreeMap::new();
    for reason in reasons {
        let pool = reason.pool.as_deref().unwrap_or_default();
        found.entry(pool).or_default().push(reason);
    }
    found.into_iter().collect()
}

/// All reasons, grouped by constraint and counted, and which constraints alone shut pools out.
fn why_not(text: &mut String, plan: &Plan, per_pool: &[(&str, Vec<&PlanReason>)]) {
    let mut groups: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    let mut binding: BTreeMap<&str, u64> = BTreeMap::new();
    for (pool, reasons) in per_pool {
        for reason in reasons {
            let group = groups.entry(&reason.constraint).or_default();
            group.entry(&reason.message).or_default().push(pool);
        }
        let mut hard: Vec<&str> = reasons.iter().map(|r| r.constraint.as_str()).collect();
        hard.dedup();
        match hard.as_slice() {
            [only] if *only != "cost" && !pool.is_empty() => *binding.entry(only).or_default() += 1,
            _ => {}
        }
    }
    if groups.is_empty() {
        return;
    }
    text.push_str("\nWhy not elsewhere\n");
    for (constraint, messages) in &groups {
        let pools: std::collections::BTreeSet<&&str> = messages.values().flatten().collect();
        let named = pools.iter().filter(|pool| !pool.is_empty()).count() as u64;
        let counted = match named {
            0 => String::new(),
            n => format!(" ({} of {})", counted(n, "pool"), plan.pools.len()),
        };
        let _ = writeln!(text, "  {constraint}{counted}");
        for (message, pools) in messages {
            let _ = writeln!(text, "    {}{message}", in_short(pools));
        }
    }
    if !binding.is_empty() {
        let words: Vec<String> = binding
            .iter()
            .map(|(constraint, n)| format!("{constraint} ({})", counted(*n, "pool")))
            .collect();
        let _ = writeln!(
            text,
            "\nWhat binds: alone shuts pools out\n  {}",
            listed(&words)
        );
    }
}

fn in_short(pools: &[&str]) -> String {
    let named: Vec<&str> = pools.iter().copied().filter(|p| !p.is_empty()).collect();
    match named.len() {
        0 => String::new(),
        n if n > NAMED_POOLS => format!(
            "{} and {} more: ",
            named[..NAMED_POOLS].join(", "),
            n - NAMED_POOLS
        ),
        _ => format!("{}: ", named.join(", ")),
    }
}

/// The pool that would be next.
fn alternatives(text: &mut String, per_pool: &[(&str, Vec<&PlanReason>)]) {
    let cheapest = per_pool
        .iter()
        .filter_map(|(pool, reasons)| match reasons.as_slice() {
            [only] => Some((only.added_hourly_cost.as_deref()?, *pool)),
            _ => None,
        })
        .min_by_key(|(added, pool)| (micros(added), *pool));
    if let Some((added, pool)) = cheapest {
        let _ = writeln!(
            text,
            "\nWhat would change it\n  A replica in {pool} instead: {}/h; what runs goes there once it saves more than moving costs",
            signed(added)
        );
    }
}

/// A decimal as a number that can be compared.
fn micros(amount: &str) -> i64 {
    let negative = amount.starts_with('-');
    let money = crate::api::Money::parse(amount.trim_start_matches('-'));
    let micros = money.map_or(i64::MAX, crate::api::Money::micros);
    if negative { -micros } else { micros }
}
