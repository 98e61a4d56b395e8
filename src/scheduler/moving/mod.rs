//! Moving what runs for savings: only where what is saved within a horizon is more than what moving costs and a
//! margin.
//!
//! A pass depends on nothing but the fleet as it is, and every move makes the bill smaller. A decision stands when
//! a pass finds nothing more, so a pass over the decision finds nothing either: constant input moves nothing, and
//! no state comes back.

mod batch;
mod cheap;
mod pass;
mod report;
pub(crate) mod terms;

use super::layout::LaidCluster;
use super::output;
use super::solution::Move;
use super::state::State;
use std::collections::BTreeSet;

pub(crate) use report::told;

/// What came of one pass.
pub(crate) struct Passed {
    /// The fleet afterwards, if anything was moved or given up.
    pub clusters: Option<Vec<LaidCluster>>,
    /// What was moved.
    pub made: Vec<Move>,
    /// What would have saved something, but does not pay.
    pub left: Vec<Move>,
}

/// Moves what pays of a fleet. Services that have no place are left as they are. Workers on which nothing is are given
/// up before: otherwise what is on others would seem to pay for moving onto them.
pub(crate) fn pass(
    mut state: State<'_>,
    groups: &[Vec<usize>],
    unplaced: &BTreeSet<usize>,
) -> Passed {
    let released = release_idle(&mut state);
    let (made, left) = pass::run(&mut state, groups, unplaced);
    Passed {
        clusters: (released || !made.is_empty()).then(|| output::live(&state)),
        made,
        left,
    }
}

/// Closes what declared clusters have of workers without replicas beyond their fewest. Whether there were any.
fn release_idle(state: &mut State<'_>) -> bool {
    let mark = state.mark();
    for c in 0..state.clusters.len() {
        if state.clusters[c].is_declared() {
            for n in (0..state.clusters[c].nodes.len()).rev() {
                state.close_if_empty(c, n);
            }
        }
    }
    let released = state.mark() > mark;
    state.commit();
    released
}

#[cfg(test)]
mod tests {
    use crate::scheduler::check::check;
    use crate::scheduler::fixtures::{cluster, fleet, workers};
    use crate::scheduler::model::{Origin, Snapshot};
    use crate::scheduler::solve;

    fn with_idle(resize: Option<(u32, u32)>) -> Snapshot {
        let mut snapshot = fleet(&[("a", "eu")], &[("web", 1)]);
        let mut by_hand = cluster("a-1", "a");
        by_hand.origin = Origin::Declared { resize };
        by_hand.workers = vec![workers(5, 0), workers(1, 1)];
        snapshot.clusters = vec![by_hand];
        snapshot
    }

    #[test]
    fn idle_workers_of_declared_clusters_go_where_that_is_allowed_and_nothing_moves_for_it() {
        let cases = [
            (None, vec![workers(5, 0), workers(1, 1)]),
            (Some((6, 9)), vec![workers(5, 0), workers(1, 1)]),
            (Some((3, 9)), vec![workers(2, 0), workers(1, 1)]),
            (Some((0, 4)), vec![workers(1, 1)]),
        ];
        for (resize, left) in cases {
            let snapshot = with_idle(resize);
            let solution = solve(&snapshot);
            assert_eq!(check(&snapshot, &solution), []);
            assert_eq!(solution.clusters[0].cluster.workers, left, "{resize:?}");
            assert_eq!(solution.moves.made, [], "{resize:?}");
        }
    }
}
