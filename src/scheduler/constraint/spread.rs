//! `spreadConstraint`: most minus fewest replicas over the eligible domains is at most `maxSkew`.
//!
//! Eligible are the domains of the pools that pass selector and compliance, full or not; of a pool with several
//! zones, those that pass. A zone that is not known, of a node from before, counts as one more. Over
//! clusters, which the scheduler makes itself, the domains are the clusters that hold the service.

use crate::scheduler::model::{Spread, Topology};
use crate::scheduler::problem::Problem;
use crate::scheduler::reason::Why;
use crate::scheduler::state::State;
use crate::scheduler::topology::{NEW_CLUSTER, Place, is_of_pools};
use std::collections::BTreeMap;

/// The domains that count whether there are replicas or not.
fn domains(problem: &Problem<'_>, s: usize, topology: Topology) -> BTreeMap<usize, u32> {
    if !is_of_pools(topology) {
        return BTreeMap::new();
    }
    let eligible = problem.eligible(s).iter();
    eligible
        .flat_map(|&p| in_pool(problem, s, p, topology))
        .map(|domain| (domain, 0))
        .collect()
}

/// The domains that a service may choose from in one pool.
pub(crate) fn in_pool<'p>(
    problem: &'p Problem<'_>,
    s: usize,
    pool: usize,
    topology: Topology,
) -> impl Iterator<Item = usize> + 'p {
    let zones = match topology {
        Topology::Zone => problem.zones(s, pool),
        _ => &[],
    };
    let whole = problem.domain(pool, topology).filter(|_| zones.is_empty());
    zones.iter().copied().chain(whole)
}

/// Replicas of a service in each domain, empty ones included.
fn counts(state: &State<'_>, s: usize, topology: Topology) -> BTreeMap<usize, u32> {
    let problem = state.problem;
    let mut counts = domains(problem, s, topology);
    for (place, n) in state.places(s) {
        let domain = match topology {
            Topology::Cluster => Some(place.cluster),
            Topology::Zone => Some(place.zone),
            _ => problem.domain(place.pool, topology),
        };
        if let Some(domain) = domain {
            *counts.entry(domain).or_insert(0) += n;
        }
    }
    counts
}

/// How even a service is over one topology now.
pub(crate) struct Evenness {
    s: usize,
    topology: Topology,
    max_skew: u32,
    counts: BTreeMap<usize, u32>,
    fewest: u32,
}

impl Evenness {
    /// One for each spread rule of a service.
    pub fn of(state: &State<'_>, s: usize) -> Vec<Evenness> {
        let rules = state.problem.demands[s].spread.iter();
        let counted = |rule: &Spread| counts(state, s, rule.topology);
        rules
            .map(|rule| Evenness::new(s, counted(rule), rule))
            .collect()
    }

    /// The same before the service has a replica anywhere.
    pub fn none_yet(problem: &Problem<'_>, s: usize) -> Vec<Evenness> {
        let rules = problem.demands[s].spread.iter();
        let empty = |rule: &Spread| domains(problem, s, rule.topology);
        rules
            .map(|rule| Evenness::new(s, empty(rule), rule))
            .collect()
    }

    fn new(s: usize, counts: BTreeMap<usize, u32>, rule: &Spread) -> Self {
        Evenness {
            s,
            topology: rule.topology,
            max_skew: rule.max_skew,
            fewest: counts.values().copied().min().unwrap_or(0),
            counts,
        }
    }

    /// Counts replicas that a pool gets.
    pub fn add(&mut self, problem: &Problem<'_>, pool: usize, n: u32) {
        let domain = problem.domain(pool, self.topology);
        if let Some(count) = domain.and_then(|domain| self.counts.get_mut(&domain)) {
            *count += n;
            self.fewest = self.counts.values().copied().min().unwrap_or(0);
        }
    }

    /// Whether it is about zones.
    pub fn is_over_zones(&self) -> bool {
        self.topology == Topology::Zone
    }

    /// Whether one more replica in a pool keeps the counts even enough; of its zones, in one of them.
    pub fn allows_pool(&self, problem: &Problem<'_>, pool: usize) -> bool {
        if self.topology == Topology::Cluster {
            return true;
        }
        in_pool(problem, self.s, pool, self.topology).any(|domain| self.allows(domain))
    }

    /// Whether one more replica in a cluster and zone does; a new cluster is judged at the end.
    pub fn allows_place(&self, problem: &Problem<'_>, place: Place) -> bool {
        match self.topology {
            Topology::Cluster => place.cluster == NEW_CLUSTER || self.allows(place.cluster),
            Topology::Zone if problem.pools[place.pool].zones.are_several() => {
                self.counts.contains_key(&place.zone) && self.allows(place.zone)
            }
            _ => true,
        }
    }

    fn allows(&self, domain: usize) -> bool {
        let here = self.counts.get(&domain).copied().unwrap_or(0);
        // A domain at the minimum may always grow: that never makes the most larger than it must be.
        here == self.fewest || here < self.fewest.saturating_add(self.max_skew)
    }
}

/// What is wrong with where the service is.
pub(crate) fn check(state: &State<'_>, s: usize) -> Vec<Why> {
    state.problem.demands[s]
        .spread
        .iter()
        .filter_map(|spread| uneven(state, s, spread))
        .collect()
}

fn uneven(state: &State<'_>, s: usize, spread: &Spread) -> Option<Why> {
    let counts = counts(state, s, spread.topology);
    let (fewest_at, fewest) = counts.iter().min_by_key(|(d, n)| (**n, **d))?;
    let (most_at, most) = counts.iter().max_by_key(|(d, n)| (**n, usize::MAX - **d))?;
    (most - fewest > spread.max_skew).then(|| Why::Skew {
        topology: spread.topology,
        max_skew: spread.max_skew,
        fewest: (name(state, spread.topology, *fewest_at), *fewest),
        most: (name(state, spread.topology, *most_at), *most),
    })
}

fn name(state: &State<'_>, topology: Topology, domain: usize) -> String {
    if topology == Topology::Cluster {
        return state.clusters[domain].name.clone();
    }
    let names = state.problem.domain_names.get(&topology);
    names
        .and_then(|names| names.get(domain))
        .cloned()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewest_may_always_grow_and_others_within_the_skew() {
        let counts = BTreeMap::from([(0, 2), (1, 1), (2, 1)]);
        let rule = |topology, max_skew| Spread { topology, max_skew };
        let even = |skew| Evenness::new(0, counts.clone(), &rule(Topology::Region, skew));
        assert!(even(1).allows(1));
        assert!(!even(1).allows(0));
        assert!(even(2).allows(0));
        assert!(Evenness::new(0, BTreeMap::new(), &rule(Topology::Zone, 1)).allows(5));
    }
}
