//! What must hold of every decision, whatever the numbers.

use lattice::scheduler::check::check;
use lattice::scheduler::limits::excesses;
use lattice::scheduler::model::Snapshot;
use lattice::scheduler::reason::Why;
use lattice::scheduler::solution::{ClusterAction, Solution, Verdict};
use lattice::scheduler::solve;

/// What is within the limits is decided soundly and stays as it is; beyond them nothing is decided, with the number
/// named. Says what does not hold.
pub fn sound(snapshot: &Snapshot) -> Result<(), String> {
    let solution = solve(snapshot);
    let broken = check(snapshot, &solution);
    match excesses(snapshot).first() {
        Some(excess) => {
            let named = excess.to_string().contains("cannot be reckoned with");
            ensure(named, || format!("{excess} says nothing"))?;
            ensure(broken.len() == 1 && broken[0].rule == "limits", || {
                format!("{broken:#?}")
            })?;
            undecided(snapshot, &solution)
        }
        None => {
            ensure(broken.is_empty(), || format!("broken: {broken:#?}"))?;
            let (bound, cost) = (solution.certificate.lower_bound, solution.objective);
            ensure(bound <= cost, || {
                format!("a bound of {bound} above a cost of {cost}")
            })?;
            stays(snapshot, &solution)
        }
    }
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn stays(snapshot: &Snapshot, solution: &Solution) -> Result<(), String> {
    let again = Snapshot {
        clusters: solution.live().map(|d| d.cluster.clone()).collect(),
        ..snapshot.clone()
    };
    if !excesses(&again).is_empty() {
        return Ok(());
    }
    let again = solve(&again);
    let mut both = again.live().zip(solution.live());
    let moved = both.find(|(again, before)| again.cluster != before.cluster);
    ensure(moved.is_none(), || {
        format!("its own output moves: {moved:#?}")
    })
}

fn undecided(snapshot: &Snapshot, solution: &Solution) -> Result<(), String> {
    let mut actions = solution.clusters.iter().map(|d| d.action);
    let kept = actions.all(|action| action == ClusterAction::Keep);
    ensure(kept, || "a cluster is touched beyond the limits".to_owned())?;
    let all = solution.outcomes.len() == snapshot.services.len();
    ensure(all, || "a service has no outcome".to_owned())?;
    let plain = solution.outcomes.iter().all(|outcome| {
        let beyond = |why: &Why| matches!(why, Why::BeyondLimits { .. });
        outcome.verdict == Verdict::Unschedulable
            && outcome.reasons.iter().all(|reason| beyond(&reason.why))
    });
    ensure(plain, || {
        "something is decided beyond the limits".to_owned()
    })
}
