//! Who owns a cluster: one object on the target, whose replacement is the handover.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    ClusterName, FIELD_MANAGER, PivotError, Side,
    object::{Key, Object},
};

/// Label of deeds.
pub const DEED_LABEL: &str = "lattice.dev/pivot";

/// Where in the ConfigMap the deed is.
const FIELD: &str = "deed.json";

/// What one side holds in writing about a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deed {
    /// Number of the move. Later moves have greater ones, whichever way they go.
    pub epoch: u64,
    /// UID of the `Cluster` on the source.
    pub source_uid: String,
    /// How far the move is.
    pub state: State,
}

/// How far a move is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Objects are being copied here. The source owns the cluster.
    Receiving,
    /// This side owns the cluster.
    Owner(Inventory),
    /// The move was given up. The source owns the cluster.
    GivenUp,
}

/// What was handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Digest of the whole graph.
    pub digest: String,
    /// Every object, owners before what they own.
    pub objects: Vec<Item>,
}

/// An object that was handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    /// Which.
    #[serde(flatten)]
    pub key: Key,
    /// Its UID on the source.
    pub uid: String,
    /// Digest of what must not have changed since on the source.
    pub digest: String,
}

impl Deed {
    /// Reads the ConfigMap that holds a deed.
    ///
    /// # Errors
    /// If it holds none.
    pub fn read(side: Side, object: &Object) -> Result<Self, PivotError> {
        let text = object.0.pointer(&format!("/data/{FIELD}"));
        let text = text.and_then(Value::as_str).unwrap_or_default();
        serde_json::from_str(text).map_err(|error| PivotError::Deed {
            side,
            object: object.key(),
            error: error.to_string(),
        })
    }

    /// What was handed over, if it was.
    #[must_use]
    pub fn inventory(&self) -> Option<&Inventory> {
        match &self.state {
            State::Owner(inventory) => Some(inventory),
            State::Receiving | State::GivenUp => None,
        }
    }

    /// The ConfigMap that holds this deed, in the place of the one that is there. It goes when its owner goes.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn write(
        &self,
        cluster: &ClusterName,
        stored: Option<&Object>,
        owner: Option<&Object>,
    ) -> Result<Object, PivotError> {
        let text = serde_json::to_string(self).map_err(|error| PivotError::Deed {
            side: Side::Target,
            object: deed_key(cluster),
            error: error.to_string(),
        })?;
        let owners: Vec<Value> = owner
            .map(|owner| {
                json!({
                    "apiVersion": owner.text("/apiVersion"),
                    "kind": owner.text("/kind"),
                    "name": owner.text("/metadata/name"),
                    "uid": owner.uid(),
                })
            })
            .into_iter()
            .collect();
        let key = deed_key(cluster);
        let mut object = Object(json!({
            "apiVersion": "v1",
            "kind": key.kind,
            "metadata": {
                "name": key.name,
                "namespace": key.namespace,
                "labels": {DEED_LABEL: cluster.name},
                "ownerReferences": owners,
            },
            "data": {FIELD: text},
        }));
        if let Some(stored) = stored {
            object.set_metadata("uid", json!(stored.uid()));
            object.set_metadata("resourceVersion", json!(stored.resource_version()));
        }
        Ok(object)
    }
}

/// The key of the deed of a cluster, on either side.
#[must_use]
pub fn deed_key(cluster: &ClusterName) -> Key {
    let name = format!("{}-pivot", cluster.name);
    Key::new("", "ConfigMap", &cluster.namespace, &name)
}

/// Whose the cluster is, by the deeds of both sides: the latest that was handed over says so, and without any it
/// is the source's. There is no state in which it is nobody's or everybody's.
#[must_use]
pub fn owner(source: Option<&Deed>, target: Option<&Deed>) -> Side {
    let epoch = |deed: Option<&Deed>| {
        deed.filter(|deed| deed.inventory().is_some())
            .map(|deed| deed.epoch)
    };
    if epoch(target) > epoch(source) {
        Side::Target
    } else {
        Side::Source
    }
}

/// The number of the move that comes after all that the deeds know of.
#[must_use]
pub fn next_epoch(source: Option<&Deed>, target: Option<&Deed>) -> u64 {
    let known = [source, target].into_iter().flatten();
    1 + known.map(|deed| deed.epoch).max().unwrap_or_default()
}

/// Where a copy comes from: the annotation that tells a copy from what was there before.
pub(crate) const ORIGIN: &str = "lattice.dev/pivot-origin";

/// The value of [`ORIGIN`] on the copies of one `Cluster`'s objects: its UID there, and that of the object.
pub(crate) fn origin(cluster_uid: &str, object_uid: &str) -> String {
    format!("{cluster_uid}/{object_uid}")
}

/// Whether an object is a copy made in the move of the `Cluster` with this UID.
pub(crate) fn is_copy_of(object: &Object, cluster_uid: &str) -> bool {
    let origin = object.annotation(ORIGIN);
    origin
        .and_then(|origin| origin.split_once('/'))
        .is_some_and(|(cluster, _)| cluster == cluster_uid)
}

/// Annotation of what this program paused, so that what somebody else paused stays so.
pub(crate) const PAUSED_FOR_MOVE: &str = FIELD_MANAGER;
