//! One look at a cluster.

use chrono::{DateTime, Utc};
use k8s_openapi::{
    api::core::v1::{ConfigMap, Secret},
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
    runtime::conditions::is_crd_established,
    runtime::wait::Condition as _,
};
use serde_json::Value;

use super::{act::MOVED, children::Children, error::ProvisionError};
use crate::{
    api::LatticeCluster,
    clusters::{
        bootstrap::PARENT,
        labels,
        lifecycle::{self, Holdings, Home, Invitation},
        pivot::{
            ClusterName, Side,
            deed::{Deed, deed_key},
            kind::{CORE_GROUP, CORE_VERSION},
            object::Object,
        },
        render::{Rendered, registration::registration_secret},
    },
    operator::{bootstrap, decision_log::NAMESPACE, objects::if_there},
};

/// Most MachineDeployments of one cluster: as many as it can have node groups, old ones that are going included.
const MOST_DEPLOYMENTS: u32 = 1_500;

/// Most machines of one cluster that are looked at.
const MOST_MACHINES: u32 = 5_000;

/// What there is of a cluster besides its LatticeCluster.
pub(super) struct Found {
    pub(super) home: Home,
    /// The cluster itself, where its objects are or may be in it.
    pub(super) child: Option<Client>,
    pub(super) capi: Option<Value>,
    /// What its control plane is, as Cluster API has it, there too.
    pub(super) control_plane: Option<Value>,
    pub(super) deployments: Vec<Value>,
    /// All its machines, where some are missing.
    pub(super) machines: Vec<Value>,
    pub(super) has_credentials: bool,
    pub(super) invitation: Invitation,
}

/// Whose objects are looked at.
pub(super) struct Subject<'a> {
    pub(super) cluster: &'a LatticeCluster,
    /// Namespace and name of its `Cluster`.
    pub(super) name: ClusterName,
    /// Whether this operator runs in it.
    pub(super) is_own: bool,
    pub(super) rendered: Option<&'a Rendered>,
}

/// Cluster API's `kind`.
pub(super) fn capi(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(CORE_GROUP, CORE_VERSION, kind))
}

/// The kind of an object.
pub(super) fn resource(object: &Value) -> ApiResource {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let api_version = text("apiVersion");
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("kind")))
}

/// Whether Cluster API serves its kinds here.
pub(super) async fn is_installed(client: &Client) -> Result<bool, ProvisionError> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let found = crds.get_opt(&format!("clusters.{CORE_GROUP}")).await?;
    Ok(is_crd_established().matches_object(found.as_ref()))
}

/// The name of the cluster that this API server is of, if a parent made it.
pub(crate) async fn own_name(client: &Client) -> Result<Option<String>, ProvisionError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let map = maps.get_opt(PARENT).await?;
    Ok(map.and_then(|map| map.data?.remove("cluster")))
}

/// Looks at all that there is of a cluster; of one that cannot be rendered, at what its namespace holds.
pub(super) async fn look(
    client: &Client,
    children: &Children,
    subject: &Subject<'_>,
    now: DateTime<Utc>,
) -> Result<Found, ProvisionError> {
    let here = capi_cluster(client, &subject.name).await?;
    let (home, child, there) = match subject.is_own {
        true => {
            let deed = deed(client, Side::Target, &subject.name).await?;
            (Home::own(deed.as_ref(), here.is_some()), None, None)
        }
        false => home(client, children, subject, here.is_some()).await?,
    };
    let capi = here.or(there);
    // Where its objects are: what is wanted of a cluster that manages itself is judged here too, before it is told.
    let manages = match home {
        Home::Here | Home::Own { .. } => Some(client),
        Home::There => child.as_ref(),
        _ => None,
    };
    let control_plane = match manages {
        Some(client) => control_plane(client, subject).await?,
        None => None,
    };
    let deployments = match home {
        Home::Here | Home::Own { .. } => deployments(client, &subject.name).await?,
        _ => Vec::new(),
    };
    let lacks_some = capi
        .as_ref()
        .is_some_and(|capi| lacks_some(capi, subject.cluster));
    let machines = match manages.filter(|_| lacks_some) {
        Some(client) => machines(client, &subject.name).await?,
        None => Vec::new(),
    };
    Ok(Found {
        home,
        child,
        capi,
        control_plane,
        deployments,
        machines,
        has_credentials: has_credentials(client, subject.rendered).await?,
        invitation: invitation(client, &subject.name, subject.rendered, now).await?,
    })
}

type Household = (Home, Option<Client>, Option<Value>);

