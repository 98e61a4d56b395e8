//! A cluster whose provider runs out of what was planned: the plan does without. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, ResourceExt, api::PostParams};
use lattice::operator::{control_plane::ControlPlane, decision_log::ensure_namespace, install};
use serde_json::{Value, json};
use support::{
    fleet,
    local_cloud::{Cloud, Place},
    managers,
};

const PLACE: Place = Place {
    bridge: "lattest9",
    subnet: "10.229.0.0/16",
    host: "10.229.0.1",
};
const PATIENCE: Duration = Duration::from_secs(300);

async fn until<T>(
    what: &str,
    client: &Client,
    cloud: &Cloud,
    mut holds: impl AsyncFnMut() -> Option<T>,
) -> T {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(found) = holds().await {
            println!("{what}: after {:.1} s", begun.elapsed().as_secs_f64());
            return found;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for kind in ["LatticeCluster", "LatticePool", "LatticeService"] {
        for object in fleet::list(client, kind).await.items {
            println!("{kind} {}: {}", object.name_any(), object.data);
        }
    }
    println!("{}", cloud.told(&["machines"]));
    println!("{}", cloud.said("operator"));
    panic!("not within {} s: {what}", PATIENCE.as_secs());
}

/// One pool of two classes, of which the control plane is of the dearer one, and a service that the cheaper one would do for.
async fn ask(client: &Client, cloud: &Cloud, version: &str) {
    ensure_namespace(client).await.unwrap();
    let secret: Secret =
        serde_saphyr::from_str(&cloud.told(&["secret", "--namespace", "lattice-system"])).unwrap();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "lattice-system");
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    let text = include_str!("data/clusters/fleet.yaml").replace("VERSION", version);
    for mut document in serde_saphyr::from_multiple::<Value>(&text).unwrap() {
        match document["kind"].as_str().unwrap() {
            "LatticePool" => document["spec"]["nodeClasses"] = json!(["small", "medium"]),
            "LatticePlacementPolicy" => {
                document["spec"]["clusterPolicy"]["controlPlane"]["nodeClass"] = json!("medium");
            }
            "LatticeNodeClass" => {
                let mut medium = document.clone();
                medium["metadata"]["name"] = json!("medium");
                medium["spec"]["resources"] = json!({"cores": 4, "memoryGi": 8});
                medium["spec"]["costPerHour"] = json!({"local": 0.02});
                fleet::apply(client, &medium).await;
            }
            _ => {}
        }
        fleet::apply(client, &document).await;
    }
}

/// Classes of the cluster's workers.
fn workers(cluster: &Value) -> Vec<String> {
    let groups = cluster["spec"]["nodes"]["groups"].as_array();
    let classes = groups
        .into_iter()
        .flatten()
        .map(|group| &group["nodeClass"]);
    classes
        .map(|class| class.as_str().unwrap().to_owned())
        .collect()
}

async fn only_cluster(client: &Client) -> Option<Value> {
    let clusters = fleet::list(client, "LatticeCluster").await.items;
    clusters
        .first()
        .map(|cluster| serde_json::to_value(cluster).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_out_of_stock_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let parent = ControlPlane::start(support::options(folder.path()))
        .await
        .unwrap();
    let client = parent.client().await.unwrap();
    install::install(&client).await.unwrap();
    let mut cloud = Cloud::start(PLACE);
    cloud.told(&["fail", "out-of-stock", "--size", "small"]);
    let kubeconfig = parent.kubeconfig_path();
    let _managing = managers::start(&client, &kubeconfig, folder.path(), PLACE.host).await;
    let kubeconfig = kubeconfig.display().to_string();
    let words = [
        "operator",
        "--kubeconfig",
        &kubeconfig,
        "--http",
        "127.0.0.1:0",
    ];
    cloud.run("operator", &words.map(str::to_owned));
    ask(&client, &cloud, &managers::version()).await;

    until(
        "the cheaper class is planned",
        &client,
        &cloud,
        async || {
            let cluster = only_cluster(&client).await?;
            (workers(&cluster) == ["small"]).then_some(())
        },
    )
    .await;
    until("the plan does without it", &client, &cloud, async || {
        let cluster = only_cluster(&client).await?;
        (workers(&cluster) == ["medium"]).then_some(())
    })
    .await;
    let pool = until("the pool says so", &client, &cloud, async || {
        let pool = fleet::get(&client, "LatticePool", "here").await?;
        (pool["status"]["phase"] == "Degraded").then_some(pool)
    })
    .await;
    let said = fleet::condition(&pool, "Obtainable");
    assert!(
        said.starts_with("False Shortage no more of small until 20"),
        "{said}"
    );
    assert!(said.contains("OutOfStock"), "{said}");
    let cluster = until("the cluster is ready", &client, &cloud, async || {
        let cluster = only_cluster(&client).await?;
        (cluster["status"]["phase"] == "Ready").then_some(cluster)
    })
    .await;
    assert_eq!(workers(&cluster), ["medium"]);
    let shortages = &cluster["status"]["shortages"];
    assert!(
        shortages.is_null(),
        "nothing is waited for any more: {shortages}"
    );
    let api = fleet::get(&client, "LatticeService", "api").await.unwrap();
    assert_eq!(
        api["status"]["placements"][0]["node"], "medium@rack-1",
        "{api}"
    );

    fleet::delete(&client, "LatticeService", Some("default"), "api").await;
    until("the cluster is gone", &client, &cloud, async || {
        only_cluster(&client).await.is_none().then_some(())
    })
    .await;
    assert_eq!(cloud.told(&["machines"]), "No machines.\n");
    parent.stop().await.unwrap();
}
