//! The ways out, with their price: each is applied, solved, taken no further than it has to go, and
//! solved again.

use super::change::Change;
use super::filter::Held;
use super::measure::step;
use super::member::{Member, Way};
use super::trial::{Effort, Spent, Trial, fleet};
use crate::scheduler::model::ServiceId;
use crate::scheduler::units::Micros;

/// Times that a limit is tried lower than a solution without it needed.
const MOST_TIGHTER: usize = 4;
/// Ways to combine the members of one correction.
const MOST_COMBINED: usize = 6;

/// Changes after which the service has a place, and what the fleet costs then.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quote {
    /// Micro-dollars per hour more than without the changes.
    pub hourly: Micros,
    /// Nodes more.
    pub nodes: i64,
    pub changes: Vec<Change>,
    /// Other services that get a place as well.
    pub also: Vec<ServiceId>,
}

/// Where ways are looked for, and where those found are priced.
pub(super) struct Quoting<'a> {
    pub search: &'a Trial,
    pub price: &'a Trial,
}

impl Quoting<'_> {
    /// All ways to relax the members of one correction.
    pub fn of(
        &self,
        members: &[Member],
        correction: &Held,
        found: &mut Vec<Quote>,
        effort: &mut Effort,
    ) -> Result<(), Spent> {
        let picked: Vec<&Member> = correction.iter().filter_map(|m| members.get(*m)).collect();
        for ways in combined(&picked) {
            let Some(changes) = self.least(&ways, effort)? else {
                continue;
            };
            for changes in self.measured(changes, effort)? {
                found.extend(self.priced(&changes, effort)?);
            }
        }
        Ok(())
    }

    /// The smallest steps of each way with which the service has a place.
    fn least(&self, ways: &[&Way], effort: &mut Effort) -> Result<Option<Vec<Change>>, Spent> {
        let mut at: Vec<usize> = ways.iter().map(|way| way.len().saturating_sub(1)).collect();
        let changes = |at: &[usize]| -> Vec<Change> {
            let steps = ways.iter().zip(at).filter_map(|(way, n)| way.get(*n));
            steps.flatten().cloned().collect()
        };
        // The only way of a single constraint to be changed may be tried from its smallest step.
        if ways.len() == 1 {
            for n in 0..ways[0].len() {
                if self.search.placing(&changes(&[n]), effort)?.is_some() {
                    return Ok(Some(changes(&[n])));
                }
            }
            return Ok(None);
        }
        if self.search.placing(&changes(&at), effort)?.is_none() {
            return Ok(None);
        }
        for way in 0..at.len() {
            let last = at[way];
            for n in 0..last {
                at[way] = n;
                if self.search.placing(&changes(&at), effort)?.is_some() {
                    break;
                }
                at[way] = last;
            }
        }
        Ok(Some(changes(&at)))
    }

    /// The changes as far as they have to go: as a solution without limits uses them, and, where
    /// that is less, as the tightest limits do.
    fn measured(
        &self,
        changes: Vec<Change>,
        effort: &mut Effort,
    ) -> Result<Vec<Vec<Change>>, Spent> {
        let Some(closed) = closed(self.search, changes, effort)? else {
            return Ok(Vec::new());
        };
        let tight = self.tightened(closed.clone(), effort)?;
        let same = tight == closed;
        Ok([closed]
            .into_iter()
            .chain((!same).then_some(tight))
            .collect())
    }

    fn tightened(
        &self,
        mut changes: Vec<Change>,
        effort: &mut Effort,
    ) -> Result<Vec<Change>, Spent> {
        for at in 0..changes.len() {
            for _ in 0..MOST_TIGHTER {
                let Some(lower) = lower(&changes[at]) else {
                    break;
                };
                let mut tighter = changes.clone();
                tighter[at] = lower;
                let Some(tried) = self.search.placing(&tighter, effort)? else {
                    break;
                };
                let used = reopened(&tighter[at]).closed(&tried.facts(), &self.search.id);
                changes[at] = match used {
                    Some(used) if used < tighter[at] => used,
                    _ => tighter[at].clone(),
                };
            }
        }
        Ok(changes)
    }

    /// What changes cost where it counts. Where others take what was meant for the service, limits
    /// are raised by what they take besides.
    fn priced(&self, changes: &[Change], effort: &mut Effort) -> Result<Option<Quote>, Spent> {
        if let Some(quote) = self.quote(changes, effort)? {
            return Ok(Some(quote));
        }
        let open: Vec<Change> = changes.iter().map(reopened).collect();
        if open == changes {
            return Ok(None);
        }
        match closed(self.price, open, effort)? {
            Some(changes) => self.quote(&changes, effort),
            None => Ok(None),
        }
    }

    fn quote(&self, changes: &[Change], effort: &mut Effort) -> Result<Option<Quote>, Spent> {
        let tried = self.price.placing(changes, effort)?;
        Ok(tried.map(|tried| Quote {
            hourly: tried.solution.hourly.saturating_sub(self.price.hourly),
            nodes: fleet(&tried.solution) - self.price.nodes,
            changes: changes.to_vec(),
            also: self.price.also(&tried.solution),
        }))
    }
}

/// Changes of limits as far as a solution without them needs; none where they are of no use.
fn closed(
    trial: &Trial,
    changes: Vec<Change>,
    effort: &mut Effort,
) -> Result<Option<Vec<Change>>, Spent> {
    let Some(tried) = trial.placing(&changes, effort)? else {
        return Ok(None);
    };
    let facts = tried.facts();
    let wanted = changes.into_iter();
    let closed: Vec<Change> = wanted
        .filter_map(|change| change.closed(&facts, &trial.id))
        .collect();
    Ok((!closed.is_empty()).then_some(closed))
}

/// A limit one step lower, if it is then still higher than it was.
fn lower(change: &Change) -> Option<Change> {
    let mut lower = change.clone();
    match &mut lower {
        Change::Cap {
            cap,
            from,
            to: Some(to),
            ..
        } => {
            *to = to.checked_sub(step(*cap))?;
            (*to > *from).then_some(())?;
        }
        Change::ClusterSize {
            from, to: Some(to), ..
        } => {
            *to = to.checked_sub(1)?;
            (*to > *from).then_some(())?;
        }
        _ => return None,
    }
    Some(lower)
}

fn reopened(change: &Change) -> Change {
    let mut open = change.clone();
    match &mut open {
        Change::Cap { to, .. } => *to = None,
        Change::ClusterSize { to, .. } => *to = None,
        _ => {}
    }
    open
}

/// One way of each member, in every combination.
fn combined<'a>(members: &[&'a Member]) -> Vec<Vec<&'a Way>> {
    let mut found: Vec<Vec<&Way>> = vec![Vec::new()];
    for member in members {
        found = found
            .iter()
            .flat_map(|ways| {
                member.ways.iter().map(|way| {
                    let mut more = ways.clone();
                    more.push(way);
                    more
                })
            })
            .take(MOST_COMBINED)
            .collect();
    }
    found
}
