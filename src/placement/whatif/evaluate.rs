//! One scenario: the planned fleet changed, solved, and what differs told.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::binding::{self, Stuck};
use super::document::{Base, Cost, Report, Unplaceable};
use super::{Scenario, WhatIfError, headroom, moves};
use crate::placement::diff;
use crate::placement::facts::{Facts, amount, monthly};
use crate::placement::plan;
use crate::scheduler::model::{Cluster, ServiceId, Snapshot};
use crate::scheduler::reason::{Constraint, Reason};
use crate::scheduler::solution::{Solution, Verdict};
use crate::scheduler::solve;
use crate::scheduler::units::{Micros, decimal};

/// The fleet as planned.
pub(super) struct Planned<'a> {
    /// What the plan was made from.
    read: &'a Snapshot,
    /// The same once the plan is carried out.
    settled: Snapshot,
    solution: Solution,
}

impl<'a> Planned<'a> {
    pub fn new(read: &'a Snapshot) -> Self {
        let solution = solve(read);
        let mut settled = read.clone();
        settled.clusters = solution.live().map(|d| d.cluster.clone()).collect();
        settled.normalise();
        Self {
            read,
            settled,
            solution,
        }
    }

    pub fn base(&self) -> Base {
        let facts = Facts::new(self.read, &self.solution);
        Base {
            summary: plan::summary(&facts),
            unplaceable: stuck(&self.solution).map(ToString::to_string).collect(),
            headroom: headroom::headroom(&facts),
        }
    }

    /// What follows from a scenario. What runs stays where it is as far as it can; `afresh`, everything is placed
    /// anew instead.
    pub fn evaluate(&self, scenario: &Scenario, afresh: bool) -> Result<Report, WhatIfError> {
        let from = if afresh { self.read } else { &self.settled };
        let changed = scenario.apply(from)?;
        let solution = solve(&changed);
        let facts = Facts::new(&changed, &solution);
        let before = Facts::new(self.read, &self.solution);
        let unplaced: BTreeSet<&ServiceId> = stuck(&self.solution).collect();
        let mut lost = self.lost(scenario, &facts, &unplaced);
        lost.sort_by_key(|stuck| {
            let follows = stuck.first().is_none_or(is_vague);
            (follows, Reverse(stuck.service.priority), &stuck.service.id)
        });
        let first = lost.first();
        let first_constraint = match first {
            Some(stuck) => stuck.binding(),
            None => binding::exceeded(&before, &facts),
        };
        let is_placed = |id: &&ServiceId| {
            let outcome = solution.outcome(id);
            outcome.is_some_and(|outcome| outcome.verdict != Verdict::Unschedulable)
        };
        let clusters: &[Cluster] = &self.settled.clusters;
        Ok(Report {
            name: scenario.name(),
            changes: scenario.told(self.read),
            placeable: lost.is_empty(),
            summary: plan::summary(&facts),
            cost: cost(self.solution.hourly, solution.hourly),
            newly_placed: unplaced
                .into_iter()
                .filter(is_placed)
                .map(ToString::to_string)
                .collect(),
            first_constraint,
            nearest_limit: headroom::nearest_limit(&facts),
            moves: moves::moves(clusters, &solution),
            services: diff::service_changes(&self.solution.placements(), &solution.placements()),
            clusters: moves::clusters((self.read, clusters), (&changed, &solution)),
            headroom: headroom::headroom(&facts),
            unplaceable: lost
                .iter()
                .filter_map(|stuck| told(stuck, &facts))
                .collect(),
        })
    }

    /// The services that have a place in the plan and none in the scenario.
    fn lost<'f>(
        &self,
        scenario: &Scenario,
        facts: &'f Facts<'f>,
        unplaced: &BTreeSet<&ServiceId>,
    ) -> Vec<Stuck<'f>> {
        let outcomes = facts.solution.outcomes.iter();
        outcomes
            .filter(|outcome| outcome.verdict == Verdict::Unschedulable)
            .filter(|outcome| !unplaced.contains(&outcome.service))
            .filter_map(|outcome| Stuck::new(facts, scenario, self.read, outcome))
            .collect()
    }
}

fn stuck(solution: &Solution) -> impl Iterator<Item = &ServiceId> {
    let outcomes = solution.outcomes.iter();
    let stuck = outcomes.filter(|outcome| outcome.verdict == Verdict::Unschedulable);
    stuck.map(|outcome| &outcome.service)
}

/// Whether a reason follows from others, as a dependency without a place does.
fn is_vague(reason: &Reason) -> bool {
    let constraint = reason.why.constraint();
    constraint == Constraint::Latency || constraint == Constraint::Combination
}

fn told(stuck: &Stuck<'_>, facts: &Facts<'_>) -> Option<Unplaceable> {
    let service = stuck.service;
    let words = |reason: &Reason| plan::reason(reason.pool.as_ref(), &reason.why);
    Some(Unplaceable {
        service: service.id.name.clone(),
        namespace: service.id.namespace.clone(),
        priority: service.priority,
        replicas: service.replicas,
        placed: facts.placed(&service.id).iter().map(|p| p.replicas).sum(),
        reason: words(stuck.first()?),
        reasons: stuck.reasons.iter().map(words).collect(),
    })
}

/// Two costs per hour, and per month.
fn cost(before: Micros, after: Micros) -> Cost {
    let month = |hourly| decimal(monthly(hourly));
    Cost {
        hourly_before: amount(before),
        hourly_after: amount(after),
        hourly_delta: amount(after - before),
        monthly_before: month(before),
        monthly_after: month(after),
        monthly_delta: month(after - before),
    }
}
