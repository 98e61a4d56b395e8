//! What is said of a pod whose containers are processes.

use std::net::Ipv4Addr;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::container::{End, Snapshot, State};

/// A container and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) name: String,
    pub(super) snapshot: Snapshot,
    /// Whether its probe, if it has one, says that it serves.
    pub(super) ready: bool,
}

/// Where a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: Ipv4Addr,
    pub(super) pod: Ipv4Addr,
}

/// The status of the pod. What is seen is in the order of its containers.
pub(super) fn status(pod: &Pod, seen: &[Seen], place: Place, since: Timestamp) -> Value {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let pairs = || containers.clone().zip(seen);
    let ready = pairs().all(|(_, seen)| is_ready(seen));
    let truth = |holds: bool| if holds { "True" } else { "False" };
    let condition = |name: &str, holds: bool| json!({"type": name, "status": truth(holds), "lastTransitionTime": transition(pod, name, holds)});
    json!({
        "phase": phase(seen),
        "startTime": since.to_string(),
        "hostIP": place.host,
        "hostIPs": [{"ip": place.host}],
        "podIP": place.pod,
        "podIPs": [{"ip": place.pod}],
        "conditions": [
            condition("PodScheduled", true),
            condition("Initialized", true),
            condition("ContainersReady", ready),
            condition("Ready", ready),
        ],
        "containerStatuses": pairs().map(|(container, seen)| container_status(container, seen)).collect::<Vec<_>>(),
    })
}

/// When the condition became what it is: kept where the API server has it already.
fn transition(pod: &Pod, name: &str, holds: bool) -> String {
    let known = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten())
        .find(|condition| condition.type_ == name && (condition.status == "True") == holds)
        .and_then(|condition| condition.last_transition_time.as_ref());
    let time = known.map_or_else(Timestamp::now, |time| time.0);
    in_seconds(time)
}

fn in_seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second())
        .unwrap_or(time)
        .to_string()
}

fn is_ready(seen: &Seen) -> bool {
    seen.ready && matches!(seen.snapshot.state, State::Running { .. })
}

fn phase(seen: &[Seen]) -> &'static str {
    let ended = |wanted: fn(&End) -> bool| {
        seen.iter()
            .all(|seen| matches!(&seen.snapshot.state, State::Ended(end) if wanted(end)))
    };
    let begun = seen.iter().any(|seen| {
        seen.snapshot.restarts > 0 || !matches!(seen.snapshot.state, State::Waiting { .. })
    });
    if ended(|end| end.code == 0) {
        "Succeeded"
    } else if ended(|_| true) {
        "Failed"
    } else if begun {
        "Running"
    } else {
        "Pending"
    }
}

fn container_status(container: &Container, seen: &Seen) -> Value {
    let running = matches!(seen.snapshot.state, State::Running { .. });
    let state = match &seen.snapshot.state {
        State::Waiting { reason, message } => {
            json!({"waiting": {"reason": reason, "message": message}})
        }
        State::Running { since } => json!({"running": {"startedAt": in_seconds(*since)}}),
        State::Ended(end) => json!({"terminated": terminated(end)}),
    };
    let last = match &seen.snapshot.last {
        Some(end) => json!({"terminated": terminated(end)}),
        None => json!({}),
    };
    json!({
        "name": container.name,
        "image": container.image,
        "imageID": container.image,
        "ready": is_ready(seen),
        "started": running,
        "restartCount": seen.snapshot.restarts,
        "state": state,
        "lastState": last,
    })
}

fn terminated(end: &End) -> Value {
    json!({
        "exitCode": end.code,
        "signal": end.signal,
        "reason": if end.code == 0 { "Completed" } else { "Error" },
        "startedAt": in_seconds(end.since),
        "finishedAt": in_seconds(end.until),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        host: Ipv4Addr::new(10, 0, 0, 1),
        pod: Ipv4Addr::new(10, 0, 0, 2),
    };

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "spec": {"containers": [{"name": "c", "image": "i"}]},
            "status": {"conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            ]},
        }))
        .unwrap()
    }

    fn of(snapshot: Snapshot, ready: bool) -> Value {
        let seen = Seen {
            name: "c".to_owned(),
            snapshot,
            ready,
        };
        status(&pod(), &[seen], PLACE, Timestamp::UNIX_EPOCH)
    }

    fn running() -> Snapshot {
        Snapshot {
            state: State::Running {
                since: Timestamp::UNIX_EPOCH,
            },
            last: None,
            restarts: 0,
        }
    }

    #[test]
    fn a_running_pod_that_serves_is_ready_since_it_was() {
        let status = of(running(), true);
        assert_eq!(status["phase"], "Running");
        assert_eq!(status["podIP"], "10.0.0.2");
        assert_eq!(status["conditions"][3]["status"], "True");
        assert_eq!(
            status["conditions"][3]["lastTransitionTime"],
            "2026-01-01T00:00:00Z"
        );
        assert_eq!(status["containerStatuses"][0]["ready"], true);
        assert_eq!(of(running(), false)["conditions"][3]["status"], "False");
    }

    #[test]
    fn exit_and_restarts_are_told() {
        let end = End {
            code: 143,
            signal: Some(15),
            since: Timestamp::UNIX_EPOCH,
            until: Timestamp::UNIX_EPOCH,
        };
        let again = Snapshot {
            last: Some(end),
            restarts: 2,
            ..Snapshot::waiting("CrashLoopBackOff", "back-off 2 s")
        };
        let status = of(again, true);
        assert_eq!(status["phase"], "Running");
        let container = &status["containerStatuses"][0];
        assert_eq!(container["restartCount"], 2);
        assert_eq!(container["lastState"]["terminated"]["exitCode"], 143);
        assert_eq!(container["state"]["waiting"]["reason"], "CrashLoopBackOff");
        assert_eq!(container["ready"], false);
        let ended = |code| Snapshot {
            state: State::Ended(End { code, ..end }),
            last: None,
            restarts: 0,
        };
        assert_eq!(of(ended(0), true)["phase"], "Succeeded");
        assert_eq!(of(ended(1), true)["phase"], "Failed");
        assert_eq!(of(Snapshot::waiting("x", ""), true)["phase"], "Pending");
    }
}
