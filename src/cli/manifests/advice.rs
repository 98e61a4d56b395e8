//! What to write instead.

use serde_json::Value;

use crate::api::PathSegment;

/// A message of the validator, apart from the suggestion it ends with.
pub(super) fn split(message: &str) -> (String, Option<String>) {
    match message.split_once("; did you mean ") {
        Some((message, meant)) => (message.to_owned(), Some(format!("did you mean {meant}"))),
        None => (message.to_owned(), None),
    }
}

/// Advice on a value that does not fit.
pub(super) fn on_value(value: &Value, path: &[PathSegment], message: &str) -> Option<String> {
    if let Some(field) = message.strip_suffix("` is missing") {
        return Some(format!("add `{}:` to it", field.trim_start_matches('`')));
    }
    match value {
        Value::String(text) if message.contains("is not a quantity") => quantity(text, path),
        Value::String(text) if message.starts_with("expected an integer") => text
            .parse::<i64>()
            .ok()
            .map(|number| format!("did you mean {number}, without quotes?")),
        Value::Bool(_) if message.starts_with("expected a string") => {
            Some("put it in quotes if it is meant as text".to_owned())
        }
        Value::Number(number) if message.starts_with("expected a string") => {
            Some(format!("did you mean \"{number}\", in quotes?"))
        }
        _ => None,
    }
}

/// `4GB` is what people write who mean `4Gi`.
fn quantity(text: &str, path: &[PathSegment]) -> Option<String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    if number.is_empty() {
        return None;
    }
    let memory =
        matches!(path.last(), Some(PathSegment::Key(key)) if key != "cores" && key != "cpu");
    if !memory {
        return Some(format!("did you mean {number}?"));
    }
    let prefix = unit.trim().chars().next()?.to_ascii_uppercase();
    Some(match prefix {
        'K' | 'M' | 'G' | 'T' | 'P' => format!("did you mean {number}{prefix}i?"),
        _ => format!("did you mean {number}Gi?"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn advise(value: Value, key: &str, message: &str) -> Option<String> {
        on_value(&value, &[PathSegment::from(key)], message)
    }

    #[test]
    fn units_are_put_right() {
        let wrong = "`x` is not a quantity";
        for (text, key, advice) in [
            ("4GB", "memoryGi", "did you mean 4Gi?"),
            ("512 mb", "memoryGi", "did you mean 512Mi?"),
            ("4 giga", "memoryGi", "did you mean 4Gi?"),
            ("2x", "cores", "did you mean 2?"),
        ] {
            assert_eq!(advise(json!(text), key, wrong).as_deref(), Some(advice));
        }
        assert_eq!(advise(json!("lots"), "cores", wrong), None);
    }

    #[test]
    fn quotes_are_put_right() {
        let advice = advise(json!("3"), "min", "expected an integer, found the string");
        assert_eq!(advice.as_deref(), Some("did you mean 3, without quotes?"));
        let advice = advise(json!(3), "env", "expected a string, found the number 3");
        assert_eq!(advice.as_deref(), Some("did you mean \"3\", in quotes?"));
        assert!(advise(json!(true), "env", "expected a string, found").is_some());
        assert_eq!(
            advise(json!([]), "env", "expected a string, found a list"),
            None
        );
    }

    #[test]
    fn what_is_missing_is_to_be_added() {
        let advice = advise(json!({}), "provider", "`type` is missing");
        assert_eq!(advice.as_deref(), Some("add `type:` to it"));
    }

    #[test]
    fn suggestions_become_advice() {
        let (message, advice) = split("there is no field `maxNode` here; did you mean `maxNodes`?");
        assert_eq!(message, "there is no field `maxNode` here");
        assert_eq!(advice.as_deref(), Some("did you mean `maxNodes`?"));
        assert_eq!(split("plain"), ("plain".to_owned(), None));
    }
}
