//! Which kinds a move looks at: those that Cluster API's own tool would.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::{Key, Object};

/// The CRDs of Cluster API and its providers have this label; their objects may be moved.
pub const CLUSTERCTL_LABEL: &str = "clusterctl.cluster.x-k8s.io";
/// A CRD or object with this label moves whether a cluster owns it or not.
pub const MOVE_LABEL: &str = crate::clusters::labels::MOVES;
/// The same, with all that it owns.
pub const MOVE_HIERARCHY_LABEL: &str = "clusterctl.cluster.x-k8s.io/move-hierarchy";

/// Group of Cluster API's core kinds.
pub const CORE_GROUP: &str = "cluster.x-k8s.io";
/// The version of them that Lattice writes and reads.
pub const CORE_VERSION: &str = "v1beta2";
/// Group of `ClusterResourceSet` and its binding.
pub const ADDONS_GROUP: &str = "addons.cluster.x-k8s.io";

/// What makes an object move, besides being owned by the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Moves {
    /// Nothing.
    #[default]
    WhenOwned,
    /// Its own sake.
    Always,
    /// Its own sake, and all that it owns moves along.
    WithDependents,
}

/// A kind, and how its objects are addressed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kind {
    /// API group; empty for the core.
    pub group: String,
    /// The version that is stored.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Plural, as in paths.
    pub plural: String,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// What makes its objects move.
    pub moves: Moves,
}

impl Kind {
    fn core(kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            group: String::new(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
            moves: Moves::WhenOwned,
        }
    }

    /// `Secret`.
    #[must_use]
    pub fn secret() -> Self {
        Self::core("Secret", "secrets", true)
    }

    /// `ConfigMap`.
    #[must_use]
    pub fn config_map() -> Self {
        Self::core("ConfigMap", "configmaps", true)
    }

    /// `Namespace`.
    #[must_use]
    pub fn namespace() -> Self {
        Self::core("Namespace", "namespaces", false)
    }

    /// `group/version`, or the version alone for the core.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Whether an object is of this kind.
    #[must_use]
    pub fn is_of(&self, key: &Key) -> bool {
        key.is(&self.group, &self.kind)
    }

    /// Whether its objects are defined by a CRD.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        !self.group.is_empty()
    }
}

/// The kinds of these CRDs, and Secrets and ConfigMaps.
#[must_use]
pub fn kinds(definitions: &[Object]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = definitions.iter().filter_map(kind).collect();
    kinds.push(Kind::secret());
    kinds.push(Kind::config_map());
    kinds.sort_by(|a, b| (&a.group, &a.kind).cmp(&(&b.group, &b.kind)));
    kinds
}

fn kind(definition: &Object) -> Option<Kind> {
    let versions = definition.list("/spec/versions").iter();
    let stored = versions
        .filter(|version| version["storage"] == true)
        .find_map(|version| version["name"].as_str())?;
    let group = definition.text("/spec/group");
    let name = definition.text("/spec/names/kind");
    Some(Kind {
        group: group.to_owned(),
        version: stored.to_owned(),
        kind: name.to_owned(),
        plural: definition.text("/spec/names/plural").to_owned(),
        namespaced: definition.0.pointer("/spec/scope").and_then(Value::as_str)
            == Some("Namespaced"),
        moves: if is_head(group, name) {
            Moves::WithDependents
        } else {
            labelled(definition)
        },
    })
}

/// The kinds whose objects move with their dependents, labelled or not.
fn is_head(group: &str, kind: &str) -> bool {
    matches!(
        (group, kind),
        (CORE_GROUP, "Cluster" | "ClusterClass") | (ADDONS_GROUP, "ClusterResourceSet")
    )
}

/// What the labels of a CRD or object say about moving.
pub(crate) fn labelled(object: &Object) -> Moves {
    if object.label(MOVE_HIERARCHY_LABEL).is_some() {
        Moves::WithDependents
    } else if object.label(MOVE_LABEL).is_some() {
        Moves::Always
    } else {
        Moves::WhenOwned
    }
}
