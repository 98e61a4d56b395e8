//! Writes that are alike for objects of every kind.

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams},
    core::{GroupVersionKind, gvk::ParseGroupVersionError},
};

/// The API server refuses an object.
#[derive(Debug, thiserror::Error)]
#[error("{kind} {name} is refused: {source}")]
pub struct Refused {
    kind: String,
    name: String,
    source: Box<Error>,
}

/// Why an object is refused.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Kind(#[from] ParseGroupVersionError),
    #[error("{}", said(.0))]
    Api(#[from] kube::Error),
}

/// An error in the words of the API server, where they are its own: what a person reads in a condition.
pub(crate) fn said(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        other => other.to_string(),
    }
}

/// Where objects of a kind are: in a namespace, or in none.
pub(crate) fn api(
    client: &Client,
    resource: &ApiResource,
    namespace: Option<&str>,
) -> Api<DynamicObject> {
    match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, resource),
        None => Api::all_with(client.clone(), resource),
    }
}

/// Applies an object server-side, and takes over what others state of the same fields.
pub(crate) async fn apply(
    client: &Client,
    manager: &str,
    object: &DynamicObject,
) -> Result<(), Refused> {
    let types = object.types.clone().unwrap_or_default();
    let name = object.name_any();
    let applied = async {
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
        let api = api(client, &resource, object.namespace().as_deref());
        let params = PatchParams::apply(manager).force();
        api.patch(&name, &params, &Patch::Apply(object)).await?;
        Ok::<_, Error>(())
    };
    let applied = applied.await;
    applied.map_err(|source| Refused {
        kind: types.kind,
        name: object.name_any(),
        source: Box::new(source),
    })
}

/// Makes a namespace where it is not there; somebody else may be quicker.
pub(crate) async fn ensure_namespace(client: &Client, name: &str) -> kube::Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    if namespaces.get_opt(name).await?.is_some() {
        return Ok(());
    }
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    match namespaces.create(&PostParams::default(), &namespace).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other.map(drop),
    }
}

/// For what may not be there, or not even its kind.
pub(crate) fn if_there<T>(result: kube::Result<T>) -> kube::Result<Option<T>> {
    match result {
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
        other => other.map(Some),
    }
}

/// For what is not to be there in the end.
pub(crate) fn gone_is_fine<T>(result: kube::Result<T>) -> kube::Result<()> {
    if_there(result).map(drop)
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn a_person_reads_what_the_api_server_says_and_not_what_it_comes_in() {
        let status = Status::failure("etcdserver: request timed out", "").boxed();
        let refused = Refused {
            kind: "Namespace".to_owned(),
            name: "a".to_owned(),
            source: Box::new(Error::Api(kube::Error::Api(status))),
        };
        assert_eq!(
            refused.to_string(),
            "Namespace a is refused: etcdserver: request timed out"
        );
    }
}
