//! Lattice's solver and Karpenter's on the same pods and node types, side by side; every plan is
//! checked by code that knows neither, and measured against a proven bound: `make bench-peers`.

use clap::Parser;
use instance::Short;
use report::{Row, Side};
use std::error::Error;
use std::path::PathBuf;

mod bound;
mod chart;
mod check;
mod instance;
mod karpenter;
mod ours;
mod report;

#[path = "../measure/figures.rs"]
mod figures;
#[path = "../../tests/fleet/mod.rs"]
mod fleet;

const SEED: u64 = 7;
/// Services, and how often Karpenter solves them; it takes about a minute for the last.
const SIZES: [(usize, usize); 3] = [(200, 5), (1_000, 3), (4_000, 1)];
const OUR_RUNS: usize = 5;
/// Most faults of one plan that are printed.
const FAULTS: usize = 5;

/// Compares Lattice's solver with Karpenter's.
#[derive(Parser)]
struct Arguments {
    /// The program that benches/peers builds.
    #[arg(long, default_value = "target/bench-peers/karpenter")]
    karpenter: PathBuf,
    /// Folder for instances and plans.
    #[arg(long, default_value = "target/bench-peers")]
    folder: PathBuf,
    /// Pods that a node of any class has room for. Lattice knows no such limit, so where it binds, its
    /// plans have faults; above 318 it cannot bind.
    #[arg(long, default_value_t = 320)]
    max_pods: u64,
    /// The smallest instances only.
    #[arg(long)]
    quick: bool,
    /// Folder of the handbook whose table and chart are to be written anew.
    #[arg(long, conflicts_with = "quick")]
    docs: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.folder)?;
    let sizes = match arguments.quick {
        true => &SIZES[..1],
        false => &SIZES[..],
    };
    let mut rows = Vec::new();
    for short in Short::ALL {
        for &(services, runs) in sizes {
            rows.push(row(&arguments, short, services, runs)?);
        }
    }
    let text = format!("{}\n{}", figures::machine(), report::table(&rows)?);
    print!("{text}");
    if let Some(docs) = &arguments.docs {
        figures::replace(&docs.join("performance.md"), "bench-peers", &text)?;
        std::fs::write(docs.join("peers.svg"), chart::svg(&rows)?)?;
    }
    let sides = rows.iter().flat_map(Row::sides);
    match sides
        .clone()
        .any(|(_, side)| !side.findings.faults.is_empty())
    {
        true => Err("a plan has faults; see above".into()),
        false => Ok(()),
    }
}

/// Solves one instance on both sides and checks both.
fn row(
    arguments: &Arguments,
    short: Short,
    services: usize,
    runs: usize,
) -> Result<Row, Box<dyn Error>> {
    let instance = instance::random(SEED, short, services, arguments.max_pods);
    let name = format!("{}-{services}", short.name().replace(' ', "-"));
    let file = arguments.folder.join(format!("{name}.json"));
    karpenter::write(&instance, &file)?;
    let worth = bound::best(&instance);
    if !worth.proves(&instance.classes) {
        return Err(format!("{worth:?} proves no bound").into());
    }
    eprintln!("{name}, {} pods: Lattice", instance.pods());
    let lattice = ours::plan(&instance, OUR_RUNS);
    eprintln!("{name}, {} pods: Karpenter", instance.pods());
    let karpenter = karpenter::plan(&arguments.karpenter, &file, runs)?;
    let row = Row {
        short,
        services,
        pods: instance.pods(),
        bound: worth.bound(&instance),
        lattice: side(&instance, lattice),
        karpenter: side(&instance, karpenter),
    };
    for (who, side) in row.sides() {
        let file = format!("{name}-{}.json", who.to_lowercase());
        std::fs::write(arguments.folder.join(file), serde_json::to_vec(&side.plan)?)?;
        for fault in side.findings.faults.iter().take(FAULTS) {
            eprintln!("{who}: {fault}");
        }
    }
    Ok(row)
}

fn side(instance: &instance::Instance, plan: instance::Plan) -> Side {
    Side {
        findings: check::check(instance, &plan),
        plan,
    }
}
