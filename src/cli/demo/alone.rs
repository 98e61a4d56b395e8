//! A cluster that has nobody but itself, and loses a machine.

use std::time::Duration;

use kube::{Client, ResourceExt, api::DynamicObject};
use tokio::time::{Instant, sleep};

use super::clusters::objects;
use crate::{
    cli::{beside::Clusters, follow::Clock, online::OnlineError},
    clusters::provider::cloud::{ADMINISTRATOR, Access, CloudClient},
};

/// What Cluster API says of workers: the MachineDeployment that they are of.
const DEPLOYMENT: &str = "cluster.x-k8s.io/deployment-name";
/// Longest wait for another machine.
const PATIENCE: Duration = Duration::from_secs(420);
const EVERY: Duration = Duration::from_millis(500);

/// Switches one of the cluster's workers off, and shows that the cluster replaces it.
pub(super) async fn show(
    clusters: &Clusters,
    (name, child): (&str, &Client),
    clock: &Clock,
) -> Result<(), OnlineError> {
    let cloud = clusters.serve().await?;
    let replaced = replaced(clusters, (name, child), clock).await;
    cloud.stop().await?;
    replaced
}

async fn replaced(
    clusters: &Clusters,
    (name, child): (&str, &Client),
    clock: &Clock,
) -> Result<(), OnlineError> {
    let before = running(child).await.unwrap_or_default();
    let Some(lost) = before.first() else {
        clock.say(&format!("{name} has no worker to lose"));
        return Ok(());
    };
    let administrator = Access::read(&clusters.cloud, ADMINISTRATOR)?;
    CloudClient::new(&administrator)?.act(lost, "stop").await?;
    clock.say(&format!(
        "{lost}, a worker of {name}, is switched off; it may be gone a minute before it is given up"
    ));
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // It may not answer for a moment: what serves it may have been on that machine.
        let now = running(child).await.unwrap_or_default();
        if let Some(other) = now.iter().find(|name| !before.contains(name)) {
            clock.say(&format!("{name} has replaced it by {other}"));
            return Ok(());
        }
        sleep(EVERY).await;
    }
    Err(OnlineError::NotReady {
        seconds: PATIENCE.as_secs(),
        told: format!("{name} has not replaced {lost}"),
    })
}

/// The workers that run.
async fn running(child: &Client) -> Result<Vec<String>, kube::Error> {
    let machines = objects(child, "Machine").await?;
    let is_worker = |machine: &&DynamicObject| {
        machine.labels().contains_key(DEPLOYMENT) && machine.data["status"]["phase"] == "Running"
    };
    Ok(machines
        .iter()
        .filter(is_worker)
        .map(ResourceExt::name_any)
        .collect())
}
