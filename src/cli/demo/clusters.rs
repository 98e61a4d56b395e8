//! Clusters that come about, as they do.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
};
use tokio_util::sync::CancellationToken;

use super::{alone, show};
use crate::{
    cli::{
        apply,
        beside::{Clusters, Parts},
        cloud::Place,
        follow::{Clock, follow},
        live::Live,
        online::{self, OnlineError},
        output::Output,
        up::{self, Settings, Up},
    },
    operator::kept_kubeconfig,
    placement::inputs::Inputs,
};

/// One folder and one network, so that what a demonstration that was killed has left is found and taken away by the next.
const FOLDER: &str = ".lattice/demo";
const BRIDGE: &str = "latticedemo";
const SUBNET: &str = "10.214.0.0/16";
/// Longest wait until all clusters manage themselves.
const PATIENCE: Duration = Duration::from_secs(900);
/// What a cluster consists of, as Cluster API has it.
const KINDS: [&str; 4] = ["Cluster", "MachineDeployment", "MachineSet", "Machine"];

/// Has everything decided and made, shows it, and takes it away again.
pub(super) fn run(inputs: &Inputs, parts: Parts, out: Output) -> Result<(), OnlineError> {
    let folder = PathBuf::from(FOLDER);
    let clusters = Clusters {
        cloud: folder.join("cloud"),
        parts,
        place: Place::new(BRIDGE, SUBNET),
    };
    online::run(async |stop| {
        clusters.check().await?;
        clear(&clusters, &folder).await?;
        let shown = demonstrate(&clusters, &folder, (inputs, out), stop).await;
        clear(&clusters, &folder).await?;
        shown?;
        let _ = out.print("All machines are taken back; nothing is left running.\n");
        Ok(())
    })
}

/// Ends all machines, and forgets everything.
async fn clear(clusters: &Clusters, folder: &Path) -> Result<(), OnlineError> {
    clusters.tear_down().await?;
    std::fs::remove_dir_all(folder).map_err(OnlineError::Start)
}

async fn demonstrate(
    clusters: &Clusters,
    folder: &Path,
    (inputs, out): (&Inputs, Output),
    stop: CancellationToken,
) -> Result<(), OnlineError> {
    let mut plane = up::plane(folder.join("up"))?;
    plane.fsync = false;
    let settings = Settings {
        plane,
        http: None,
        operator: true,
        clusters: Some(clusters.clone()),
        is_temporary: false,
    };
    let clock = Clock::start(out);
    let mut made = Vec::new();
    up::session(settings, stop.clone(), async |up: &Up, stop| {
        let work = async {
            clock.say("etcd, kube-apiserver, the operator, Cluster API's managers and a cloud run");
            apply::all(&up.client, inputs).await?;
            clock.say("the fleet is applied: its services have no cluster to run in");
            let names = follow(&up.client, &clock, PATIENCE).await?;
            made = tell(&up.client, &names, out).await?;
            Ok(())
        };
        stop.run_until_cancelled(work)
            .await
            .ok_or(OnlineError::Stopped)?
    })
    .await?;
    clock.say("etcd, kube-apiserver, the operator and Cluster API's managers here are stopped");
    if let Some((name, child)) = made.first() {
        let shown = alone::show(clusters, (name, child), &clock);
        stop.run_until_cancelled(shown)
            .await
            .ok_or(OnlineError::Stopped)??;
    }
    Ok(())
}

/// Shows that the clusters' objects are in the clusters; each with a client of its API server.
async fn tell(
    client: &Client,
    names: &[String],
    out: Output,
) -> Result<Vec<(String, Client)>, OnlineError> {
    let mut made = Vec::new();
    for name in names {
        if let Some(kubeconfig) = kept_kubeconfig(client, name).await? {
            made.push((name.clone(), online::nearby(&kubeconfig).await?));
        }
    }
    let mut rows = Vec::new();
    for kind in KINDS {
        let mut row = vec![kind.to_owned(), count(client, kind).await?.to_string()];
        for (_, child) in &made {
            row.push(count(child, kind).await?.to_string());
        }
        rows.push(row);
    }
    let inside = made.iter().map(|(name, _)| format!("IN {name}"));
    let live = Live::of(client).await?;
    let shown = [
        show::objects(inside.collect(), rows),
        show::services(&live.inputs.services),
    ];
    let _ = out.print(&format!("\n{}\n", shown.join("\n")));
    Ok(made)
}

async fn count(client: &Client, kind: &str) -> Result<usize, OnlineError> {
    Ok(objects(client, kind).await?.len())
}

/// Cluster API's objects of a kind.
pub(super) async fn objects(
    client: &Client,
    kind: &str,
) -> Result<Vec<DynamicObject>, kube::Error> {
    let kind = GroupVersionKind::gvk("cluster.x-k8s.io", "v1beta2", kind);
    let api = Api::<DynamicObject>::all_with(client.clone(), &ApiResource::from_gvk(&kind));
    Ok(api.list(&ListParams::default()).await?.items)
}
