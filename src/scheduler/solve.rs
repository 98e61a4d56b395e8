//! The whole of a decision: take over what is there and search in a few ways, of which the best is
//! kept; again from the outcome while that still finds something to do.

use super::component;
use super::model::{Cluster, Snapshot};
use super::output;
use super::prior;
use super::problem::Problem;
use super::search::{run, searches};
use super::solution::{Solution, Verdict};
use super::state::State;
use super::units::Micros;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Rounds after which the outcome stands even if another round would still change it.
const ROUNDS: usize = 12;

/// Decides where everything runs. The snapshot may be in any order; the solution does not depend
/// on it. Solving a solution again changes nothing.
pub fn solve(snapshot: &Snapshot) -> Solution {
    let mut snapshot = snapshot.clone();
    snapshot.normalise();
    let problem = Problem::new(&snapshot);
    let groups = component::groups(&problem);
    let (mut clusters, mut unplaced) = round(&problem, &groups);
    for _ in 1..ROUNDS {
        // With every service in place and no pool over its limits there is nothing left to do.
        if unplaced.is_empty() && !overfull(&problem, &clusters) {
            break;
        }
        let next = Snapshot {
            clusters: clusters.clone(),
            ..snapshot.clone()
        };
        let (again, missing) = round(&Problem::new(&next), &groups);
        let settled = again == clusters;
        (clusters, unplaced) = (again, missing);
        if settled {
            break;
        }
    }
    finish(&problem, clusters, &unplaced)
}

/// One decision from what the problem's snapshot holds: the best of several ways.
fn round(problem: &Problem<'_>, groups: &[Vec<usize>]) -> (Vec<Cluster>, BTreeSet<usize>) {
    let base = prior::load(problem, &problem.snapshot.clusters);
    let mut best: Option<(Rating, Vec<Cluster>, BTreeSet<usize>)> = None;
    for search in searches(problem) {
        let mut state = base.clone();
        let unplaced = run(&mut state, groups, search);
        let rating = rate(&state, &unplaced);
        if best.as_ref().is_none_or(|(least, ..)| rating < *least) {
            best = Some((rating, output::live(&state), unplaced));
        }
        // Where nothing had to be done, another way gives the same.
        if state.steps == 0 {
            break;
        }
    }
    best.map(|(_, clusters, unplaced)| (clusters, unplaced))
        .unwrap_or_default()
}

fn overfull(problem: &Problem<'_>, clusters: &[Cluster]) -> bool {
    let state = prior::load(problem, clusters);
    (0..problem.pools.len()).any(|p| !state.broken_limits(p, &Default::default()).is_empty())
}

/// Holds the outcome against the snapshot that was asked about.
fn finish(problem: &Problem<'_>, clusters: Vec<Cluster>, unplaced: &BTreeSet<usize>) -> Solution {
    let before = prior::load(problem, &problem.snapshot.clusters);
    let mut after = prior::load(problem, &clusters);
    let rating = rate(&after, unplaced);
    let outcomes = (0..problem.demands.len())
        .map(|s| {
            let verdict = match () {
                () if unplaced.contains(&s) => Verdict::Unschedulable,
                () if same_places(&before, &after, s) => Verdict::Unchanged,
                () => Verdict::Placed,
            };
            output::outcome(&mut after, s, verdict)
        })
        .collect();
    Solution {
        hourly: after.hourly(),
        objective: rating.objective,
        clusters: output::decisions(problem.snapshot, clusters),
        outcomes,
    }
}

fn same_places(before: &State<'_>, after: &State<'_>, s: usize) -> bool {
    let named = |state: &State<'_>| -> BTreeMap<String, u32> {
        let places = state.places(s).iter();
        places
            .map(|(place, n)| (state.clusters[place.cluster].name.clone(), *n))
            .collect()
    };
    named(before) == named(after)
}

/// What makes one way better than another: fewer services without a place, the more important
/// first; then the objective.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rating {
    unplaced: Vec<(Reverse<i64>, usize)>,
    objective: Micros,
}

fn rate(state: &State<'_>, unplaced: &BTreeSet<usize>) -> Rating {
    let services = &state.problem.snapshot.services;
    let mut counts: BTreeMap<Reverse<i64>, usize> =
        services.iter().map(|s| (Reverse(s.priority), 0)).collect();
    for &s in unplaced {
        *counts.entry(Reverse(services[s].priority)).or_default() += 1;
    }
    let penalties: Micros = (0..services.len()).map(|s| state.penalty(s)).sum();
    Rating {
        unplaced: counts.into_iter().collect(),
        objective: state.hourly() + penalties,
    }
}
