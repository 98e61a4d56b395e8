//! What was found, as the handbook shows it.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::figures::{machine, short};

/// How durations are spread.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Spread {
    pub count: usize,
    pub least: Duration,
    pub median: Duration,
    pub p99: Duration,
    pub most: Duration,
}

impl Spread {
    /// Of some, at least one.
    pub fn of(mut all: Vec<Duration>) -> Self {
        all.sort();
        let at = |part: usize| all[(all.len() - 1) * part / 100];
        Self {
            count: all.len(),
            least: at(0),
            median: at(50),
            p99: at(99),
            most: at(100),
        }
    }
}

/// How agents came back to a cell that was killed.
pub struct Storm {
    /// Seconds for which it was away.
    pub away: u64,
    /// From the moment in which it listens again.
    pub waits: Spread,
}

/// All that was measured; of pairs the first is the agents' side, or without a stalled stream.
pub struct Figures {
    pub agents: u64,
    pub streams: u64,
    /// KiB for all agents.
    pub memory: (u64, u64),
    /// For one agent and second.
    pub spent: (Duration, Duration),
    pub storms: Vec<Storm>,
    pub pairs: Vec<(Spread, Spread)>,
}

impl Figures {
    /// The middle one of the 99th percentiles of all rounds.
    fn p99(&self, of: impl Fn(&(Spread, Spread)) -> Spread) -> f64 {
        let each = self.pairs.iter().map(|pair| of(pair).p99);
        Spread::of(each.collect()).median.as_secs_f64() * 1000.0
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let build = match cfg!(debug_assertions) {
            true => "not optimised",
            false => "optimised",
        };
        writeln!(f, "{}", machine())?;
        writeln!(
            f,
            "{} agents, one connection each; {build} build.\n",
            self.agents
        )?;
        let kib = |memory: u64| short(memory as f64 / self.agents as f64);
        let micros = |spent: Duration| short(spent.as_secs_f64() * 1e6);
        writeln!(f, "| | agents' side | cell's side |\n| --- | --- | --- |")?;
        let (ours, theirs) = self.memory;
        writeln!(
            f,
            "| memory per agent, KiB | {} | {} |",
            kib(ours),
            kib(theirs)
        )?;
        let (ours, theirs) = self.spent;
        writeln!(
            f,
            "| processor time per agent and second, µs | {} | {} |\n",
            micros(ours),
            micros(theirs)
        )?;
        writeln!(
            f,
            "| killed, and listening again after | the first is back after | half of them | 99 % | all |\n| --- | --- | --- | --- | --- |"
        )?;
        let seconds = |wait: Duration| format!("{:.1} s", wait.as_secs_f64());
        for Storm { away, waits } in &self.storms {
            let [first, half, most, all] =
                [waits.least, waits.median, waits.p99, waits.most].map(seconds);
            writeln!(f, "| {away} s | {first} | {half} | {most} | {all} |")?;
        }
        let (alone, beside) = (self.p99(|pair| pair.0), self.p99(|pair| pair.1));
        let said = self.pairs.iter().map(|pair| pair.0.count + pair.1.count);
        writeln!(
            f,
            "\n{} streams over one connection, 1 KiB said back every 2 s on each, {} times in all, in {} rounds with and without one that stalls:\n\n\
             | | without | with | times |\n| --- | --- | --- | --- |\n\
             | 99th percentile of the others, ms | {} | {} | {:.2} |",
            self.streams,
            said.sum::<usize>(),
            self.pairs.len(),
            short(alone),
            short(beside),
            beside / alone,
        )
    }
}
