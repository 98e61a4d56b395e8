//! A side that is an API server within reach.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Client, Resource,
    api::{
        ApiResource, DeleteParams, DynamicObject, GetParams, ListParams, PostParams, Preconditions,
    },
    core::Request as Rest,
};
use serde_json::Value;

use crate::clusters::{
    labels,
    pivot::{
        ClusterName, FIELD_MANAGER, Port, Refusal, Request, Response, View,
        deed::deed_key,
        kind::{CLUSTERCTL_LABEL, Kind, MOVE_HIERARCHY_LABEL, MOVE_LABEL, kinds},
        object::{Key, Object},
        view::cluster_key,
    },
};

/// Lists that are asked for at a time.
const AT_A_TIME: usize = 8;
/// Objects of a page.
const PAGE: u32 = 500;
/// Pages of one list.
const MOST_PAGES: u32 = 1_000;

/// An API server within reach.
pub struct Direct {
    client: Client,
    /// CRDs are large and rarely change: each is read once for each of its resource versions.
    definitions: Mutex<BTreeMap<String, Object>>,
}

impl Direct {
    /// The API server of this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            definitions: Mutex::default(),
        }
    }

    async fn view(&self, cluster: &ClusterName) -> Result<View, Refusal> {
        let deed = self.get(&Kind::config_map(), &deed_key(cluster)).await?;
        let kinds = kinds(&self.definitions().await?);
        let root = cluster_key(cluster);
        let object = match kinds.iter().find(|kind| kind.is_of(&root)) {
            Some(kind) => self.get(kind, &root).await?,
            None => None,
        };
        let places = View::places(cluster, object.as_ref());
        let objects = self.objects(&kinds, &places, &cluster.name).await?;
        let namespaces = self.list(&Kind::namespace(), None, None).await?;
        let namespaces = namespaces.iter().map(|namespace| namespace.key().name);
        Ok(View::new(
            cluster,
            kinds,
            objects,
            namespaces.collect(),
            deed,
        ))
    }

    /// Everything of these kinds in these namespaces, what has no namespace, and of the Secrets that say they move what
    /// that owns, or what is labelled as this cluster's, anywhere.
    async fn objects(
        &self,
        kinds: &[Kind],
        places: &BTreeSet<String>,
        name: &str,
    ) -> Result<Vec<Object>, Refusal> {
        let mut wanted: Vec<(Kind, Option<String>, Option<String>)> = Vec::new();
        for kind in kinds {
            if kind.namespaced {
                wanted.extend(
                    places
                        .iter()
                        .map(|place| (kind.clone(), Some(place.clone()), None)),
                );
            } else {
                wanted.push((kind.clone(), None, None));
            }
        }
        for label in [MOVE_LABEL, MOVE_HIERARCHY_LABEL] {
            wanted.push((Kind::secret(), None, Some(label.to_owned())));
        }
        let lists: Vec<Vec<Object>> = stream::iter(wanted)
            .map(|(kind, namespace, label)| async move {
                self.list(&kind, namespace.as_deref(), label.as_deref())
                    .await
            })
            .buffer_unordered(AT_A_TIME)
            .try_collect()
            .await?;
        let mut found: Vec<Object> = lists.into_iter().flatten().collect();
        let global: BTreeSet<String> = found
            .iter()
            .filter(|object| object.key().namespace.is_empty())
            .map(|object| object.uid().to_owned())
            .collect();
        found.retain(|object| {
            let namespace = object.key().namespace;
            let near = namespace.is_empty()
                || places.contains(&namespace)
                || object.label(labels::CLUSTER) == Some(name);
            near || object
                .owners()
                .iter()
                .any(|owner| global.contains(&owner.uid))
        });
        Ok(found)
    }

    /// The CRDs of Cluster API and its providers.
    async fn definitions(&self) -> Result<Vec<Object>, Refusal> {
        let path = CustomResourceDefinition::url_path(&(), None);
        let rest = Rest::new(path);
        let params = ListParams::default().labels(CLUSTERCTL_LABEL);
        let heads: Value = self
            .client
            .request(built(rest.list_metadata(&params))?)
            .await
            .map_err(refusal)?;
        let mut found = Vec::new();
        for head in heads["items"].as_array().into_iter().flatten() {
            let head = Object(head.clone());
            let name = head.text("/metadata/name").to_owned();
            let known = self.known(&name);
            let definition = match known {
                Some(known) if known.resource_version() == head.resource_version() => known,
                _ => {
                    let request = built(rest.get(&name, &GetParams::default()))?;
                    let mut read: Value = self.client.request(request).await.map_err(refusal)?;
                    // What is kept is small.
                    for version in read["spec"]["versions"]
                        .as_array_mut()
                        .into_iter()
                        .flatten()
                    {
                        version
                            .as_object_mut()
                            .map(|version| version.remove("schema"));
                    }
                    Object(read)
                }
            };
            let mut definitions = self
                .definitions
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            definitions.insert(name, definition.clone());
            found.push(definition);
        }
        Ok(found)
    }

    fn known(&self, name: &str) -> Option<Object> {
        let definitions = self
            .definitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        definitions.get(name).cloned()
    }

    async fn get(&self, kind: &Kind, key: &Key) -> Result<Option<Object>, Refusal> {
        let request = rest(kind, &key.namespace).get(&key.name, &GetParams::default());
        match self.client.request::<Value>(built(request)?).await {
            Ok(object) => Ok(Some(Object(object))),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(refusal(error)),
        }
    }

    /// All objects of a kind. One that was removed meanwhile has none.
    async fn list(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        label: Option<&str>,
    ) -> Result<Vec<Object>, Refusal> {
        let rest = rest(kind, namespace.unwrap_or_default());
        let mut params = ListParams::default().limit(PAGE);
        params.label_selector = label.map(str::to_owned);
        let mut found = Vec::new();
        for _ in 0..MOST_PAGES {
            let page = self
                .client
                .request::<Value>(built(rest.list(&params))?)
                .await;
            let mut page = match page {
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(found),
                page => page.map_err(refusal)?,
            };
            if let Value::Array(items) = page["items"].take() {
                found.extend(items.into_iter().map(|item| typed(item, kind)));
            }
            match page["metadata"]["continue"].as_str() {
                Some(next) if !next.is_empty() => params.continue_token = Some(next.to_owned()),
                _ => return Ok(found),
            }
        }
        let most = MOST_PAGES * PAGE;
        Err(Refusal::Denied(format!("more than {most} {}", kind.plural)))
    }
}

