//! The objects of a running Lattice, read from its API server.

use std::path::Path;
use std::time::Duration;

use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};
use serde::de::DeserializeOwned;

use super::error::CliError;
use crate::placement::inputs::Inputs;
use crate::placement::plan::{self, Plan};
use crate::placement::snapshot;
use crate::scheduler;

/// Objects asked for at once.
const PAGE: u32 = 500;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the API server in a kubeconfig; without one, of the one that `kubectl` would talk to.
pub(crate) async fn client(kubeconfig: Option<&Path>) -> Result<Client, CliError> {
    let options = KubeConfigOptions::default();
    let read = match kubeconfig {
        None => Config::infer().await.map_err(|error| error.to_string()),
        Some(path) => match Kubeconfig::read_from(path) {
            Ok(file) => Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        },
    };
    let mut config = read.map_err(CliError::Kubeconfig)?;
    config.connect_timeout = Some(PATIENCE);
    config.read_timeout = Some(PATIENCE);
    Client::try_from(config).map_err(CliError::from)
}

/// Every object that decisions depend on.
pub(crate) async fn inputs(client: &Client) -> Result<Inputs, CliError> {
    Ok(Inputs {
        pools: list(client).await?,
        node_classes: list(client).await?,
        policies: list(client).await?,
        services: list(client).await?,
        clusters: list(client).await?,
        service_placements: list(client).await?,
        external_services: list(client).await?,
    })
}

/// The plan of the current state: what the scheduler decides, given everything as it is.
pub(crate) async fn plan_from_cluster(kubeconfig: Option<&Path>) -> Result<Plan, CliError> {
    let inputs = inputs(&client(kubeconfig).await?).await?;
    let built = snapshot::build(&inputs);
    let solution = scheduler::solve(&built.snapshot);
    let options = plan::Options::default();
    Ok(plan::build(
        &built.snapshot,
        &solution,
        &built.problems,
        options,
    ))
}

/// Runs a command that talks to an API server to its end.
pub(crate) fn block_on<T>(
    future: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(CliError::Runtime)?
        .block_on(future)
}

async fn list<K>(client: &Client) -> Result<Vec<K>, CliError>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let api: Api<K> = Api::all(client.clone());
    let mut found = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}
