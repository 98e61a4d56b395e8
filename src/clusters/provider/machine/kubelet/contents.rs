//! What a pod's volumes hold and its variables say, fetched with the rights of the node.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, EnvVarSource, KeyToPath, ObjectFieldSelector, Pod, Secret,
    ServiceAccount, ServiceAccountTokenProjection, Volume,
};
use kube::{Api, Client, ResourceExt};

use super::super::MachineError;
use super::status::Place;

type Files = BTreeMap<String, Vec<u8>>;

/// The pod whose contents are asked for.
pub(super) struct Source<'a> {
    pub(super) client: &'a Client,
    pub(super) pod: &'a Pod,
    pub(super) place: Place,
    /// Where the API server is reached from a pod.
    pub(super) api_server: (String, String),
}

impl Source<'_> {
    fn namespace(&self) -> String {
        self.pod.namespace().unwrap_or_default()
    }

    /// Puts the volume's content below the folder and says where it is. Done again, it refreshes it.
    pub(super) async fn volume(
        &self,
        volume: &Volume,
        folder: &Path,
    ) -> Result<PathBuf, MachineError> {
        if let Some(host) = &volume.host_path {
            return Ok(PathBuf::from(&host.path));
        }
        let place = folder.join(&volume.name);
        fs::create_dir_all(&place).map_err(MachineError::file("make", &place))?;
        if volume.empty_dir.is_none() {
            for (name, content) in self.files(volume).await? {
                replace(&place, &name, &content)?;
            }
        }
        Ok(place)
    }

    async fn files(&self, volume: &Volume) -> Result<Files, MachineError> {
        if let Some(secret) = &volume.secret {
            let name = secret.secret_name.as_deref().unwrap_or_default();
            let optional = secret.optional == Some(true);
            return Ok(chosen(
                self.secret(name, optional).await?,
                secret.items.as_deref(),
            ));
        }
        if let Some(map) = &volume.config_map {
            let optional = map.optional == Some(true);
            return Ok(chosen(
                self.config_map(&map.name, optional).await?,
                map.items.as_deref(),
            ));
        }
        if let Some(downward) = &volume.downward_api {
            let items = downward.items.iter().flatten();
            return Ok(items
                .map(|item| {
                    (
                        item.path.clone(),
                        self.field(item.field_ref.as_ref()).into_bytes(),
                    )
                })
                .collect());
        }
        let Some(projected) = &volume.projected else {
            return Err(MachineError::Pod(format!(
                "volume {} is of a type that a local machine does not have",
                volume.name
            )));
        };
        let mut files = Files::new();
        for source in projected.sources.iter().flatten() {
            if let Some(token) = &source.service_account_token {
                files.insert(token.path.clone(), self.token(token).await?.into_bytes());
            }
            if let Some(secret) = &source.secret {
                let found = self
                    .secret(&secret.name, secret.optional == Some(true))
                    .await?;
                files.extend(chosen(found, secret.items.as_deref()));
            }
            if let Some(map) = &source.config_map {
                let found = self
                    .config_map(&map.name, map.optional == Some(true))
                    .await?;
                files.extend(chosen(found, map.items.as_deref()));
            }
            for item in source
                .downward_api
                .iter()
                .flat_map(|api| api.items.iter().flatten())
            {
                files.insert(
                    item.path.clone(),
                    self.field(item.field_ref.as_ref()).into_bytes(),
                );
            }
        }
        Ok(files)
    }

    /// The variables of a container, each after those that it may refer to.
    pub(super) async fn environment(
        &self,
        container: &Container,
    ) -> Result<Vec<(String, String)>, MachineError> {
        let (host, port) = &self.api_server;
        let mut all = vec![
            ("PATH".to_owned(), super::super::SEARCH_PATH.to_owned()),
            ("HOSTNAME".to_owned(), self.pod.name_any()),
            ("KUBERNETES_SERVICE_HOST".to_owned(), host.clone()),
            ("KUBERNETES_SERVICE_PORT".to_owned(), port.clone()),
        ];
        for from in container.env_from.iter().flatten() {
            let prefix = from.prefix.clone().unwrap_or_default();
            let files = match (&from.secret_ref, &from.config_map_ref) {
                (Some(secret), _) => {
                    self.secret(&secret.name, secret.optional == Some(true))
                        .await?
                }
                (_, Some(map)) => {
                    self.config_map(&map.name, map.optional == Some(true))
                        .await?
                }
                (None, None) => continue,
            };
            all.extend(
                files
                    .into_iter()
                    .map(|(name, value)| (format!("{prefix}{name}"), text(&value))),
            );
        }
        for variable in container.env.iter().flatten() {
            let value = match (&variable.value, &variable.value_from) {
                (Some(value), _) => Some(super::command::expand(value, &all)),
                (None, Some(from)) => self.variable(from).await?,
                (None, None) => Some(String::new()),
            };
            all.extend(value.map(|value| (variable.name.clone(), value)));
        }
        Ok(all)
    }

    async fn variable(&self, from: &EnvVarSource) -> Result<Option<String>, MachineError> {
        if let Some(key) = &from.secret_key_ref {
            let optional = key.optional == Some(true);
            let found = self.secret(&key.name, optional).await?;
            return picked(&found, "Secret", &key.name, &key.key, optional);
        }
        if let Some(key) = &from.config_map_key_ref {
            let optional = key.optional == Some(true);
            let found = self.config_map(&key.name, optional).await?;
            return picked(&found, "ConfigMap", &key.name, &key.key, optional);
        }
        Ok(from.field_ref.as_ref().map(|field| self.field(Some(field))))
    }

    fn field(&self, selector: Option<&ObjectFieldSelector>) -> String {
        field(
            self.pod,
            self.place,
            selector
                .map(|field| field.field_path.as_str())
                .unwrap_or_default(),
        )
    }

    async fn secret(&self, name: &str, optional: bool) -> Result<Files, MachineError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace());
        let found = secrets
            .get_opt(name)
            .await
            .map_err(MachineError::api(format!("read the Secret {name}")))?;
        let Some(secret) = found else {
            return absent("Secret", name, optional);
        };
        let data = secret.data.into_iter().flatten();
        Ok(data.map(|(key, value)| (key, value.0)).collect())
    }

    async fn config_map(&self, name: &str, optional: bool) -> Result<Files, MachineError> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), &self.namespace());
        let found = maps
            .get_opt(name)
            .await
            .map_err(MachineError::api(format!("read the ConfigMap {name}")))?;
        let Some(map) = found else {
            return absent("ConfigMap", name, optional);
        };
        let texts = map
            .data
            .into_iter()
            .flatten()
            .map(|(key, value)| (key, value.into_bytes()));
        let binary = map
            .binary_data
            .into_iter()
            .flatten()
            .map(|(key, value)| (key, value.0));
        Ok(texts.chain(binary).collect())
    }

    async fn token(&self, wanted: &ServiceAccountTokenProjection) -> Result<String, MachineError> {
        let spec = self.pod.spec.as_ref();
        let account = spec
            .and_then(|spec| spec.service_account_name.as_deref())
            .unwrap_or("default");
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &self.namespace());
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                audiences: wanted.audience.clone().map(|audience| vec![audience]),
                expiration_seconds: wanted.expiration_seconds,
                bound_object_ref: Some(BoundObjectReference {
                    api_version: Some("v1".to_owned()),
                    kind: Some("Pod".to_owned()),
                    name: self.pod.metadata.name.clone(),
                    uid: self.pod.metadata.uid.clone(),
                }),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(account, &kube::api::PostParams::default(), &request)
            .await
            .map_err(MachineError::api(format!("ask for a token of {account}")))?;
        Ok(answer
            .status
            .and_then(|status| status.token)
            .unwrap_or_default())
    }
}

