//! What is told of moves.

use crate::scheduler::model::{Cluster, ServiceId};
use crate::scheduler::solution::{Move, Moves};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// Most savings left on the table that are told.
const TOLD: usize = 10;

/// The moves of what ran in the clusters `before`: all that are made, and of those left the largest savings, one
/// for each service.
pub(crate) fn told(before: &[Cluster], made: Vec<Move>, left: Vec<Move>) -> Moves {
    let mut ran: BTreeSet<(&ServiceId, &str)> = BTreeSet::new();
    for cluster in before {
        for group in &cluster.workers {
            ran.extend(group.services.keys().map(|id| (id, cluster.name.as_str())));
        }
    }
    let moves_what_ran = |found: &Move| {
        let mut replicas = found.replicas.iter();
        replicas.any(|moved| ran.contains(&(&moved.service, moved.from_cluster.as_str())))
    };
    let mut moves = Moves {
        made: made.into_iter().filter(moves_what_ran).collect(),
        left: Vec::new(),
    };
    let mut left: Vec<Move> = left.into_iter().filter(moves_what_ran).collect();
    // Of equal savings that which costs less to have; then the first found.
    left.sort_by_key(|found| (Reverse(found.saved), found.price));
    let mut named: BTreeSet<ServiceId> = BTreeSet::new();
    for found in left {
        let services = || found.replicas.iter().map(|moved| &moved.service);
        if moves.left.len() < TOLD && !services().any(|id| named.contains(id)) {
            named.extend(services().cloned());
            moves.left.push(found);
        }
    }
    moves
}
