//! Decisions solved again, for a person.

use std::fmt::Write;

use super::output::Paint;
use super::plan_text::{LISTED, count, signed};
use super::table::table;
use crate::placement::history::{Figures, Replay, ReplayedDecision, Totals, Verdict};

/// The answer in writing.
pub(super) fn render(answer: &Replay, paint: Paint) -> String {
    let mut text = String::new();
    if let Some(totals) = &answer.totals {
        tried(&mut text, answer, paint);
        let (header, rows) = compared(answer);
        let figures: Vec<usize> = (2..header.len()).collect();
        text += &table(&header, &figures, rows);
        unplaceable(&mut text, answer, paint);
        sums(&mut text, totals, paint);
    } else {
        let rows = answer.decisions.iter().map(|decision| {
            vec![
                number(decision),
                decision.time.to_string(),
                decision.solver_version.clone(),
                verdict(decision, paint),
            ]
        });
        let header = ["DECISION", "TIME", "SOLVER", "REPLAY"];
        text += &table(&header, &[], rows);
        let _ = writeln!(text, "\n{}", judged(answer, paint));
    }
    for note in &answer.notes {
        let _ = writeln!(text, "{}: {note}", paint.yellow("note"));
    }
    text
}

fn number(decision: &ReplayedDecision) -> String {
    decision.id.map_or("-".to_owned(), |id| id.to_string())
}

fn verdict(decision: &ReplayedDecision, paint: Paint) -> String {
    match decision.verdict {
        Verdict::Same => paint.green("same, bit for bit"),
        Verdict::Different => format!("{}: {}", paint.red("different"), decision.message),
        Verdict::OtherSolver => format!("{}: {}", paint.yellow("not compared"), decision.message),
    }
}

fn judged(answer: &Replay, paint: Paint) -> String {
    let of = |verdict| {
        let decisions = answer.decisions.iter();
        decisions.filter(|d| d.verdict == verdict).count()
    };
    let all = count(answer.decisions.len() as u64, "decision");
    let mut parts = vec![format!("{} the same", of(Verdict::Same))];
    for (verdict, words) in [
        (Verdict::Different, "different"),
        (Verdict::OtherSolver, "not compared"),
    ] {
        if of(verdict) > 0 {
            parts.push(format!("{} {words}", of(verdict)));
        }
    }
    let said = format!("{all}: {}", parts.join(", "));
    if answer.same {
        paint.green(said)
    } else {
        paint.red(said)
    }
}

fn tried(text: &mut String, answer: &Replay, paint: Paint) {
    for policy in &answer.policies {
        let how = if policy.replaces { "replaced" } else { "added" };
        let services = count(u64::from(policy.matched_services), "service");
        let name = paint.bold(&policy.name);
        let _ = writeln!(text, "policy {name}: {how}, {services} in its scope");
    }
    text.push('\n');
}

/// The decisions side by side. What differs is in the columns of numbers.
fn compared(answer: &Replay) -> ([&'static str; 10], Vec<Vec<String>>) {
    let header = [
        "TIME",
        "DECISION",
        "STOOD",
        "COST/H",
        "WOULD BE",
        "NODES",
        "WOULD BE",
        "MOVES",
        "WOULD BE",
        "UNPLACEABLE",
    ];
    let none = Figures::default();
    let rows = answer.decisions.iter().map(|decision| {
        let (was, would) = (
            &decision.recorded,
            decision.replayed.as_ref().unwrap_or(&none),
        );
        vec![
            decision.time.to_string(),
            number(decision),
            lasting(decision.stood_seconds),
            was.hourly_cost.clone(),
            would.hourly_cost.clone(),
            was.nodes.to_string(),
            would.nodes.to_string(),
            was.moves.to_string(),
            would.moves.to_string(),
            change(was.unplaceable.len() as u64, would.unplaceable.len() as u64),
        ]
    });
    (header, rows.collect())
}

fn change(was: u64, would: u64) -> String {
    if was == would {
        was.to_string()
    } else {
        format!("{was} → {would}")
    }
}

/// Services that would have had no place, and had one.
fn unplaceable(text: &mut String, answer: &Replay, paint: Paint) {
    let mut lost = Vec::new();
    for decision in &answer.decisions {
        for service in decision.replayed.iter().flat_map(|r| &r.unplaceable) {
            if !decision.recorded.unplaceable.contains(service) {
                lost.push(format!("{service} in decision {}", number(decision)));
            }
        }
    }
    if lost.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", paint.red("Would have had no place"));
    for line in lost.iter().take(LISTED) {
        let _ = writeln!(text, "  {line}");
    }
    if lost.len() > LISTED {
        let _ = writeln!(text, "  … and {} more", lost.len() - LISTED);
    }
}

fn sums(text: &mut String, totals: &Totals, paint: Paint) {
    let delta = signed(&totals.cost_delta);
    let delta = if delta.starts_with('-') {
        paint.green(delta)
    } else if totals.cost_delta == "0" {
        delta
    } else {
        paint.yellow(delta)
    };
    let span = paint.bold(format!("Over {}", lasting(totals.seconds)));
    let _ = writeln!(
        text,
        "\n{span}: {} as decided, {} with these policies ({delta}); moves {}; without a place {}",
        totals.recorded_cost,
        totals.replayed_cost,
        change(totals.recorded_moves, totals.replayed_moves),
        match (
            lasting(totals.recorded_unplaced_seconds),
            lasting(totals.replayed_unplaced_seconds)
        ) {
            (was, would) if was == would => was,
            (was, would) => format!("{was} → {would}"),
        }
    );
}

/// A length of time in its two largest units.
pub(super) fn lasting(seconds: u64) -> String {
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let first = parts.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    let shown = parts.iter().skip(first).take(2).filter(|(n, _)| *n > 0);
    let shown: String = shown.map(|(n, unit)| format!("{n}{unit}")).collect();
    if shown.is_empty() {
        "0s".to_owned()
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::lasting;

    #[test]
    fn lengths_of_time_are_short() {
        for (seconds, said) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3661, "1h1m"),
            (86_400, "1d"),
            (90_061, "1d1h"),
        ] {
            assert_eq!(lasting(seconds), said);
        }
    }
}
