//! A cluster whose provider runs out of what was planned: the plan does without. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use kube::Client;
use serde_json::{Value, json};
use support::{fleet, local_cloud::Place, managers, parent::Parent};

const PLACE: Place = Place {
    bridge: "lattest9",
    subnet: "10.229.0.0/16",
    host: "10.229.0.1",
};

/// One pool of two classes, of which the control plane is of the dearer one, and a service that the cheaper one would do for.
async fn ask(client: &Client, version: &str) {
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
    let parent = Parent::start(PLACE).await;
    let client = &parent.client;
    parent
        .cloud
        .told(&["fail", "out-of-stock", "--size", "small"]);
    parent.hand_over("default", "local-credentials").await;
    ask(client, &managers::version()).await;

    parent
        .until("the cheaper class is planned", async || {
            let cluster = only_cluster(client).await?;
            (workers(&cluster) == ["small"]).then_some(())
        })
        .await;
    parent
        .until("the plan does without it", async || {
            let cluster = only_cluster(client).await?;
            (workers(&cluster) == ["medium"]).then_some(())
        })
        .await;
    let pool = parent
        .until("the pool says so", async || {
            let pool = fleet::get(client, "LatticePool", "here").await?;
            (pool["status"]["phase"] == "Degraded").then_some(pool)
        })
        .await;
    let said = fleet::condition(&pool, "Obtainable");
    assert!(
        said.starts_with("False Shortage no more of small until 20"),
        "{said}"
    );
    assert!(said.contains("OutOfStock"), "{said}");
    let cluster = parent
        .until("the cluster is ready", async || {
            let cluster = only_cluster(client).await?;
            (cluster["status"]["phase"] == "Ready").then_some(cluster)
        })
        .await;
    assert_eq!(workers(&cluster), ["medium"]);
    let shortages = &cluster["status"]["shortages"];
    assert!(
        shortages.is_null(),
        "nothing is waited for any more: {shortages}"
    );
    let api = fleet::get(client, "LatticeService", "api").await.unwrap();
    assert_eq!(
        api["status"]["placements"][0]["node"], "medium@rack-1",
        "{api}"
    );

    fleet::delete(client, "LatticeService", Some("default"), "api").await;
    parent
        .until("the cluster is gone", async || {
            only_cluster(client).await.is_none().then_some(())
        })
        .await;
    assert_eq!(parent.cloud.told(&["machines"]), "No machines.\n");
    parent.stop().await;
}
