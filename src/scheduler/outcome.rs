//! What a way of searching came to, and which of two is better.

use super::layout::LaidCluster;
use super::output;
use super::state::State;
use super::units::Micros;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Clusters, and the services without a place.
#[derive(Clone)]
pub(super) struct Fleet {
    pub clusters: Vec<LaidCluster>,
    pub unplaced: BTreeSet<usize>,
}

impl Fleet {
    pub fn of(state: &State<'_>, unplaced: BTreeSet<usize>) -> Self {
        Fleet {
            clusters: output::live(state),
            unplaced,
        }
    }
}

/// What one way of searching came to.
pub(super) struct Outcome {
    pub rating: Rating,
    pub fleet: Fleet,
}

/// What makes one way better than another: fewer services without a place, the more important
/// first; then the objective.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rating {
    unplaced: Vec<(Reverse<i64>, usize)>,
    pub objective: Micros,
}

pub(super) fn rate(state: &State<'_>, unplaced: &BTreeSet<usize>) -> Rating {
    let services = &state.problem.snapshot.services;
    let mut counts: BTreeMap<Reverse<i64>, usize> =
        services.iter().map(|s| (Reverse(s.priority), 0)).collect();
    for &s in unplaced {
        *counts.entry(Reverse(services[s].priority)).or_default() += 1;
    }
    Rating {
        unplaced: counts.into_iter().collect(),
        objective: state.objective(),
    }
}
