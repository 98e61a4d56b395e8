//! Status of LatticeServices.

use std::collections::BTreeMap;

use super::{Alternatives, SCHEDULED, observe};
use crate::api::conditions::{READY, RECONCILING, STALLED};
use crate::api::cost::{HourlyCost, TotalCost};
use crate::api::service_status::{Alternative, PlacementStatus, SchedulerDecision, ServiceHealth};
use crate::api::{LatticeService, LatticeServiceStatus, Money, ServicePhase, Timestamp};
use crate::placement::facts::{Facts, monthly};
use crate::placement::inputs::Inputs;
use crate::placement::snapshot::{Built, service_id};
use crate::placement::text;
use crate::scheduler::model::{Service, ServiceId};
use crate::scheduler::solution::{Outcome, Verdict};

pub(super) fn statuses(
    inputs: &Inputs,
    built: &Built,
    facts: &Facts<'_>,
    alternatives: &Alternatives,
    now: Timestamp,
) -> BTreeMap<ServiceId, LatticeServiceStatus> {
    let mut found = BTreeMap::new();
    for object in &inputs.services {
        let id = service_id(object);
        let broken = super::errors(built.of_service(&id));
        let outcome = facts.solution.outcome(&id);
        let status = match (facts.service(&id), outcome) {
            (Some(service), Some(outcome)) => {
                let rejected = alternatives.get(&id);
                decided(object, service, outcome, rejected, broken, facts, now)
            }
            _ => left_out(object, broken, now),
        };
        found.entry(id).or_insert(status);
    }
    found
}

fn decided(
    object: &LatticeService,
    service: &Service,
    outcome: &Outcome,
    alternatives: Option<&Vec<Alternative>>,
    broken: Option<String>,
    facts: &Facts<'_>,
    now: Timestamp,
) -> LatticeServiceStatus {
    let before = object.status.clone().unwrap_or_default();
    let placements = placements(facts, &service.id);
    let health = before.health.unwrap_or_default();
    let phase = phase(outcome.verdict, health, service.replicas);
    let same = before.placements == placements && is_placed(before.phase) == is_placed(Some(phase));
    let hourly = facts.hourly(&service.id);
    let reason = text::reason(facts, service, outcome);
    let generation = object.metadata.generation;
    let known = before.scheduler_decision.map(|known| known.alternatives);
    LatticeServiceStatus {
        phase: Some(phase),
        placements,
        escalation: None,
        total_cost: Some(TotalCost {
            hourly: Money::from_micros(hourly),
            projected_30_day: Money::from_micros(
                i64::try_from(monthly(hourly)).unwrap_or(i64::MAX),
            ),
        }),
        health: Some(health),
        last_scheduled: before.last_scheduled.filter(|_| same).or(Some(now)),
        scheduler_decision: Some(SchedulerDecision {
            reason: reason.clone(),
            alternatives: alternatives.cloned().or(known).unwrap_or_default(),
        }),
        conditions: observe(
            &before.conditions,
            generation,
            now,
            &seen(phase, health, service.replicas, outcome, reason, broken),
        ),
        observed_generation: generation,
    }
}

fn placements(facts: &Facts<'_>, id: &ServiceId) -> Vec<PlacementStatus> {
    facts
        .placed(id)
        .iter()
        .map(|place| PlacementStatus {
            pool: place.pool.to_owned(),
            cluster: place.cluster.to_owned(),
            replicas: place.replicas,
            node: Some(place.class.to_owned()),
            cost: Some(HourlyCost {
                hourly: Money::from_micros(place.hourly),
            }),
        })
        .collect()
}

/// Running is only what is known to be ready.
fn phase(verdict: Verdict, health: ServiceHealth, replicas: u32) -> ServicePhase {
    match verdict {
        Verdict::Unschedulable => ServicePhase::Unschedulable,
        Verdict::Escalated => ServicePhase::Waiting,
        _ if health.ready > 0 && health.ready >= replicas => ServicePhase::Running,
        _ => ServicePhase::Scheduled,
    }
}

fn is_placed(phase: Option<ServicePhase>) -> bool {
    matches!(
        phase,
        Some(ServicePhase::Scheduled | ServicePhase::Running | ServicePhase::Failed)
    )
}

type Seen = (
    &'static str,
    crate::api::ConditionStatus,
    &'static str,
    String,
);

fn seen(
    phase: ServicePhase,
    health: ServiceHealth,
    replicas: u32,
    outcome: &Outcome,
    reason: String,
    broken: Option<String>,
) -> Vec<Seen> {
    let placed = is_placed(Some(phase));
    let running = phase == ServicePhase::Running || (placed && replicas == 0);
    let unplaced = phase == ServicePhase::Unschedulable;
    let waits = if placed {
        text::wait(health.ready, replicas)
    } else {
        reason.clone()
    };
    let word = match phase {
        _ if running => "Running",
        ServicePhase::Unschedulable => "Unschedulable",
        ServicePhase::Waiting => "WaitingForParent",
        _ => "WaitingForReplicas",
    };
    let (stalled, why) = match (&broken, unplaced) {
        (Some(_), _) => ("InvalidSpec", broken.clone()),
        (None, true) => ("Unschedulable", Some(reason.clone())),
        (None, false) => ("Progressing", None),
    };
    let unenforced: Vec<String> = outcome.unenforced.iter().map(ToString::to_string).collect();
    let scheduled = std::iter::once(reason)
        .chain(unenforced)
        .collect::<Vec<_>>();
    let moves = !running && why.is_none();
    vec![
        (
            SCHEDULED,
            placed.into(),
            if placed { "Placed" } else { word },
            scheduled.join("; "),
        ),
        (READY, running.into(), word, waits.clone()),
        (RECONCILING, moves.into(), word, waits),
        (
            STALLED,
            why.is_some().into(),
            stalled,
            why.unwrap_or_default(),
        ),
    ]
}

/// A service that could not be looked at keeps what it has.
fn left_out(
    object: &LatticeService,
    broken: Option<String>,
    now: Timestamp,
) -> LatticeServiceStatus {
    let mut status = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let message = broken.unwrap_or_else(|| "not part of the decision".to_owned());
    let seen = [
        (SCHEDULED, false.into(), "InvalidSpec", message.clone()),
        (READY, false.into(), "InvalidSpec", message.clone()),
        (RECONCILING, false.into(), "InvalidSpec", String::new()),
        (STALLED, true.into(), "InvalidSpec", message),
    ];
    status.phase = status.phase.or(Some(ServicePhase::Pending));
    status.conditions = observe(&status.conditions, generation, now, &seen);
    status.observed_generation = generation;
    status
}
