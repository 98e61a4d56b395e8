//! The alternatives of services, found a bounded number at a time.
//!
//! A decision about one service shifts what every other one could have had, by a little. So after a decision
//! the services that it concerns come first, at once; all others follow in later passes, until each status
//! again tells what is true of the last decision.

use std::collections::{BTreeSet, VecDeque};

use crate::{
    placement::{decisions::Alternatives, facts::Facts, record::DecisionRecord},
    scheduler::model::ServiceId,
};

/// Most pairs of a service and a pool that are looked at in one pass.
const MOST_PAIRS: usize = 50_000;

/// What is known of alternatives, and of which services it has to be found anew.
#[derive(Debug, Default)]
pub(crate) struct Explained {
    known: Alternatives,
    due: VecDeque<ServiceId>,
}

impl Explained {
    /// After another decision everything is due, the services that it concerns first.
    pub(crate) fn renew(&mut self, before: Option<&DecisionRecord>, after: &DecisionRecord) {
        let changed = changed(before, after);
        let ids = || after.snapshot.services.iter().map(|service| &service.id);
        let first = ids().filter(|id| changed.contains(id));
        let others = ids().filter(|id| !changed.contains(id));
        self.due = first.chain(others).cloned().collect();
        let wanted: BTreeSet<&ServiceId> = ids().collect();
        self.known.retain(|id, _| wanted.contains(id));
    }

    /// Whether all is found.
    pub(crate) fn is_complete(&self) -> bool {
        self.due.is_empty()
    }

    /// How many services wait.
    pub(crate) fn waiting(&self) -> usize {
        self.due.len()
    }

    /// The next services to look at.
    pub(crate) fn next(&mut self, pools: usize) -> BTreeSet<ServiceId> {
        let most = (MOST_PAIRS / pools.max(1)).max(1);
        self.due.drain(..most.min(self.due.len())).collect()
    }

    /// Takes in what was found.
    pub(crate) fn learn(&mut self, found: Alternatives) {
        self.known.extend(found);
    }

    /// All that is known.
    pub(crate) fn known(&self) -> &Alternatives {
        &self.known
    }
}

/// Services whose wishes, places or outcome are not what they were.
fn changed<'a>(
    before: Option<&'a DecisionRecord>,
    after: &'a DecisionRecord,
) -> BTreeSet<&'a ServiceId> {
    let facts = |record: &'a DecisionRecord| Facts::new(&record.snapshot, &record.solution);
    let (was, is) = (before.map(facts), facts(after));
    let differs = |id: &ServiceId| {
        let Some(was) = &was else { return true };
        was.service(id) != is.service(id)
            || was.solution.outcome(id) != is.solution.outcome(id)
            || was.placed(id) != is.placed(id)
    };
    let ids = after.snapshot.services.iter().map(|service| &service.id);
    ids.filter(|id| differs(id)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::{
        model::{Service, Snapshot},
        solution::Solution,
    };

    fn record(services: &[(&str, u32)]) -> DecisionRecord {
        let services = services.iter().map(|(name, replicas)| Service {
            id: ServiceId::new("shop", *name),
            labels: Default::default(),
            priority: 0,
            replicas: *replicas,
            size: Default::default(),
            pools: Default::default(),
            required_regions: Vec::new(),
            compliance: Default::default(),
            one_per_node: true,
            latency: Vec::new(),
            capacity_types: Default::default(),
            moving: Default::default(),
        });
        let snapshot = Snapshot {
            services: services.collect(),
            ..Snapshot::default()
        };
        let time = chrono::DateTime::UNIX_EPOCH.into();
        DecisionRecord::new(&snapshot, Solution::default(), time).unwrap()
    }

    #[test]
    fn what_a_decision_concerns_comes_first_and_everything_comes() {
        let (before, after) = (
            record(&[("a", 1), ("b", 1), ("gone", 1)]),
            record(&[("a", 1), ("b", 2)]),
        );
        let mut explained = Explained::default();
        explained.renew(None, &before);
        assert_eq!(explained.waiting(), 3);
        let all = explained.next(2);
        explained.learn(all.into_iter().map(|id| (id, Vec::new())).collect());
        assert!(explained.is_complete());
        explained.renew(Some(&before), &after);
        assert_eq!(explained.known().len(), 2);
        let first = explained.next(MOST_PAIRS);
        assert_eq!(first, BTreeSet::from([ServiceId::new("shop", "b")]));
        assert_eq!(explained.waiting(), 1);
    }
}