/// Where a child's objects are; the child, if it was ever asked to take them; its own `Cluster`.
async fn home(
    client: &Client,
    children: &Children,
    subject: &Subject<'_>,
    is_here: bool,
) -> Result<Household, ProvisionError> {
    let Some(child) = children.kept(subject.cluster).await? else {
        return Ok((unkept(subject.cluster), None, None));
    };
    let theirs = async {
        // The deed first: what it says is true of all that is read after it.
        let deed = deed(&child, Side::Target, &subject.name).await?;
        let capi = capi_cluster(&child, &subject.name).await?;
        Ok::<_, ProvisionError>((deed, capi))
    };
    let (theirs, there) = match theirs.await {
        Ok(found) => found,
        Err(error) => return Ok((Home::Unknown(error.to_string()), Some(child), None)),
    };
    let ours = deed(client, Side::Source, &subject.name).await?;
    let home = Home::of(&Holdings {
        ours: ours.as_ref(),
        theirs: theirs.as_ref(),
        is_here,
        is_there: there.is_some(),
    });
    Ok((home, Some(child), there))
}

/// Where the objects are of a cluster that cannot be asked.
fn unkept(cluster: &LatticeCluster) -> Home {
    match cluster.annotations().contains_key(MOVED) {
        true => Home::Unknown(format!(
            "its credentials, Secret {NAMESPACE}/child-{}, are gone; put them back",
            cluster.name_any()
        )),
        false => Home::Here,
    }
}

async fn capi_cluster(
    client: &Client,
    name: &ClusterName,
) -> Result<Option<Value>, ProvisionError> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &name.namespace, &capi("Cluster"));
    let found = if_there(api.get_opt(&name.name).await)?.flatten();
    Ok(found.map(serde_json::to_value).transpose()?)
}

/// The object that the rendered cluster names as its control plane, as it is.
async fn control_plane(
    client: &Client,
    subject: &Subject<'_>,
) -> Result<Option<Value>, ProvisionError> {
    let Some(wanted) = subject.rendered.and_then(Rendered::control_plane) else {
        return Ok(None);
    };
    let api: Api<DynamicObject> = Api::namespaced_with(
        client.clone(),
        &subject.name.namespace,
        &resource(&wanted.object),
    );
    let found = if_there(api.get_opt(wanted.name()).await)?.flatten();
    Ok(found.map(serde_json::to_value).transpose()?)
}

async fn deed(
    client: &Client,
    side: Side,
    name: &ClusterName,
) -> Result<Option<Deed>, ProvisionError> {
    let key = deed_key(name);
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &key.namespace);
    let Some(map) = maps.get_opt(&key.name).await? else {
        return Ok(None);
    };
    let deed = Deed::read(side, &Object(serde_json::to_value(map)?)).map_err(Box::new)?;
    Ok(Some(deed))
}

/// Whether fewer machines are ready than the cluster is to have.
fn lacks_some(capi: &Value, cluster: &LatticeCluster) -> bool {
    let nodes = &cluster.spec.nodes;
    let workers = nodes
        .groups
        .iter()
        .map(|group| group.count)
        .chain([nodes.workers]);
    let wanted = workers.fold(nodes.control_plane, u32::saturating_add);
    lifecycle::ready(capi) < wanted
}

async fn machines(client: &Client, name: &ClusterName) -> Result<Vec<Value>, ProvisionError> {
    of_cluster(
        client,
        name,
        ("Machine", labels::CAPI_CLUSTER),
        MOST_MACHINES,
    )
    .await
}

async fn deployments(client: &Client, name: &ClusterName) -> Result<Vec<Value>, ProvisionError> {
    // Others than Lattice's are not for it to judge.
    let kind = ("MachineDeployment", labels::CLUSTER);
    of_cluster(client, name, kind, MOST_DEPLOYMENTS).await
}

/// Cluster API's objects of a kind that this label says are of a cluster.
async fn of_cluster(
    client: &Client,
    name: &ClusterName,
    (kind, label): (&str, &str),
    most: u32,
) -> Result<Vec<Value>, ProvisionError> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &name.namespace, &capi(kind));
    let theirs = ListParams::default()
        .labels(&format!("{label}={}", name.name))
        .limit(most);
    let objects = api.list(&theirs).await?.items;
    let values = objects.iter().map(serde_json::to_value);
    Ok(values.collect::<Result<_, _>>()?)
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
    cluster: &ClusterName,
    rendered: Option<&Rendered>,
    now: DateTime<Utc>,
) -> Result<Invitation, ProvisionError> {
    if !rendered.is_some_and(|rendered| rendered.registers) {
        return Ok(Invitation::None);
    }
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &cluster.namespace);
    let handed_out = registration_secret(&cluster.name);
    let handed_out = secrets.get_metadata_opt(&handed_out).await?;
    let grant = bootstrap::grant(client, &cluster.name).await?;
    Ok(match (handed_out, grant) {
        (_, Some(grant)) if grant.used.is_some() => Invitation::Accepted {
            is_over: now >= grant.expires,
        },
        (Some(_), Some(grant)) if now < grant.expires => Invitation::Open,
        (Some(_), Some(_)) => Invitation::Expired,
        _ => Invitation::None,
    })
}
