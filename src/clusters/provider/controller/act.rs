//! Looking and doing: the part of the controllers that talks to the API server and the cloud.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::NamespaceResourceScope;
use kube::runtime::controller::Action as Requeue;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::observed::{self, Cluster, Machine};
use super::{
    ControllerError, FINALIZER, Options, Trouble, core_resource, decide_cluster, decide_machine,
    now,
};
use crate::api::local_infrastructure::{LocalCluster, LocalEndpoint, LocalMachine};
use crate::clusters::labels::CAPI_CLUSTER;
use crate::clusters::provider::cloud::{Access, CloudClient, DEFAULT_CREDENTIAL, MachineView};

/// How often something is looked at that is about to change, and that is as it should be.
const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = Duration::from_secs(15);
/// One object takes no more steps than this at a time.
const STEPS: usize = 6;
const MANAGER: &str = "lattice.dev/local-provider";

/// What both controllers work with.
pub(super) struct Context {
    client: Client,
    options: Options,
}

impl Context {
    pub(super) const fn new(client: Client, options: Options) -> Self {
        Self { client, options }
    }

    fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    async fn core(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Option<DynamicObject>, kube::Error> {
        let resource = core_resource(kind);
        Api::namespaced_with(self.client.clone(), namespace, &resource)
            .get_opt(name)
            .await
    }

    /// The cloud that the cluster's credentials open.
    async fn cloud(&self, infrastructure: Option<&LocalCluster>) -> Result<CloudClient, Trouble> {
        let access = match infrastructure
            .and_then(|cluster| Some((cluster, cluster.spec.credentials_ref.as_ref()?)))
        {
            Some((cluster, reference)) => {
                let namespace = cluster.namespace().unwrap_or_default();
                self.secret_access(&namespace, &reference.name).await?
            }
            None => self.host_access()?,
        };
        CloudClient::new(&access).map_err(|error| Trouble::from(&error))
    }

    async fn secret_access(&self, namespace: &str, name: &str) -> Result<Access, Trouble> {
        let found = self.api::<Secret>(namespace).get_opt(name).await;
        let missing = |what: &str| {
            Trouble::new(
                "MissingCredentials",
                &format!("Secret {namespace}/{name} {what}; `lattice cloud secret` prints one"),
            )
        };
        let secret =
            found.map_err(|error| Trouble::new("MissingCredentials", &error.to_string()))?;
        let data = secret
            .ok_or_else(|| missing("is not there"))?
            .data
            .unwrap_or_default();
        let text = |key: &str| {
            let value = data
                .get(key)
                .ok_or_else(|| missing(&format!("has no key {key}")))?;
            Ok::<_, Trouble>(String::from_utf8_lossy(&value.0).trim().to_owned())
        };
        Ok(Access {
            url: text("url")?,
            token: text("token")?,
        })
    }

    fn host_access(&self) -> Result<Access, Trouble> {
        let Some(folder) = &self.options.cloud else {
            return Err(Trouble::new(
                "MissingCredentials",
                "the LocalCluster names no credentialsRef, and there is no cloud on this host",
            ));
        };
        Access::read(folder, DEFAULT_CREDENTIAL)
            .map_err(|error| Trouble::new("MissingCredentials", &error.to_string()))
    }

    async fn finalize<K>(&self, object: &K, present: bool) -> Result<(), kube::Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let mut finalizers = object.finalizers().to_vec();
        finalizers.retain(|name| name != FINALIZER);
        if present {
            finalizers.push(FINALIZER.to_owned());
        }
        // With the version that was seen: somebody else's finalizer must not be lost.
        let patch = json!({"metadata": {
            "resourceVersion": object.resource_version(),
            "finalizers": finalizers,
        }});
        self.merge(object, &patch).await
    }

