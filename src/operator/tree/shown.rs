//! Where services stand that found no place here, and what their statuses say of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    agent::tree::{Because, Status, WayOut},
    api::{
        LatticeService, LatticeServiceStatus, Money, ServicePhase, Timestamp,
        conditions::{self, Observation, READY, RECONCILING, STALLED},
        service_status::Escalation,
    },
    placement::{
        decisions::{Decisions, SCHEDULED},
        snapshot::service_id,
    },
    scheduler::model::ServiceId,
};

/// Where that is put up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Shown>>);

/// Where services stand at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown(Arc<BTreeMap<ServiceId, Status>>);

impl Board {
    /// Puts up where all services stand. Says whether anything is new.
    pub(super) fn replace(&self, found: BTreeMap<ServiceId, Status>) -> bool {
        let mut shown = self.lock();
        let is_new = *shown.0 != found;
        if is_new {
            *shown = Shown(Arc::new(found));
        }
        is_new
    }

    /// What is up now.
    pub(crate) fn shown(&self) -> Shown {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // What is on the board is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// Puts it over what was decided here, where that is that there is no place.
    pub(crate) fn over(
        &self,
        services: &[Arc<LatticeService>],
        decided: &mut Decisions,
        now: Timestamp,
    ) {
        for object in services.iter().map(Arc::as_ref) {
            let id = service_id(object);
            let status = decided.services.get_mut(&id);
            if let (Some(stands), Some(status)) = (self.0.get(&id), status)
                && status.phase == Some(ServicePhase::Unschedulable)
            {
                put(object, stands, status, now);
            }
        }
    }
}

fn put(
    object: &LatticeService,
    stands: &Status,
    status: &mut LatticeServiceStatus,
    now: Timestamp,
) {
    let before = object.status.clone().unwrap_or_default();
    let decision = status.scheduler_decision.as_ref();
    let here = decision.map_or("", |decision| decision.reason.as_str());
    let said = Said::of(stands, here);
    status.phase = Some(said.phase);
    status.escalation = said.escalation;
    let is_same = before.phase == status.phase && before.escalation == status.escalation;
    status.last_scheduled = before.last_scheduled.filter(|_| is_same).or(Some(now));
    // Over those that were, as what was decided here never showed.
    status.conditions = before.conditions;
    let placed = said.phase == ServicePhase::Scheduled;
    let stalled = said.phase == ServicePhase::Unschedulable;
    let seen = [
        (SCHEDULED, placed, said.reason),
        (
            READY,
            false,
            if placed {
                "WaitingForReplicas"
            } else {
                said.reason
            },
        ),
        (RECONCILING, !stalled, said.reason),
        (
            STALLED,
            stalled,
            if stalled { said.reason } else { "Progressing" },
        ),
    ];
    for (type_, holds, reason) in seen {
        let observation = Observation {
            type_,
            status: holds.into(),
            reason,
            message: match type_ {
                STALLED if !holds => String::new(),
                _ => said.message.clone(),
            },
            observed_generation: object.metadata.generation,
        };
        conditions::set(&mut status.conditions, observation, now);
    }
}

struct Said {
    phase: ServicePhase,
    reason: &'static str,
    message: String,
    escalation: Option<Escalation>,
}

impl Said {
    fn of(stands: &Status, here: &str) -> Self {
        let waits = |reason, message: &str| Self {
            phase: ServicePhase::Waiting,
            reason,
            message: format!("{message}; here: {here}"),
            escalation: None,
        };
        match stands {
            Status::Placed { path, hourly } => {
                let hourly = money(*hourly);
                let owner = path.last().map_or("", String::as_str);
                let way = path.join(" > ");
                Self {
                    phase: ServicePhase::Scheduled,
                    reason: "PlacedElsewhere",
                    message: format!(
                        "Placed in {owner} ({way}) for {hourly} an hour; here: {here}"
                    ),
                    escalation: Some(Escalation {
                        path: path.clone(),
                        hourly,
                    }),
                }
            }
            Status::Waiting(Because::CutOff) => waits(
                "WaitingForParent",
                "A cell above cannot be reached and is asked when it is back",
            ),
            Status::Waiting(Because::InTurn) => waits("Escalated", "Others are asked for first"),
            Status::Waiting(Because::Asked) => waits("Escalated", "Other cells are asked"),
            Status::Waiting(Because::Confirming) => {
                waits("Escalated", "A place in another cell is being taken")
            }
            Status::Waiting(Because::Refused(ways)) => Self {
                phase: ServicePhase::Unschedulable,
                reason: "Unschedulable",
                message: format!("No other cell has a place{}; here: {here}", ways_out(ways)),
                escalation: None,
            },
        }
    }
}

fn ways_out(ways: &[WayOut]) -> String {
    let ways = ways.iter().map(|way| {
        let (term, hourly) = (&way.term, money(way.hourly));
        format!(", without {term} there is one for {hourly} an hour")
    });
    ways.collect()
}

fn money(hourly: u64) -> Money {
    Money::from_micros(i64::try_from(hourly).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::service_status::SchedulerDecision;
    use chrono::DateTime;

    fn service() -> LatticeService {
        let document = serde_json::json!({
            "apiVersion": "lattice.dev/v1alpha1",
            "kind": "LatticeService",
            "metadata": {"name": "api", "namespace": "shop", "generation": 2},
            "spec": {"containers": {"main": {"image": "x:1"}}},
        });
        serde_json::from_value(document).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        DateTime::from_timestamp(seconds, 0).unwrap().into()
    }

    /// The status that comes of a decision that there is no place here.
    fn over(object: &LatticeService, stands: Status, now: Timestamp) -> LatticeServiceStatus {
        let board = Board::default();
        let id = service_id(object);
        assert!(board.replace(BTreeMap::from([(id.clone(), stands.clone())])));
        assert!(!board.replace(BTreeMap::from([(id.clone(), stands)])));
        let mut decided = Decisions::default();
        let status = LatticeServiceStatus {
            phase: Some(ServicePhase::Unschedulable),
            scheduler_decision: Some(SchedulerDecision {
                reason: "us is full".to_owned(),
                ..SchedulerDecision::default()
            }),
            ..LatticeServiceStatus::default()
        };
        decided.services.insert(id.clone(), status);
        let services = [Arc::new(object.clone())];
        board.shown().over(&services, &mut decided, now);
        decided.services.remove(&id).unwrap()
    }

    #[test]
    fn a_place_elsewhere_is_shown_with_its_path_and_written_once() {
        let mut object = service();
        let placed = Status::Placed {
            path: vec!["east".to_owned(), "root".to_owned()],
            hourly: 192_000,
        };
        let status = over(&object, placed.clone(), at(10));
        assert_eq!(status.phase, Some(ServicePhase::Scheduled));
        let scheduled = conditions::find(&status.conditions, SCHEDULED).unwrap();
        assert_eq!(
            scheduled.message,
            "Placed in root (east > root) for 0.192 an hour; here: us is full"
        );
        object.status = Some(status.clone());
        assert_eq!(over(&object, placed, at(99)), status, "nothing to write");
    }

    #[test]
    fn who_waits_says_for_what() {
        let object = service();
        let reason = |because| {
            let status = over(&object, Status::Waiting(because), at(10));
            let scheduled = conditions::find(&status.conditions, SCHEDULED).unwrap();
            (
                status.phase.unwrap(),
                scheduled.reason.clone(),
                scheduled.message.clone(),
            )
        };
        let (phase, word, _) = reason(Because::CutOff);
        assert_eq!(
            (phase, word.as_str()),
            (ServicePhase::Waiting, "WaitingForParent")
        );
        let (phase, word, _) = reason(Because::Asked);
        assert_eq!((phase, word.as_str()), (ServicePhase::Waiting, "Escalated"));
        let way = WayOut {
            term: "region=eu".to_owned(),
            hourly: 100_000,
        };
        let (phase, _, message) = reason(Because::Refused(vec![way]));
        assert_eq!(phase, ServicePhase::Unschedulable);
        assert_eq!(
            message,
            "No other cell has a place, without region=eu there is one for 0.1 an hour; here: us is full"
        );
    }
}
