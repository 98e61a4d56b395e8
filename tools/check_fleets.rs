//! Random small fleets by seed, each planned twice: the checker must accept the plan, and the plan as input must come
//! out as it is. For each another with numbers at the ends of their types and of the limits, of which the same must hold:
//! `cargo run --release --example check-fleets -- [FLEETS [FIRST SEED]]`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use lattice::scheduler::check::check;
use lattice::scheduler::model::{Cluster, Snapshot};
use lattice::scheduler::solution::Solution;
use lattice::scheduler::solve;

#[path = "../tests/fleet/mod.rs"]
mod fleet;
#[path = "../tests/fleet/sound.rs"]
mod sound;

/// Fleets that are looked at when no number is given.
const FLEETS: u64 = 10_000;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let (Ok(count), Ok(first)) = (
        numbers.next().unwrap_or(Ok(FLEETS)),
        numbers.next().unwrap_or(Ok(0)),
    ) else {
        eprintln!("usage: check-fleets [FLEETS [FIRST SEED]]");
        std::process::exit(1);
    };
    let (mut broken, mut moved, mut services, mut unplaced, mut unsound) = (0, 0, 0, 0, 0);
    for seed in first..first + count {
        let snapshot = fleet_of(seed);
        let solution = solve(&snapshot);
        let rules = check(&snapshot, &solution);
        if !rules.is_empty() {
            broken += 1;
            println!("seed {seed}: {rules:?}");
        }
        let again = solve(&Snapshot {
            clusters: live(&solution),
            ..snapshot.clone()
        });
        if live(&again) != live(&solution) {
            moved += 1;
            println!("seed {seed}: its own output moves");
        }
        services += solution.outcomes.len();
        unplaced += (solution.outcomes.iter())
            .filter(|o| !o.reasons.is_empty())
            .count();
        if let Err(what) = sound::sound(&fleet::edits::drawn(seed)) {
            unsound += 1;
            println!("seed {seed}, with extreme numbers: {what}");
        }
    }
    println!(
        "{count} fleets with {services} services, {unplaced} of them without a place: \
         {broken} plans break a rule, {moved} move on their own output; of as many with extreme numbers \
         {unsound} are planned unsoundly"
    );
    if broken + moved + unsound > 0 {
        std::process::exit(1);
    }
}

/// Up to six pools and fourteen services, every other fleet with tight limits, pins and policies of all sorts; now and
/// then with extended resources, spot capacity or zones, or of the sizes and prices of the usual clouds.
fn fleet_of(seed: u64) -> Snapshot {
    let (pools, services) = (1 + seed % 6, 1 + seed / 6 % 14);
    if seed % 10 == 9 {
        return fleet::market::market(seed, services * 3, pools + 2);
    }
    let wild = (seed / 84).is_multiple_of(2);
    let mut snapshot = fleet::random(
        seed,
        &fleet::Shape {
            pools,
            services,
            wild,
        },
    );
    match seed % 10 {
        6 => fleet::offers::add_extended(&mut snapshot, seed),
        7 => fleet::offers::add_spot(&mut snapshot, seed),
        8 => fleet::offers::add_zones(&mut snapshot, seed),
        _ => (),
    }
    snapshot
}

fn live(solution: &Solution) -> Vec<Cluster> {
    solution.live().map(|d| d.cluster.clone()).collect()
}
