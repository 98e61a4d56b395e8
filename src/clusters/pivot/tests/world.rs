//! Two API servers in memory, whose clients are killed after so many writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use serde_json::{Value, json};

use crate::clusters::pivot::{
    ClusterName, Port, Refusal, Request, Response, Side, View,
    deed::{Deed, deed_key, owner},
    kind::{ADDONS_GROUP, CORE_GROUP, Kind, Moves},
    object::{Key, Object},
    pause::is_paused,
    view::cluster_key,
};

pub(super) const NAMESPACE: &str = "fleet";

pub(super) fn cluster() -> ClusterName {
    ClusterName::new(NAMESPACE, "c1")
}

fn custom(group: &str, kind: &str, moves: Moves) -> Kind {
    Kind {
        group: group.to_owned(),
        version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: format!("{}s", kind.to_lowercase()),
        namespaced: kind != "Identity",
        moves,
    }
}

pub(super) fn kinds() -> Vec<Kind> {
    vec![
        custom(CORE_GROUP, "Cluster", Moves::WithDependents),
        custom(CORE_GROUP, "ClusterClass", Moves::WithDependents),
        custom(CORE_GROUP, "Machine", Moves::WhenOwned),
        custom(ADDONS_GROUP, "ClusterResourceSet", Moves::WithDependents),
        custom(ADDONS_GROUP, "ClusterResourceSetBinding", Moves::WhenOwned),
        custom("infra.example.com", "Box", Moves::WhenOwned),
        custom("infra.example.com", "Identity", Moves::WithDependents),
        Kind::secret(),
        Kind::config_map(),
    ]
}

/// One API server.
#[derive(Debug)]
pub(super) struct Server {
    name: &'static str,
    count: AtomicU64,
    pub(super) objects: Mutex<BTreeMap<Key, Object>>,
    pub(super) kinds: Vec<Kind>,
}

