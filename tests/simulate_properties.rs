//! Properties of what-if on random fleets.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::{Shape, random};
use lattice::placement::whatif::{Factor, Moves, Report, Request, Scope, Simulation, simulate};
use lattice::scheduler::model::Snapshot;
use lattice::scheduler::solve;
use lattice::scheduler::units::decimal;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn some(seed: u64, wild: bool) -> Snapshot {
    let shape = Shape {
        pools: 2 + seed % 7,
        services: 3 + seed % 13,
        wild,
    };
    let mut snapshot = random(seed, &shape);
    snapshot.normalise();
    snapshot
}

fn asked(snapshot: &Snapshot, request: &Request) -> Simulation {
    simulate(snapshot, &[], request).unwrap()
}

/// An amount in micro-dollars.
fn micros(amount: &str) -> i128 {
    let (sign, digits) = amount
        .strip_prefix('-')
        .map_or((1, amount), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let micros: i128 = format!("{whole}{part:0<6}").parse().unwrap();
    sign * micros
}

/// What must hold of every report.
fn adds_up(answer: &Simulation, report: &Report) -> Result<(), TestCaseError> {
    prop_assert_eq!(report.placeable, report.unplaceable.is_empty());
    prop_assert_eq!(&report.cost.hourly_before, &answer.base.summary.hourly_cost);
    prop_assert_eq!(&report.cost.hourly_after, &report.summary.hourly_cost);
    let delta = micros(&report.cost.hourly_after) - micros(&report.cost.hourly_before);
    prop_assert_eq!(&report.cost.hourly_delta, &decimal(delta));
    prop_assert_eq!(&report.cost.monthly_delta, &decimal(delta * 720));
    let left = i128::from(answer.base.summary.replicas) - i128::from(report.moves.gone)
        + i128::from(report.moves.started);
    prop_assert_eq!(left, i128::from(report.summary.replicas));
    prop_assert_eq!(report.placeable || report.first_constraint.is_some(), true);
    for service in &report.unplaceable {
        // A service that shrinks below what its policies ask for keeps what it has.
        prop_assert!(service.reasons.contains(&service.reason));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(11), ..ProptestConfig::with_cases(24) })]

    #[test]
    fn without_a_change_all_is_as_planned(seed in any::<u64>(), wild in any::<bool>()) {
        let snapshot = some(seed, wild);
        let answer = asked(&snapshot, &Request::default());
        let report = &answer.scenarios[0];
        adds_up(&answer, report)?;
        let plan = solve(&snapshot);
        prop_assert_eq!(&answer.base.summary.hourly_cost, &decimal(plan.hourly.into()));
        prop_assert!(report.placeable && report.newly_placed.is_empty());
        prop_assert_eq!(&report.moves, &Moves::default());
        prop_assert!(report.services.is_empty(), "{:?}", report.services);
        prop_assert!(report.clusters.is_empty(), "{:?}", report.clusters);
        prop_assert_eq!(&report.cost.hourly_delta, "0");
        prop_assert_eq!(&report.headroom, &answer.base.headroom);
        prop_assert_eq!(&report.first_constraint, &None);
    }

    #[test]
    fn factors_of_one_change_nothing(seed in any::<u64>()) {
        let snapshot = some(seed, true);
        let request = Request {
            growth: Some(Factor::ONE),
            prices: vec![format!("pool={}=1", snapshot.pools[0].name).parse().unwrap()],
            ..Request::default()
        };
        let (plain, same) = (asked(&snapshot, &Request::default()), asked(&snapshot, &request));
        prop_assert_eq!(&plain.scenarios[0].summary, &same.scenarios[0].summary);
        prop_assert_eq!(&plain.scenarios[0].headroom, &same.scenarios[0].headroom);
        prop_assert_eq!(&same.scenarios[0].moves, &Moves::default());
    }

    #[test]
    fn what_is_lost_holds_nothing_and_the_figures_add_up(seed in any::<u64>(), wild in any::<bool>()) {
        let snapshot = some(seed, wild);
        let request = Request { n_minus_1: Some(Scope::Region), ..Request::default() };
        let answer = asked(&snapshot, &request);
        prop_assert_eq!(answer.placeable, answer.scenarios.iter().all(|report| report.placeable));
        for report in &answer.scenarios {
            adds_up(&answer, report)?;
            let region = report.name.strip_prefix("lose region ").unwrap();
            prop_assert!(report.headroom.pools.iter().all(|pool| pool.region != region));
            let gone = |name: &str| snapshot.pools.iter().any(|p| p.name == name && p.region == region);
            for change in &report.services {
                prop_assert!(change.to.iter().all(|place| !gone(&place.pool)));
            }
            for cluster in report.clusters.iter().filter(|cluster| gone(&cluster.pool)) {
                prop_assert_eq!(cluster.nodes_after, 0);
            }
            let sum: i128 = report.clusters.iter().map(|c| micros(&c.hourly_cost_delta)).sum();
            prop_assert_eq!(sum, micros(&report.cost.hourly_delta));
        }
    }

    #[test]
    fn growth_adds_up(seed in any::<u64>(), factor in 1u32..40) {
        let snapshot = some(seed, true);
        let factor = Factor::parse(&format!("{}.{}", factor / 10, factor % 10)).unwrap();
        let request = Request { growth: Some(factor), ..Request::default() };
        let answer = asked(&snapshot, &request);
        adds_up(&answer, &answer.scenarios[0])?;
    }

    #[test]
    fn the_order_of_input_means_nothing(seed in any::<u64>()) {
        let snapshot = some(seed, true);
        let mut turned = snapshot.clone();
        turned.pools.reverse();
        turned.services.reverse();
        turned.policies.reverse();
        turned.clusters.reverse();
        turned.normalise();
        let request = Request { n_minus_1: Some(Scope::Provider), ..Request::default() };
        prop_assert_eq!(asked(&snapshot, &request), asked(&turned, &request));
    }
}
