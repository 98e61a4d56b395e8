//! Takes templates away that nothing is made from any more.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams},
    core::GroupVersionKind,
};
use serde_json::Value;

use super::{
    act::Subject,
    error::ProvisionError,
    look::{capi, resource},
};
use crate::{
    clusters::{
        labels::{CAPI_CLUSTER, CLUSTER},
        lifecycle::templates::{self, Template},
        render::Rendered,
    },
    operator::objects::gone_is_fine,
};

/// Most objects of one kind that are looked at. Where a cluster has more, nothing is taken away: one of the others could
/// be in use.
const MOST: u32 = 5_000;

/// Takes away the templates of a cluster that are Lattice's, not wanted any more, and not used.
pub(super) async fn prune(client: &Client, subject: &Subject<'_>) -> Result<(), ProvisionError> {
    let Some(rendered) = subject.rendered else {
        return Ok(());
    };
    let kinds = template_kinds(rendered);
    let herd = Herd {
        client,
        namespace: subject.namespace,
        cluster: &rendered.cluster,
    };
    let mut there = BTreeSet::new();
    for (kind, resource) in &kinds {
        for object in herd.heads(resource, CLUSTER).await?.unwrap_or_default() {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            there.insert(Template {
                kind: kind.clone(),
                name: name.to_owned(),
            });
        }
    }
    // Most of the time there is nothing to ask for.
    if templates::unused(&there, rendered, &[]).is_empty() {
        return Ok(());
    }
    let Some(users) = herd.users(rendered, &kinds).await? else {
        return Ok(());
    };
    for template in templates::unused(&there, rendered, &users) {
        let Some(resource) = kinds.get(&template.kind) else {
            continue;
        };
        tracing::info!(
            cluster = rendered.cluster,
            kind = template.kind,
            name = template.name,
            "a template that is not used any more goes"
        );
        let api = herd.api(resource);
        let deleted = api.delete(&template.name, &DeleteParams::default()).await;
        gone_is_fine(deleted)?;
    }
    Ok(())
}

/// The kinds of the templates that are wanted, by name.
fn template_kinds(rendered: &Rendered) -> BTreeMap<String, ApiResource> {
    let wanted = templates::wanted(rendered);
    let is_one = |kind: &str| wanted.iter().any(|template| template.kind == kind);
    let objects = rendered.objects.iter();
    objects
        .filter(|object| is_one(object.kind()))
        .map(|object| (object.kind().to_owned(), resource(&object.object)))
        .collect()
}

/// Whether a list is only the beginning of one.
fn goes_on(list: &ListMeta) -> bool {
    list.continue_.as_ref().is_some_and(|more| !more.is_empty())
}

/// The objects of one cluster.
struct Herd<'a> {
    client: &'a Client,
    namespace: &'a str,
    cluster: &'a str,
}

impl Herd<'_> {
    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), self.namespace, resource)
    }

    fn theirs(&self, label: &str) -> ListParams {
        let selector = format!("{label}={}", self.cluster);
        ListParams::default().labels(&selector).limit(MOST)
    }

    /// What uses templates, or was made from them. None where it is too much.
    async fn users(
        &self,
        rendered: &Rendered,
        kinds: &BTreeMap<String, ApiResource>,
    ) -> Result<Option<Vec<Value>>, ProvisionError> {
        let mut makers = vec![capi("MachineDeployment"), capi("MachineSet")];
        let control_plane = rendered.control_plane();
        makers.extend(control_plane.map(|manifest| resource(&manifest.object)));
        let mut users = Vec::new();
        for maker in &makers {
            let listed = self.api(maker).list(&self.theirs(CAPI_CLUSTER)).await?;
            if goes_on(&listed.metadata) {
                return Ok(None);
            }
            for object in &listed.items {
                users.push(serde_json::to_value(object)?);
            }
        }
        for resource in kinds.values() {
            let kind = Template::made(&resource.kind);
            let made = GroupVersionKind::gvk(&resource.group, &resource.version, kind);
            let made = ApiResource::from_gvk(&made);
            match self.heads(&made, CAPI_CLUSTER).await? {
                Some(heads) => users.extend(heads),
                None => return Ok(None),
            }
        }
        Ok(Some(users))
    }

    /// Metadata of all objects of a kind. None where there are too many.
    async fn heads(
        &self,
        resource: &ApiResource,
        label: &str,
    ) -> Result<Option<Vec<Value>>, ProvisionError> {
        let listed = self
            .api(resource)
            .list_metadata(&self.theirs(label))
            .await?;
        if goes_on(&listed.metadata) {
            return Ok(None);
        }
        let heads = listed.items.iter().map(serde_json::to_value);
        Ok(Some(heads.collect::<Result<_, _>>()?))
    }
}
