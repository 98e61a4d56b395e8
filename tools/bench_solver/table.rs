//! What was found, as a table, beside what is aimed at.

use crate::figures::{grouped, short};
use crate::size::Size;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt::Write as _;

/// What a size is to take at most, and be above the bound.
pub struct Goal {
    pub size: Size,
    /// Until the first plan.
    pub first: f64,
    pub seconds: f64,
    pub percent: f64,
}

/// The sizes that are measured when none are asked for.
pub const GOALS: [Goal; 6] = [
    goal((1_000, 10), 0.005, 0.3, 1.0),
    goal((1_000, 100), 0.01, 0.5, 2.5),
    goal((10_000, 100), 0.05, 2.5, 1.2),
    goal((10_000, 1_000), 0.1, 4.0, 2.0),
    goal((100_000, 100), 0.3, 8.0, 0.7),
    goal((100_000, 1_000), 1.0, 10.0, 1.0),
];

const fn goal((services, pools): (u64, u64), first: f64, seconds: f64, percent: f64) -> Goal {
    Goal {
        size: Size { services, pools },
        first,
        seconds,
        percent,
    }
}

/// One plan of a fleet.
#[derive(Deserialize, Serialize)]
pub struct Found {
    /// Processor time of the fastest run.
    pub seconds: f64,
    /// Micro-dollars an hour.
    pub objective: i64,
    pub unplaced: usize,
    /// Rules that the checker found broken.
    pub broken: usize,
}

/// One fleet.
#[derive(Deserialize, Serialize)]
pub struct Row {
    pub size: Size,
    pub seed: u64,
    pub replicas: u64,
    /// The plan that is found at once.
    pub first: Found,
    /// The plan as it is in the end.
    pub last: Found,
    /// Micro-dollars an hour that no plan can be below.
    pub bound: i64,
    /// KiB beyond the fleet itself, at most.
    pub memory: u64,
}

impl Row {
    /// By how many percent the plan is above the bound.
    pub fn gap(&self) -> f64 {
        self.above(&self.last)
    }

    fn above(&self, found: &Found) -> f64 {
        100.0 * (found.objective as f64 / self.bound.max(1) as f64 - 1.0)
    }

    /// Rules that are broken by any of its plans.
    pub fn broken(&self) -> usize {
        self.first.broken + self.last.broken
    }

    /// What is aimed at for this size.
    pub fn goal(&self) -> Option<&'static Goal> {
        GOALS.iter().find(|goal| goal.size == self.size)
    }

    /// The size in words.
    pub fn name(&self) -> String {
        format!(
            "{} × {}",
            grouped(self.size.services),
            grouped(self.size.pools)
        )
    }
}

/// The rows as Markdown, and how time grows between them.
pub fn table(rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let mut text = String::from(
        "| services × pools | seed | replicas | time | aimed at | above the bound | aimed at | without a place | memory a service |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let (seconds, percent) = match row.goal() {
            Some(goal) => (format!("{} s", goal.seconds), format!("{} %", goal.percent)),
            None => Default::default(),
        };
        writeln!(
            text,
            "| {} | {} | {} | {} s | {seconds} | {:.2} % | {percent} | {} | {} B |",
            row.name(),
            row.seed,
            grouped(row.replicas),
            short(row.last.seconds),
            row.gap(),
            grouped(row.last.unplaced as u64),
            grouped(row.memory * 1024 / row.size.services),
        )?;
    }
    firsts(&mut text, rows)?;
    for line in growth(rows) {
        writeln!(text, "{line}")?;
    }
    match rows.iter().map(Row::broken).sum::<usize>() {
        0 => text.push_str("The checker found no rule broken by any of the plans.\n"),
        broken => writeln!(text, "**The checker found {broken} rules broken.**")?,
    }
    Ok(text)
}

/// The plans that are found at once, as Markdown.
fn firsts(text: &mut String, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    text.push_str(
        "\n| services × pools | seed | first plan | aimed at | above the bound | without a place |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        let milliseconds = |seconds: f64| format!("{} ms", short(seconds * 1e3));
        let goal = row.goal().map(|goal| milliseconds(goal.first));
        writeln!(
            text,
            "| {} | {} | {} | {} | {:.1} % | {} |",
            row.name(),
            row.seed,
            milliseconds(row.first.seconds),
            goal.unwrap_or_default(),
            row.above(&row.first),
            grouped(row.first.unplaced as u64),
        )?;
    }
    text.push('\n');
    Ok(())
}

/// With which power of services and of pools time grows, between sizes that differ in nothing else.
fn growth(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for a in rows {
        for b in rows.iter().filter(|b| b.seed == a.seed) {
            let (s, p) = (a.size, b.size);
            let (what, factor) = match (s.services == p.services, s.pools == p.pools) {
                (true, false) => ("pools", p.pools as f64 / s.pools as f64),
                (false, true) => ("services", p.services as f64 / s.services as f64),
                _ => continue,
            };
            if factor > 1.0 {
                let power = (b.last.seconds / a.last.seconds).ln() / factor.ln();
                let (from, to) = (a.name(), b.name());
                lines.push(format!(
                    "- From {from} to {to} time grows with the power {power:.2} of the {what}."
                ));
            }
        }
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}
