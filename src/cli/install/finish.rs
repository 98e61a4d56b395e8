//! The root without the cluster that made it.

use std::path::Path;

use kube::{ResourceExt, api::DynamicObject};
use serde::Serialize;

use super::root::Root;
use crate::{
    cli::{
        apply,
        follow::Clock,
        online::{self, OnlineError},
    },
    operator::{control_plane, independence},
    placement::inputs::Inputs,
};

/// Has the root be nobody's child, applies the whole fleet to it, and removes the temporary cluster. May be done again.
pub(super) async fn finish(
    inputs: &Inputs,
    root: &Root,
    (temporary, kubeconfig): (&Path, &Path),
    clock: &Clock,
) -> Result<(), OnlineError> {
    let bytes = std::fs::read(kubeconfig).map_err(|source| OnlineError::File {
        path: kubeconfig.to_owned(),
        source,
    })?;
    let client = online::nearby(&bytes).await?;
    independence::forget_parent(&client).await?;
    apply::all(&client, inputs).await?;
    // What the manifests state is theirs from now on, so that who edits them is in nobody's way.
    for object in stated(root)? {
        independence::let_go_of(&client, &object).await?;
    }
    clock.say(&format!(
        "{} has no parent, and holds the whole fleet",
        root.name
    ));
    control_plane::discard(temporary).await?;
    clock.say("the temporary cluster is thrown away");
    Ok(())
}

/// What the temporary cluster told the root, and the manifests have as well.
fn stated(root: &Root) -> Result<Vec<DynamicObject>, OnlineError> {
    let Inputs {
        pools,
        node_classes,
        clusters,
        ..
    } = &root.needed;
    let mut objects = Vec::new();
    objects.extend(pools.iter().map(bare).collect::<Result<Vec<_>, _>>()?);
    objects.extend(
        node_classes
            .iter()
            .map(bare)
            .collect::<Result<Vec<_>, _>>()?,
    );
    objects.extend(clusters.iter().map(bare).collect::<Result<Vec<_>, _>>()?);
    Ok(objects)
}

/// The object's kind and name, and nothing that anybody could own.
fn bare<K: ResourceExt + Serialize>(object: &K) -> Result<DynamicObject, OnlineError> {
    let value = serde_json::to_value(object)?;
    Ok(serde_json::from_value(serde_json::json!({
        "apiVersion": value["apiVersion"],
        "kind": value["kind"],
        "metadata": {"name": object.name_any()},
    }))?)
}
