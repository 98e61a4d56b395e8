//! Whatever the numbers, solving and checking neither panic nor wrap: what is within the limits is decided soundly,
//! and beyond them nothing is decided, with the number named.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::extreme::extreme;
use lattice::scheduler::check::check;
use lattice::scheduler::limits::excesses;
use lattice::scheduler::model::Snapshot;
use lattice::scheduler::reason::Why;
use lattice::scheduler::solution::{ClusterAction, Verdict};
use lattice::scheduler::solve;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn holds(snapshot: &Snapshot) -> Result<(), TestCaseError> {
    let solution = solve(snapshot);
    let broken = check(snapshot, &solution);
    let Some(excess) = excesses(snapshot).into_iter().next() else {
        prop_assert!(broken.is_empty(), "broken: {broken:#?}");
        prop_assert!(solution.certificate.lower_bound <= solution.objective);
        let again = Snapshot {
            clusters: solution.live().map(|d| d.cluster.clone()).collect(),
            ..snapshot.clone()
        };
        if excesses(&again).is_empty() {
            let again = solve(&again);
            let moved = again.live().zip(solution.live());
            for (again, before) in moved {
                prop_assert_eq!(&again.cluster, &before.cluster, "its own output moves");
            }
        }
        return Ok(());
    };
    prop_assert_eq!(broken.len(), 1);
    prop_assert_eq!(broken[0].rule, "limits");
    let kept = |action| action == ClusterAction::Keep;
    prop_assert!(solution.clusters.iter().all(|d| kept(d.action)));
    prop_assert_eq!(solution.outcomes.len(), snapshot.services.len());
    for outcome in &solution.outcomes {
        prop_assert_eq!(outcome.verdict, Verdict::Unschedulable);
        let beyond = |why: &Why| matches!(why, Why::BeyondLimits { .. });
        prop_assert!(outcome.reasons.iter().all(|reason| beyond(&reason.why)));
    }
    prop_assert!(excess.to_string().contains("cannot be reckoned with"));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        // The same cases every time; PROPTEST_RNG_SEED and PROPTEST_CASES try others.
        rng_seed: RngSeed::Fixed(20_261_121),
        ..ProptestConfig::default()
    })]

    #[test]
    fn extreme_numbers_neither_panic_nor_wrap(seed in any::<u64>()) {
        holds(&extreme(seed))?;
    }
}

/// A kept control plane of a class that a new one would not be of, and a move that filled a cluster up beyond its
/// pool's limits.
#[test]
fn what_was_found_before_stays_mended() {
    for seed in [0xd2e3_2c99_d055_1469, 0x23a4_d1b0_7a18_8858] {
        holds(&extreme(seed)).unwrap();
    }
}
