//! The controllers of the `local` provider, as long as this operator leads and Cluster API is there.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;

use super::leader::Term;
use crate::clusters::provider::controller::{self, Options};

/// What has to be served before there is anything to control.
const NEEDED: [&str; 4] = [
    "clusters.cluster.x-k8s.io",
    "machines.cluster.x-k8s.io",
    "localclusters.infrastructure.cluster.x-k8s.io",
    "localmachines.infrastructure.cluster.x-k8s.io",
];
/// How often it is looked whether it is.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Runs them whenever it is their turn, until the stop.
pub(crate) async fn run(
    client: Client,
    mut terms: Receiver<Option<Term>>,
    options: Options,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        if terms.wait_for(Option::is_some).await.is_err() {
            return;
        }
        if is_served(&client).await {
            let turn = stop.child_token();
            tokio::select! {
                () = controller::run(client.clone(), options.clone(), turn.clone()) => {}
                _ = terms.wait_for(Option::is_none) => turn.cancel(),
            }
        }
        let _ = stop
            .run_until_cancelled(tokio::time::sleep(LOOK_EVERY))
            .await;
    }
}

/// An API server that does not answer has nothing to control either.
async fn is_served(client: &Client) -> bool {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    for name in NEEDED {
        if !matches!(crds.get_metadata_opt(name).await, Ok(Some(_))) {
            return false;
        }
    }
    true
}
