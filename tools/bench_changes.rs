//! How long single changes take in a session, and how far they drift from solving afresh, on fleets by seed:
//! `cargo run --release --example bench-changes -- [--changes N] [--runs N] [SERVICESxPOOLS …]`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use clap::Parser;
use fleet::Rng;
use lattice::scheduler::check::check;
use lattice::scheduler::model::{Service, ServiceId, Snapshot};
use lattice::scheduler::session::{Change, Session};
use lattice::scheduler::solution::{Solution, Verdict};
use lattice::scheduler::solve;
use size::Size;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[path = "../tests/fleet/mod.rs"]
mod fleet;
#[path = "measure/process.rs"]
mod process;
#[path = "measure/size.rs"]
mod size;

/// The seed of fleets, and of the changes made to them.
const SEED: u64 = 1;

/// Measures single changes.
#[derive(Parser)]
struct Arguments {
    /// Changes made to each fleet.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    changes: u64,
    /// Runs of all changes, of which the fastest counts for each change.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Services and pools.
    #[arg(default_value = "10000x100")]
    sizes: Vec<Size>,
}

fn main() {
    let arguments = Arguments::parse();
    for size in &arguments.sizes {
        let snapshot = fleet::market::market(SEED, size.services, size.pools);
        let start = Instant::now();
        let solution = solve(&snapshot);
        let spent = start.elapsed().as_secs_f64();
        println!("\n{size}: solved in {spent:.2} s");
        measure(&snapshot, &solution, &arguments);
    }
}

/// Changes of all kinds, each possible after those before it if these are made.
fn changes(snapshot: &Snapshot, count: u64) -> Vec<Change> {
    let mut rng = Rng(SEED);
    let pools = snapshot.pools.len() as u64;
    let mut present: Vec<(ServiceId, u32)> = (snapshot.services.iter())
        .map(|s| (s.id.clone(), s.replicas))
        .collect();
    let mut coming = fleet::market::market(SEED + 1, count, pools)
        .services
        .into_iter();
    let mut made = Vec::new();
    for _ in 0..count {
        let at = rng.below(present.len() as u64) as usize;
        let change = match rng.below(100) {
            0..30 => {
                let service = newcomer(coming.next().expect("one for each change"));
                present.push((service.id.clone(), service.replicas));
                Change::Add(Box::new(service))
            }
            30..55 => Change::Remove(present.swap_remove(at).0),
            55..90 => {
                let replicas = 1 + (present[at].1 + rng.below(9) as u32) % 10;
                present[at].1 = replicas;
                let service = present[at].0.clone();
                Change::Scale { service, replicas }
            }
            _ => price(&mut rng, snapshot),
        };
        made.push(change);
    }
    made
}

/// A service of another fleet, so that no name is there already.
fn newcomer(mut service: Service) -> Service {
    service.id = ServiceId::new("new", &service.id.name);
    for bound in &mut service.latency {
        bound.dependency = ServiceId::new("new", &bound.dependency.name);
    }
    service
}

/// Up to ten percent more or less than in the beginning.
fn price(rng: &mut Rng, snapshot: &Snapshot) -> Change {
    let pool = &snapshot.pools[rng.below(snapshot.pools.len() as u64) as usize];
    let offer = &pool.offers[rng.below(pool.offers.len() as u64) as usize];
    Change::Price {
        pool: pool.name.clone(),
        class: offer.class.clone(),
        hourly: offer.hourly * (900 + rng.below(201) as i64) / 1000,
    }
}

fn kind(change: &Change, snapshot: &Snapshot) -> &'static str {
    match change {
        Change::Add(_) => "added",
        Change::Remove(_) => "removed",
        Change::Scale { service, replicas } => {
            let was = snapshot.services.iter().find(|s| s.id == *service);
            match was.is_some_and(|was| was.replicas > *replicas) {
                true => "scaled below what it began with",
                false => "scaled otherwise",
            }
        }
        Change::Price { .. } => "price moved",
    }
}

fn measure(snapshot: &Snapshot, solution: &Solution, arguments: &Arguments) {
    let list = changes(snapshot, arguments.changes);
    let mut least = vec![Duration::MAX; list.len()];
    let mut refused = vec![false; list.len()];
    let mut last = None;
    let mut opening = Duration::MAX;
    let before = process::memory();
    let mut held = 0;
    for _ in 0..arguments.runs {
        // Only one at a time, so that the memory of one is seen.
        drop(last.take());
        let start = Instant::now();
        let mut session = Session::new(snapshot, solution).expect("its own solution");
        opening = opening.min(start.elapsed());
        held = held.max(process::memory().saturating_sub(before));
        for (at, change) in list.iter().enumerate() {
            let start = Instant::now();
            let made = session.apply(change);
            let spent = start.elapsed();
            least[at] = least[at].min(spent);
            refused[at] = made.is_err();
        }
        last = Some(session);
    }
    let session = last.expect("at least one run");
    println!(
        "session opened in {:.2} s, {} MB beyond the snapshot and its solution",
        opening.as_secs_f64(),
        held / 1024
    );
    let mut by_kind: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for (at, change) in list.iter().enumerate() {
        let kinds = match refused[at] {
            true => vec!["refused"],
            false => vec![kind(change, snapshot), "all made"],
        };
        for kind in kinds {
            by_kind.entry(kind).or_default().push(least[at]);
        }
    }
    println!("| change | number | p50, ms | p99, ms | most, ms |\n| --- | --- | --- | --- | --- |");
    for (kind, mut times) in by_kind {
        times.sort_unstable();
        let ms = |at: usize| times[at].as_secs_f64() * 1e3;
        let last = times.len() - 1;
        println!(
            "| {kind} | {} | {:.4} | {:.4} | {:.4} |",
            times.len(),
            ms(last / 2),
            ms(last * 99 / 100),
            ms(last)
        );
    }
    drift(session);
}

fn drift(mut session: Session) {
    let there = session.clusters();
    let (standing, held) = (session.snapshot(), session.solution(&there));
    let broken = check(&standing, &held);
    assert!(broken.is_empty(), "{broken:#?}");
    // From the fleet as it stands only what pays moves; from nothing everything may be anywhere.
    let on = solve(&standing);
    let afresh = solve(&Snapshot {
        clusters: Vec::new(),
        ..standing
    });
    println!("| | objective | above solving afresh | without a place |\n| --- | --- | --- | --- |");
    for (what, solution) in [
        ("the session", &held),
        ("solved on from there", &on),
        ("solved afresh", &afresh),
    ] {
        let outcomes = solution.outcomes.iter();
        let unplaced = outcomes.filter(|o| o.verdict == Verdict::Unschedulable);
        let above = solution.objective as f64 / afresh.objective as f64 - 1.0;
        println!(
            "| {what} | {} | {:.2} % | {} |",
            solution.objective,
            100.0 * above,
            unplaced.count()
        );
    }
}
