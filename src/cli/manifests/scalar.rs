//! Scalars as `kubectl` reads them: YAML 1.2, and of YAML 1.1 what Go's reader still honours.

use granit_parser::{ScalarStyle, Tag};
use serde_json::{Number, Value};

/// The value of a scalar as it is written.
pub(super) fn read(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    match tag.and_then(Tag::core_suffix) {
        Some("str" | "binary") => Value::String(text.to_owned()),
        None if style != ScalarStyle::Plain => Value::String(text.to_owned()),
        _ => plain(text),
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn number(text: &str) -> Option<Number> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() > unsigned.len() + 1
        || !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || !unsigned.contains(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    let digits = unsigned.replace('_', "");
    let negative = text.starts_with('-');
    if let Some(value) = integer(&digits) {
        return match (negative, value) {
            (false, value) => Some(value.into()),
            (true, value) => 0i64.checked_sub_unsigned(value).map(Into::into),
        };
    }
    let is_float = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let value: f64 = digits
        .chars()
        .all(is_float)
        .then(|| digits.parse().ok())??;
    Number::from_f64(if negative { -value } else { value })
}

fn integer(digits: &str) -> Option<u64> {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(rest) = digits.strip_prefix(prefix) {
            return u64::from_str_radix(rest, radix).ok();
        }
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return u64::from_str_radix(digits, 8).ok();
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_have_types() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("4", json!(4)),
            ("-4", json!(-4)),
            ("+4", json!(4)),
            ("0.192", json!(0.192)),
            (".5", json!(0.5)),
            ("-1e3", json!(-1000.0)),
            ("0x10", json!(16)),
            ("0o17", json!(15)),
            ("017", json!(15)),
            ("0b11", json!(3)),
            ("1_000", json!(1000)),
            ("99999999999999999999", json!(1e20)),
            ("-9223372036854775808", json!(i64::MIN)),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_number_is_text() {
        for text in [
            "4GB", "1.2.3", "2x", "-", "--4", "v1", ".", "1e", "10-20", "::1", "e5", ".inf",
        ] {
            assert_eq!(plain(text), json!(text));
        }
    }

    #[test]
    fn quotes_and_tags_make_text() {
        assert_eq!(read("4", ScalarStyle::DoubleQuoted, None), json!("4"));
        let tag = Tag::new("tag:yaml.org,2002:", "str");
        assert_eq!(read("4", ScalarStyle::Plain, Some(&tag)), json!("4"));
        let tag = Tag::new("tag:yaml.org,2002:", "int");
        assert_eq!(read("4", ScalarStyle::DoubleQuoted, Some(&tag)), json!(4));
    }
}
