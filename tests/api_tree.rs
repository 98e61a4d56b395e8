//! Services placed over a tree of cells on real API servers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use kube::api::DeleteParams;
use lattice::api::{LatticeCluster, LatticeService};
use serde_json::json;
use support::{
    cells::{fleet_of_one, join, operate, port, serving},
    fleet,
    pivoting::Place,
    tree::{give, guests, path_of, service},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_without_a_place_at_home_gets_one_in_another_cell() {
    let place = || Place::again(tempfile::tempdir().unwrap());
    let (above, east, west) = tokio::join!(place(), place(), place());
    let (root, east_client, west_client) = (&above.client, &east.client, &west.client);
    for client in [root, east_client, west_client] {
        fleet::install_kinds(client).await;
    }
    let agents = port();
    let root_stop = operate(root, serving("root", agents));
    let east_stop = operate(east_client, fleet::options("east"));
    let west_stop = operate(west_client, fleet::options("west"));
    for object in fleet_of_one("east").iter().chain(&fleet_of_one("west")) {
        fleet::apply(root, object).await;
    }
    give(root, "large", 8, 0.4, json!({})).await;
    give(east_client, "small", 2, 0.1, json!({"tier": "gold"})).await;
    give(west_client, "golden", 8, 0.9, json!({"tier": "gold"})).await;
    let endpoint = format!("127.0.0.1:{agents}");
    join(root, east_client, "east", &endpoint).await;
    join(root, west_client, "west", &endpoint).await;

    // What has a place at home stays there.
    fleet::apply(east_client, &service("home", 1, json!({}))).await;
    // On the parent's pool, in a cluster that is made for it; on a sibling's, as nobody else has such machines.
    fleet::apply(east_client, &service("first", 4, json!({}))).await;
    assert_eq!(path_of(east_client, "first").await, ["east", "root"]);
    fleet::apply(east_client, &service("second", 4, json!({"tier": "gold"}))).await;
    assert_eq!(
        path_of(east_client, "second").await,
        ["east", "root", "west"]
    );
    let home = fleet::get(east_client, "LatticeService", "home")
        .await
        .unwrap();
    assert_eq!(home["status"]["placements"][0]["pool"], "small", "{home}");
    assert!(home["status"]["escalation"].is_null());
    let there = fleet::eventually("the root's own scheduler has it", || async {
        guests(root).await.pop()
    })
    .await;
    assert_eq!(there["status"]["placements"][0]["pool"], "large", "{there}");
    assert_eq!(there["metadata"]["labels"]["lattice.dev/guest-of"], "east");
    assert_eq!(guests(west_client).await.len(), 1);

    // What fits nowhere says so, with what would help.
    fleet::apply(
        east_client,
        &service("hopeless", 4, json!({"tier": "lead"})),
    )
    .await;
    fleet::eventually("a no from the root", || async {
        let object = fleet::get(east_client, "LatticeService", "hopeless").await?;
        let said = fleet::condition(&object, "Scheduled");
        said.contains("without tier=lead there is one")
            .then_some(())
    })
    .await;

    // Without a parent nothing that has a place loses it, and what needs one says for whom it waits.
    root_stop.cancel();
    fleet::apply(east_client, &service("third", 4, json!({}))).await;
    fleet::eventually("it waits for the parent", || async {
        let object = fleet::get(east_client, "LatticeService", "third").await?;
        let said = fleet::condition(&object, "Scheduled");
        said.starts_with("False WaitingForParent").then_some(())
    })
    .await;
    assert_eq!(path_of(east_client, "first").await, ["east", "root"]);
    let root_stop = operate(root, serving("root", agents));
    assert_eq!(path_of(east_client, "third").await, ["east", "root"]);

    // What is needed no more is free again.
    let services: kube::Api<LatticeService> = kube::Api::namespaced(east_client.clone(), "default");
    for name in ["first", "second", "third"] {
        services
            .delete(name, &DeleteParams::default())
            .await
            .unwrap();
    }
    fleet::eventually("all are released", || async {
        let left = guests(root).await.len() + guests(west_client).await.len();
        (left == 0).then_some(())
    })
    .await;

    // What came from a cluster that is deleted leaves with it.
    give(root, "own", 8, 0.4, json!({"tier": "own"})).await;
    let fourth = service("fourth", 4, json!({"tier": "own"}));
    fleet::apply(east_client, &fourth).await;
    assert_eq!(path_of(east_client, "fourth").await, ["east", "root"]);
    let clusters: kube::Api<LatticeCluster> = kube::Api::all(root.clone());
    clusters
        .delete("east", &DeleteParams::default())
        .await
        .unwrap();
    fleet::eventually("its guests are gone", || async {
        guests(root).await.is_empty().then_some(())
    })
    .await;
    for stop in [root_stop, east_stop, west_stop] {
        stop.cancel();
    }
    tokio::join!(above.stop(), east.stop(), west.stop());
}
