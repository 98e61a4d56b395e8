//! Label selectors, over plain labels and over pool labels that may hold several values.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Selects objects by label. All conditions have to hold; an empty selector selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub match_labels: BTreeMap<String, String>,
    /// Conditions on labels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub match_expressions: Vec<LabelRequirement>,
}

/// A condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0 : true",
        "message": "In and NotIn need at least one value",
        "fieldPath": ".values",
    },
    {
        "rule": "self.operator in ['Exists', 'DoesNotExist'] ? !has(self.values) || self.values.size() == 0 : true",
        "message": "Exists and DoesNotExist take no values",
        "fieldPath": ".values",
    },
]))]
pub struct LabelRequirement {
    /// The label's key.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
    /// How the label's value relates to `values`.
    pub operator: LabelOperator,
    /// The values to compare with, for `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)))]
    pub values: Vec<String>,
}

/// How a label's value relates to a list of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LabelOperator {
    /// The label has one of the values.
    In,
    /// The label has none of the values, or is not there.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether the selector selects everything.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.matches_with(|key| labels.get(key).map(std::slice::from_ref))
    }

    /// Whether a pool with these labels is selected; a label with several values matches by any of them.
    pub fn matches_pool(&self, labels: &BTreeMap<String, LabelValues>) -> bool {
        self.matches_with(|key| labels.get(key).map(LabelValues::as_slice))
    }

    fn matches_with<'a>(&self, values_of: impl Fn(&str) -> Option<&'a [String]>) -> bool {
        let holds = |key: &str, wanted: &[String]| {
            values_of(key).is_some_and(|values| values.iter().any(|value| wanted.contains(value)))
        };
        self.match_labels
            .iter()
            .all(|(key, value)| holds(key, std::slice::from_ref(value)))
            && self
                .match_expressions
                .iter()
                .all(|requirement| match requirement.operator {
                    LabelOperator::In => holds(&requirement.key, &requirement.values),
                    LabelOperator::NotIn => !holds(&requirement.key, &requirement.values),
                    LabelOperator::Exists => values_of(&requirement.key).is_some(),
                    LabelOperator::DoesNotExist => values_of(&requirement.key).is_none(),
                })
    }
}

/// The value of a pool label: one string, or several.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LabelValues {
    /// One value.
    One(String),
    /// Several values, all of which the pool has.
    Several(Vec<String>),
}

impl LabelValues {
    /// The values.
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Several(values) => values,
        }
    }

    /// Whether a value is among them.
    pub fn contains(&self, value: &str) -> bool {
        self.as_slice().iter().any(|own| own == value)
    }
}

impl JsonSchema for LabelValues {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LabelValues".into()
    }

    fn inline_schema() -> bool {
        true
    }

    /// A string or a list; bounds that contradict each other shut out numbers and objects, which a schema
    /// without a type would let through.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-preserve-unknown-fields": true,
            "x-lattice-type": "labelValues",
            "maxLength": 253,
            "maxItems": 64,
            "items": {"type": "string", "maxLength": 253},
            "minimum": 1,
            "maximum": 0,
            "minProperties": 1,
            "maxProperties": 0,
            "not": {"enum": [true, false]},
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::{Value, json};

    fn selector(value: Value) -> LabelSelector {
        serde_json::from_value(value).unwrap()
    }

    fn pool() -> BTreeMap<String, LabelValues> {
        serde_json::from_value(json!({"compliance": ["soc2", "hipaa"], "tier": "production"}))
            .unwrap()
    }

    #[test]
    fn empty_selects_all() {
        assert!(selector(json!({})).matches(&BTreeMap::new()));
        assert!(selector(json!({})).matches_pool(&pool()));
    }

    #[test]
    fn a_list_matches_by_membership() {
        assert!(
            selector(json!({"matchLabels": {"compliance": "hipaa", "tier": "production"}}))
                .matches_pool(&pool())
        );
        assert!(!selector(json!({"matchLabels": {"compliance": "gdpr"}})).matches_pool(&pool()));
    }

    #[test]
    fn operators() {
        for (operator, key, values, selected) in [
            ("In", "compliance", vec!["gdpr", "soc2"], true),
            ("In", "zone", vec!["a"], false),
            ("NotIn", "compliance", vec!["soc2"], false),
            ("NotIn", "zone", vec!["a"], true),
            ("Exists", "tier", vec![], true),
            ("Exists", "zone", vec![], false),
            ("DoesNotExist", "tier", vec![], false),
            ("DoesNotExist", "zone", vec![], true),
        ] {
            let requirement = json!({"key": key, "operator": operator, "values": values});
            let selector = selector(json!({"matchExpressions": [requirement]}));
            assert_eq!(selector.matches_pool(&pool()), selected, "{operator} {key}");
        }
    }
}
