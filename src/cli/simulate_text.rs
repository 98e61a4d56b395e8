//! What would follow, for a person.

use std::ops::Range;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::output::Paint;
use super::plan_text::{LISTED, count, name, places, signed, widest};
use crate::placement::whatif::{Binding, Headroom, Report, Room, Simulation, Unplaceable};

/// Most scenarios of which all is told unless that is asked for.
const TOLD: usize = 4;

/// The answer in writing.
pub(super) fn render(answer: &Simulation, paint: Paint, all: bool) -> String {
    let mut text = Text {
        paint,
        limit: if all { usize::MAX } else { LISTED },
        out: String::new(),
    };
    text.base(answer);
    if answer.scenarios.len() > 1 {
        text.overview(answer);
    }
    let brief = answer.scenarios.len() > TOLD && !all;
    let mut left_out = 0;
    for report in &answer.scenarios {
        if brief && report.placeable {
            left_out += 1;
        } else {
            text.scenario(report);
        }
    }
    if left_out > 0 {
        let scenarios = count(left_out, "scenario");
        text.line(&format!(
            "{scenarios} in which everything stays placeable: --all tells of them in full"
        ));
        text.line("");
    }
    let title = paint.yellow("Warnings");
    text.list(&title, &answer.warnings, |warning| format!("  {warning}"));
    text.verdict(answer);
    text.out
}

struct Text {
    paint: Paint,
    limit: usize,
    out: String,
}

impl Text {
    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// A list with a heading; what is beyond the limit is counted.
    fn list<T>(&mut self, title: &str, items: &[T], line: impl Fn(&T) -> String) {
        if items.is_empty() {
            return;
        }
        self.line(title);
        for item in items.iter().take(self.limit) {
            self.line(&line(item));
        }
        self.and_more(items.len());
        self.line("");
    }

    fn and_more(&mut self, items: usize) {
        if items > self.limit {
            let more = items - self.limit;
            self.line(&format!("  … and {more} more (--all lists them)"));
        }
    }