    async fn merge<K>(&self, object: &K, patch: &Value) -> Result<(), kube::Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
    {
        let api: Api<K> = self.api(&object.namespace().unwrap_or_default());
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        api.patch(&object.name_any(), &parameters, &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// Says how it is, if that is new.
    async fn tell<K, S>(&self, object: &K, known: Option<&S>, status: &S) -> Result<(), kube::Error>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
        S: Serialize + PartialEq,
    {
        if known == Some(status) {
            return Ok(());
        }
        let api: Api<K> = self.api(&object.namespace().unwrap_or_default());
        let patch = json!({"status": status});
        api.patch_status(
            &object.name_any(),
            &PatchParams::default(),
            &Patch::Merge(&patch),
        )
        .await?;
        Ok(())
    }
}

/// One look at a LocalCluster, and what follows from it.
pub(super) async fn cluster(
    object: Arc<LocalCluster>,
    context: Arc<Context>,
) -> Result<Requeue, ControllerError> {
    let namespace = object.namespace().unwrap_or_default();
    let owner = match observed::owner(object.as_ref(), "Cluster") {
        Some(name) => context.core("Cluster", &namespace, &name).await?,
        None => None,
    };
    let cluster = owner.as_ref().map(Cluster::read);
    let paused = observed::is_paused(object.as_ref(), cluster.as_ref());
    let mut seen = decide_cluster::Seen {
        local: &object,
        paused,
        cluster,
        endpoint: None,
        now: now(),
    };
    if paused {
        let status = decide_cluster::status(&seen, &Trouble::none());
        context
            .tell(object.as_ref(), object.status.as_ref(), &status)
            .await?;
        return Ok(Requeue::requeue(LATER));
    }
    for _ in 0..STEPS {
        let (action, trouble) = decide_cluster::decide(&seen);
        let wait = if trouble.is_none() { LATER } else { SOON };
        match action {
            decide_cluster::Action::Wait => {
                let status = decide_cluster::status(&seen, &trouble);
                context
                    .tell(object.as_ref(), object.status.as_ref(), &status)
                    .await?;
                return Ok(Requeue::requeue(wait));
            }
            decide_cluster::Action::AskForEndpoint => {
                seen.endpoint = Some(ask_for_endpoint(&context, &seen).await);
            }
            decide_cluster::Action::AddFinalizer => {
                context.finalize(object.as_ref(), true).await?;
                return Ok(Requeue::requeue(Duration::ZERO));
            }
            decide_cluster::Action::SetEndpoint(endpoint) => {
                let patch = json!({"spec": {"controlPlaneEndpoint": endpoint}});
                context.merge(object.as_ref(), &patch).await?;
                return Ok(Requeue::requeue(Duration::ZERO));
            }
            decide_cluster::Action::Release => match release(&context, &object).await {
                Ok(()) => {
                    context.finalize(object.as_ref(), false).await?;
                    return Ok(Requeue::await_change());
                }
                Err(trouble) => {
                    let status = decide_cluster::status(&seen, &trouble);
                    context
                        .tell(object.as_ref(), object.status.as_ref(), &status)
                        .await?;
                    return Ok(Requeue::requeue(SOON));
                }
            },
        }
    }
    Ok(Requeue::requeue(SOON))
}

async fn ask_for_endpoint(
    context: &Context,
    seen: &decide_cluster::Seen<'_>,
) -> Result<LocalEndpoint, Trouble> {
    let key = seen
        .cluster
        .as_ref()
        .map(|cluster| cluster.key.clone())
        .unwrap_or_default();
    let client = context.cloud(Some(seen.local)).await?;
    let port = decide_cluster::port(seen.local);
    let endpoint = client
        .endpoint(&key, port)
        .await
        .map_err(|error| Trouble::from(&error))?;
    Ok(LocalEndpoint {
        host: endpoint.host.to_string(),
        port: endpoint.port,
    })
}

/// Gives the endpoint back. Its name is that of the Cluster, which may be gone already.
async fn release(context: &Context, local: &LocalCluster) -> Result<(), Trouble> {
    let name =
        observed::owner(local, "Cluster").or_else(|| local.labels().get(CAPI_CLUSTER).cloned());
    let Some(name) = name else { return Ok(()) };
    let key = format!("{name}.{}", local.namespace().unwrap_or_default());
    let client = context.cloud(Some(local)).await?;
    client
        .release(&key)
        .await
        .map_err(|error| Trouble::from(&error))
}

/// One look at a LocalMachine, and what follows from it.
pub(super) async fn machine(
    object: Arc<LocalMachine>,
    context: Arc<Context>,
) -> Result<Requeue, ControllerError> {
    let namespace = object.namespace().unwrap_or_default();
    let owner = match observed::owner(object.as_ref(), "Machine") {
        Some(name) => context.core("Machine", &namespace, &name).await?,
        None => None,
    };
    let machine = owner.as_ref().map(Machine::read);
    let cluster = match object.labels().get(CAPI_CLUSTER) {
        Some(name) => context.core("Cluster", &namespace, name).await?,
        None => None,
    };
    let local_cluster = cluster
        .as_ref()
        .and_then(|cluster| super::infrastructure(cluster, "LocalCluster"));
    let infrastructure = match local_cluster {
        Some((name, _)) => {
            context
                .api::<LocalCluster>(&namespace)
                .get_opt(&name)
                .await?
        }
        None => None,
    };
    let cluster = cluster.as_ref().map(Cluster::read);
    let user_data = user_data(&context, &namespace, machine.as_ref()).await?;
    let paused = observed::is_paused(object.as_ref(), cluster.as_ref());
    let mut seen = decide_machine::Seen {
        local: &object,
        paused,
        machine,
        cluster,
        infrastructure,
        user_data,
        cloud: Ok(None),
        now: now(),
    };
    let client = context.cloud(seen.infrastructure.as_ref()).await;
    seen.cloud = look(client.as_ref(), &object).await;
    if paused {
        let status = decide_machine::status(&seen, &Trouble::none());
        context
            .tell(object.as_ref(), object.status.as_ref(), &status)
            .await?;
        return Ok(Requeue::requeue(LATER));
    }
    let (action, mut trouble) = decide_machine::decide(&seen);
    let refused = carry_out(&context, client, &object, action).await?;
    trouble = refused.unwrap_or(trouble);
    let status = decide_machine::status(&seen, &trouble);
    // What is let go has no status any more.
    let told = context
        .tell(object.as_ref(), object.status.as_ref(), &status)
        .await;
    match told {
        Err(kube::Error::Api(answer)) if answer.is_not_found() => {}
        other => other?,
    }
    Ok(Requeue::requeue(if trouble.is_none() {
        LATER
    } else {
        SOON
    }))
}

/// Does it; what the cloud says against it comes back.
async fn carry_out(
    context: &Context,
    client: Result<CloudClient, Trouble>,
    object: &LocalMachine,
    action: decide_machine::Action,
) -> Result<Option<Trouble>, ControllerError> {
    use decide_machine::Action;
    let answer = match (action, client) {
        (Action::Wait, _) => return Ok(None),
        (Action::AddFinalizer, _) => {
            context.finalize(object, true).await?;
            return Ok(None);
        }
        (Action::RemoveFinalizer, _) => {
            context.finalize(object, false).await?;
            return Ok(None);
        }
        (Action::SetProviderId(id), _) => {
            context
                .merge(object, &json!({"spec": {"providerID": id}}))
                .await?;
            return Ok(None);
        }
        (_, Err(trouble)) => return Ok(Some(trouble)),
        (Action::Create(request), Ok(client)) => client.create(&request).await.map(drop),
        (Action::Delete, Ok(client)) => client.delete(&object.name_any()).await,
    };
    Ok(answer.err().map(|error| Trouble::from(&error)))
}

async fn look(
    client: Result<&CloudClient, &Trouble>,
    object: &LocalMachine,
) -> Result<Option<MachineView>, Trouble> {
    let client = client.map_err(Clone::clone)?;
    client
        .get(&object.name_any())
        .await
        .map_err(|error| Trouble::from(&error))
}

/// The user data that the bootstrap provider made for the Machine.
async fn user_data(
    context: &Context,
    namespace: &str,
    machine: Option<&Machine>,
) -> Result<Option<String>, kube::Error> {
    let Some(name) = machine.and_then(|machine| machine.bootstrap_secret.as_ref()) else {
        return Ok(None);
    };
    let secret = context.api::<Secret>(namespace).get_opt(name).await?;
    let value = secret.and_then(|secret| secret.data?.remove("value"));
    Ok(value.map(|value| String::from_utf8_lossy(&value.0).into_owned()))
}
