//! Whether a set of constraints, all others lifted, leaves a service where it should not be.

use std::collections::BTreeMap;

use super::change::Change;
use super::filter::Held;
use super::member::{Member, Needs};
use super::trial::{Effort, Spent, Trial};
use crate::scheduler::reason::Constraint;
use crate::scheduler::units::Micros;

/// What is wanted of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Any place.
    Place,
    /// A place with which the fleet costs less than this per hour.
    Below(Micros),
}

/// Answers by solving, and never solves the same twice.
pub(super) struct Oracle<'a> {
    pub trial: &'a Trial,
    pub members: &'a [Member],
    pub goal: Goal,
    known: BTreeMap<Held, bool>,
}

impl<'a> Oracle<'a> {
    pub fn new(trial: &'a Trial, members: &'a [Member], goal: Goal) -> Self {
        Oracle {
            trial,
            members,
            goal,
            known: BTreeMap::new(),
        }
    }

    /// Whether the goal is missed while only these constraints hold.
    pub fn misses(&mut self, held: &Held, effort: &mut Effort) -> Result<bool, Spent> {
        if let Some(known) = self.known.get(held) {
            return Ok(*known);
        }
        let changes = self.lifting_all_but(held);
        let tried = self.trial.placing(&changes, effort)?;
        let misses = !tried.is_some_and(|tried| match self.goal {
            Goal::Place => true,
            Goal::Below(most) => tried.solution.hourly < most,
        });
        self.known.insert(held.clone(), misses);
        Ok(misses)
    }

    /// What lifts every constraint but these.
    pub fn lifting_all_but(&self, held: &Held) -> Vec<Change> {
        let lifted = self.members.iter().enumerate();
        let mut changes: Vec<Change> = lifted
            .filter(|(m, _)| !held.contains(m))
            .flat_map(|(_, member)| member.lift.iter().cloned())
            .collect();
        for change in &mut changes {
            if let Change::Replicas { to, .. } = change {
                *to = self.fewest(held);
            }
        }
        changes
    }

    /// The fewest replicas that constraints allow.
    fn fewest(&self, held: &Held) -> u32 {
        let of = |m: &usize| {
            self.members
                .get(*m)
                .map(|member| (member.constraint, member.needs))
        };
        let (mut most, mut regions, mut pinned) = (1, 0u32, 0u32);
        for (constraint, needs) in held.iter().filter_map(of) {
            match needs {
                Needs::Nothing => {}
                Needs::OneMore => regions += 1,
                Needs::AtLeast(n) if constraint == Constraint::Pin => {
                    pinned = pinned.saturating_add(n);
                }
                Needs::AtLeast(n) => most = most.max(n),
            }
        }
        most.max(regions).max(pinned)
    }
}
