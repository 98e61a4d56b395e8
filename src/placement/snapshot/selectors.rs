//! Selectors of the API as selectors of the model, and what was meant by one that selects nothing.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use crate::api::selector::LabelOperator;
use crate::api::{LabelSelector, LatticePlacementPolicy, LatticeService};
use crate::placement::problem::nearest;
use crate::scheduler::model::{Expression, Operator, Selector};

pub(super) fn convert(selector: &LabelSelector) -> Selector {
    Selector {
        match_labels: selector.match_labels.clone(),
        match_expressions: selector
            .match_expressions
            .iter()
            .map(|term| Expression {
                key: term.key.clone(),
                operator: match term.operator {
                    LabelOperator::In => Operator::In,
                    LabelOperator::NotIn => Operator::NotIn,
                    LabelOperator::Exists => Operator::Exists,
                    LabelOperator::DoesNotExist => Operator::DoesNotExist,
                },
                values: term.values.iter().cloned().collect(),
            })
            .collect(),
    }
}

/// Whether a service is in the scope of a policy.
pub(crate) fn policy_selects(policy: &LatticePlacementPolicy, service: &LatticeService) -> bool {
    policy.spec.selector.matches(service.labels())
}

/// The label that a term which nothing has was perhaps meant to be, given all labels there are.
pub(super) fn meant(
    selector: &LabelSelector,
    known: &BTreeMap<&str, BTreeSet<&str>>,
) -> Option<String> {
    let wanted = selector.match_labels.iter();
    let listed = selector
        .match_expressions
        .iter()
        .flat_map(|term| term.values.iter().map(move |value| (&term.key, value)));
    for (key, value) in wanted.chain(listed) {
        match known.get(key.as_str()) {
            None => {
                if let Some(key) = nearest(key, known.keys().copied()) {
                    return Some(format!("{key}={value}"));
                }
            }
            Some(values) if !values.contains(value.as_str()) => {
                if let Some(value) = nearest(value, values.iter().copied()) {
                    return Some(format!("{key}={value}"));
                }
            }
            Some(_) => {}
        }
    }
    None
}

/// Whether plain labels meet a selector of the model.
pub(crate) fn selects(selector: &Selector, labels: &BTreeMap<String, String>) -> bool {
    let exact = selector.match_labels.iter();
    let mut terms = selector.match_expressions.iter();
    exact
        .into_iter()
        .all(|(key, value)| labels.get(key) == Some(value))
        && terms.all(|term| {
            let found = labels.get(&term.key);
            let listed = found.is_some_and(|value| term.values.contains(value));
            match term.operator {
                Operator::In => listed,
                Operator::NotIn => !listed,
                Operator::Exists => found.is_some(),
                Operator::DoesNotExist => found.is_none(),
            }
        })
}
