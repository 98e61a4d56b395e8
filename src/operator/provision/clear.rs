//! Takes away what was made for a cluster and no owner leads to, once the cluster is gone: credentials above all.

use std::collections::BTreeMap;

use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams},
    core::{GroupVersionKind, PartialObjectMeta},
};

use super::{act::Subject, error::ProvisionError, look::resource};
use crate::{
    clusters::labels::CLUSTER,
    operator::objects::{gone_is_fine, if_there},
};

/// Takes away Lattice's own objects of the cluster, wherever they are: Secrets, and objects of the kinds that are rendered of it.
/// Its namespace stays, with what people have put there.
pub(super) async fn clear(client: &Client, subject: &Subject<'_>) -> Result<(), ProvisionError> {
    let name = subject.cluster.name_any();
    let secret = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Secret"));
    let objects = subject.rendered.map_or(&[][..], |r| &r.objects).iter();
    let rendered = objects.filter(|manifest| manifest.kind() != "Namespace");
    let kinds: BTreeMap<String, ApiResource> = rendered
        .map(|manifest| (manifest.kind().to_owned(), resource(&manifest.object)))
        .chain([("Secret".to_owned(), secret)])
        .collect();
    let theirs = ListParams::default().labels(&format!("{CLUSTER}={name}"));
    for resource in kinds.values() {
        let all: Api<DynamicObject> = Api::all_with(client.clone(), resource);
        // Where its provider is not installed any more there is none.
        let Some(found) = if_there(all.list_metadata(&theirs).await)? else {
            continue;
        };
        for object in found.items {
            delete(client, resource, &object).await?;
        }
    }
    Ok(())
}

async fn delete(
    client: &Client,
    resource: &ApiResource,
    object: &PartialObjectMeta<DynamicObject>,
) -> Result<(), ProvisionError> {
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, resource),
        None => Api::all_with(client.clone(), resource),
    };
    let params = DeleteParams::background();
    Ok(gone_is_fine(api.delete(&object.name_any(), &params).await)?)
}
