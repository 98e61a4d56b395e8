//! What a cell and its agents cost: memory and processor time of agents that do nothing but be there, how soon all of them are back
//! after the cell was killed, and whether one stalled stream holds up others. Real sockets and TLS; the cell is a process of its own:
//! `cargo run --release --example bench-agents -- [--agents N] [--streams N] [--docs docs]`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agents;
mod cell;
mod report;
mod streams;

#[path = "../measure/figures.rs"]
mod figures;
#[path = "../measure/process.rs"]
mod process;

use std::{
    error::Error,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};

use agents::Agents;
use cell::Child;
use chrono::Utc;
use clap::Parser;
use lattice::{clusters::bootstrap::Authority, operator::crypto::install_fips_provider};
use report::{Figures, Spread, Storm};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Longest time until all agents are there.
const ALL_THERE: Duration = Duration::from_secs(300);

/// Measures a cell and its agents.
#[derive(Parser)]
struct Arguments {
    /// Agents.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    agents: u64,
    /// Streams over the connection of one agent.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(2..=1000))]
    streams: u64,
    /// Seconds in which nothing happens but heartbeats.
    #[arg(long, default_value_t = 60)]
    idle: u64,
    /// Seconds for which the cell is away, the second time.
    #[arg(long, default_value_t = 60)]
    away: u64,
    /// Pairs of measurements with and without a stalled stream.
    #[arg(long, default_value_t = 5)]
    rounds: u64,
    /// Where the cell listens.
    #[arg(long, default_value = "127.0.0.1:18443")]
    listen: SocketAddr,
    /// Folder of the handbook whose table is to be written anew.
    #[arg(long)]
    docs: Option<PathBuf>,
    /// Is the cell, with the authority in this folder.
    #[arg(long, hide = true)]
    cell: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    install_fips_provider()?;
    let limits = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limits.maximum,
            ..limits
        },
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    match &arguments.cell {
        Some(folder) => runtime.block_on(cell::run(folder, &arguments)),
        None => {
            let figures = runtime.block_on(measure(&arguments))?;
            let text = figures.to_string();
            print!("{text}");
            if let Some(docs) = &arguments.docs {
                figures::replace(&docs.join("performance.md"), "bench-agents", &text)?;
            }
            Ok(())
        }
    }
}

async fn measure(arguments: &Arguments) -> Result<Figures, Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("bench-agents-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let authority = Authority::generate("bench", Utc::now())?;
    std::fs::write(folder.join("ca.crt"), authority.certificate())?;
    std::fs::write(folder.join("ca.key"), authority.key())?;
    let mut child = Child::start(&folder, arguments.listen)?;
    let agents = Agents::make(arguments.agents, &authority);
    let before = (process::memory(), child.usage()?.memory);
    eprintln!("{} agents dial", arguments.agents);
    agents.dial(arguments.listen);
    agents.all_there(Instant::now(), ALL_THERE).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let memory = (
        process::memory().saturating_sub(before.0),
        child.usage()?.memory.saturating_sub(before.1),
    );

    eprintln!("{} s of heartbeats", arguments.idle);
    let before = (cell::processor_time(), child.usage()?.spent);
    let idle = Instant::now();
    tokio::time::sleep(Duration::from_secs(arguments.idle)).await;
    let spent = (
        cell::processor_time() - before.0,
        child.usage()?.spent - before.1,
    );
    let idle = idle.elapsed().as_secs_f64() * arguments.agents as f64;

    let mut storms = Vec::new();
    for away in [0, arguments.away] {
        eprintln!("the cell is killed, and back after {away} s");
        agents.forget();
        child.kill()?;
        tokio::time::sleep(Duration::from_secs(away)).await;
        child = Child::start(&folder, arguments.listen)?;
        let back = Instant::now();
        let waits = agents.all_there(back, ALL_THERE).await;
        storms.push(Storm {
            away,
            waits: Spread::of(waits),
        });
    }

    let mut pairs = Vec::new();
    child.open(arguments.streams)?;
    for round in 0..arguments.rounds {
        eprintln!("streams, round {}", round + 1);
        let alone = child.speak(false)?;
        pairs.push((alone, child.speak(true)?));
    }
    child.kill()?;
    std::fs::remove_dir_all(&folder)?;
    Ok(Figures {
        agents: arguments.agents,
        streams: arguments.streams,
        memory,
        spent: (spent.0.div_f64(idle), spent.1.div_f64(idle)),
        storms,
        pairs,
    })
}
