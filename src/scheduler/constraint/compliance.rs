//! Compliance: every replica's pool has all labels that the service and its policies ask for.

use crate::scheduler::model::Pool;
use crate::scheduler::reason::Why;
use std::collections::BTreeSet;

/// The pool label that holds what a pool complies with.
pub(crate) const LABEL: &str = "compliance";

/// Whether a pool has all the labels.
pub(crate) fn holds(required: &BTreeSet<String>, pool: &Pool) -> bool {
    missing(required, pool).next().is_none()
}

/// One reason for each label that the pool lacks.
pub(crate) fn check(required: &BTreeSet<String>, pool: &Pool) -> Vec<Why> {
    missing(required, pool)
        .map(|label| Why::NoCompliance {
            label: label.clone(),
        })
        .collect()
}

fn missing<'a>(required: &'a BTreeSet<String>, pool: &'a Pool) -> impl Iterator<Item = &'a String> {
    let held = pool.labels.get(LABEL);
    required
        .iter()
        .filter(move |label| !held.is_some_and(|h| h.contains(*label)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_label_is_named() {
        let required = ["gdpr", "hipaa", "soc2"].map(String::from).into();
        let mut pool = Pool::default();
        assert_eq!(check(&required, &pool).len(), 3);
        pool.labels
            .insert(LABEL.into(), ["soc2".to_string()].into());
        assert_eq!(
            check(&required, &pool)
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["No GDPR compliance label", "No HIPAA compliance label"]
        );
        assert!(!holds(&required, &pool));
        pool.labels.insert(LABEL.into(), required.clone());
        assert!(holds(&required, &pool));
    }
}
