//! Carries out what was decided for a cluster.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams},
};
use serde_json::json;

use super::{Parent, clear::clear, error::ProvisionError, look::capi, prune::prune};
use crate::{
    api::LatticeCluster,
    clusters::{
        labels::{CLUSTER, MOVES},
        lifecycle::{Action, FINALIZER},
        render::{
            Manifest, Rendered, SecretCopy,
            registration::{CA_KEY, TOKEN_KEY, URL_KEY, registration_secret},
        },
    },
    operator::{
        bootstrap,
        decision_log::NAMESPACE,
        objects::{self, ensure_namespace, gone_is_fine},
    },
};

/// Owner of every field of Cluster API's objects that Lattice states; others may own the rest.
const FIELD_MANAGER: &str = "lattice.dev/machines";

/// Annotation of a LatticeCluster whose objects may be in the cluster itself.
pub(super) const MOVED: &str = "lattice.dev/moved";

/// What actions are about.
pub(super) struct Subject<'a> {
    pub(super) cluster: &'a LatticeCluster,
    pub(super) namespace: &'a str,
    /// None where it cannot be rendered; then nothing is decided that needs it.
    pub(super) rendered: Option<&'a Rendered>,
    pub(super) parent: Option<&'a Parent>,
    pub(super) now: DateTime<Utc>,
}

/// Carries out one action.
pub(super) async fn act(
    client: &Client,
    subject: &Subject<'_>,
    action: &Action,
) -> Result<(), ProvisionError> {
    match action {
        Action::Hold => hold(client, subject.cluster, true).await,
        Action::LetGo => hold(client, subject.cluster, false).await,
        Action::CopyCredentials => {
            let copy = subject.rendered.and_then(|r| r.credentials.as_ref());
            match copy {
                Some(copy) => copy_secret(client, copy).await,
                None => Ok(()),
            }
        }
        Action::Invite => invite(client, subject).await,
        Action::Apply => {
            for manifest in subject.rendered.map_or(&[][..], |r| &r.objects) {
                apply(client, manifest).await?;
            }
            Ok(())
        }
        Action::DeleteDeployment(name) => {
            delete(client, subject.namespace, "MachineDeployment", name).await
        }
        Action::Prune => prune(client, subject).await,
        Action::Clear => clear(client, subject).await,
        // These are about two API servers, and not done here.
        Action::Move(_) | Action::HandDown | Action::Forget => Ok(()),
        Action::Delete => {
            let name = subject.cluster.name_any();
            delete(client, subject.namespace, "Cluster", &name).await
        }
    }
}

/// Sets or takes off the finalizer, under the version that was looked at, so that nobody else's is lost.
async fn hold(client: &Client, cluster: &LatticeCluster, held: bool) -> Result<(), ProvisionError> {
    let mut finalizers = cluster.finalizers().to_vec();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    if held {
        finalizers.push(FINALIZER.to_owned());
    }
    let patch = json!({"metadata": {
        "finalizers": finalizers,
        "resourceVersion": cluster.resource_version(),
    }});
    let clusters: Api<LatticeCluster> = Api::all(client.clone());
    let params = PatchParams::default();
    let patched = clusters
        .patch(&cluster.name_any(), &params, &Patch::Merge(&patch))
        .await;
    Ok(gone_is_fine(patched)?)
}

/// Notes that the cluster's objects may be in the cluster itself. One that was made anew under the name has not moved.
pub(super) async fn note(client: &Client, cluster: &LatticeCluster) -> Result<(), ProvisionError> {
    annotate(client, cluster, json!("true")).await
}

/// Takes the note away again: they are here.
pub(super) async fn unnote(
    client: &Client,
    cluster: &LatticeCluster,
) -> Result<(), ProvisionError> {
    annotate(client, cluster, json!(null)).await
}

async fn annotate(
    client: &Client,
    cluster: &LatticeCluster,
    value: serde_json::Value,
) -> Result<(), ProvisionError> {
    let patch = json!({"metadata": {"annotations": {MOVED: value}, "uid": cluster.uid()}});
    let clusters: Api<LatticeCluster> = Api::all(client.clone());
    clusters
        .patch(
            &cluster.name_any(),
            &PatchParams::default(),
            &Patch::Merge(&patch),
        )
        .await?;
    Ok(())
}

async fn apply(client: &Client, manifest: &Manifest) -> Result<(), ProvisionError> {
    let object: DynamicObject = serde_json::from_value(manifest.object.clone())?;
    let applied = objects::apply(client, FIELD_MANAGER, &object).await;
    applied.map_err(|source| ProvisionError::Rendered {
        source_of: manifest.source.clone(),
        source,
    })
}

async fn copy_secret(client: &Client, copy: &SecretCopy) -> Result<(), ProvisionError> {
    let from: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let Some(secret) = from.get_opt(&copy.from).await? else {
        return Err(ProvisionError::Gone(copy.from.clone()));
    };
    let target = Secret {
        data: secret.data,
        type_: secret.type_,
        ..named(&copy.namespace, &copy.name, copy.labels.clone())
    };
    ensure_namespace(client, &copy.namespace).await?;
    put(client, &target).await
}

/// Makes a token and puts it, with where to call, where the machines find it.
async fn invite(client: &Client, subject: &Subject<'_>) -> Result<(), ProvisionError> {
    let Some(parent) = subject.parent else {
        return Err(ProvisionError::NoCell);
    };
    ensure_namespace(client, subject.namespace).await?;
    let token = bootstrap::issue(client, subject.cluster, subject.now).await?;
    let value = |text: &str| ByteString(text.as_bytes().to_vec());
    let cluster = subject.cluster.name_any();
    // No owner leads to it, but machines made after a pivot need it as well.
    let labels = [(CLUSTER, cluster.as_str()), (MOVES, "")];
    let labels = labels.map(|(label, value)| (label.to_owned(), value.to_owned()));
    let secret = Secret {
        data: Some(
            [
                (URL_KEY.to_owned(), value(&parent.url)),
                (
                    CA_KEY.to_owned(),
                    value(parent.authorities.now().current().certificate()),
                ),
                (TOKEN_KEY.to_owned(), value(token.reveal())),
            ]
            .into(),
        ),
        ..named(
            subject.namespace,
            &registration_secret(&cluster),
            labels.into(),
        )
    };
    put(client, &secret).await
}

fn named(namespace: &str, name: &str, labels: BTreeMap<String, String>) -> Secret {
    Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    }
}

async fn put(client: &Client, secret: &Secret) -> Result<(), ProvisionError> {
    let namespace = secret.namespace().unwrap_or_default();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    secrets
        .patch(&secret.name_any(), &params, &Patch::Apply(secret))
        .await?;
    Ok(())
}

async fn delete(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
) -> Result<(), ProvisionError> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &capi(kind));
    let deleted = api.delete(name, &DeleteParams::background()).await;
    Ok(gone_is_fine(deleted)?)
}
