//! What its constraints cost a service that has a place: each is lifted, alone, and the service
//! placed anew.

use std::convert::Infallible;

use super::basis::{self, Settled};
use super::filter::{Held, minimal};
use super::member::{About, Member, members};
use super::oracle::{Goal, Oracle};
use super::trial::{Effort, Trial, size};
use super::{MOST_SOLVES, MOST_WORK, WHOLE};
use crate::placement::facts::Facts;
use crate::scheduler::decide;
use crate::scheduler::explain;
use crate::scheduler::model::{ServiceId, Snapshot};
use crate::scheduler::reason::Reason;
use crate::scheduler::solution::{Solution, Verdict};
use crate::scheduler::units::Micros;

/// What the constraints of one service cost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// Constraints without which the fleet costs less, the dearest first.
    pub binding: Vec<ConstraintCost>,
    /// Constraints without which nothing is cheaper; their price is 0.
    pub slack: Vec<ConstraintCost>,
    /// What the fleet costs more (or less) per hour, in micro-dollars, when the service and those
    /// tied to it are placed anew with all constraints: the other amounts count from there.
    pub anew: Micros,
    /// What the fleet costs less per hour, in micro-dollars, without any of them.
    pub together: Micros,
    /// A minimal set of constraints that keeps the service from costing less: with all of these
    /// nothing is cheaper, even without the others; without any one of these it is.
    pub conflict: Vec<String>,
    /// Whether everything was tried.
    pub complete: bool,
    /// Whether services other than those that latency limits tie to this one were left on their clusters.
    pub others_fixed: bool,
}

/// A constraint and its price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConstraintCost {
    /// The constraint's kind, such as `compliance`.
    pub constraint: String,
    /// The constraint in words.
    pub text: String,
    /// What the fleet costs less per hour without it, in micro-dollars.
    pub hourly: Micros,
}

/// The costs of a placed service's constraints; none of a service without a place. The service and
/// those tied to it by latency are placed anew, so that what runs is not left where it is for that
/// reason alone; others move only where a limit that is lifted lets them.
pub fn costs(snapshot: &Snapshot, solution: &Solution, id: &ServiceId) -> Option<Costs> {
    let placed = solution.outcome(id)?.verdict != Verdict::Unschedulable;
    let facts = Facts::new(snapshot, solution);
    let replicas = facts.service(id)?.replicas;
    if !placed || replicas == 0 {
        return None;
    }
    let (trial, anew) = anew(&facts, id)?;
    let members = members(&facts, id, &reasons(snapshot, solution, id), About::Price);
    let mut effort = Effort {
        solves: MOST_SOLVES,
        work: MOST_WORK,
    };
    let mut found = Costs {
        others_fixed: size(snapshot) > WHOLE.tries,
        anew,
        ..Costs::default()
    };
    let separately = one_by_one(&trial, &members, &mut found, &mut effort);
    let together = all_at_once(&trial, &members, &mut found, &mut effort);
    found.complete = separately.is_ok() && together.is_ok();
    Some(found)
}

/// The fleet as decided, with the service and those tied to it taken off, and what placing them
/// anew adds to the cost per hour; none if the search then finds no place for one of them.
fn anew(facts: &Facts<'_>, id: &ServiceId) -> Option<(Trial, Micros)> {
    let settled = Settled::new(facts);
    let tied = basis::tied(&settled.snapshot, id);
    let mut base = if size(&settled.snapshot) > WHOLE.tries {
        basis::only(&settled, &tied)
    } else {
        settled.snapshot
    };
    let before = decide(&base);
    basis::taken_off(&mut base, &tied);
    let solution = decide(&base);
    let lost = Trial::new(base.clone(), &before, id);
    let placed = lost.places(&solution);
    let added = solution.hourly.saturating_sub(before.hourly);
    placed.then(|| (Trial::new(base, &solution, id), added))
}

/// Why pools hold none of its replicas.
fn reasons(snapshot: &Snapshot, solution: &Solution, id: &ServiceId) -> Vec<Reason> {
    let mut found = Vec::new();
    let wanted = |other: &ServiceId| other == id;
    let collected: Result<(), Infallible> =
        explain::rejections(snapshot, solution, &wanted, &mut |_, pool, reasons| {
            found.extend(reasons.into_iter().map(|why| Reason::of_pool(pool, why)));
            Ok(())
        });
    match collected {
        Ok(()) => found,
        Err(never) => match never {},
    }
}

fn one_by_one(
    trial: &Trial,
    members: &[Member],
    found: &mut Costs,
    effort: &mut Effort,
) -> Result<(), super::trial::Spent> {
    for member in members {
        let tried = trial.placing(&member.lift, effort)?;
        let without = tried.map_or(trial.hourly, |tried| tried.solution.hourly);
        let hourly = trial.hourly.saturating_sub(without).max(0);
        let list = match hourly {
            0 => &mut found.slack,
            _ => &mut found.binding,
        };
        list.push(ConstraintCost {
            constraint: member.constraint.name().to_owned(),
            text: member.text.clone(),
            hourly,
        });
    }
    found
        .binding
        .sort_by(|a, b| b.hourly.cmp(&a.hourly).then_with(|| a.text.cmp(&b.text)));
    Ok(())
}

fn all_at_once(
    trial: &Trial,
    members: &[Member],
    found: &mut Costs,
    effort: &mut Effort,
) -> Result<(), super::trial::Spent> {
    let mut oracle = Oracle::new(trial, members, Goal::Below(trial.hourly));
    let nothing = oracle.lifting_all_but(&Held::new());
    if let Some(tried) = trial.placing(&nothing, effort)? {
        found.together = trial.hourly.saturating_sub(tried.solution.hourly).max(0);
    }
    if found.together == 0 {
        return Ok(());
    }
    let all: Held = (0..members.len()).collect();
    let set = minimal(&all, &mut |held| oracle.misses(held, effort))?;
    let texts = set.into_iter().flatten().filter_map(|m| members.get(m));
    found.conflict = texts.map(|member| member.text.clone()).collect();
    Ok(())
}
