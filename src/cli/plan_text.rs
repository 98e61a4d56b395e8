//! A plan for a person.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::output::Paint;
use crate::placement::diff::{Action, ClusterChange, Place, ServiceChange, ServiceChangeKind};
use crate::placement::plan::{Plan, PlanCluster, PlanMove, PlanPool, Role, Unschedulable};
use crate::placement::text;

/// Most entries of a list that are printed unless all are asked for.
pub(super) const LISTED: usize = 100;

/// Most reasons of one service that are printed unless all are asked for.
const REASONS: usize = 8;

/// The plan in writing.
pub(super) fn render(plan: &Plan, paint: Paint, limit: usize) -> String {
    let mut text = Text {
        plan,
        paint,
        limit,
        out: String::new(),
    };
    text.clusters();
    text.services();
    text.moves();
    text.pools();
    text.unschedulable();
    text.warnings();
    text.summary();
    text.out
}

struct Text<'a> {
    plan: &'a Plan,
    paint: Paint,
    limit: usize,
    out: String,
}

impl Text<'_> {
    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn heading(&mut self, title: &str) {
        let title = self.paint.bold(title);
        self.line(&title);
    }

    /// A list with a heading; what is beyond the limit is counted.
    fn list<T>(&mut self, title: &str, items: &[T], line: impl Fn(&Self, &T) -> String) {
        if items.is_empty() {
            return;
        }
        self.heading(title);
        for item in items.iter().take(self.limit) {
            let entry = line(self, item);
            self.line(&entry);
        }
        if items.len() > self.limit {
            let more = format!(
                "  … and {} more (--all lists them)",
                items.len() - self.limit
            );
            self.line(&more);
        }
        self.line("");
    }

    fn clusters(&mut self) {
        let plan = self.plan;
        let known: BTreeMap<_, _> = plan.clusters.iter().map(|c| (c.name.as_str(), c)).collect();
        let width = widest(plan.changes.clusters.iter().map(|c| c.name.as_str()));
        self.list("Clusters", &plan.changes.clusters, |text, change| {
            let nodes = match change.action {
                Action::Resize => format!("{} → {} nodes", change.nodes_before, change.nodes_after),
                Action::Delete => count(u64::from(change.nodes_before), "node"),
                _ => count(u64::from(change.nodes_after), "node"),
            };
            let made_of = known
                .get(change.name.as_str())
                .map_or(String::new(), |cluster| made_of(cluster));
            format!(
                "  {} {:width$}  in {}: {nodes}{made_of}, {}/h",
                text.sign(change),
                change.name,
                change.pool,
                signed(&change.hourly_cost_delta)
            )
        });
    }

    fn sign(&self, change: &ClusterChange) -> String {
        match change.action {
            Action::Create => self.paint.green("+ create"),
            Action::Resize => self.paint.yellow("~ resize"),
            Action::Keep => "  keep  ".to_owned(),
            Action::Delete => self.paint.red("- delete"),
        }
    }

    fn services(&mut self) {
        let plan = self.plan;
        let costs: BTreeMap<_, _> = plan
            .decisions
            .iter()
            .map(|d| {
                (
                    (d.namespace.as_str(), d.service.as_str()),
                    d.hourly_cost.as_str(),
                )
            })
            .collect();
        let width = widest(plan.changes.services.iter().map(name)).min(48);
        self.list("Services", &plan.changes.services, |text, change| {
            let cost = costs
                .get(&(change.namespace.as_str(), change.service.as_str()))
                .map_or(String::new(), |cost| format!(", {cost}/h"));
            let (sign, what) = text.move_of(change);
            format!("  {sign} {:width$}  {what}{cost}", name(change))
        });
    }

    fn move_of(&self, change: &ServiceChange) -> (String, String) {
        let (from, to) = (places(&change.from), places(&change.to));
        match change.change {
            ServiceChangeKind::Added => (self.paint.green("+ place "), to),
            ServiceChangeKind::Removed => (self.paint.red("- remove"), from),
            ServiceChangeKind::Scaled => (self.paint.yellow("~ scale "), format!("{from} → {to}")),
            ServiceChangeKind::Moved => (self.paint.yellow("~ move  "), format!("{from} → {to}")),
        }
    }

    fn moves(&mut self) {
        let plan = self.plan;
        let line = |_: &Self, found: &PlanMove| format!("  {}", found.reason);
        self.list("Moved for savings", &plan.moves.made, line);
        self.list("Left on the table", &plan.moves.left, line);
    }

    fn pools(&mut self) {
        if self.plan.pools.is_empty() {
            return;
        }
        self.heading("Pools");
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header([
                "  NAME",
                "REGION",
                "NODES",
                "CORES",
                "MEMORY GI",
                "COST/H",
                "30 DAYS",
                "BUDGET",
            ]);
        for pool in self.plan.pools.iter().take(self.limit) {
            table.add_row(row(pool));
        }
        for column in table.column_iter_mut().skip(2) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let lines: Vec<String> = table.lines().collect();
        for line in lines {
            self.line(&line);
        }
        if self.plan.pools.len() > self.limit {
            let more = self.plan.pools.len() - self.limit;
            self.line(&format!("  … and {more} more (--all lists them)"));
        }
        self.line("");
    }

    fn unschedulable(&mut self) {
        let title = self.paint.red("Cannot be placed");
        let plan = self.plan;
        let most = if self.limit == usize::MAX {
            usize::MAX
        } else {
            REASONS
        };
        self.list(&title, &plan.unschedulable, |_, service| {
            reasons(service, most)
        });
    }

    fn warnings(&mut self) {
        let title = self.paint.yellow("Warnings");
        let plan = self.plan;
        self.list(&title, &plan.warnings, |_, warning| format!("  {warning}"));
    }

    fn summary(&mut self) {
        let (summary, changes) = (&self.plan.summary, &self.plan.changes);
        let clusters = |action| {
            changes
                .clusters
                .iter()
                .filter(|c| c.action == action)
                .count()
        };
        let services = |kind| changes.services.iter().filter(|s| s.change == kind).count();
        let counts = [
            (clusters(Action::Create), "to create"),
            (clusters(Action::Resize), "to resize"),
            (clusters(Action::Delete), "to delete"),
        ];
        let moves = [
            (services(ServiceChangeKind::Added), "to place"),
            (services(ServiceChangeKind::Scaled), "to scale"),
            (services(ServiceChangeKind::Moved), "to move"),
            (services(ServiceChangeKind::Removed), "to remove"),
            (self.plan.unschedulable.len(), "cannot be placed"),
        ];
        let title = self.paint.bold("Plan:");
        let verdict = if self.plan.has_changes() {
            format!(
                "{title} clusters: {}; services: {}.",
                told(&counts),
                told(&moves)
            )
        } else if self.plan.unschedulable.is_empty() {
            format!("{title} nothing to do.")
        } else {
            let stuck = count(self.plan.unschedulable.len() as u64, "service");
            format!("{title} nothing to do; {stuck} cannot be placed.")
        };
        self.line(&verdict);
        let size = format!(
            "{} with {} on {} in {}",
            count(u64::from(summary.services), "service"),
            count(u64::from(summary.replicas), "replica"),
            count(u64::from(summary.nodes), "node"),
            count(u64::from(summary.clusters), "cluster"),
        );
        let cost = format!(
            "{}/h, {} per 30 days ({}/h)",
            summary.hourly_cost,
            summary.projected_30_day,
            signed(&changes.hourly_cost_delta)
        );
        self.line(&format!("{size}: {cost}"));
        if let (Some(bound), Some(gap)) = (&summary.lower_bound, &summary.gap) {
            self.line(&near(bound, gap));
        }
    }
}

