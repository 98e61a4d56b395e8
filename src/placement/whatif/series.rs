//! From what is asked to the scenarios, and through them.

use super::document::{Growth, Report, SIMULATION_API_VERSION, SIMULATION_KIND, Simulation};
use super::evaluate::Planned;
use super::scenario::names;
use super::{Factor, Loss, Request, Scenario, Sweep, WhatIfError};
use crate::placement::problem::Problem;
use crate::scheduler::model::Snapshot;

/// Most scenarios of one request.
pub const MOST_SCENARIOS: usize = 5_000;

/// Answers a request about the fleet that a snapshot, of whose making problems are told, is planned to be.
///
/// # Errors
/// When the request names what is not there, leaves nothing to ask, or goes beyond what objects may say.
pub fn simulate(
    snapshot: &Snapshot,
    problems: &[Problem],
    request: &Request,
) -> Result<Simulation, WhatIfError> {
    let scenarios = scenarios(snapshot, request)?;
    let planned = Planned::new(snapshot);
    let mut reports = Vec::new();
    let mut growth = Vec::new();
    for scenario in &scenarios {
        match request.sweep {
            None => reports.push(planned.evaluate(scenario, request.afresh)?),
            Some(sweep) => {
                let grown = grow(&planned, scenario, sweep, request.afresh)?;
                growth.push(how_far(scenario, sweep, &grown));
                reports.extend(grown);
            }
        }
    }
    Ok(Simulation {
        api_version: SIMULATION_API_VERSION.to_owned(),
        kind: SIMULATION_KIND.to_owned(),
        base: planned.base(),
        placeable: reports.iter().all(|report| report.placeable),
        scenarios: reports,
        growth,
        warnings: problems.iter().map(ToString::to_string).collect(),
    })
}

/// The scenarios that a request asks for, without their growth step by step.
fn scenarios(snapshot: &Snapshot, request: &Request) -> Result<Vec<Scenario>, WhatIfError> {
    let given = Scenario {
        losses: request.losses.clone(),
        prices: request.prices.clone(),
        growth: request.growth,
        selector: request.selector.clone(),
    };
    given.check(snapshot)?;
    let scenarios = match request.n_minus_1 {
        None => vec![given],
        Some(scope) => {
            let mut left = snapshot.clone();
            left.pools.retain(|pool| !given.loses(pool));
            given.lose_zones(&mut left);
            let names = names(&left, scope).into_iter();
            let lose = |name: String| {
                let mut scenario = given.clone();
                scenario.losses.push(Loss { scope, name });
                scenario
            };
            names.map(lose).collect()
        }
    };
    if scenarios.is_empty() {
        return Err(WhatIfError::NothingLeft);
    }
    let each = request.sweep.map_or(Ok(1), |sweep| sweep.steps())?;
    match each.checked_mul(scenarios.len()) {
        Some(number) if number <= MOST_SCENARIOS => Ok(scenarios),
        _ => Err(WhatIfError::TooMany(MOST_SCENARIOS)),
    }
}

/// Grows step by step until something has no place.
fn grow(
    planned: &Planned<'_>,
    scenario: &Scenario,
    sweep: Sweep,
    afresh: bool,
) -> Result<Vec<Report>, WhatIfError> {
    let mut reports = Vec::new();
    for factor in sweep.factors() {
        let mut grown = scenario.clone();
        grown.growth = Some(factor);
        let report = planned.evaluate(&grown, afresh)?;
        let end = !report.placeable;
        reports.push(report);
        if end {
            break;
        }
    }
    Ok(reports)
}

fn how_far(scenario: &Scenario, sweep: Sweep, reports: &[Report]) -> Growth {
    let mut found = Growth {
        under: scenario.name(),
        placeable: None,
        unplaceable: None,
    };
    for (factor, report) in sweep.factors().zip(reports) {
        let place = match report.placeable {
            true => &mut found.placeable,
            false => &mut found.unplaceable,
        };
        *place = Some(factor.to_string());
    }
    found
}

impl Sweep {
    fn factors(self) -> impl Iterator<Item = Factor> {
        let next = move |last: &Factor| Some(last.plus(self.step)).filter(|next| *next <= self.to);
        std::iter::successors(Some(Factor::ONE), next)
    }

    /// How many factors there are.
    fn steps(self) -> Result<usize, WhatIfError> {
        if self.to <= Factor::ONE {
            return Err(WhatIfError::Sweep);
        }
        Ok(self.factors().take(MOST_SCENARIOS + 1).count())
    }
}