/// A field of the pod, by its path.
fn field(pod: &Pod, place: Place, path: &str) -> String {
    let spec = pod.spec.as_ref();
    let map = |values: &Option<BTreeMap<String, String>>, key: &str| {
        values.as_ref().and_then(|values| values.get(key)).cloned()
    };
    let inner = |kind: &str| {
        let rest = path.strip_prefix(kind)?.strip_prefix("['")?;
        rest.strip_suffix("']")
    };
    let found = match path {
        "metadata.name" => pod.metadata.name.clone(),
        "metadata.namespace" => pod.metadata.namespace.clone(),
        "metadata.uid" => pod.metadata.uid.clone(),
        "spec.nodeName" => spec.and_then(|spec| spec.node_name.clone()),
        "spec.serviceAccountName" => spec.and_then(|spec| spec.service_account_name.clone()),
        "status.podIP" | "status.podIPs" => Some(place.pod.to_string()),
        "status.hostIP" | "status.hostIPs" => Some(place.host.to_string()),
        _ => inner("metadata.labels")
            .and_then(|key| map(&pod.metadata.labels, key))
            .or_else(|| {
                inner("metadata.annotations").and_then(|key| map(&pod.metadata.annotations, key))
            }),
    };
    found.unwrap_or_default()
}

fn absent(kind: &str, name: &str, optional: bool) -> Result<Files, MachineError> {
    if optional {
        return Ok(Files::new());
    }
    Err(MachineError::Pod(format!("{kind} \"{name}\" not found")))
}

