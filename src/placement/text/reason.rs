//! A decision in a sentence.

use std::cmp::Reverse;

use super::writing::listed;
use crate::placement::facts::{Facts, Placed};
use crate::scheduler::model::Service;
use crate::scheduler::reason::Why;
use crate::scheduler::solution::{Outcome, Verdict};

/// Most reasons that a sentence names.
const NAMED_REASONS: usize = 5;

/// Why a service is where it is, or why it has no place.
pub(crate) fn reason(facts: &Facts<'_>, service: &Service, outcome: &Outcome) -> String {
    let places = facts.placed(&service.id);
    match outcome.verdict {
        Verdict::Unschedulable => no_place(outcome, !places.is_empty()),
        Verdict::Escalated => "Waits for the parent's answer".to_owned(),
        _ if places.is_empty() => "Asks for no replicas".to_owned(),
        _ => format!(
            "Placed in {} {}",
            listed(&pools(facts, service, places)),
            because(facts, service)
        ),
    }
}

/// The reasons against the service as a whole, else those of the pools, most telling first.
fn no_place(outcome: &Outcome, keeps: bool) -> String {
    let (whole, of_pools): (Vec<_>, Vec<_>) =
        outcome.reasons.iter().partition(|r| r.pool.is_none());
    let mut named: Vec<String> = if whole.is_empty() {
        let in_words = of_pools.iter().map(|reason| {
            let pool = reason.pool.as_deref().unwrap_or_default();
            format!("{pool}: {}", reason.why)
        });
        in_words.collect()
    } else {
        whole.iter().map(|reason| reason.why.to_string()).collect()
    };
    let left = named.len().saturating_sub(NAMED_REASONS);
    named.truncate(NAMED_REASONS);
    if left > 0 {
        named.push(format!("and {left} more"));
    }
    let keeps = if keeps {
        "; keeps the places it has"
    } else {
        ""
    };
    format!("No place: {}{keeps}", named.join("; "))
}

/// The pools of a service: in the order that the service requires, else most replicas first.
fn pools<'a>(facts: &Facts<'_>, service: &Service, places: &[Placed<'a>]) -> Vec<&'a str> {
    let mut pools: Vec<(usize, Reverse<u32>, &str)> = Vec::new();
    for place in places {
        if let Some(known) = pools.iter_mut().find(|(.., pool)| *pool == place.pool) {
            known.1.0 += place.replicas;
            continue;
        }
        let region = facts.pool(place.pool).map(|pool| pool.region.as_str());
        let required = service
            .required_regions
            .iter()
            .position(|wanted| wanted == place.pool || Some(wanted.as_str()) == region);
        pools.push((
            required.unwrap_or(usize::MAX),
            Reverse(place.replicas),
            place.pool,
        ));
    }
    pools.sort();
    pools.into_iter().map(|(.., pool)| pool).collect()
}

/// The constraint that decided most.
fn because(facts: &Facts<'_>, service: &Service) -> String {
    let policies: Vec<_> = facts.policies(service).collect();
    let pins = &facts.snapshot.pins;
    let near = |id| facts.service(id).is_some();
    if !service.required_regions.is_empty() {
        "per requiredRegions constraint".to_owned()
    } else if policies.iter().any(|p| p.min_regions > Some(1)) {
        "per minRegions constraint".to_owned()
    } else if service.replicas > 1 && policies.iter().any(|p| !p.spread.is_empty()) {
        "per spreadConstraint".to_owned()
    } else if let Some(bound) = service.latency.iter().find(|b| near(&b.dependency)) {
        format!("per latency to {}", bound.dependency.name)
    } else if let Some(pin) = pins.iter().find(|pin| pin.service == service.id) {
        format!("per pin to cluster {}", pin.cluster)
    } else {
        "at the least cost".to_owned()
    }
}

/// What was to be met, a line each.
pub(crate) fn constraints(facts: &Facts<'_>, service: &Service) -> Vec<String> {
    let mut lines = Vec::new();
    if !service.required_regions.is_empty() {
        let regions = service.required_regions.join(", ");
        lines.push(format!("requiredRegions: {regions}"));
    }
    for (key, value) in &service.pools.match_labels {
        lines.push(format!("pool selector: {key}={value}"));
    }
    for term in &service.pools.match_expressions {
        let values: Vec<&str> = term.values.iter().map(String::as_str).collect();
        let values = values.join(", ");
        let line = format!("pool selector: {} {:?} {values}", term.key, term.operator);
        lines.push(line.trim_end().to_owned());
    }
    let compliance = |labels: &std::collections::BTreeSet<String>| {
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        (!labels.is_empty()).then(|| format!("compliance: {}", labels.join(", ")))
    };
    lines.extend(compliance(&service.compliance));
    if !service.capacity_types.is_default() {
        lines.push(format!("capacityTypes: {}", service.capacity_types));
    }
    for (place, resource) in facts.snapshot.extended.iter().enumerate() {
        let asked = service.size.extended.get(place);
        lines.extend(
            (asked > 0).then(|| format!("extended resources: {asked} {resource} a replica")),
        );
    }
    for bound in &service.latency {
        let name = &bound.dependency.name;
        lines.push(format!("latency: {name} within {} ms", bound.max_ms));
    }
    for pin in facts
        .snapshot
        .pins
        .iter()
        .filter(|p| p.service == service.id)
    {
        lines.push(match pin.replicas {
            Some(n) => format!("pin: {n} on cluster {}", pin.cluster),
            None => format!("pin: cluster {}", pin.cluster),
        });
    }
    for policy in facts.policies(service) {
        let of = |what: String| format!("{what} ({})", policy.name);
        lines.extend(policy.min_regions.map(|n| of(format!("minRegions: {n}"))));
        lines.extend(compliance(&policy.compliance).map(of));
        for spread in &policy.spread {
            lines.push(of(format!(
                "spreadConstraint: {}, maxSkew {}",
                spread.topology, spread.max_skew
            )));
        }
    }
    lines
}

/// Why a pool was not chosen: all reasons.
pub(crate) fn rejected(reasons: &[Why]) -> String {
    let words: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    match words.is_empty() {
        true => "Has all that is asked for, and no replica was left".to_owned(),
        false => words.join("; "),
    }
}

/// What a placed service waits for.
pub(crate) fn wait(ready: u32, replicas: u32) -> String {
    format!("{ready} of {replicas} replicas are ready")
}
