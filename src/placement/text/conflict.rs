//! What is in the way of a service, and the ways out; what its constraints cost.

use std::fmt::Write;

use super::writing::{counted, listed, signed};
use crate::placement::conflict::costs::{ConstraintCost, Costs};
use crate::placement::facts::{amount, monthly};
use crate::placement::plan::{ConflictSet, Relaxation, Unschedulable};
use crate::scheduler::units::{Micros, decimal};

/// The conflicting sets of a service without a place.
pub(super) fn conflicts(text: &mut String, found: &Unschedulable) {
    let sets = found.conflict_sets.as_slice();
    let rule = match (sets, found.conflicts_complete) {
        ([], _) => return,
        ([one], true) if one.members.len() == 1 => "Without this it has a place:",
        ([_], true) => "These cannot all be met; without any one of them it has a place:",
        ([_], false) => "These cannot all be met, and there may be more that cannot:",
        (_, true) => "Of each line one has to give way; then it has a place:",
        (_, false) => "Of each line one has to give way, and there may be more that have to:",
    };
    let _ = writeln!(text, "\nWhat conflicts\n  {rule}");
    for set in sets {
        if sets.len() == 1 {
            for member in &set.members {
                let _ = writeln!(text, "    {}", member.message);
            }
        } else {
            let _ = writeln!(text, "    {}", in_a_line(set));
        }
    }
}

/// The members of a set.
fn in_a_line(set: &ConflictSet) -> String {
    let members: Vec<&str> = set.members.iter().map(|m| m.message.as_str()).collect();
    members.join(" + ")
}

/// The conflicting sets in short, a line each.
pub fn conflict_lines(found: &Unschedulable) -> Vec<String> {
    let sets = found.conflict_sets.iter();
    sets.map(|set| match set.members.len() {
        1 => format!("in the way: {}", in_a_line(set)),
        _ => format!("cannot all be met: {}", in_a_line(set)),
    })
    .collect()
}

/// The ways out of a service without a place.
pub(super) fn relaxations(text: &mut String, found: &Unschedulable) {
    text.push_str("\nWhat would give it a place\n");
    if found.relaxations.is_empty() {
        text.push_str("  No change that was tried\n");
    }
    for way in &found.relaxations {
        let _ = writeln!(text, "  {}", way_out(way));
    }
}

/// A way out and its price.
pub fn way_out(way: &Relaxation) -> String {
    let nodes = signed(&way.nodes_delta.to_string());
    let mut text = format!(
        "{}: {nodes} nodes, {}/h, {}/month",
        way.change,
        signed(&way.hourly_cost_delta),
        signed(&way.monthly_cost_delta)
    );
    if way.others_fixed {
        text.push_str(", everything else on its cluster");
    }
    if !way.also_places.is_empty() {
        let _ = write!(text, "; also places {}", listed(&way.also_places));
    }
    text
}

/// What is said where constraints have no price.
pub const NO_COSTS: &str =
    "\nWhat its constraints cost\n  Only what is placed, and would be placed anew, has costs\n";

/// What the constraints of a placed service cost, for `lattice explain service --costs`.
pub fn explain_costs(costs: &Costs) -> String {
    let mut text =
        String::from("\nWhat its constraints cost: each lifted alone, and placed anew\n");
    for cost in &costs.binding {
        let _ = writeln!(text, "  {}  {}", price(cost.hourly), cost.text);
    }
    slack(&mut text, costs);
    if costs.together > 0 {
        let _ = writeln!(
            text,
            "\nWhat keeps it from costing less\n  Without any constraint: {} less",
            price(costs.together)
        );
    }
    if !costs.conflict.is_empty() {
        let rule = match costs.conflict.len() {
            1 => "1 constraint alone keeps it as dear as it is:".to_owned(),
            n => format!(
                "{n} constraints together keep it as dear as it is; without any one of them it is cheaper:"
            ),
        };
        let _ = writeln!(text, "  {rule}");
        for member in &costs.conflict {
            let _ = writeln!(text, "    {member}");
        }
    }
    if costs.anew != 0 {
        let _ = writeln!(
            text,
            "  Counted from where it would be placed anew with all of them, at {}/h",
            signed(&amount(costs.anew))
        );
    }
    if costs.others_fixed {
        text.push_str("  Everything not tied to it by latency was left on its cluster\n");
    }
    if !costs.complete {
        text.push_str("  Not all was tried: that would take too long\n");
    }
    text
}

/// Constraints that cost nothing; of pools' limits, which are many, only how many.
fn slack(text: &mut String, costs: &Costs) {
    let limits = ["maxNodes", "maxCores", "maxMemory", "budget"];
    let is_limit = |cost: &&ConstraintCost| limits.contains(&cost.constraint.as_str());
    let (many, few): (Vec<_>, Vec<_>) = costs.slack.iter().partition(is_limit);
    if !costs.slack.is_empty() {
        text.push_str("  Nothing is cheaper without:\n");
    }
    for cost in few {
        let _ = writeln!(text, "    {}", cost.text);
    }
    if !many.is_empty() {
        let limits = counted(many.len() as u64, "limit");
        let _ = writeln!(text, "    {limits} of pools, each alone");
    }
}

fn price(hourly: Micros) -> String {
    format!("{}/h, {}/month", amount(hourly), decimal(monthly(hourly)))
}
