//! A verification for a person.

use std::fmt::Write;

use super::output::Paint;
use super::plan_text::{count, share};
use crate::placement::plan::Verification;

/// The verification in writing.
pub(super) fn render(answer: &Verification, paint: Paint) -> String {
    let mut text = String::new();
    let checked = &answer.checked;
    let _ = writeln!(
        text,
        "checked      {}, {} on {} in {}, {}",
        count(u64::from(checked.services), "service"),
        count(u64::from(checked.replicas), "replica"),
        count(u64::from(checked.nodes), "node"),
        count(u64::from(checked.clusters), "cluster"),
        count(u64::from(checked.pools), "pool"),
    );
    let _ = writeln!(text, "rules        {}", checked.rules.join(", "));
    let _ = writeln!(text, "feasible     {}", feasible(answer, paint));
    let _ = writeln!(text, "lower bound  {}", bound(answer, paint));
    if !answer.violations.is_empty() {
        let _ = writeln!(text, "\n{}", paint.bold("Violations"));
    }
    for violation in &answer.violations {
        let rule = paint.red(&violation.rule);
        let _ = writeln!(text, "  {rule}: {}: {}", violation.subject, violation.fact);
    }
    let verdict = if answer.verified {
        paint.green("verified")
    } else {
        let violations = count(answer.violations.len() as u64, "violation");
        paint.red(format!("not verified: {violations}"))
    };
    let _ = writeln!(text, "\n{}", paint.bold(verdict));
    text
}

fn feasible(answer: &Verification, paint: Paint) -> String {
    let unplaced = match answer.checked.unplaced {
        0 => String::new(),
        n => format!("; {} without a place", count(u64::from(n), "service")),
    };
    if answer.feasible {
        format!("{}{unplaced}", paint.green("yes"))
    } else {
        format!("{}{unplaced}", paint.red("no"))
    }
}

fn bound(answer: &Verification, paint: Paint) -> String {
    let claimed = answer.lower_bound.as_deref().filter(|bound| *bound != "0");
    match (claimed, &answer.gap) {
        (None, _) => "none claimed".to_owned(),
        (Some(bound), _) if !answer.bound_proven => {
            format!("{}: {bound}/h", paint.red("not proven"))
        }
        (Some(bound), gap) => {
            let gap = gap.as_deref().unwrap_or("0");
            let (proven, objective) = (paint.green("proven"), &answer.objective);
            let share = share(gap);
            format!(
                "{proven}: {bound}/h of {objective}/h, gap {gap} (at most {share} could be saved)"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::plan::{Checked, PlanViolation};

    #[test]
    fn every_violation_has_a_line() {
        let violation = PlanViolation {
            rule: "fit".into(),
            subject: "prod".into(),
            fact: "9000m/1Mi on small (2000m/8Mi)".into(),
        };
        let mut answer = Verification {
            api_version: String::new(),
            kind: String::new(),
            verified: false,
            feasible: false,
            bound_proven: false,
            objective: "2".into(),
            lower_bound: Some("1.5".into()),
            gap: Some("0.25".into()),
            checked: Checked {
                unplaced: 1,
                ..Checked::default()
            },
            violations: vec![violation],
        };
        let said = render(&answer, Paint(false));
        for line in [
            "feasible     no; 1 service without a place",
            "lower bound  not proven: 1.5/h",
            "  fit: prod: 9000m/1Mi on small (2000m/8Mi)",
            "not verified: 1 violation",
        ] {
            assert!(said.lines().any(|found| found == line), "{line}\n{said}");
        }
        answer.lower_bound = None;
        assert!(render(&answer, Paint(false)).contains("lower bound  none claimed"));
    }
}
