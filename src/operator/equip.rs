//! Installs Cluster API and its providers in a cluster.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use k8s_openapi::{
    ByteString,
    api::{
        apps::v1::{Deployment, DeploymentCondition},
        core::v1::Secret,
    },
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, ObjectMeta, PostParams},
    core::GroupVersionKind,
};
use serde_json::Value;

use crate::{
    clusters::{
        bootstrap::{Authority, AuthorityError},
        equipment::{
            CERTIFICATE_KEY, Endpoint, Equipment, KEY_KEY, Needs, PARTS, PROVIDER, Part, ROOT_KEY,
        },
    },
    operator::objects::{self, Refused, said},
};

const FIELD_MANAGER: &str = "lattice.dev/equipment";
/// Most objects of a kind that providers are installed with.
const MOST: u32 = 1_000;

/// Why Cluster API is not installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EquipError {
    /// An API server does not answer, or not as it should.
    #[error("the API server: {}", said(.0))]
    Api(#[from] kube::Error),
    /// It refuses an object.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// An object is none.
    #[error("cannot read or write an object as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A certificate cannot be made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// There is nothing to install.
    #[error(
        "nothing here has the label {PROVIDER}, by which Cluster API's installation is known; install its providers with `clusterctl init` or from their releases"
    )]
    Nothing,
}

/// What a cluster needs of what is installed here.
pub(crate) async fn installed(client: &Client, needs: &Needs) -> Result<Equipment, EquipError> {
    let mut objects = Vec::new();
    for part in &PARTS {
        objects.extend(all_of(client, part).await?);
    }
    let equipment = Equipment::of_installed(objects, needs);
    match equipment.is_empty() {
        true => Err(EquipError::Nothing),
        false => Ok(equipment),
    }
}

async fn all_of(client: &Client, part: &Part) -> Result<Vec<Value>, EquipError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource(part));
    let params = ListParams::default().labels(PROVIDER).limit(MOST);
    let listed = api.list(&params).await?.items.into_iter();
    let version = version(part);
    let values = listed.map(|object| {
        let mut value = serde_json::to_value(object)?;
        // Lists leave them out.
        value["apiVersion"] = version.clone().into();
        value["kind"] = part.kind.into();
        Ok(value)
    });
    values.collect()
}

/// Installs it, or brings it up to date, with certificates that are made here.
///
/// # Errors
/// If the API server refuses something.
pub async fn install(
    client: &Client,
    equipment: &Equipment,
    now: DateTime<Utc>,
) -> Result<(), EquipError> {
    for namespace in equipment
        .objects()
        .iter()
        .filter(|o| o["kind"] == "Namespace")
    {
        apply(client, namespace).await?;
    }
    let mut authorities = BTreeMap::new();
    for endpoint in equipment.endpoints() {
        let authority = certificate(client, &endpoint, now).await?;
        authorities.insert(endpoint, authority);
    }
    for object in equipment.trusting(&authorities).objects() {
        apply(client, object).await?;
    }
    Ok(())
}

/// The authority of an endpoint's certificate, which is made if there is none.
async fn certificate(
    client: &Client,
    endpoint: &Endpoint,
    now: DateTime<Utc>,
) -> Result<String, EquipError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &endpoint.namespace);
    let name = endpoint.secret();
    if let Some(authority) = secrets.get_opt(&name).await?.and_then(authority_of) {
        return Ok(authority);
    }
    let authority = Authority::generate(&endpoint.service, now)?;
    let (certificate, key) = authority.certify_webhook(&endpoint.hosts(), now)?;
    let values = [
        (CERTIFICATE_KEY, certificate.as_str()),
        (KEY_KEY, &key),
        (ROOT_KEY, authority.certificate()),
    ];
    let values = values.map(|(key, text)| (key.to_owned(), text.to_owned()));
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        },
        string_data: Some(values.into()),
        type_: Some("kubernetes.io/tls".to_owned()),
        ..Secret::default()
    };
    match secrets.create(&PostParams::default(), &secret).await {
        Ok(_) => Ok(authority.certificate().to_owned()),
        // Another operator was quicker; its authority signed the certificate that is there.
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            let made = secrets.get(&name).await?;
            Ok(authority_of(made).unwrap_or_default())
        }
        Err(error) => Err(error.into()),
    }
}

fn authority_of(secret: Secret) -> Option<String> {
    let ByteString(bytes) = secret.data?.remove(ROOT_KEY)?;
    String::from_utf8(bytes).ok()
}

async fn apply(client: &Client, value: &Value) -> Result<(), EquipError> {
    let object: DynamicObject = serde_json::from_value(value.clone())?;
    Ok(objects::apply(client, FIELD_MANAGER, &object).await?)
}

/// The first of these Deployments that does not work yet, and why.
pub(crate) async fn not_working(
    client: &Client,
    deployments: &[(String, String)],
) -> Result<Option<String>, EquipError> {
    for (namespace, name) in deployments {
        let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
        let found = api.get_opt(name).await?;
        let status = found.and_then(|deployment| deployment.status);
        let conditions = status.and_then(|status| status.conditions);
        let available = conditions
            .into_iter()
            .flatten()
            .find(|condition| condition.type_.as_deref() == Some("Available"));
        let is_true = |condition: &DeploymentCondition| condition.status.as_deref() == Some("True");
        if !available.as_ref().is_some_and(is_true) {
            let why = available.and_then(|condition| condition.message);
            let why = why.unwrap_or_else(|| "nothing is known of it yet".to_owned());
            return Ok(Some(format!("Deployment {namespace}/{name}: {why}")));
        }
    }
    Ok(None)
}

fn resource(part: &Part) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(part.group, "v1", part.kind))
}

fn version(part: &Part) -> String {
    match part.group {
        "" => "v1".to_owned(),
        group => format!("{group}/v1"),
    }
}
