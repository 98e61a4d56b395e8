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
    /// The fleet afterwards, if anything was moved.
    pub clusters: Option<Vec<LaidCluster>>,
    /// What was moved.
    pub made: Vec<Move>,
    /// What would have saved something, but does not pay.
    pub left: Vec<Move>,
}

/// Moves what pays of a fleet. Services that have no place are left as they are.
pub(crate) fn pass(
    mut state: State<'_>,
    groups: &[Vec<usize>],
    unplaced: &BTreeSet<usize>,
) -> Passed {
    let (made, left) = pass::run(&mut state, groups, unplaced);
    Passed {
        clusters: (!made.is_empty()).then(|| output::live(&state)),
        made,
        left,
    }
}
