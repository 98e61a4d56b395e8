//! A cluster that nobody is above any more.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::json;

use super::{
    decision_log::NAMESPACE,
    objects::{self, Refused, gone_is_fine},
    provision::TOLD_BY_PARENT,
};
use crate::clusters::bootstrap::PARENT;

/// Has the cluster call nobody. It keeps its name.
pub(crate) async fn forget_parent(client: &Client) -> kube::Result<()> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let patch = Patch::Merge(json!({"data": {"endpoint": null}}));
    gone_is_fine(maps.patch(PARENT, &PatchParams::default(), &patch).await)
}

/// Gives up what its parent stated in an object of it; what others state as well stays.
pub(crate) async fn let_go_of(client: &Client, bare: &DynamicObject) -> Result<(), Refused> {
    objects::apply(client, TOLD_BY_PARENT, bare).await
}
