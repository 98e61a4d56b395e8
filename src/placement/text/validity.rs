//! How far a pool may drift, in words.

use std::fmt::Write;

use crate::placement::facts::{cores, gib};
use crate::placement::validity::{End, LimitKind, LimitRange, PoolValidity};
use crate::scheduler::units::decimal;

/// How far the prices and limits of a pool may drift before the decision changes.
pub fn explain_validity(found: &PoolValidity) -> String {
    let mut text =
        "\nHow far it may drift, one at a time, before the decision changes\n".to_owned();
    if !found.at_rest {
        text.push_str("  The decision is not at rest: deciding again would change it as it is.\n");
        return text;
    }
    let percent = |value: i64| format!("{value} %");
    let down = end(found.prices_down, "down", &percent);
    let up = end(found.prices_up, "up", &percent);
    let _ = writeln!(text, "  prices: {down}; {up}");
    for limit in &found.limits {
        let _ = writeln!(text, "  {}", range(limit));
    }
    let _ = writeln!(text, "  Found by deciding {} times.", found.solves);
    text
}

fn range(limit: &LimitRange) -> String {
    let (name, amount): (&str, fn(i64) -> String) = match limit.kind {
        LimitKind::Nodes => ("maxNodes", |n| n.to_string()),
        LimitKind::MilliCores => ("maxCores", |n| cores(n.unsigned_abs())),
        LimitKind::Mib => ("maxMemoryGi", |n| gib(n.unsigned_abs())),
        LimitKind::Budget => ("maxMonthlyCost", |n| decimal(i128::from(n))),
    };
    let is = amount(limit.is);
    let mut down = end(limit.down, "down", &amount);
    if limit.down.same == Some(limit.used) {
        down.push_str(", which is what is used");
    }
    format!("{name} {is}: {down}; {}", end(limit.up, "up", &amount))
}

fn end(end: End, way: &str, amount: &dyn Fn(i64) -> String) -> String {
    match (end.same, end.other) {
        (None, _) => format!("{way} without end"),
        (Some(same), None) => format!("{way} to {}", amount(same)),
        (Some(same), Some(other)) => format!(
            "{way} to {}, at {} something else is decided",
            amount(same),
            amount(other)
        ),
    }
}
