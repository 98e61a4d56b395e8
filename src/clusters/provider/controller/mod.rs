//! The controllers of LocalCluster and LocalMachine, after Cluster API's v1beta2 contract: they look, decide
//! one thing, do it, and say how it is.

mod act;
mod decide_cluster;
mod decide_machine;
mod observed;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::controller::{Action as Requeue, Controller};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt};
use tokio_util::sync::CancellationToken;

use self::act::Context;
use crate::api::conditions::{self, Condition, ConditionStatus, Observation, READY};
use crate::api::local_infrastructure::{LocalCluster, LocalMachine};
use crate::api::timestamp::Timestamp;
use crate::clusters::labels::CAPI_CLUSTER;
use crate::clusters::pivot::kind::{CORE_GROUP, CORE_VERSION};
use crate::clusters::provider::cloud::CloudClientError;

/// Keeps objects until what they stand for is given back.
const FINALIZER: &str = "local.lattice.dev/cloud";
const PAUSED: &str = "Paused";
/// Objects of a kind that are worked on at a time.
const CONCURRENT: u16 = 16;
/// What is tried again after an error waits so long.
const AFTER_ERROR: Duration = Duration::from_secs(5);

/// Why the controllers cannot do what they should.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The API server says no.
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
}

/// What keeps something from being ready, for its condition. Nothing, if the reason is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Trouble {
    reason: String,
    message: String,
}

impl Trouble {
    fn new(reason: &str, message: &str) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.to_owned(),
        }
    }

    fn none() -> Self {
        Self::default()
    }

    fn is_none(&self) -> bool {
        self.reason.is_empty()
    }
}

impl From<&CloudClientError> for Trouble {
    fn from(error: &CloudClientError) -> Self {
        Self::new(error.reason(), &error.to_string())
    }
}

/// How the controllers find the cloud of clusters that name no credentials.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The folder of the daemon on this host.
    pub cloud: Option<PathBuf>,
}

/// Runs both controllers until the stop.
pub async fn run(client: Client, options: Options, stop: CancellationToken) {
    let context = Arc::new(Context::new(client.clone(), options));
    let machines = machines(client.clone(), Arc::clone(&context), stop.clone());
    let clusters = clusters(client, context, stop);
    tokio::join!(machines, clusters);
}

async fn machines(client: Client, context: Arc<Context>, stop: CancellationToken) {
    let (machine, resource) = core(&client, "Machine");
    let (cluster, cluster_resource) = core(&client, "Cluster");
    let configuration = kube::runtime::controller::Config::default().concurrency(CONCURRENT);
    let api: Api<LocalMachine> = Api::all(client);
    let controller = Controller::new(api, watcher::Config::default()).with_config(configuration);
    let known = controller.store();
    controller
        .watches_with(machine, resource, watcher::Config::default(), |machine| {
            infrastructure(&machine, "LocalMachine")
                .map(|(name, namespace)| ObjectRef::<LocalMachine>::new(&name).within(&namespace))
        })
        // A pause of the Cluster is one of its machines', and somebody waits for them to say so.
        .watches_with(
            cluster,
            cluster_resource,
            watcher::Config::default(),
            move |cluster| machines_of(&cluster, known.state()),
        )
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(act::machine, after_error, context)
        .for_each(|_| std::future::ready(()))
        .await;
}

fn machines_of(
    cluster: &DynamicObject,
    known: Vec<Arc<LocalMachine>>,
) -> Vec<ObjectRef<LocalMachine>> {
    let (name, namespace) = (cluster.name_any(), cluster.namespace());
    let is_its = |machine: &Arc<LocalMachine>| {
        machine.namespace() == namespace && machine.labels().get(CAPI_CLUSTER) == Some(&name)
    };
    let its = known.into_iter().filter(is_its);
    its.map(|machine| ObjectRef::from_obj(machine.as_ref()))
        .collect()
}

async fn clusters(client: Client, context: Arc<Context>, stop: CancellationToken) {
    let (cluster, resource) = core(&client, "Cluster");
    let api: Api<LocalCluster> = Api::all(client);
    Controller::new(api, watcher::Config::default())
        .watches_with(cluster, resource, watcher::Config::default(), |cluster| {
            infrastructure(&cluster, "LocalCluster")
                .map(|(name, namespace)| ObjectRef::<LocalCluster>::new(&name).within(&namespace))
        })
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(act::cluster, after_error, context)
        .for_each(|_| std::future::ready(()))
        .await;
}

/// Cluster API's own objects of a kind.
fn core(client: &Client, kind: &str) -> (Api<DynamicObject>, ApiResource) {
    let resource = core_resource(kind);
    (Api::all_with(client.clone(), &resource), resource)
}

fn core_resource(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(CORE_GROUP, CORE_VERSION, kind))
}

/// What a Cluster or a Machine says it stands on, if it is of this kind: name and namespace.
fn infrastructure(object: &DynamicObject, kind: &str) -> Option<(String, String)> {
    let reference = object.data.pointer("/spec/infrastructureRef")?;
    if reference.get("kind")?.as_str()? != kind {
        return None;
    }
    let name = reference.get("name")?.as_str()?.to_owned();
    Some((name, object.namespace()?))
}

fn after_error<K: ResourceExt>(
    object: Arc<K>,
    error: &ControllerError,
    _: Arc<Context>,
) -> Requeue {
    let name = object.name_any();
    tracing::warn!(name, %error, "a local object is tried again");
    Requeue::requeue(AFTER_ERROR)
}

/// Records whether the object is paused, as the contract wants it.
/// Says whether an object is as it is wanted, which of a paused one nobody knows, and whether it is paused.
fn say(
    known: &mut Vec<Condition>,
    trouble: &Trouble,
    paused: bool,
    generation: Option<i64>,
    now: Timestamp,
) {
    let ready = trouble.is_none();
    let readiness = Observation {
        type_: READY,
        status: ConditionStatus::from(ready),
        reason: if ready { "Ready" } else { &trouble.reason },
        message: trouble.message.clone(),
        observed_generation: generation,
    };
    if !paused {
        conditions::set(known, readiness, now);
    }
    let pause = Observation {
        type_: PAUSED,
        status: ConditionStatus::from(paused),
        reason: if paused { "Paused" } else { "NotPaused" },
        message: String::new(),
        observed_generation: generation,
    };
    conditions::set(known, pause, now);
}

fn now() -> Timestamp {
    chrono::Utc::now().into()
}

/// A point in time for tests.
#[cfg(test)]
fn at(seconds: i64) -> Timestamp {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap().into()
}
