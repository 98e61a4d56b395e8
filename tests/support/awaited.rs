//! Waiting for what comes of itself.

use std::time::{Duration, Instant};

use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams},
    core::GroupVersionKind,
};
use tokio::time::{sleep, timeout};

use super::{fleet, local_cloud::Cloud};

const EVERY: Duration = Duration::from_millis(300);
/// A cluster that is only just there, or half gone, may leave a question without an answer for minutes. It is asked again.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Asks until there is an answer, and tells each time that things have come further.
pub async fn awaited<T>(
    what: &str,
    patience: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
    progress: impl AsyncFn() -> String,
) -> Option<T> {
    let begun = Instant::now();
    let mut last = String::new();
    while begun.elapsed() < patience {
        let asked = Instant::now();
        match timeout(ANSWER_WITHIN, ask()).await {
            Ok(Some(found)) => {
                println!("{what}: after {:.1} s", begun.elapsed().as_secs_f64());
                return Some(found);
            }
            Ok(None) => {}
            Err(_) => println!(
                "{what}: no answer from {:.1} s on",
                (asked - begun).as_secs_f64()
            ),
        }
        let now = timeout(ANSWER_WITHIN, progress()).await;
        let now = now.unwrap_or_else(|_| "no answer".to_owned());
        if now != last {
            println!("  {:.1} s: {now}", begun.elapsed().as_secs_f64());
            last = now;
        }
        sleep(EVERY).await;
    }
    None
}

/// Waits for something of clusters of local machines.
///
/// # Panics
/// If it does not come; it then says how all stands.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    client: &Client,
    cloud: &Cloud,
    look: impl AsyncFnMut() -> Option<T>,
) -> T {
    let progress = async || fleet::progress(client).await;
    if let Some(found) = awaited(what, patience, look, progress).await {
        return found;
    }
    for kind in ["LatticeCluster", "LatticePool", "LatticeService"] {
        for object in fleet::try_list(client, kind).await.into_iter().flatten() {
            println!("{kind} {}: {}", object.name_any(), object.data);
        }
    }
    for (group, version, kind) in [
        ("cluster.x-k8s.io", "v1beta2", "Cluster"),
        ("cluster.x-k8s.io", "v1beta2", "MachineDeployment"),
        ("cluster.x-k8s.io", "v1beta2", "Machine"),
        (
            "infrastructure.cluster.x-k8s.io",
            "v1alpha1",
            "LocalMachine",
        ),
    ] {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        let listed = all.list(&ListParams::default()).await;
        for object in listed.into_iter().flatten() {
            let conditions = &object.data["status"]["conditions"];
            println!("{kind} {}: {conditions}", object.name_any());
        }
    }
    println!("{}", cloud.findings());
    panic!("not within {} s: {what}", patience.as_secs());
}
