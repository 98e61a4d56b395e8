//! Points in time as people write them.

use chrono::{DateTime, TimeDelta, Utc};

use super::HistoryError;
use crate::api::Timestamp;

/// Reads a time of RFC 3339, or how long ago: `90m`, `2h ago`, `1d12h`.
pub(in crate::cli) fn parse(
    flag: &'static str,
    text: &str,
    now: DateTime<Utc>,
) -> Result<Timestamp, HistoryError> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.to_utc().into());
    }
    let past = text.strip_suffix("ago").unwrap_or(text).trim();
    let time = span(past).and_then(|span| now.checked_sub_signed(span));
    time.map(Timestamp::from).ok_or_else(|| HistoryError::When {
        flag,
        text: text.to_owned(),
    })
}

/// A length of time: numbers, each with its unit.
fn span(text: &str) -> Option<TimeDelta> {
    let mut rest = text.trim();
    let mut seconds: i64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        let after = rest[digits..].trim_start();
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let unit = unit(&after[..letters])?;
        seconds = seconds.checked_add(number.checked_mul(unit)?)?;
        rest = after[letters..].trim_start();
    }
    TimeDelta::try_seconds(seconds)
}

/// Seconds of a unit.
fn unit(name: &str) -> Option<i64> {
    Some(match name {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 3600,
        "d" | "day" | "days" => 86_400,
        "w" | "week" | "weeks" => 604_800,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        let now = DateTime::parse_from_rfc3339("2024-01-15T10:30:00Z").unwrap();
        let time = parse("at", text, now.to_utc()).ok();
        time.map(|time| time.to_string())
    }

    #[test]
    fn times_and_lengths_of_time_are_read() {
        for (text, time) in [
            ("2024-01-15T10:00:00Z", "2024-01-15T10:00:00Z"),
            ("2024-01-15T12:00:00+02:00", "2024-01-15T10:00:00Z"),
            ("2h ago", "2024-01-15T08:30:00Z"),
            ("90m", "2024-01-15T09:00:00Z"),
            ("1d12h", "2024-01-13T22:30:00Z"),
            ("1 day 30 minutes ago", "2024-01-14T10:00:00Z"),
        ] {
            assert_eq!(read(text).as_deref(), Some(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "ago",
            "yesterday",
            "2",
            "h",
            "2x",
            "2h -1m",
            "99999999999999999w",
            "2024-01-15",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