fn picked(
    files: &Files,
    kind: &str,
    name: &str,
    key: &str,
    optional: bool,
) -> Result<Option<String>, MachineError> {
    match files.get(key) {
        Some(value) => Ok(Some(text(value))),
        None if optional => Ok(None),
        None => Err(MachineError::Pod(format!(
            "{kind} \"{name}\" has no key {key}"
        ))),
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

/// All files, or those that are asked for under the names that are asked for.
fn chosen(files: Files, items: Option<&[KeyToPath]>) -> Files {
    match items {
        None | Some([]) => files,
        Some(items) => items
            .iter()
            .filter_map(|item| Some((item.path.clone(), files.get(&item.key)?.clone())))
            .collect(),
    }
}

/// Replaces a file as a whole, so that a reader has the old or the new one.
fn replace(folder: &Path, name: &str, content: &[u8]) -> Result<(), MachineError> {
    let path = folder.join(name);
    let wrong = || MachineError::file("write", &path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(wrong())?;
    }
    let next = folder.join(".next");
    fs::write(&next, content).map_err(wrong())?;
    fs::rename(&next, &path).map_err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_paths() {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p", "labels": {"a/b": "c"}},
            "spec": {"nodeName": "n", "containers": []},
        }))
        .unwrap();
        let place = Place {
            host: [10, 0, 0, 1].into(),
            pod: [10, 0, 0, 2].into(),
        };
        for (path, value) in [
            ("metadata.name", "p"),
            ("metadata.labels['a/b']", "c"),
            ("spec.nodeName", "n"),
            ("status.podIP", "10.0.0.2"),
            ("status.hostIP", "10.0.0.1"),
            ("metadata.nothing", ""),
        ] {
            assert_eq!(field(&pod, place, path), value, "{path}");
        }
    }

    #[test]
    fn items_choose_and_rename() {
        let files = Files::from([("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])]);
        assert_eq!(chosen(files.clone(), None).len(), 2);
        let item = KeyToPath {
            key: "a".to_owned(),
            path: "x/y".to_owned(),
            ..KeyToPath::default()
        };
        let some = chosen(files, Some(&[item]));
        assert_eq!(some, Files::from([("x/y".to_owned(), vec![1])]));
        let folder = tempfile::tempdir().unwrap();
        replace(folder.path(), "x/y", &some["x/y"]).unwrap();
        assert_eq!(fs::read(folder.path().join("x/y")).unwrap(), [1]);
    }
}
