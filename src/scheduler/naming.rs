//! Names of new clusters: readable, unique and the same for the same input, such as
//! `us-east-prod-7a3b`.

/// Longest pool part of a name, so that the whole stays a DNS label with room for suffixes of what
/// is made from it.
const POOL_PART: usize = 36;
const PURPOSE_PART: usize = 12;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// A name for a cluster in `pool` that follows `policy` and is not taken.
pub(crate) fn fresh(pool: &str, policy: Option<&str>, taken: &dyn Fn(&str) -> bool) -> String {
    let purpose = policy.map_or("shared".to_owned(), purpose);
    let stem = format!("{}-{purpose}", trimmed(pool, POOL_PART));
    let mut ordinal = 0u64;
    loop {
        let hash = fnv(&[pool, policy.unwrap_or(""), &ordinal.to_string()]);
        let name = format!("{stem}-{}", suffix(hash));
        if !taken(&name) {
            return name;
        }
        ordinal += 1;
    }
}

/// What a policy is for, in short: `production-policy` gives `prod`.
fn purpose(policy: &str) -> String {
    let stem = policy.strip_suffix("-policy").unwrap_or(policy);
    match stem {
        "production" => "prod".to_owned(),
        "development" => "dev".to_owned(),
        other => trimmed(other, PURPOSE_PART),
    }
}

fn trimmed(text: &str, most: usize) -> String {
    let kept: String = text
        .chars()
        .map(|c| if c == '.' { '-' } else { c })
        .take(most)
        .collect();
    kept.trim_end_matches('-').to_owned()
}

/// Four characters, the first a digit or letter, of base 36.
fn suffix(mut hash: u64) -> String {
    let mut text = String::new();
    for _ in 0..4 {
        text.push(char::from(DIGITS[(hash % 36) as usize]));
        hash /= 36;
    }
    text
}

/// FNV-1a, 64 bits, over the parts with a separator: a spreading function, not a secret.
fn fnv(parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    // The low bits of FNV mix poorly on short input; fold the high ones in.
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_readable_stable_and_unique() {
        let none = |_: &str| false;
        let first = fresh("us-east", Some("production-policy"), &none);
        assert!(first.starts_with("us-east-prod-"), "{first}");
        assert_eq!(first.len(), "us-east-prod-".len() + 4);
        assert_eq!(first, fresh("us-east", Some("production-policy"), &none));
        let taken = |name: &str| name == first;
        let second = fresh("us-east", Some("production-policy"), &taken);
        assert_ne!(first, second);
        assert!(fresh("a.b", None, &none).starts_with("a-b-shared-"));
        assert!(fresh("p", Some("development-policy"), &none).starts_with("p-dev-"));
        let long = fresh(&"x".repeat(80), Some(&"y".repeat(80)), &none);
        assert!(long.len() <= 63, "{long}");
    }
}