/// How near to the cheapest a plan is.
fn near(bound: &str, gap: &str) -> String {
    let least = format!("No plan that places these services costs less than {bound}/h");
    match (bound, gap) {
        ("0", _) => "How near this is to the cheapest plan is not proven".to_owned(),
        (_, "0") => format!("{least}: this is the cheapest"),
        (_, gap) => format!("{least}: at most {} could be saved", share(gap)),
    }
}

/// A share of one as a percentage of two decimals, rounded up.
pub(super) fn share(gap: &str) -> String {
    let (whole, part) = gap.split_once('.').unwrap_or((gap, ""));
    let Ok(millionths) = format!("{whole}{part:0<6}").parse::<u64>() else {
        return gap.to_owned();
    };
    let hundredths = millionths.div_ceil(100);
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

fn made_of(cluster: &PlanCluster) -> String {
    let mut groups: BTreeMap<(Role, &str), u32> = BTreeMap::new();
    for group in &cluster.nodes {
        *groups.entry((group.role, &group.class)).or_default() += group.count;
    }
    let groups: Vec<String> = groups
        .iter()
        .map(|((role, class), count)| match role {
            Role::Worker => format!("{count} × {class}"),
            Role::ControlPlane => format!("{count} × {class} for the control plane"),
        })
        .collect();
    if groups.is_empty() {
        String::new()
    } else {
        format!(" ({})", groups.join(", "))
    }
}

pub(super) fn places(places: &[Place]) -> String {
    let mut clusters: BTreeMap<&str, u32> = BTreeMap::new();
    for place in places {
        *clusters.entry(&place.cluster).or_default() += place.replicas;
    }
    let clusters: Vec<String> = clusters
        .iter()
        .map(|(cluster, replicas)| format!("{cluster} ×{replicas}"))
        .collect();
    clusters.join(", ")
}

fn row(pool: &PlanPool) -> Vec<String> {
    let of = |used: &str, most: Option<&str>| match most {
        Some(most) => format!("{used} / {most}{}", percent(used, most)),
        None => used.to_owned(),
    };
    let max_nodes = pool.max_nodes.map(|most| most.to_string());
    vec![
        format!("  {}", pool.name),
        pool.region.clone(),
        of(&pool.nodes.to_string(), max_nodes.as_deref()),
        of(&pool.cores, pool.max_cores.as_deref()),
        of(&pool.memory_gi, pool.max_memory_gi.as_deref()),
        pool.hourly_cost.clone(),
        pool.projected_month_cost.clone(),
        pool.budget.as_deref().map_or("-".to_owned(), |budget| {
            format!("{budget}{}", percent(&pool.projected_month_cost, budget))
        }),
    ]
}

fn percent(used: &str, most: &str) -> String {
    match (used.parse::<f64>(), most.parse::<f64>()) {
        (Ok(used), Ok(most)) if most > 0.0 => format!(" ({:.0} %)", 100.0 * used / most),
        _ => String::new(),
    }
}

/// Why a service has no place, and the ways out.
fn reasons(service: &Unschedulable, most: usize) -> String {
    let mut text = format!("  {}/{}", service.namespace, service.service);
    let mut grouped: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for reason in &service.reasons {
        let pools = grouped
            .entry((&reason.constraint, &reason.message))
            .or_default();
        pools.extend(reason.pool.as_deref());
    }
    for ((constraint, message), pools) in grouped.iter().take(most) {
        let pools = match pools.as_slice() {
            [] => String::new(),
            [first, second, third, .., _] => {
                format!("{first}, {second}, {third} and {} more: ", pools.len() - 3)
            }
            few => format!("{}: ", few.join(", ")),
        };
        let _ = write!(text, "\n    {constraint}: {pools}{message}");
    }
    if grouped.len() > most {
        let _ = write!(text, "\n    … and {} more reasons", grouped.len() - most);
    }
    for line in text::conflict_lines(service) {
        let _ = write!(text, "\n    {line}");
    }
    for way in service.relaxations.iter().take(most) {
        let _ = write!(text, "\n    would help: {}", text::way_out(way));
    }
    text
}

fn told(counts: &[(usize, &str)]) -> String {
    let told: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if told.is_empty() {
        "no changes".to_owned()
    } else {
        told.join(", ")
    }
}

pub(super) fn name(change: &ServiceChange) -> String {
    format!("{}/{}", change.namespace, change.service)
}

pub(super) fn widest<T: AsRef<str>>(texts: impl Iterator<Item = T>) -> usize {
    texts
        .map(|text| text.as_ref().chars().count())
        .max()
        .unwrap_or(0)
}

pub(super) fn signed(amount: &str) -> String {
    if amount.starts_with('-') {
        amount.to_owned()
    } else {
        format!("+{amount}")
    }
}

pub(super) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
