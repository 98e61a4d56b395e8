//! A table of how long the solver takes and how near it comes to the proven bound, on fleets by seed:
//! `cargo run --release --example bench-solver -- [--runs N] [--seeds N] [SERVICESxPOOLS …]`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use lattice::scheduler::check::check;
use lattice::scheduler::model::Snapshot;
use lattice::scheduler::solution::{Solution, Verdict};
use lattice::scheduler::solve;
use std::time::{Duration, Instant};

#[path = "../tests/fleet/mod.rs"]
mod fleet;

/// Sizes that are measured when none are asked for.
const SIZES: [(u64, u64); 6] = [
    (1_000, 10),
    (1_000, 100),
    (10_000, 100),
    (10_000, 1_000),
    (100_000, 100),
    (100_000, 1_000),
];

struct Wanted {
    runs: u64,
    seeds: u64,
    sizes: Vec<(u64, u64)>,
}

fn main() {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(what) => {
            eprintln!("{what}\nusage: bench-solver [--runs N] [--seeds N] [SERVICESxPOOLS ...]");
            std::process::exit(1);
        }
    };
    println!(
        "| services × pools | seed | replicas | time | processor | above the bound | unplaced | memory |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let mut broken = 0;
    for &(services, pools) in &wanted.sizes {
        for seed in 1..=wanted.seeds {
            let snapshot = fleet::market::market(seed, services, pools);
            let (solution, wall, processor) = measured(&snapshot, wanted.runs);
            broken += check(&snapshot, &solution).len();
            row(
                &snapshot,
                &solution,
                (services, pools, seed),
                (wall, processor),
            );
        }
    }
    if broken > 0 {
        eprintln!("{broken} rules are broken");
        std::process::exit(1);
    }
}

fn wanted(arguments: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        runs: 3,
        seeds: 1,
        sizes: Vec::new(),
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().unwrap_or_default();
            text.parse::<u64>()
                .map_err(|_| format!("{argument} wants a number, not `{text}`"))
        };
        match argument.as_str() {
            "--runs" => wanted.runs = number()?.max(1),
            "--seeds" => wanted.seeds = number()?.max(1),
            size => {
                let parts = size.split_once('x').and_then(|(services, pools)| {
                    Some((services.parse().ok()?, pools.parse().ok()?))
                });
                let parts = parts.ok_or(format!("`{size}` is not SERVICESxPOOLS"))?;
                wanted.sizes.push(parts);
            }
        }
    }
    if wanted.sizes.is_empty() {
        wanted.sizes = SIZES.to_vec();
    }
    Ok(wanted)
}

/// The best wall clock and processor times of some runs, which all must give the same.
fn measured(snapshot: &Snapshot, runs: u64) -> (Solution, Duration, Duration) {
    let mut best: Option<(Solution, Duration, Duration)> = None;
    for _ in 0..runs {
        let (start, processor) = (Instant::now(), processor());
        let solution = solve(snapshot);
        let (wall, spent) = (start.elapsed(), self::processor() - processor);
        best = Some(match best {
            None => (solution, wall, spent),
            Some((known, least, fewest)) => {
                assert_eq!(known, solution, "two runs gave two plans");
                (known, least.min(wall), fewest.min(spent))
            }
        });
    }
    best.expect("at least one run")
}

fn row(
    snapshot: &Snapshot,
    solution: &Solution,
    (services, pools, seed): (u64, u64, u64),
    (wall, processor): (Duration, Duration),
) {
    let replicas: u32 = snapshot.services.iter().map(|s| s.replicas).sum();
    let unplaced = solution.outcomes.iter();
    let unplaced = unplaced
        .filter(|o| o.verdict == Verdict::Unschedulable)
        .count();
    let bound = solution.certificate.lower_bound.max(1) as f64;
    let above = 100.0 * (solution.objective as f64 / bound - 1.0);
    println!(
        "| {services} × {pools} | {seed} | {replicas} | {:.2} s | {:.2} s | {above:.2} % | {unplaced} | {} MB |",
        wall.as_secs_f64(),
        processor.as_secs_f64(),
        peak_memory() / 1024,
    );
}

/// Processor time of this thread so far, by Linux's own account.
fn processor() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let spent = text.split_whitespace().next().and_then(|n| n.parse().ok());
    Duration::from_nanos(spent.unwrap_or(0))
}

/// The most memory that this process has had, KiB.
fn peak_memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|n| n.parse().ok()).unwrap_or(0)
}