impl Server {
    pub(super) fn new(name: &'static str) -> Self {
        Self {
            name,
            count: AtomicU64::new(1),
            objects: Mutex::default(),
            kinds: kinds(),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Object> {
        self.objects.lock().unwrap().get(key).cloned()
    }

    /// Makes an object as a person or controller would, status and all.
    pub(super) fn put(&self, mut object: Object) -> Object {
        let status = object.0.get("status").cloned();
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        object.set_metadata("uid", json!(format!("{}-{number}", self.name)));
        object.set_metadata("resourceVersion", json!(number.to_string()));
        object.set_metadata("generation", json!(1));
        if let Some(status) = status {
            object.0["status"] = status;
        }
        self.objects
            .lock()
            .unwrap()
            .insert(object.key(), object.clone());
        object
    }

    /// Changes an object as a person or controller would.
    pub(super) fn change(&self, key: &Key, change: impl FnOnce(&mut Object)) {
        let mut object = self.get(key).unwrap();
        change(&mut object);
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        object.set_metadata("resourceVersion", json!(number.to_string()));
        self.objects.lock().unwrap().insert(key.clone(), object);
    }

    /// Controllers that report their pause at once.
    pub(super) fn acknowledge(&self) {
        for (key, object) in self.objects.lock().unwrap().iter_mut() {
            if key.group == CORE_GROUP {
                let generation = object.0["metadata"]["generation"].clone();
                let paused =
                    json!([{"type": "Paused", "status": "True", "observedGeneration": generation}]);
                object.0["status"]["conditions"] = match object.0["status"]["conditions"].take() {
                    Value::Array(mut list) => {
                        list.retain(|condition| condition["type"] != "Paused");
                        list.extend(paused.as_array().unwrap().clone());
                        list.into()
                    }
                    _ => paused,
                };
            }
        }
    }

    fn held(&self, object: &Object) -> Result<Object, Refusal> {
        let held = self.get(&object.key());
        let held = held.filter(|held| {
            held.uid() == object.uid() && held.resource_version() == object.resource_version()
        });
        held.ok_or_else(|| Refusal::Stale(object.key().to_string()))
    }

    fn store(&self, mut object: Object) -> Object {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        object.set_metadata("resourceVersion", json!(number.to_string()));
        let mut objects = self.objects.lock().unwrap();
        if object.is_being_deleted() && object.list("/metadata/finalizers").is_empty() {
            objects.remove(&object.key());
        } else {
            objects.insert(object.key(), object.clone());
        }
        object
    }

    fn answer(&self, request: Request) -> Result<Response, Refusal> {
        match request {
            Request::View(cluster) => {
                let objects = self.objects.lock().unwrap();
                let all = objects.values().cloned();
                let namespaces: BTreeSet<String> = objects
                    .keys()
                    .filter(|key| key.kind == "Namespace")
                    .map(|key| key.name.clone())
                    .collect();
                let deed = objects.get(&deed_key(&cluster)).cloned();
                let view = View::new(&cluster, self.kinds.clone(), all, namespaces, deed);
                Ok(Response::View(Box::new(view)))
            }
            Request::Create { kind, mut object } => {
                if self.get(&object.key()).is_some() {
                    return Err(Refusal::Stale("exists".to_owned()));
                }
                let namespace = Key::new("", "Namespace", "", &object.key().namespace);
                if kind.namespaced && self.get(&namespace).is_none() {
                    return Err(Refusal::Stale("no such namespace".to_owned()));
                }
                if kind.is_custom() {
                    object.0.as_object_mut().unwrap().remove("status");
                }
                Ok(Response::Object(self.put(object)))
            }
            Request::Replace { mut object, .. } => {
                let held = self.held(&object)?;
                let before = held.0["metadata"]["generation"].as_i64().unwrap();
                let changed = held.0.get("spec") != object.0.get("spec");
                object.set_metadata("generation", json!(before + i64::from(changed)));
                match held.0.get("status") {
                    Some(status) => object.0["status"] = status.clone(),
                    None => {
                        object.0.as_object_mut().unwrap().remove("status");
                    }
                }
                Ok(Response::Object(self.store(object)))
            }
            Request::ReplaceStatus { object, .. } => {
                let mut held = self.held(&object)?;
                held.0["status"] = object.0["status"].clone();
                Ok(Response::Object(self.store(held)))
            }
            Request::Delete {
                key,
                uid,
                resource_version,
                ..
            } => {
                let mut object = self.get(&key).ok_or(Refusal::Stale("gone".to_owned()))?;
                if object.uid() != uid || object.resource_version() != resource_version {
                    return Err(Refusal::Stale("changed".to_owned()));
                }
                object.set_metadata("deletionTimestamp", json!("now"));
                self.store(object);
                Ok(Response::Deleted)
            }
        }
    }
}

impl Port for Server {
    async fn call(&self, request: Request) -> Result<Response, Refusal> {
        self.answer(request)
    }
}

/// Both API servers, watched: after every write somebody asks who may act.
pub(super) struct World {
    pub(super) source: Server,
    pub(super) target: Server,
    /// Writes until whoever writes is killed.
    pub(super) left: AtomicI64,
    pub(super) writes: AtomicU64,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            source: Server::new("s"),
            target: Server::new("t"),
            left: AtomicI64::new(i64::MAX),
            writes: AtomicU64::new(0),
        }
    }

    pub(super) fn side(&self, side: Side) -> Watched<'_> {
        Watched { world: self, side }
    }

    /// Who owns the cluster, after a check that nobody else may act.
    pub(super) fn owner(&self) -> Side {
        let deed = |side, server: &Server| {
            let stored = server.get(&deed_key(&cluster()));
            stored.map(|stored| Deed::read(side, &stored).unwrap())
        };
        let (source, target) = (
            deed(Side::Source, &self.source),
            deed(Side::Target, &self.target),
        );
        let owner = owner(source.as_ref(), target.as_ref());
        let other = match owner {
            Side::Source => &self.target,
            Side::Target => &self.source,
        };
        let acting = other.get(&cluster_key(&cluster()));
        assert!(
            acting.is_none_or(|cluster| is_paused(&cluster)),
            "the {owner} owns the cluster, and the other side acts on it"
        );
        owner
    }
}

/// One side of a watched world.
pub(super) struct Watched<'a> {
    world: &'a World,
    side: Side,
}

impl Port for Watched<'_> {
    async fn call(&self, request: Request) -> Result<Response, Refusal> {
        let server = match self.side {
            Side::Source => &self.world.source,
            Side::Target => &self.world.target,
        };
        let writes = !matches!(request, Request::View(_));
        if self.world.left.load(Ordering::Relaxed) <= 0 {
            return Err(Refusal::Unreachable("killed".to_owned()));
        }
        let answer = server.answer(request);
        if writes && answer.is_ok() {
            self.world.writes.fetch_add(1, Ordering::Relaxed);
            self.world.owner();
            if self.world.left.fetch_sub(1, Ordering::Relaxed) == 1 {
                return Err(Refusal::Unreachable("killed".to_owned()));
            }
        }
        answer
    }
}
