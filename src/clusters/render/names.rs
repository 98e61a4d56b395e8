//! Names that are short enough, and change exactly when what they name does.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

/// Longest name of an object whose name Cluster API uses as a label, with room for what it appends.
const LONGEST_NAME: usize = 50;

/// Longest value of a label.
const LONGEST_VALUE: usize = 63;

/// Longest name of a cluster: its namespace is named after it.
pub(super) const LONGEST_CLUSTER: usize = LONGEST_VALUE - NAMESPACE_PREFIX.len();

const NAMESPACE_PREFIX: &str = "capi-";

/// Hexadecimal digits that tell one spec or group from another.
const DIGITS: usize = 8;

/// The namespace of a cluster's Cluster API objects: one for each, as `clusterctl move` wants it.
pub fn namespace(cluster: &str) -> String {
    format!("{NAMESPACE_PREFIX}{cluster}")
}

/// Whether Cluster API's objects can be named after the cluster.
pub(super) fn fits(cluster: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    cluster.len() <= LONGEST_CLUSTER
        && cluster.starts_with(|c: char| c.is_ascii_lowercase())
        && !cluster.ends_with('-')
        && cluster.chars().all(plain)
}

/// A name made of parts; with a digest of them where letters had to be changed or left out, or where `telling` says that
/// the parts alone could be another's.
pub(super) fn joined(parts: &[&str], telling: bool) -> String {
    let exact = parts.join("-");
    let mut name: String = exact
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    if !telling && name == exact && name.len() <= LONGEST_NAME {
        return name;
    }
    name.truncate(LONGEST_NAME - DIGITS - 1);
    let name = name.trim_end_matches('-');
    // A slash is in none of the parts, so different parts never read the same.
    format!("{name}-{}", hex(parts.join("/").as_bytes()))
}

/// A name for a spec that never changes under it.
pub(super) fn of_spec(base: &str, spec: &Value) -> String {
    format!("{base}-{}", hex(spec.to_string().as_bytes()))
}

/// A value that a label may have: the text itself, if it fits.
pub(super) fn label_value(text: &str) -> String {
    if text.len() <= LONGEST_VALUE {
        return text.to_owned();
    }
    let kept: String = text.chars().take(LONGEST_VALUE - DIGITS - 1).collect();
    let kept = kept.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("{kept}-{}", hex(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    let digest = &digest.as_ref()[..DIGITS / 2];
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_is_plain_where_it_can_be_and_never_anothers() {
        assert_eq!(joined(&["prod", "medium"], false), "prod-medium");
        let spot = joined(&["prod", "medium", "spot"], true);
        assert!(spot.starts_with("prod-medium-spot-"), "{spot}");
        assert_ne!(spot, joined(&["prod", "medium-spot"], true));
        assert_ne!(joined(&["a", "B"], false), joined(&["a", "b"], false));
        let long = joined(&["prod", &"x".repeat(250)], false);
        assert_eq!(long.len(), LONGEST_NAME);
        assert_ne!(long, joined(&["prod", &"x".repeat(251)], false));
    }

    #[test]
    fn a_spec_has_the_name_of_its_content() {
        let small = of_spec("a", &json!({"size": 1}));
        assert_eq!(small, of_spec("a", &json!({"size": 1})));
        assert_ne!(small, of_spec("a", &json!({"size": 2})));
    }

    #[test]
    fn a_label_has_at_most_63_characters() {
        assert_eq!(label_value("us-east-1a"), "us-east-1a");
        let long = label_value(&format!("{}.{}", "a".repeat(53), "b".repeat(100)));
        assert!(
            long.len() <= LONGEST_VALUE && !long.contains(".-"),
            "{long}"
        );
    }

    #[test]
    fn a_cluster_is_named_as_a_namespace_can_be() {
        assert!(fits("us-prod-1"));
        for unfit in ["us.prod", "Us", "1a", "a-", "", &"a".repeat(59)] {
            assert!(!fits(unfit), "{unfit}");
        }
    }
}
