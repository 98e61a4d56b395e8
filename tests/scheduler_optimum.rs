//! Random small fleets against their optimum, which a mixed integer program finds that knows nothing of the search.

#![allow(clippy::unwrap_used)]

mod fleet;
mod optimum;

use fleet::tiny::{Limits, tiny};
use lattice::scheduler::check::check;
use lattice::scheduler::model::{ServiceId, Snapshot};
use lattice::scheduler::solution::{Solution, Verdict};
use lattice::scheduler::solve;
use optimum::{cheapest, fewest_missing, missing};
use std::collections::BTreeSet;

const LIMITS: Limits = Limits {
    services: 6,
    pools: 4,
    classes: 3,
    replicas: 4,
};

fn placed(solution: &Solution) -> BTreeSet<ServiceId> {
    let outcomes = solution.outcomes.iter();
    outcomes
        .filter(|o| matches!(o.verdict, Verdict::Placed | Verdict::Unchanged))
        .map(|o| o.service.clone())
        .collect()
}

/// What is wrong with the plan of a fleet, and how far above the optimum it is, in parts per million.
fn compare(snapshot: &Snapshot) -> (Vec<String>, i64, i64) {
    let mut wrong = Vec::new();
    let plan = solve(snapshot);
    wrong.extend(
        check(snapshot, &plan)
            .iter()
            .map(|v| format!("broken: {v}")),
    );
    let placed = placed(&plan);
    let (mine, fewest) = (missing(snapshot, &placed), fewest_missing(snapshot));
    if mine != fewest {
        wrong.push(format!("missing {mine:?}, must be {fewest:?}"));
    }
    let Some(best) = cheapest(snapshot, &placed) else {
        wrong.push("the program cannot place what the plan places".into());
        return (wrong, 0, 0);
    };
    let broken = check(snapshot, &best);
    wrong.extend(
        broken
            .iter()
            .map(|v| format!("the optimum breaks a rule: {v}")),
    );
    let (cost, least) = (plan.objective, best.objective);
    let bound = plan.certificate.lower_bound;
    if bound > least {
        wrong.push(format!("bound {bound} above optimum {least}"));
    }
    if cost < least {
        wrong.push(format!("cost {cost} below optimum {least}"));
    }
    if cost * 100 > least * 102 {
        wrong.push(format!("cost {cost} above 1.02 × optimum {least}"));
        wrong.extend([&plan, &best].map(|plan| format!("{:?}", plan.placements())));
    }
    let above = (cost - least) * 1_000_000 / least.max(1);
    let gap = (least - bound) * 1_000_000 / least.max(1);
    (wrong, above, gap)
}

#[test]
fn small_fleets_are_solved_to_the_optimum() {
    let cases: u64 = std::env::var("OPTIMUM_CASES").map_or(200, |n| n.parse().unwrap());
    let first: u64 = std::env::var("OPTIMUM_SEED").map_or(0, |n| n.parse().unwrap());
    let mut worst = 0;
    let (mut bad, mut inexact, mut gaps) = (0, 0, 0);
    for seed in first..first + cases {
        let snapshot = tiny(seed, &LIMITS);
        let (wrong, above, gap) = compare(&snapshot);
        worst = worst.max(above);
        inexact += u32::from(above > 0);
        gaps += gap;
        if !wrong.is_empty() {
            bad += 1;
            println!("seed {seed}: {wrong:#?}");
        }
    }
    println!(
        "{cases} cases, {bad} bad, {inexact} not optimal, worst {worst} ppm, mean bound gap {} ppm",
        gaps / cases as i64
    );
    assert_eq!(bad, 0);
}
