//! What was found, as a table for people and for `docs/performance.md`.

use crate::check::Findings;
use crate::figures::{grouped, short};
use crate::instance::{Plan, Short};
use std::error::Error;
use std::fmt::Write as _;

/// One scheduler's plan for one instance, as the checker sees it.
pub struct Side {
    pub plan: Plan,
    pub findings: Findings,
}

/// One instance.
pub struct Row {
    pub short: Short,
    pub services: usize,
    pub pods: u64,
    /// Micro-dollars an hour that no plan can be below.
    pub bound: i128,
    pub lattice: Side,
    pub karpenter: Side,
}

impl Row {
    /// The two sides by name, always in this order.
    pub fn sides(&self) -> [(&'static str, &Side); 2] {
        [("Lattice", &self.lattice), ("Karpenter", &self.karpenter)]
    }

    /// By how many percent a side's plan is above the bound.
    pub fn gap(&self, side: &Side) -> f64 {
        (side.findings.hourly as f64 / self.bound as f64 - 1.0) * 100.0
    }
}

/// The rows as Markdown.
pub fn table(rows: &[Row]) -> Result<String, Box<dyn Error>> {
    let mut text = String::from(
        "| short of | services, pods | bound, $/h | Lattice, $/h | ms | nodes | Karpenter, $/h | ms | nodes | Lattice is cheaper by | faster by |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in rows {
        write!(
            text,
            "| {} | {}, {} | {:.2} ",
            row.short.name(),
            grouped(row.services as u64),
            grouped(row.pods),
            dollars(row.bound as f64)
        )?;
        for (_, side) in row.sides() {
            write!(
                text,
                "| {:.2} (+{:.2} %) | {} | {} ",
                dollars(side.findings.hourly as f64),
                row.gap(side),
                short(side.plan.milliseconds),
                grouped(side.plan.nodes.len() as u64)
            )?;
        }
        let (ours, theirs) = (&row.lattice, &row.karpenter);
        writeln!(
            text,
            "| {:.1} % | × {} |",
            (1.0 - ours.findings.hourly as f64 / theirs.findings.hourly as f64) * 100.0,
            short(theirs.plan.milliseconds / ours.plan.milliseconds)
        )?;
    }
    text.push('\n');
    for line in footnotes(rows) {
        writeln!(text, "{line}")?;
    }
    Ok(text)
}

/// Who ran how, and what the checker says of each plan.
fn footnotes(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(row) = rows.first() {
        let all = |side: fn(&Row) -> &Side| {
            let runs: Vec<String> = rows.iter().map(|r| side(r).plan.runs.to_string()).collect();
            runs.join(", ")
        };
        let (ours, theirs) = (&row.lattice.plan, &row.karpenter.plan);
        lines.push(format!(
            "Karpenter {} (threads: {}), the fastest of {} runs; Lattice's solver {} (threads: {}), the fastest of {}.",
            theirs.version,
            theirs.threads,
            all(|r| &r.karpenter),
            ours.version,
            ours.threads,
            all(|r| &r.lattice),
        ));
    }
    let mut sound = true;
    for row in rows {
        for (name, side) in row.sides() {
            let faults = &side.findings.faults;
            if let Some(first) = faults.first() {
                sound = false;
                let (n, services) = (faults.len(), grouped(row.services as u64));
                lines.push(format!(
                    "**{name}'s plan for {services} services, short of {}, has faults** ({n}), the first: {first}.",
                    row.short.name()
                ));
            }
        }
    }
    if sound {
        lines.push(
            "The checker found no fault in any of the plans, and the costs are what it added up."
                .to_owned(),
        );
    }
    lines
}

/// Micro-dollars as dollars.
pub fn dollars(micros: f64) -> f64 {
    micros / 1e6
}
