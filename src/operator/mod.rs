//! The composition root: controllers, leader election, the status writer, metrics and the embedded control plane.

mod acts;
mod agent;
mod apply;
mod behind;
pub mod bootstrap;
pub mod cell;
pub mod control_plane;
pub mod crypto;
mod decide;
pub mod decision_log;
pub mod equip;
pub mod error;
mod events;
mod explained;
mod http;
mod https;
pub(crate) mod independence;
pub mod install;
pub(crate) mod inventory;
mod leader;
mod local;
pub mod managers;
mod metrics;
mod news;
pub(crate) mod objects;
mod provision;
pub mod proxy;
mod reconcile;
mod role;
mod seen;
mod standing;
mod status_writer;
mod store;
mod tree;
mod watch;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::Client;
use tokio::{
    sync::{
        Notify,
        watch::{Receiver, Sender, channel},
    },
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::error::OperatorError;
pub(crate) use self::leader::last_led;
use crate::clusters::provider::controller;

pub(crate) use self::provision::kept_kubeconfig;
use self::{
    decision_log::{Keep, ensure_namespace},
    events::Events,
    http::Health,
    leader::{Candidate, Term},
    metrics::Metrics,
    provision::{Parent, Provisioner},
    reconcile::Reconciler,
    status_writer::StatusWriter,
    store::Stores,
};
use crate::clusters::render::registration::register_url;

/// Longest time that a stop waits for what is under way.
const STOP_PATIENCE: Duration = Duration::from_secs(8);

/// Pause before the webhook is begun again.
const WEBHOOK_PAUSE: Duration = Duration::from_secs(10);

/// How an operator is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name among the operators of the fleet. One that stays the same over restarts gets its lease back at
    /// once.
    pub identity: String,
    /// Where metrics and health are served, if anywhere.
    pub http: Option<SocketAddr>,
    /// How long a lease is valid; none means that there is no other operator.
    pub lease_seconds: Option<u64>,
    /// How much of the past the decision log keeps.
    pub keep: Keep,
    /// Changes that come closer together than this are decided on together.
    pub quiet: Duration,
    /// The webhook that first machines of new clusters call; none where clusters have no parent.
    pub bootstrap: Option<bootstrap::Options>,
    /// How agents of clusters reach this operator; none where it has no clusters below it.
    pub cell: Option<cell::Options>,
    /// How callers reach the API servers of clusters below; none where they do not.
    pub proxy: Option<proxy::Options>,
    /// The folder of the `local` provider's cloud on this host, for clusters that name no credentials.
    pub cloud: Option<PathBuf>,
    /// Whether this operator is there only to make clusters that go on without it, the root's too.
    pub is_temporary: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            identity: format!("lattice-{}", std::process::id()),
            http: None,
            lease_seconds: Some(15),
            keep: Keep::default(),
            quiet: Duration::from_millis(200),
            bootstrap: None,
            cell: None,
            proxy: None,
            cloud: None,
            is_temporary: false,
        }
    }
}

