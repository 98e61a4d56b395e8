//! References into git repositories.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A folder of a git repository at a branch or a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!(has(self.branch) && has(self.tag))",
    "message": "branch and tag exclude each other",
    "fieldPath": ".tag",
}]))]
pub struct GitSource {
    /// Address over HTTPS or SSH.
    #[schemars(
        length(max = 2048),
        regex(pattern = r"^(https?://|ssh://|file://|[A-Za-z0-9._-]+@)[^\s]+$")
    )]
    pub url: String,
    /// Folder within the repository. Default: its root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub path: Option<String>,
    /// Branch to follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 244))]
    pub branch: Option<String>,
    /// Tag to stay at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 244))]
    pub tag: Option<String>,
}

/// What differs from a registration's source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!(has(self.branch) && has(self.tag))",
    "message": "branch and tag exclude each other",
    "fieldPath": ".tag",
}]))]
pub struct GitOverride {
    /// Tag to stay at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 244))]
    pub tag: Option<String>,
    /// Branch to follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 244))]
    pub branch: Option<String>,
    /// Folder within the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub path: Option<String>,
}

impl GitOverride {
    /// The source with these differences. A tag takes the place of a branch, and a branch that of a tag.
    pub fn apply(&self, source: &GitSource) -> GitSource {
        let pinned = self.tag.is_some() || self.branch.is_some();
        let (branch, tag) = if pinned {
            (&self.branch, &self.tag)
        } else {
            (&source.branch, &source.tag)
        };
        GitSource {
            url: source.url.clone(),
            path: self.path.clone().or_else(|| source.path.clone()),
            branch: branch.clone(),
            tag: tag.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_takes_the_place_of_the_branch() {
        let source = GitSource {
            url: "https://git".into(),
            branch: Some("main".into()),
            ..GitSource::default()
        };
        let pinned = GitOverride {
            tag: Some("v2".into()),
            ..GitOverride::default()
        }
        .apply(&source);
        assert_eq!(
            (pinned.branch.as_deref(), pinned.tag.as_deref()),
            (None, Some("v2"))
        );
        assert_eq!(GitOverride::default().apply(&source), source);
    }
}
