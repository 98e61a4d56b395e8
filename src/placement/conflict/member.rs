//! The constraints that can be in the way of a service, and what lifts each of them.

mod limits;
mod rules;

use std::collections::BTreeSet;

use super::change::Change;
use crate::placement::facts::Facts;
use crate::placement::snapshot::selects;
use crate::scheduler::model::{Policy, ServiceId};
use crate::scheduler::reason::{Constraint, Reason, Why};

/// How many replicas a constraint asks for at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// So many, whatever else is held.
    AtLeast(u32),
    /// One, beside those of others of this kind.
    OneMore,
}

/// A constraint that can be lifted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub constraint: Constraint,
    /// The constraint in words.
    pub text: String,
    pub(super) needs: Needs,
    /// What lifts it altogether.
    pub(super) lift: Vec<Change>,
    /// Ways to relax it, each from the smallest step to the largest.
    pub(super) ways: Vec<Way>,
}

/// One way to relax a constraint: steps that go ever further.
pub(super) type Way = Vec<Vec<Change>>;

impl Member {
    fn new(change: Change, text: String) -> Self {
        Member {
            constraint: change.constraint(),
            text,
            needs: Needs::Nothing,
            lift: vec![change.clone()],
            ways: vec![vec![vec![change]]],
        }
    }

    fn needing(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// Puts smaller steps before lifting it altogether.
    fn steps(mut self, steps: impl Iterator<Item = Change>) -> Self {
        let smaller: Way = steps.map(|change| vec![change]).collect();
        for way in &mut self.ways {
            way.splice(0..0, smaller.iter().cloned());
        }
        self
    }
}

/// Which members a search is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Whatever keeps a service from having a place.
    Place,
    /// What a service in its place could cost less without: how many and how large its replicas
    /// are is not in question.
    Price,
}

/// The members for one service, those of constraints that the reasons name first.
pub(super) fn members(
    facts: &Facts<'_>,
    id: &ServiceId,
    reasons: &[Reason],
    about: About,
) -> Vec<Member> {
    let Some(service) = facts.service(id) else {
        return Vec::new();
    };
    let policies: Vec<&Policy> = facts
        .snapshot
        .policies
        .iter()
        .filter(|policy| selects(&policy.selector, &service.labels))
        .collect();
    let mut found = rules::of_service(facts, service, &policies);
    found.extend(rules::of_policies(&policies));
    found.extend(limits::of_pools(facts, reasons));
    if about == About::Place {
        found.extend(rules::size(facts, service));
        found.extend(rules::extended(facts.snapshot, service));
        found.extend(rules::replicas(service, reasons));
    }
    let named: BTreeSet<Constraint> = reasons.iter().map(|r| r.why.constraint()).collect();
    let partial = reasons.iter().any(|r| matches!(r.why, Why::RoomFor { .. }));
    found.sort_by_key(|member| {
        let limit = matches!(
            member.constraint,
            Constraint::MaxNodes
                | Constraint::MaxCores
                | Constraint::MaxMemory
                | Constraint::Budget
                | Constraint::ClusterSize
        );
        !(named.contains(&member.constraint) || (partial && limit))
    });
    found
}