    /// A table some of whose columns are numbers.
    fn table(&mut self, header: &[&str], numbers: Range<usize>, rows: Vec<Vec<String>>) {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(header);
        let total = rows.len();
        for row in rows.into_iter().take(self.limit) {
            table.add_row(row);
        }
        let columns = table.column_iter_mut().skip(numbers.start);
        for column in columns.take(numbers.len()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let lines: Vec<String> = table.lines().collect();
        for line in lines {
            self.line(&line);
        }
        self.and_more(total);
        self.line("");
    }

    fn base(&mut self, answer: &Simulation) {
        let summary = &answer.base.summary;
        let title = self.paint.bold("As planned:");
        self.line(&format!(
            "{title} {} with {} on {} in {}: {}/h, {} per 30 days",
            count(summary.services.into(), "service"),
            count(summary.replicas.into(), "replica"),
            count(summary.nodes.into(), "node"),
            count(summary.clusters.into(), "cluster"),
            summary.hourly_cost,
            summary.projected_30_day
        ));
        let stuck = &answer.base.unplaceable;
        if !stuck.is_empty() {
            let named = stuck.iter().take(self.limit).cloned().collect::<Vec<_>>();
            self.line(&format!("Without a place as it is: {}", named.join(", ")));
            self.and_more(stuck.len());
        }
        self.line("");
    }

    fn overview(&mut self, answer: &Simulation) {
        let title = self.paint.bold("Scenarios");
        self.line(&title);
        let rows = answer.scenarios.iter().map(|report| {
            let binds = report.first_constraint.as_ref();
            vec![
                format!("  {}", report.name),
                report.unplaceable.len().to_string(),
                report.moves.replicas.to_string(),
                report.summary.nodes.to_string(),
                report.cost.hourly_after.clone(),
                signed(&report.cost.hourly_delta),
                signed(&report.cost.monthly_delta),
                binds.map_or("-".to_owned(), short),
            ]
        });
        let header = [
            "  SCENARIO",
            "UNPLACEABLE",
            "MOVES",
            "NODES",
            "COST/H",
            "CHANGE/H",
            "30 DAYS",
            "FIRST CONSTRAINT",
        ];
        self.table(&header, 1..header.len() - 1, rows.collect());
    }

    fn scenario(&mut self, report: &Report) {
        let title = self.paint.bold(format!("If: {}", report.name));
        self.line(&title);
        let cost = &report.cost;
        self.line(&format!(
            "  cost     {} → {}/h ({}), {} → {} per 30 days ({})",
            cost.hourly_before,
            cost.hourly_after,
            signed(&cost.hourly_delta),
            cost.monthly_before,
            cost.monthly_after,
            signed(&cost.monthly_delta)
        ));
        self.line(&format!("  moves    {}", moves(report)));
        let binds = report.first_constraint.as_ref();
        self.line(&format!(
            "  binds    {}",
            binds.map_or("nothing".to_owned(), long)
        ));
        if let Some(limit) = &report.nearest_limit {
            self.line(&format!(
                "  nearest  {} {}: {} of {} ({} %)",
                limit.pool, limit.constraint, limit.used, limit.most, limit.percent
            ));
        }
        self.line("");
        let title = self.paint.red("  Becomes unplaceable");
        self.list(&title, &report.unplaceable, unplaceable);
        let title = self.paint.green("  Gets a place");
        self.list(&title, &report.newly_placed, |id| format!("    {id}"));
        let width = widest(report.services.iter().map(name)).min(48);
        self.list("  Services", &report.services, |change| {
            let of = |list: &[_]| match places(list) {
                none if none.is_empty() => "nowhere".to_owned(),
                some => some,
            };
            let (from, to) = (of(&change.from), of(&change.to));
            format!("    {:width$}  {from} → {to}", name(change))
        });
        let width = widest(report.clusters.iter().map(|c| c.name.as_str()));
        self.list("  Clusters", &report.clusters, |change| {
            format!(
                "    {:width$}  in {}: {} → {} nodes, {}/h",
                change.name,
                change.pool,
                change.nodes_before,
                change.nodes_after,
                signed(&change.hourly_cost_delta)
            )
        });
        self.headroom(&report.headroom);
    }

    fn headroom(&mut self, headroom: &Headroom) {
        let rows = headroom.pools.iter().map(|pool| {
            let note = pool.closed.as_ref().map_or("", |_| " (closed)");
            let mut row = vec![format!("  {}{note}", pool.pool), pool.region.clone()];
            row.extend(room(&pool.room));
            row
        });
        let header = [
            "  FREE IN POOL",
            "REGION",
            "NODES",
            "CORES",
            "MEMORY GI",
            "BUDGET",
            "IDLE CORES",
            "IDLE GI",
        ];
        self.table(&header, 2..header.len(), rows.collect());
        let rows = headroom.labels.iter().map(|label| {
            let mut row = vec![format!("  {}", label.label), label.pools.to_string()];
            row.extend(room(&label.room));
            row
        });
        let header = [
            "  FREE BY LABEL",
            "POOLS",
            "NODES",
            "CORES",
            "MEMORY GI",
            "BUDGET",
            "IDLE CORES",
            "IDLE GI",
        ];
        self.table(&header, 1..header.len(), rows.collect());
    }

    fn verdict(&mut self, answer: &Simulation) {
        for growth in &answer.growth {
            let under = match growth.under.as_str() {
                "no change" => String::new(),
                under => format!(" ({under})"),
            };
            let line = match (&growth.placeable, &growth.unplaceable) {
                (Some(fits), Some(not)) => {
                    format!(
                        "Growth{under}: everything stays placeable up to ×{fits}, not at ×{not}."
                    )
                }
                (Some(fits), None) => {
                    format!(
                        "Growth{under}: everything stays placeable up to ×{fits}, the last that was tried."
                    )
                }
                (None, _) => format!("Growth{under}: something is unplaceable without any."),
            };
            self.line(&line);
        }
        let bad: Vec<&Report> = answer.scenarios.iter().filter(|r| !r.placeable).collect();
        let total = answer.scenarios.len();
        let verdict = match (bad.as_slice(), total) {
            ([], 1) => "everything stays placeable.".to_owned(),
            ([], _) => format!("everything stays placeable in all {total} scenarios."),
            ([one], 1) => {
                let stuck = count(one.unplaceable.len() as u64, "service");
                format!("{stuck} cannot be placed any more.")
            }
            (bad, _) => format!(
                "in {} of {total} scenarios something cannot be placed any more.",
                bad.len()
            ),
        };
        let title = self.paint.bold("Simulation:");
        self.line(&format!("{title} {verdict}"));
    }
}

fn moves(report: &Report) -> String {
    let moves = &report.moves;
    let replicas = |n| count(n, "replica");
    let mut told = match moves.replicas {
        0 => "none".to_owned(),
        n => format!(
            "{} of {}",
            replicas(n),
            count(moves.services.into(), "service")
        ),
    };
    for (n, what) in [
        (moves.started, "started besides"),
        (moves.gone, "not replaced"),
    ] {
        if n > 0 {
            told = format!("{told}; {} {what}", replicas(n));
        }
    }
    told
}

fn unplaceable(service: &Unplaceable) -> String {
    let pool = service.reason.pool.as_ref();
    let pool = pool.map_or(String::new(), |pool| format!("{pool}: "));
    let more = service.reasons.len() - 1;
    let more = match more {
        0 => String::new(),
        more => format!(" (and {})", count(more as u64, "more reason")),
    };
    format!(
        "    {}/{}  keeps {}, asks for {}\n      {}: {pool}{}{more}",
        service.namespace,
        service.service,
        service.placed,
        count(service.replicas.into(), "replica"),
        service.reason.constraint,
        service.reason.message
    )
}

/// Whose constraint it is, and which.
fn short(binding: &Binding) -> String {
    let owner = match (binding.pools.as_slice(), &binding.policy) {
        ([], None) => String::new(),
        ([], Some(policy)) => format!("{policy} "),
        ([one], _) => format!("{one} "),
        ([first, second], _) => format!("{first} and {second} "),
        ([first, more @ ..], _) => format!("{first} and {} more ", more.len()),
    };
    format!("{owner}{}", binding.constraint)
}

fn long(binding: &Binding) -> String {
    let service = binding.service.as_ref();
    let service = service.map_or(String::new(), |id| format!(", for {id}"));
    format!("{}: {}{service}", short(binding), binding.message)
}

fn room(room: &Room) -> Vec<String> {
    let or_none = |free: Option<String>| free.unwrap_or_else(|| "no limit".to_owned());
    vec![
        or_none(room.nodes.map(|nodes| nodes.to_string())),
        or_none(room.cores.clone()),
        or_none(room.memory_gi.clone()),
        or_none(room.monthly_budget.clone()),
        room.idle_cores.clone(),
        room.idle_memory_gi.clone(),
    ]
}
