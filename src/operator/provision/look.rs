//! One look at a cluster.

use chrono::{DateTime, Utc};
use k8s_openapi::{
    api::core::v1::Secret,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
    runtime::conditions::is_crd_established,
    runtime::wait::Condition as _,
};
use serde_json::Value;

use super::error::ProvisionError;
use crate::{
    clusters::{
        labels,
        lifecycle::Invitation,
        render::{Rendered, registration::registration_secret},
    },
    operator::{bootstrap, decision_log::NAMESPACE},
};

const CAPI_GROUP: &str = "cluster.x-k8s.io";
const CAPI_VERSION: &str = "v1beta2";
/// Most MachineDeployments of one cluster: as many as it can have node groups, old ones that are going included.
const MOST_DEPLOYMENTS: u32 = 1_500;

/// What there is of a cluster besides its LatticeCluster.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) capi: Option<Value>,
    pub(super) deployments: Vec<Value>,
    pub(super) has_credentials: bool,
    pub(super) invitation: Invitation,
}

/// Cluster API's `kind`.
pub(super) fn capi(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(CAPI_GROUP, CAPI_VERSION, kind))
}

/// Whether Cluster API serves its kinds here.
pub(super) async fn is_installed(client: &Client) -> Result<bool, ProvisionError> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let found = crds.get_opt(&format!("clusters.{CAPI_GROUP}")).await?;
    Ok(is_crd_established().matches_object(found.as_ref()))
}

/// Looks at all that there is of a cluster; of one that cannot be rendered, at what its namespace holds.
pub(super) async fn look(
    client: &Client,
    (name, namespace): (&str, &str),
    rendered: Option<&Rendered>,
    now: DateTime<Utc>,
) -> Result<Found, ProvisionError> {
    let cluster: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &capi("Cluster"));
    let deployments: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &capi("MachineDeployment"));
    let theirs = ListParams::default()
        .labels(&format!("{}={name}", labels::CLUSTER))
        .limit(MOST_DEPLOYMENTS);
    let capi = cluster.get_opt(name).await?;
    let deployments = deployments.list(&theirs).await?.items;
    let values = deployments.iter().map(serde_json::to_value);
    Ok(Found {
        capi: capi.map(serde_json::to_value).transpose()?,
        deployments: values.collect::<Result<_, _>>()?,
        has_credentials: has_credentials(client, rendered).await?,
        invitation: invitation(client, (name, namespace), rendered, now).await?,
    })
}

async fn has_credentials(
    client: &Client,
    rendered: Option<&Rendered>,
) -> Result<bool, ProvisionError> {
    let Some(copy) = rendered.and_then(|rendered| rendered.credentials.as_ref()) else {
        return Ok(false);
    };
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    Ok(secrets.get_metadata_opt(&copy.from).await?.is_some())
}

async fn invitation(
    client: &Client,
    (name, namespace): (&str, &str),
    rendered: Option<&Rendered>,
    now: DateTime<Utc>,
) -> Result<Invitation, ProvisionError> {
    if !rendered.is_some_and(|rendered| rendered.registers) {
        return Ok(Invitation::None);
    }
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let handed_out = secrets.get_metadata_opt(&registration_secret(name)).await?;
    let grant = bootstrap::grant(client, name).await?;
    Ok(match (handed_out, grant) {
        (_, Some(grant)) if grant.used.is_some() => Invitation::Accepted {
            is_over: now >= grant.expires,
        },
        (Some(_), Some(grant)) if now < grant.expires => Invitation::Open,
        (Some(_), Some(_)) => Invitation::Expired,
        _ => Invitation::None,
    })
}
