//! Takes away what was made for a cluster and no owner leads to, once the cluster is gone: credentials above all.

use std::collections::BTreeMap;

use kube::{
    Client, ResourceExt,
    api::{ApiResource, DeleteParams, ListParams},
    core::GroupVersionKind,
};

use super::{act::Subject, error::ProvisionError, look::resource};
use crate::{
    clusters::labels::CLUSTER,
    operator::objects::{self, gone_is_fine, if_there},
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
        let all = objects::api(client, resource, None);
        // Where its provider is not installed any more there is none.
        let Some(found) = if_there(all.list_metadata(&theirs).await)? else {
            continue;
        };
        for object in found.items {
            let api = objects::api(client, resource, object.namespace().as_deref());
            let params = DeleteParams::background();
            gone_is_fine(api.delete(&object.name_any(), &params).await)?;
        }
    }
    Ok(())
}
