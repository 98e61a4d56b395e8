//! How long the solver takes, how near it comes to the proven bound and how both grow, on fleets by seed:
//! `cargo run --release --example bench-solver -- [--runs N] [--seeds N] [--docs docs] [SERVICESxPOOLS …]`.

use clap::Parser;
use lattice::scheduler::check::check;
use lattice::scheduler::model::Snapshot;
use lattice::scheduler::solution::{Solution, Verdict};
use lattice::scheduler::{first, solve};
use peak::Peak;
use size::Size;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use table::{Found, Row};

mod chart;
mod table;

#[path = "../measure/figures.rs"]
mod figures;
#[path = "../../tests/fleet/mod.rs"]
mod fleet;
#[path = "../measure/peak.rs"]
mod peak;
#[path = "../measure/process.rs"]
mod process;
#[path = "../measure/size.rs"]
mod size;

/// Measures the solver.
#[derive(Parser)]
struct Arguments {
    /// Runs of each fleet, of which the fastest counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Fleets of each size.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Measures one fleet, by its seed, and prints what it found as JSON.
    #[arg(long, hide = true, requires = "sizes")]
    alone: Option<u64>,
    /// Folder of the handbook whose table and chart are to be written anew.
    #[arg(long, conflicts_with = "sizes")]
    docs: Option<PathBuf>,
    /// Services and pools, such as 10000x100.
    sizes: Vec<Size>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if let (Some(seed), [size]) = (arguments.alone, arguments.sizes.as_slice()) {
        let row = row(*size, seed, arguments.runs)?;
        println!("{}", serde_json::to_string(&row)?);
        return Ok(());
    }
    let sizes = match arguments.sizes.is_empty() {
        true => table::GOALS.map(|goal| goal.size).to_vec(),
        false => arguments.sizes,
    };
    let mut rows = Vec::new();
    for size in sizes {
        for seed in 1..=arguments.seeds {
            eprintln!("{size}, seed {seed}");
            rows.push(apart(size, seed, arguments.runs)?);
        }
    }
    let text = format!("{}\n{}", figures::machine(), table::table(&rows)?);
    print!("{text}");
    if let Some(docs) = &arguments.docs {
        figures::replace(&docs.join("performance.md"), "bench-solver", &text)?;
        std::fs::write(docs.join("sizes.svg"), chart::svg(&rows)?)?;
    }
    match rows.iter().map(Row::broken).sum::<usize>() {
        0 => Ok(()),
        broken => Err(format!("{broken} rules are broken").into()),
    }
}

/// One fleet in a process of its own, which has no memory of earlier ones to use again.
fn apart(size: Size, seed: u64, runs: u64) -> Result<Row, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["--alone", &seed.to_string(), "--runs", &runs.to_string()])
        .arg(size.to_string())
        .stderr(Stdio::inherit())
        .output()?;
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout)?),
        false => Err(format!("{size}, seed {seed}: {}", output.status).into()),
    }
}

/// One fleet: its first and its last plan.
fn row(size: Size, seed: u64, runs: u64) -> Result<Row, Box<dyn Error>> {
    let mut snapshot = fleet::market::market(seed, size.services, size.pools);
    // As it is when it was read from manifests or an API server.
    snapshot.normalise();
    let name = format!("{size}, seed {seed}");
    let (solution, least, memory) = measured(&snapshot, solve, runs, &name)?;
    let (first, fastest, _) = measured(&snapshot, first, runs, &name)?;
    Ok(Row {
        size,
        seed,
        replicas: snapshot
            .services
            .iter()
            .map(|s| u64::from(s.replicas))
            .sum(),
        first: found(&snapshot, &first, fastest),
        last: found(&snapshot, &solution, least),
        bound: solution.certificate.lower_bound,
        memory,
    })
}

/// A plan, the least processor time of some runs, which all must give the same, and the memory of the first, KiB.
fn measured(
    snapshot: &Snapshot,
    plan: fn(&Snapshot) -> Solution,
    runs: u64,
    name: &str,
) -> Result<(Solution, Duration, u64), Box<dyn Error>> {
    let peak = Peak::begin()?;
    let (solution, mut least) = timed(snapshot, plan);
    // Later runs would find what earlier ones have given back.
    let memory = peak.beyond();
    for _ in 1..runs {
        let (again, spent) = timed(snapshot, plan);
        if again != solution {
            return Err(format!("{name}: two runs gave two plans").into());
        }
        least = least.min(spent);
    }
    Ok((solution, least, memory))
}

fn found(snapshot: &Snapshot, solution: &Solution, spent: Duration) -> Found {
    let outcomes = solution.outcomes.iter();
    Found {
        seconds: spent.as_secs_f64(),
        objective: solution.objective,
        unplaced: outcomes
            .filter(|o| o.verdict == Verdict::Unschedulable)
            .count(),
        broken: check(snapshot, solution).len(),
    }
}

/// Processor time, so that neighbours on a busy machine count little.
fn timed(snapshot: &Snapshot, plan: fn(&Snapshot) -> Solution) -> (Solution, Duration) {
    let (start, before) = (Instant::now(), processor());
    let solution = plan(snapshot);
    let spent = match (before, processor()) {
        (Some(before), Some(after)) => after - before,
        _ => start.elapsed(),
    };
    (solution, spent)
}

/// Processor time of this thread so far, where the kernel keeps that account.
fn processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let spent = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(spent))
}
