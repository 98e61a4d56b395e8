//! What the sides hold.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    ClusterName, PivotError, Port, Request, Response, Side,
    deed::{Deed, deed_key},
    kind::{CORE_GROUP, Kind},
    object::{Key, Object},
};

/// What one side holds of a cluster and around it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// The kinds that it could hold.
    pub kinds: Vec<Kind>,
    /// Every object of these kinds that may have to do with the cluster.
    #[serde(with = "as_list")]
    pub objects: BTreeMap<Key, Object>,
    /// The namespaces there are.
    pub namespaces: BTreeSet<String>,
    /// The deed, read before everything else.
    pub deed: Option<Object>,
}

impl View {
    /// Puts together what was read. The deed is not one of the objects.
    #[must_use]
    pub fn new(
        cluster: &ClusterName,
        kinds: Vec<Kind>,
        objects: impl IntoIterator<Item = Object>,
        namespaces: BTreeSet<String>,
        deed: Option<Object>,
    ) -> Self {
        let mut objects: BTreeMap<Key, Object> = objects
            .into_iter()
            .map(|object| (object.key(), object))
            .collect();
        objects.remove(&deed_key(cluster));
        Self {
            kinds,
            objects,
            namespaces,
            deed,
        }
    }

    /// The kind of an object.
    #[must_use]
    pub fn kind(&self, key: &Key) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.is_of(key))
    }

    /// Objects by UID.
    #[must_use]
    pub fn uids(&self) -> BTreeMap<&str, &Key> {
        let pairs = self.objects.iter().map(|(key, object)| (object.uid(), key));
        pairs.collect()
    }

    /// The namespaces in which a cluster's objects are looked for: its own, and its class's.
    #[must_use]
    pub fn places(cluster: &ClusterName, object: Option<&Object>) -> BTreeSet<String> {
        let class = object
            .and_then(|object| object.0.pointer("/spec/topology/classRef/namespace"))
            .and_then(Value::as_str);
        let class = class.filter(|namespace| !namespace.is_empty());
        [Some(cluster.namespace.as_str()), class]
            .into_iter()
            .flatten()
            .map(str::to_owned)
            .collect()
    }
}

/// The key of the `Cluster`.
#[must_use]
pub fn cluster_key(cluster: &ClusterName) -> Key {
    Key::new(CORE_GROUP, "Cluster", &cluster.namespace, &cluster.name)
}

/// Both sides of a move.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// Which cluster.
    pub cluster: ClusterName,
    /// Where its objects come from.
    pub source: View,
    /// Where they go.
    pub target: View,
}

impl Observed {
    /// One of the sides.
    #[must_use]
    pub fn side(&self, side: Side) -> &View {
        match side {
            Side::Source => &self.source,
            Side::Target => &self.target,
        }
    }

    /// What the deed of a side says.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn deed(&self, side: Side) -> Result<Option<Deed>, PivotError> {
        let stored = self.side(side).deed.as_ref();
        stored.map(|object| Deed::read(side, object)).transpose()
    }
}

/// Looks at both sides.
///
/// The target first, and there the deed first: a move is handed over only under the deed that was seen, and whatever
/// was seen of the source was then seen after it.
///
/// # Errors
/// If a side does not answer.
pub async fn observe<S: Port, T: Port>(
    source: &S,
    target: &T,
    cluster: &ClusterName,
) -> Result<Observed, PivotError> {
    Ok(Observed {
        target: view(target, Side::Target, cluster).await?,
        source: view(source, Side::Source, cluster).await?,
        cluster: cluster.clone(),
    })
}

async fn view<P: Port>(port: &P, side: Side, cluster: &ClusterName) -> Result<View, PivotError> {
    match port.call(Request::View(cluster.clone())).await {
        Ok(Response::View(view)) => Ok(*view),
        Ok(_) => Err(PivotError::Unexpected { side }),
        Err(refusal) => Err(PivotError::Unreadable { side, refusal }),
    }
}

/// JSON has no keys but texts.
mod as_list {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Key, Object};

    pub(super) fn serialize<S: Serializer>(
        objects: &BTreeMap<Key, Object>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        objects.values().collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Key, Object>, D::Error> {
        let objects = Vec::<Object>::deserialize(deserializer)?;
        Ok(objects
            .into_iter()
            .map(|object| (object.key(), object))
            .collect())
    }
}
