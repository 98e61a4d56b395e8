//! Label selectors as they are typed.

use std::collections::BTreeSet;

use super::WhatIfError;
use crate::scheduler::model::{Expression, Operator, Selector};

/// Reads `env=production,tier!=batch,team,!legacy`.
///
/// # Errors
/// When a part is none of these.
pub fn parse(text: &str) -> Result<Selector, WhatIfError> {
    let malformed = || WhatIfError::Selector(text.to_owned());
    let mut selector = Selector::default();
    for part in text.split(',').map(str::trim) {
        let (key, operator, value) = if let Some((key, value)) = part.split_once("!=") {
            (key, Operator::NotIn, Some(value))
        } else if let Some((key, value)) = part.split_once('=') {
            (
                key,
                Operator::In,
                Some(value.strip_prefix('=').unwrap_or(value)),
            )
        } else if let Some(key) = part.strip_prefix('!') {
            (key, Operator::DoesNotExist, None)
        } else {
            (part, Operator::Exists, None)
        };
        let (key, value) = (key.trim(), value.map(str::trim));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if key.is_empty()
            || !key
                .chars()
                .chain(value.unwrap_or_default().chars())
                .all(plain)
        {
            return Err(malformed());
        }
        selector.match_expressions.push(Expression {
            key: key.to_owned(),
            operator,
            values: value
                .map(str::to_owned)
                .into_iter()
                .collect::<BTreeSet<_>>(),
        });
    }
    selector.match_expressions.sort();
    Ok(selector)
}

/// A selector as it may be typed.
pub(super) fn words(selector: &Selector) -> String {
    let terms = selector.match_expressions.iter().map(|term| {
        let values: Vec<&str> = term.values.iter().map(String::as_str).collect();
        match term.operator {
            Operator::In => format!("{}={}", term.key, values.join("|")),
            Operator::NotIn => format!("{}!={}", term.key, values.join("|")),
            Operator::Exists => term.key.clone(),
            Operator::DoesNotExist => format!("!{}", term.key),
        }
    });
    let exact = selector.match_labels.iter();
    let exact = exact.map(|(key, value)| format!("{key}={value}"));
    exact.chain(terms).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::placement::snapshot::selects;
    use std::collections::BTreeMap;

    #[test]
    fn every_form_selects_what_it_says() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
            owned.collect()
        };
        let web = labels(&[("env", "production"), ("team", "web")]);
        let batch = labels(&[("env", "staging"), ("tier", "batch")]);
        for (text, of_web, of_batch) in [
            ("env=production", true, false),
            ("env==staging", false, true),
            ("tier!=batch", true, false),
            ("team", true, false),
            ("!team", false, true),
            ("env=production, !tier", true, false),
            ("env=production,tier", false, false),
        ] {
            let selector = parse(text).unwrap();
            assert_eq!(selects(&selector, &web), of_web, "{text}");
            assert_eq!(selects(&selector, &batch), of_batch, "{text}");
        }
    }

    #[test]
    fn words_and_selector_are_the_same() {
        for text in ["env=production", "!a,b,c=d,e!=f"] {
            let selector = parse(text).unwrap();
            assert_eq!(parse(&words(&selector)).unwrap(), selector, "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        for text in ["", "=a", ",", "a,", "a b", "a in (b)", "!", "a=b=c", "!=x"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("is no label selector"), "{text}: {error}");
        }
    }
}
