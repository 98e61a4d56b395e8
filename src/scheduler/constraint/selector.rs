//! Label selectors. A list-valued pool label matches by membership.

use crate::scheduler::model::{Expression, Operator, Pool, Selector};
use crate::scheduler::problem::Problem;
use crate::scheduler::reason::Why;
use crate::scheduler::topology::Place;
use std::collections::{BTreeMap, BTreeSet};

/// The label by which a zone of a pool is chosen.
const ZONE: &str = "zone";

/// Whether a pool's labels meet a selector; of a pool with several zones, whether those of one zone do.
pub(crate) fn matches_pool(selector: &Selector, pool: &Pool) -> bool {
    match pool.zones.is_empty() {
        true => unmet(selector, &|key| pool.labels.get(key).map(joined)).is_empty(),
        false => (pool.zones.iter()).any(|zone| matches_zone(selector, pool, zone)),
    }
}

/// Whether a pool would meet a selector if it had only this zone.
pub(crate) fn matches_zone(selector: &Selector, pool: &Pool, zone: &str) -> bool {
    unmet(selector, &|key| labels_in(pool, zone, key)).is_empty()
}

fn labels_in<'a>(pool: &'a Pool, zone: &'a str, key: &str) -> Option<Vec<&'a str>> {
    match key == ZONE {
        true => Some(vec![zone]),
        false => pool.labels.get(key).map(joined),
    }
}

/// Whether plain labels meet a selector.
pub(crate) fn matches_labels(selector: &Selector, labels: &BTreeMap<String, String>) -> bool {
    let given = |key: &str| labels.get(key).map(|value| vec![value.as_str()]);
    let mut wanted = selector.match_labels.iter();
    wanted.all(|(key, value)| labels.get(key) == Some(value))
        && (selector.match_expressions.iter()).all(|expression| met(expression, &given))
}

/// All terms that a pool does not meet; of a pool with several zones, those that the best of them does not.
pub(crate) fn check(selector: &Selector, pool: &Pool) -> Vec<Why> {
    let in_zone = |zone: &'_ String| unmet(selector, &|key| labels_in(pool, zone, key));
    let terms = match pool.zones.is_empty() {
        true => unmet(selector, &|key| pool.labels.get(key).map(joined)),
        false => {
            let zones = pool.zones.iter().map(in_zone);
            zones.min_by_key(Vec::len).unwrap_or_default()
        }
    };
    let found = |key: &str| match key == ZONE && !pool.zones.is_empty() {
        true => Some(&pool.zones),
        false => pool.labels.get(key),
    };
    terms
        .into_iter()
        .map(|(key, term)| Why::Selector {
            term,
            found: found(key).map(|v| joined(v).join(", ")),
        })
        .collect()
}

/// What the zone of a place does not meet, in a pool that others of its zones let pass. A node of which the zone
/// is not known may be in any.
pub(crate) fn check_zone(problem: &Problem<'_>, s: usize, place: Place) -> Vec<Why> {
    if problem.may_be_in(s, place) {
        return Vec::new();
    }
    let pool = &problem.snapshot.pools[place.pool];
    let selector = &problem.service(s).pools;
    let domains = &problem.pools[place.pool].zones.domains;
    let known = (pool.zones.iter().zip(domains)).find(|(_, domain)| **domain == place.zone);
    let known = known.map(|(zone, _)| zone);
    let failing = || (pool.zones.iter()).find(|zone| !matches_zone(selector, pool, zone));
    let Some(zone) = known.or_else(failing) else {
        return Vec::new();
    };
    let terms = unmet(selector, &|key| labels_in(pool, zone, key)).into_iter();
    terms
        .filter(|(key, _)| *key == ZONE)
        .map(|(_, term)| Why::Selector {
            term,
            found: known.cloned(),
        })
        .collect()
}

fn joined(values: &BTreeSet<String>) -> Vec<&str> {
    values.iter().map(String::as_str).collect()
}

type Lookup<'a> = dyn Fn(&str) -> Option<Vec<&'a str>> + 'a;

fn unmet<'s>(selector: &'s Selector, lookup: &Lookup<'_>) -> Vec<(&'s str, String)> {
    let mut terms = Vec::new();
    for (key, value) in &selector.match_labels {
        if !lookup(key).is_some_and(|found| found.contains(&value.as_str())) {
            terms.push((key.as_str(), format!("{key}={value}")));
        }
    }
    for expression in &selector.match_expressions {
        if !met(expression, lookup) {
            terms.push((expression.key.as_str(), written(expression)));
        }
    }
    terms
}

fn met(expression: &Expression, lookup: &Lookup<'_>) -> bool {
    let found = lookup(&expression.key);
    let listed = || {
        found
            .iter()
            .flatten()
            .any(|value| expression.values.contains(*value))
    };
    match expression.operator {
        Operator::In => listed(),
        Operator::NotIn => !listed(),
        Operator::Exists => found.is_some(),
        Operator::DoesNotExist => found.is_none(),
    }
}

fn written(expression: &Expression) -> String {
    let values = joined(&expression.values).join(", ");
    let key = &expression.key;
    match expression.operator {
        Operator::In => format!("{key} in ({values})"),
        Operator::NotIn => format!("{key} not in ({values})"),
        Operator::Exists => format!("{key} exists"),
        Operator::DoesNotExist => format!("{key} does not exist"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> Pool {
        let labels = [
            ("compliance", vec!["soc2", "hipaa"]),
            ("tier", vec!["production"]),
        ];
        Pool {
            labels: labels
                .into_iter()
                .map(|(k, v)| (k.into(), v.into_iter().map(Into::into).collect()))
                .collect(),
            ..Pool::default()
        }
    }

    fn expression(key: &str, operator: Operator, values: &[&str]) -> Selector {
        Selector {
            match_expressions: vec![Expression {
                key: key.into(),
                operator,
                values: values.iter().map(|v| (*v).into()).collect(),
            }],
            ..Selector::default()
        }
    }

    #[test]
    fn lists_match_by_membership() {
        let mut selector = Selector::default();
        assert!(matches_pool(&selector, &pool()));
        selector
            .match_labels
            .insert("compliance".into(), "hipaa".into());
        assert!(matches_pool(&selector, &pool()));
        selector.match_labels.insert("tier".into(), "edge".into());
        selector.match_labels.insert("gpu".into(), "yes".into());
        let reasons: Vec<String> = check(&selector, &pool())
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            reasons,
            [
                "Selector gpu=yes: no such label",
                "Selector tier=edge: has production"
            ]
        );
    }

    #[test]
    fn expressions_follow_kubernetes() {
        use Operator::*;
        for (key, operator, values, expected) in [
            ("compliance", In, &["soc2", "x"][..], true),
            ("compliance", In, &["x"], false),
            ("compliance", NotIn, &["soc2"], false),
            ("compliance", NotIn, &["x"], true),
            ("absent", NotIn, &["x"], true),
            ("absent", In, &["x"], false),
            ("tier", Exists, &[], true),
            ("absent", Exists, &[], false),
            ("tier", DoesNotExist, &[], false),
            ("absent", DoesNotExist, &[], true),
        ] {
            let selector = expression(key, operator, values);
            assert_eq!(
                matches_pool(&selector, &pool()),
                expected,
                "{key} {operator:?} {values:?}"
            );
            assert_eq!(check(&selector, &pool()).is_empty(), expected);
        }
    }
}
