//! Whatever the fleet: within what is said of a drift, the same is decided, and a decision that stands under other
//! limits and prices is one that the checker accepts there, its bound included.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::{Rng, Shape, random};
use lattice::placement::validity::{End, LimitKind, of_pool, stands};
use lattice::scheduler::check::check;
use lattice::scheduler::model::{Cluster, Pool, ServiceId, Snapshot};
use lattice::scheduler::solution::{Solution, Verdict};
use lattice::scheduler::solve;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn some(seed: u64, wild: bool) -> Snapshot {
    let shape = Shape {
        pools: 3,
        services: 6,
        wild,
    };
    let mut snapshot = random(seed, &shape);
    snapshot.normalise();
    snapshot
}

/// The clusters and the services without a place.
fn outcome(solution: &Solution) -> (Vec<Cluster>, Vec<ServiceId>) {
    let clusters = solution.live().map(|d| d.cluster.clone()).collect();
    let mut after = carried_out(&Snapshot::default(), clusters);
    after.normalise();
    let unplaced = solution.outcomes.iter();
    let unplaced = unplaced.filter(|o| o.verdict == Verdict::Unschedulable);
    (
        after.clusters,
        unplaced.map(|o| o.service.clone()).collect(),
    )
}

fn carried_out(snapshot: &Snapshot, clusters: Vec<Cluster>) -> Snapshot {
    let mut after = Snapshot {
        clusters,
        ..snapshot.clone()
    };
    after.normalise();
    after
}

fn set(pool: &mut Pool, kind: LimitKind, limit: i64) {
    let most = Some(limit.unsigned_abs());
    match kind {
        LimitKind::Nodes => pool.caps.max_nodes = most,
        LimitKind::MilliCores => pool.caps.max_milli_cores = most,
        LimitKind::Mib => pool.caps.max_mib = most,
        LimitKind::Budget => pool.monthly_budget = Some(limit),
    }
}

/// A value from what is to the end, both included.
fn within(rng: &mut Rng, is: i64, end: End) -> i64 {
    let far = end.same.unwrap_or(is.saturating_mul(7));
    let span = (far - is).unsigned_abs();
    let by = i64::try_from(rng.below(span + 1)).unwrap();
    if far < is { is - by } else { is + by }
}

/// What is said of one pool holds where it was not tried.
fn holds_within(seed: u64, wild: bool) -> Result<(), TestCaseError> {
    let snapshot = some(seed, wild);
    let solution = solve(&snapshot);
    let expected = outcome(&solution);
    let after = carried_out(&snapshot, expected.0.clone());
    let mut rng = Rng(seed);
    let at = rng.below(snapshot.pools.len() as u64) as usize;
    let found = of_pool(&snapshot, &solution, &snapshot.pools[at].name).unwrap();
    if !found.at_rest {
        return Ok(());
    }
    let decided = |change: &dyn Fn(&mut Pool)| {
        let mut drifted = after.clone();
        change(&mut drifted.pools[at]);
        outcome(&solve(&drifted))
    };
    for end in [found.prices_down, found.prices_up] {
        let percent = within(&mut rng, 100, end);
        let scale = |pool: &mut Pool| {
            for offer in &mut pool.offers {
                offer.hourly = (offer.hourly * percent + 50) / 100;
            }
        };
        prop_assert_eq!(&decided(&scale), &expected, "prices {} %", percent);
    }
    for limit in found.limits {
        for end in [limit.down, limit.up] {
            let value = within(&mut rng, limit.is, end);
            let same = decided(&|pool: &mut Pool| set(pool, limit.kind, value));
            prop_assert_eq!(&same, &expected, "{:?} {}", limit, value);
            if let Some(other) = end.other {
                let other = decided(&|pool: &mut Pool| set(pool, limit.kind, other));
                prop_assert_ne!(&other, &expected, "{:?}", limit);
            }
        }
    }
    Ok(())
}

/// Changes some limits and prices.
fn drift(snapshot: &mut Snapshot, rng: &mut Rng) {
    for pool in &mut snapshot.pools {
        if rng.chance(50) {
            let percent = 40 + rng.below(200);
            let scaled = |limit: u64| limit.saturating_mul(percent) / 100;
            pool.caps.max_nodes = pool.caps.max_nodes.map(scaled);
            pool.caps.max_milli_cores = pool.caps.max_milli_cores.map(scaled);
            let budget = |limit: i64| limit / 100 * percent as i64;
            pool.monthly_budget = pool.monthly_budget.map(budget);
        }
        for offer in &mut pool.offers {
            if rng.chance(10) {
                offer.hourly += rng.below(100_000) as i64;
            }
        }
    }
}

/// Says whether the decision stood.
fn stands_rightly(seed: u64) -> Result<bool, TestCaseError> {
    let snapshot = some(seed, false);
    let solution = solve(&snapshot);
    let mut rng = Rng(seed);
    let mut now = snapshot.clone();
    drift(&mut now, &mut rng);
    let (clusters, _) = outcome(&solution);
    let after = carried_out(&now, clusters.clone());
    if !stands(&snapshot, &solution, &after) {
        return Ok(false);
    }
    prop_assert_eq!(outcome(&solve(&after)).0, clusters);
    // The old decision as one under the new limits and prices: every rule, figure and the bound hold.
    prop_assert_eq!(check(&now, &solution), []);
    Ok(true)
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_121),
        ..ProptestConfig::default()
    }
}

proptest! {
    // Each decides some sixty times.
    #![proptest_config(config(12))]

    #[test]
    fn within_what_is_said_the_same_is_decided(seed in any::<u64>(), wild in any::<bool>()) {
        holds_within(seed, wild)?;
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn a_decision_that_stands_is_right_under_what_it_stands(seed in any::<u64>()) {
        stands_rightly(seed)?;
    }
}

#[test]
fn some_decisions_stand_and_some_do_not() {
    let stood: Vec<bool> = (0..60).map(|seed| stands_rightly(seed).unwrap()).collect();
    let standing = stood.iter().filter(|stood| **stood).count();
    assert!((3..57).contains(&standing), "{standing} of 60");
}