/// Runs an operator until the stop.
///
/// # Errors
/// If it cannot begin. Once it runs, whatever fails is tried again.
pub async fn run(
    client: Client,
    options: Options,
    stop: CancellationToken,
) -> Result<(), OperatorError> {
    crypto::install_fips_provider()?;
    let tasks = TaskTracker::new();
    // Ends everything on every way out, an error included.
    let stop = stop.child_token();
    let _end = stop.clone().drop_guard();
    let metrics = Arc::new(Metrics::new());
    let synced = Arc::new(AtomicBool::new(false));
    if let Some(address) = options.http {
        let listener = http::bind(address).await?;
        let health = Health {
            metrics: Arc::clone(&metrics),
            synced: Arc::clone(&synced),
        };
        tasks.spawn(http::serve(listener, health, stop.clone()));
    }
    ensure_namespace(&client).await?;
    let changed = Arc::new(Notify::new());
    let stores = watch::start(&client, &changed, &metrics, &tasks, &stop);
    while !synced.load(Ordering::Acquire) {
        metrics.beat();
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
            () = stores.ready() => synced.store(true, Ordering::Release),
        }
    }
    let parent = match options.bootstrap.clone() {
        Some(webhook) => {
            let parent = webhook_of(&client, webhook, &tasks, &stop).await?;
            Some(Parent {
                is_of_roots: options.is_temporary,
                ..parent
            })
        }
        None => None,
    };
    let (terms, campaign) = candidacy(&client, &options, &stop);
    let (parents, parent) = channel(parent);
    let downward = proxy::Downward::default();
    let provisioner = Provisioner::new(
        client.clone(),
        stores.clone(),
        Arc::clone(&changed),
        parent,
        downward.clone(),
    );
    let (provision_terms, provision_stop) = (terms.clone(), stop.clone());
    tasks.spawn(async move { provisioner.run(provision_terms, &provision_stop).await });
    let local = controller::Options {
        cloud: options.cloud,
    };
    tasks.spawn(local::run(
        client.clone(),
        terms.clone(),
        local,
        stop.clone(),
    ));
    let desk = tree::Desk::default();
    let (post, mail) = tree::post();
    let around = agent::Around {
        downward: downward.clone(),
        clusters: stores.clusters.clone(),
        tree: post.clone(),
    };
    tasks.spawn(agent::run(
        client.clone(),
        around,
        terms.clone(),
        stop.clone(),
    ));
    if let Some(options) = options.proxy {
        let proxying = proxy::run(client.clone(), options, downward.clone(), stop.clone());
        tasks.spawn(proxying);
    }
    let placing = tree::Parts {
        client: client.clone(),
        stores: stores.clone(),
        changed: Arc::clone(&changed),
        desk: desk.clone(),
        post: post.clone(),
        downward: downward.clone(),
        cell: options.cell.as_ref().map(|cell| cell.name.clone()),
    };
    tasks.spawn(tree::run(placing, mail, terms.clone(), stop.clone()));
    let (given, seen, told) = (client.clone(), stores.clone(), Arc::clone(&changed));
    let parts = move |options| cell::Parts {
        client: given,
        options,
        clusters: seen.clusters,
        board: seen.agents,
        changed: told,
        tree: post,
        downward,
    };
    match options.cell {
        Some(options) => {
            tasks.spawn(cell::run(parts(options), terms.clone(), stop.clone()));
        }
        None if options.bootstrap.is_none() => {
            let wanted = (client.clone(), stores.clone(), options.identity.clone());
            let (terms, ending) = (terms.clone(), (tasks.clone(), stop.clone()));
            tasks.spawn(serve_as_told(wanted, parents, parts, terms, ending));
        }
        None => {}
    }
    let reconciler = Reconciler {
        writer: StatusWriter::start(client.clone(), Arc::clone(&metrics), &tasks, &stop),
        events: Events::start(client.clone(), options.identity.clone(), &tasks, &stop),
        client,
        desk,
        identity: options.identity,
        keep: options.keep,
        quiet: options.quiet,
        stores,
        changed,
        metrics,
    };
    let ended = async {
        reconciler.run(terms, &stop).await;
        Ok(())
    };
    tokio::try_join!(ended, campaign)?;
    stop.cancel();
    tasks.close();
    if timeout(STOP_PATIENCE, tasks.wait()).await.is_err() {
        tracing::warn!("gave up waiting for what was under way");
    }
    Ok(())
}

/// Serves children as soon as the cluster that this operator runs in is to have some.
async fn serve_as_told(
    (client, stores, identity): (Client, Stores, String),
    parents: Sender<Option<Parent>>,
    parts: impl FnOnce(cell::Options) -> cell::Parts,
    terms: Receiver<Option<Term>>,
    (tasks, stop): (TaskTracker, CancellationToken),
) {
    let begun = async {
        let role = role::awaited(&client, &stores.clusters, &identity).await;
        loop {
            match webhook_of(&client, role.bootstrap.clone(), &tasks, &stop).await {
                Ok(parent) => return (role, parent),
                Err(error) => tracing::warn!(%error, "the bootstrap webhook does not begin"),
            }
            tokio::time::sleep(WEBHOOK_PAUSE).await;
        }
    };
    if let Some((role, parent)) = stop.run_until_cancelled(begun).await {
        tracing::info!(url = parent.url, "this cluster is a cell");
        parents.send_replace(Some(parent));
        cell::run(parts(role.cell), terms, stop).await;
    }
}

/// Starts the webhook; says where machines call it.
async fn webhook_of(
    client: &Client,
    options: bootstrap::Options,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<Parent, OperatorError> {
    let host = options.hosts.first().cloned().unwrap_or_default();
    let server = bootstrap::Server::bind(client.clone(), options, stop).await?;
    let parent = Parent {
        url: register_url(&host, server.port()),
        authorities: server.authorities(),
        is_of_roots: false,
    };
    let stop = stop.clone();
    tasks.spawn(async move {
        if let Err(error) = bootstrap::serve(server, stop).await {
            tracing::error!(%error, "the bootstrap webhook has ended");
        }
    });
    Ok(parent)
}

type Campaign = futures::future::BoxFuture<'static, Result<(), OperatorError>>;

/// The terms of this operator, and what has to run for there to be any.
fn candidacy(
    client: &Client,
    options: &Options,
    stop: &CancellationToken,
) -> (Receiver<Option<Term>>, Campaign) {
    let Some(lease_seconds) = options.lease_seconds else {
        return (leader::always(stop), Box::pin(async { Ok(()) }));
    };
    let candidate = Candidate {
        identity: options.identity.clone(),
        lease_seconds,
    };
    let (sender, receiver) = channel(None);
    let campaign = leader::campaign(client.clone(), candidate, stop.clone(), sender);
    (receiver, Box::pin(campaign))
}
