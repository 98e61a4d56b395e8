//! Conditions as Kubernetes shows them, with the time of a transition passed in by the caller.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::timestamp::Timestamp;

/// The object is as its spec wants it.
pub const READY: &str = "Ready";

/// A change is under way.
pub const RECONCILING: &str = "Reconciling";

/// Nothing moves until a person or another system acts.
pub const STALLED: &str = "Stalled";

/// Type of the condition that says what a cluster's machines have come to.
pub const PROVISIONED: &str = "Provisioned";

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// One aspect of an object's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Name of the aspect, such as `Ready`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as one CamelCase word.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// Why, as a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 32768))]
    pub message: String,
    /// When `status` last changed.
    pub last_transition_time: Timestamp,
    /// The `metadata.generation` that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
}

/// A condition to be recorded, before it is known since when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation<'a> {
    /// Name of the aspect, such as [`READY`].
    pub type_: &'a str,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as one CamelCase word.
    pub reason: &'a str,
    /// Why, as a sentence.
    pub message: String,
    /// The `metadata.generation` that was looked at.
    pub observed_generation: Option<i64>,
}

/// The condition of a type, if it has been recorded.
pub fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether a condition has been recorded and holds.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == ConditionStatus::True)
}

/// Records an observation, and says whether anything changed.
///
/// The transition time moves only when the status does, so recording the same observation again changes
/// nothing and writes nothing.
pub fn set(conditions: &mut Vec<Condition>, observation: Observation<'_>, now: Timestamp) -> bool {
    let known = conditions
        .iter_mut()
        .find(|condition| condition.type_ == observation.type_);
    let since = known
        .as_ref()
        .filter(|condition| condition.status == observation.status);
    let condition = Condition {
        type_: observation.type_.to_owned(),
        status: observation.status,
        reason: observation.reason.to_owned(),
        message: observation.message,
        last_transition_time: since.map_or(now, |condition| condition.last_transition_time),
        observed_generation: observation.observed_generation,
    };
    match known {
        Some(known) if *known == condition => false,
        Some(known) => {
            *known = condition;
            true
        }
        None => {
            conditions.push(condition);
            conditions.sort_by(|left, right| left.type_.cmp(&right.type_));
            true
        }
    }
}

/// Forgets a condition, and says whether it was there.
pub fn remove(conditions: &mut Vec<Condition>, type_: &str) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.type_ != type_);
    conditions.len() != before
}

/// The schema of a status's `conditions`: one entry a type, so that writers of different types do not clash.
pub(crate) fn conditions_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let items = generator.subschema_for::<Condition>();
    schemars::json_schema!({
        "type": "array",
        "items": items,
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from(DateTime::from_timestamp(seconds, 0).unwrap_or_default())
    }

    fn ready(status: bool, reason: &str) -> Observation<'_> {
        Observation {
            type_: READY,
            status: status.into(),
            reason,
            message: String::new(),
            observed_generation: Some(1),
        }
    }

    #[test]
    fn keeps_the_time_while_the_status_stays() {
        let mut conditions = Vec::new();
        assert!(set(&mut conditions, ready(false, "Waiting"), at(1)));
        assert!(set(&mut conditions, ready(false, "Creating"), at(2)));
        assert_eq!(conditions[0].last_transition_time, at(1));
        assert!(set(&mut conditions, ready(true, "Done"), at(3)));
        assert_eq!(conditions[0].last_transition_time, at(3));
        assert!(is_true(&conditions, READY));
    }

    #[test]
    fn the_same_observation_changes_nothing() {
        let mut conditions = Vec::new();
        set(&mut conditions, ready(true, "Done"), at(1));
        assert!(!set(&mut conditions, ready(true, "Done"), at(9)));
    }

    #[test]
    fn keeps_one_entry_a_type_in_order() {
        let mut conditions = Vec::new();
        for type_ in [STALLED, READY, RECONCILING, READY] {
            set(
                &mut conditions,
                Observation {
                    type_,
                    ..ready(true, "Done")
                },
                at(1),
            );
        }
        let types: Vec<_> = conditions
            .iter()
            .map(|condition| condition.type_.as_str())
            .collect();
        assert_eq!(types, [READY, RECONCILING, STALLED]);
        assert!(remove(&mut conditions, STALLED));
        assert!(!remove(&mut conditions, STALLED));
    }
}