impl Port for Direct {
    async fn call(&self, request: Request) -> Result<Response, Refusal> {
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let name = |object: &Object| object.text("/metadata/name").to_owned();
        let at = |kind: &Kind, object: &Object| rest(kind, object.text("/metadata/namespace"));
        let deletes = matches!(request, Request::Delete { .. });
        let write = match request {
            Request::View(cluster) => {
                let view = self.view(&cluster).await?;
                return Ok(Response::View(Box::new(view)));
            }
            Request::Create { kind, object } => at(&kind, &object).create(&params, bytes(&object)),
            Request::Replace { kind, object } => {
                at(&kind, &object).replace(&name(&object), &params, bytes(&object))
            }
            Request::ReplaceStatus { kind, object } => {
                let (rest, body) = (at(&kind, &object), bytes(&object));
                rest.replace_subresource("status", &name(&object), &params, body)
            }
            Request::Delete {
                kind,
                key,
                uid,
                resource_version,
            } => {
                let params = DeleteParams::background().preconditions(Preconditions {
                    uid: Some(uid),
                    resource_version: Some(resource_version),
                });
                rest(&kind, &key.namespace).delete(&key.name, &params)
            }
        };
        let answer = self.client.request::<Value>(built(write)?).await;
        let object = answer.map_err(refusal)?;
        Ok(if deletes {
            Response::Deleted
        } else {
            Response::Object(Object(object))
        })
    }
}

fn rest(kind: &Kind, namespace: &str) -> Rest {
    let resource = ApiResource {
        group: kind.group.clone(),
        version: kind.version.clone(),
        api_version: kind.api_version(),
        kind: kind.kind.clone(),
        plural: kind.plural.clone(),
    };
    let namespace = (!namespace.is_empty()).then_some(namespace);
    Rest::new(DynamicObject::url_path(&resource, namespace))
}

/// Lists leave the type out of the core's objects.
fn typed(mut item: Value, kind: &Kind) -> Object {
    if let Some(map) = item.as_object_mut() {
        map.insert("apiVersion".to_owned(), kind.api_version().into());
        map.insert("kind".to_owned(), kind.kind.clone().into());
    }
    Object(item)
}

fn bytes(object: &Object) -> Vec<u8> {
    object.0.to_string().into_bytes()
}

fn built<R>(request: Result<R, kube::core::request::Error>) -> Result<R, Refusal> {
    request.map_err(|error| Refusal::Denied(error.to_string()))
}

fn refusal(error: kube::Error) -> Refusal {
    match error {
        kube::Error::Api(status) => {
            let message = format!("{} ({})", status.message, status.reason);
            match status.code {
                404 | 409 => Refusal::Stale(message),
                429 | 500.. => Refusal::Unreachable(message),
                _ => Refusal::Denied(message),
            }
        }
        error => Refusal::Unreachable(error.to_string()),
    }
}
