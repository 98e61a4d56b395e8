//! The text of a release.

use serde_json::Value;

use super::{bare::map, webhooks};
use crate::clusters::pivot::kind::CLUSTERCTL_LABEL;

/// Whose objects make certificates, which is done otherwise here.
const CERTIFICATES: &str = "cert-manager.io/";

/// Why a text is no release.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Not YAML.
    #[error("it is no YAML: {0}")]
    Yaml(#[from] serde_saphyr::Error),
    /// A document is no object.
    #[error("document {0} has no kind or no name")]
    NoObject(usize),
    /// A variable that would have to be set.
    #[error("the variable {0} has no default; write its value into the file")]
    Variable(String),
    /// A webhook without a Service.
    #[error("{0} has webhooks that no Service is before; only those in the cluster are installed")]
    Outside(String),
}

/// The objects of a release, but those that make certificates; with the label that `clusterctl` gives what it installs.
pub(super) fn objects(text: &str) -> Result<Vec<Value>, ReleaseError> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&with_defaults(text)?)?;
    let mut objects = Vec::new();
    for (number, mut object) in documents.into_iter().enumerate() {
        if object.is_null() {
            continue;
        }
        let name = object["metadata"]["name"].as_str();
        let (Some(_), Some(name)) = (object["kind"].as_str(), name.map(str::to_owned)) else {
            return Err(ReleaseError::NoObject(number + 1));
        };
        let version = object["apiVersion"].as_str().unwrap_or_default();
        if version.starts_with(CERTIFICATES) {
            continue;
        }
        let is_webhook = object["webhooks"].is_array();
        if is_webhook && webhooks::endpoints(&object).is_empty() {
            return Err(ReleaseError::Outside(name));
        }
        if let Some(labels) = map(&mut object["metadata"], "labels") {
            labels.insert(CLUSTERCTL_LABEL.to_owned(), "".into());
        }
        objects.push(object);
    }
    Ok(objects)
}

/// `${NAME:=default}` and `${NAME:-default}` are their defaults, as `clusterctl` has them where nothing is set.
fn with_defaults(text: &str) -> Result<String, ReleaseError> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        whole.push_str(before);
        let Some((inside, after)) = after.split_once('}') else {
            rest = after;
            whole.push_str("${");
            continue;
        };
        let default = inside.split_once(":=").or_else(|| inside.split_once(":-"));
        let (_, default) = default.ok_or_else(|| ReleaseError::Variable(inside.to_owned()))?;
        whole.push_str(default.trim_matches('"'));
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}
