//! Pausing, and whether everybody has seen it.

use std::fmt;

use serde_json::{Value, json};

use super::{
    deed::PAUSED_FOR_MOVE,
    graph::Graph,
    kind::{ADDONS_GROUP, CORE_GROUP},
    object::{Key, Object},
    view::View,
};

/// Annotation by which one object is paused.
pub const PAUSED_ANNOTATION: &str = "cluster.x-k8s.io/paused";
/// A provider sets this on what it cannot pause at once, and takes it away when it has.
pub const BLOCK_MOVE: &str = "clusterctl.cluster.x-k8s.io/block-move";

/// Controllers of these kinds report that they pause, whichever provider is used.
const REPORTING: [(&str, &str); 9] = [
    (CORE_GROUP, "Cluster"),
    (CORE_GROUP, "ClusterClass"),
    (CORE_GROUP, "Machine"),
    (CORE_GROUP, "MachineDeployment"),
    (CORE_GROUP, "MachineHealthCheck"),
    (CORE_GROUP, "MachinePool"),
    (CORE_GROUP, "MachineSet"),
    ("bootstrap.cluster.x-k8s.io", "KubeadmConfig"),
    ("controlplane.cluster.x-k8s.io", "KubeadmControlPlane"),
];

/// Why an object cannot be copied yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Its controller has not said that it has paused.
    Unacknowledged(Key),
    /// Its provider blocks the move.
    Blocked(Key),
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unacknowledged(key) => write!(
                f,
                "{key} (no condition Paused=True of its present generation)"
            ),
            Self::Blocked(key) => write!(f, "{key} (annotation {BLOCK_MOVE})"),
        }
    }
}

/// Whether objects of this kind are paused one by one, and others through them.
#[must_use]
pub fn is_paused_itself(key: &Key) -> bool {
    key.is(CORE_GROUP, "Cluster")
        || key.is(CORE_GROUP, "ClusterClass")
        || key.is(ADDONS_GROUP, "ClusterResourceSet")
}

fn is_cluster(object: &Object) -> bool {
    object.key().is(CORE_GROUP, "Cluster")
}

/// Whether an object is paused, by whomever.
#[must_use]
pub fn is_paused(object: &Object) -> bool {
    object.annotation(PAUSED_ANNOTATION).is_some()
        || (is_cluster(object) && object.is_true("/spec/paused"))
}

/// Whether an object is paused for a move.
#[must_use]
pub fn is_paused_for_move(object: &Object) -> bool {
    is_paused(object) && object.annotation(PAUSED_FOR_MOVE).is_some()
}

/// The object, paused for a move.
#[must_use]
pub fn paused(object: &Object) -> Object {
    let mut object = object.clone();
    object.annotate(PAUSED_FOR_MOVE, Some("true"));
    if is_cluster(&object) {
        set_spec_paused(&mut object, Some(true));
    } else {
        object.annotate(PAUSED_ANNOTATION, Some("true"));
    }
    object
}

/// The object as it was before it was paused for a move.
#[must_use]
pub fn resumed(object: &Object) -> Object {
    let mut object = object.clone();
    object.annotate(PAUSED_FOR_MOVE, None);
    if is_cluster(&object) {
        // Left out rather than `false`: the field then has no owner whom others would have to agree with.
        set_spec_paused(&mut object, None);
    } else {
        object.annotate(PAUSED_ANNOTATION, None);
    }
    object
}

fn set_spec_paused(object: &mut Object, paused: Option<bool>) {
    if let Some(spec) = object.0.get_mut("spec").and_then(Value::as_object_mut) {
        match paused {
            Some(paused) => spec.insert("paused".to_owned(), json!(paused)),
            None => spec.remove("paused"),
        };
    }
}

/// What has to be waited for before anything is copied.
#[must_use]
pub fn waiting(graph: &Graph, view: &View) -> Vec<Waiting> {
    let moved = graph.members.iter().filter(|member| !member.shared);
    moved
        .filter_map(|member| {
            let object = view.objects.get(&member.key)?;
            if object.annotation(BLOCK_MOVE).is_some() {
                Some(Waiting::Blocked(member.key.clone()))
            } else if is_acknowledged(object) {
                None
            } else {
                Some(Waiting::Unacknowledged(member.key.clone()))
            }
        })
        .collect()
}

/// Whether a controller has said that it has paused, or has nothing to say.
fn is_acknowledged(object: &Object) -> bool {
    let key = object.key();
    let reports = REPORTING.iter().any(|(group, kind)| key.is(group, kind));
    let Some(condition) = object.condition("Paused") else {
        return !reports;
    };
    let generation = object.0.pointer("/metadata/generation");
    condition["status"] == "True" && condition.get("observedGeneration") == generation
}
