//! Three levels of cells in network namespaces of their own, with real API servers, and a root that cannot be reached for a while.
//! Needs root. `LATTICE_CUTS=100` cuts it off so many times, each for `LATTICE_CUT_SECONDS`.
//!
//! Wall clocks cannot be moved for one process, so no day passes here. What a day brings beyond what a cut of some seconds brings
//! is an agent's certificate that is over, and that is there: while the link is down the agent gets one in its place that was over
//! the day before.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use kube::{Api, Client, api::DeleteParams};
use lattice::api::LatticeService;
use serde_json::{Value, json};
use support::{
    apart::{Apart, PORT, link},
    cells::{a_day_later, fleet_of_one, join},
    fleet,
    tree::{give, guests, path_of, service},
};

/// What pending services may take once the root is back.
const RESOLVED_WITHIN: Duration = Duration::from_secs(30);

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Waits until a service says that it waits for the cell above.
async fn waits(client: &Client, name: &str) {
    let begun = Instant::now();
    loop {
        let object = fleet::get(client, "LatticeService", name).await.unwrap();
        let said = fleet::condition(&object, "Scheduled");
        if said.starts_with("False WaitingForParent") {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{name}: {said}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// All that a cell holds of services, clusters and capacity, with where the services are. What differs from one look to the next
/// without anything having changed is left out.
async fn held(client: &Client) -> BTreeMap<String, Value> {
    let mut held = BTreeMap::new();
    for kind in [
        "LatticeService",
        "LatticeCluster",
        "LatticePool",
        "LatticeNodeClass",
    ] {
        for object in fleet::list(client, kind).await {
            let value = serde_json::to_value(&object).unwrap();
            let name = format!("{kind} {}", object.metadata.name.unwrap());
            let status = &value["status"];
            let of = json!({
                "uid": value["metadata"]["uid"],
                "labels": value["metadata"]["labels"],
                "spec": value["spec"],
                "phase": status["phase"],
                "placements": status["placements"],
                "escalation": status["escalation"],
            });
            held.insert(name, of);
        }
    }
    held
}

async fn delete(client: &Client, name: &str) {
    let services: Api<LatticeService> = Api::namespaced(client.clone(), "default");
    services
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
}

/// The services of other cells that have a place here are so many.
async fn guests_are(client: &Client, count: usize) {
    fleet::eventually(&format!("{count} guests"), || async {
        (guests(client).await.len() == count).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_cannot_be_reached_changes_nothing_below_and_what_waits_is_placed_on_its_return()
 {
    let cuts = number("LATTICE_CUTS", 2);
    let seconds = Duration::from_secs(number("LATTICE_CUT_SECONDS", 5));
    let folder = tempfile::tempdir().unwrap();
    let mut root = Apart::start("root", 1, folder.path()).await;
    let mut east = Apart::start("east", 2, folder.path()).await;
    let mut west = Apart::start("west", 3, folder.path()).await;
    let mut leaf = Apart::start("leaf", 4, folder.path()).await;
    let to_east = link(&root, &east, 1);
    let to_west = link(&root, &west, 2);
    let to_leaf = link(&east, &leaf, 3);
    for (cell, clusters) in [(&root, &["east", "west"][..]), (&east, &["leaf"])] {
        for cluster in clusters {
            for object in fleet_of_one(cluster) {
                fleet::apply(&cell.client, &object).await;
            }
        }
    }
    root.operate(&[to_east.clone(), to_west.clone()]);
    east.operate(std::slice::from_ref(&to_leaf));
    west.operate(&[]);
    leaf.operate(&[]);
    // Of the tier that services ask for only the west has machines that are large enough.
    give(&leaf.client, "small", 2, 0.1, json!({"tier": "gold"})).await;
    give(&east.client, "middle", 2, 0.2, json!({"tier": "gold"})).await;
    give(&west.client, "golden", 8, 0.9, json!({"tier": "gold"})).await;
    for (above, below, host) in [
        (&root, &east, &to_east),
        (&root, &west, &to_west),
        (&east, &leaf, &to_leaf),
    ] {
        let endpoint = format!("{host}:{PORT}");
        join(&above.client, &below.client, below.name, &endpoint).await;
    }
    let gold = || json!({"tier": "gold"});
    fleet::apply(&leaf.client, &service("home", 1, gold())).await;
    fleet::apply(&leaf.client, &service("first", 4, gold())).await;
    let far = ["leaf", "east", "root", "west"];
    assert_eq!(path_of(&leaf.client, "first").await, far);
    guests_are(&west.client, 1).await;

    let mut slowest = Duration::ZERO;
    for cut in 0..cuts {
        let mut before = Vec::new();
        for cell in [&east, &west, &leaf] {
            before.push(held(&cell.client).await);
        }
        for below in ["east", "west"] {
            root.set_link(below, false);
        }
        if cut % 10 == 0 {
            a_day_later(&root.client, &east.client, "east").await;
        }
        let (high, low) = (format!("high-{cut}"), format!("low-{cut}"));
        fleet::apply(&east.client, &service(&high, 4, gold())).await;
        fleet::apply(&leaf.client, &service(&low, 4, gold())).await;
        waits(&east.client, &high).await;
        waits(&leaf.client, &low).await;
        // Whoever is below goes on by itself.
        let local = format!("local-{cut}");
        fleet::apply(&leaf.client, &service(&local, 1, gold())).await;
        fleet::eventually("a place at home", || async {
            let object = fleet::get(&leaf.client, "LatticeService", &local).await?;
            (object["status"]["placements"][0]["pool"] == "small").then_some(())
        })
        .await;
        tokio::time::sleep(seconds).await;
        waits(&leaf.client, &low).await;
        for below in ["east", "west"] {
            root.set_link(below, true);
        }
        let back = Instant::now();
        assert_eq!(path_of(&leaf.client, &low).await, far);
        assert_eq!(path_of(&east.client, &high).await, far[1..]);
        let took = back.elapsed();
        println!(
            "cut {}: all placed {:.1} s after the return",
            cut + 1,
            took.as_secs_f64()
        );
        assert!(
            took < RESOLVED_WITHIN,
            "{took:?}\n{}\n{}",
            root.said("operator"),
            east.said("operator")
        );
        slowest = slowest.max(took);
        // Nothing below is another than it was, but for what was asked for meanwhile.
        delete(&leaf.client, &low).await;
        delete(&leaf.client, &local).await;
        delete(&east.client, &high).await;
        guests_are(&west.client, 1).await;
        for (cell, before) in [&east, &west, &leaf].into_iter().zip(before) {
            fleet::eventually(&format!("{} is as it was", cell.name), || async {
                (held(&cell.client).await == before).then_some(())
            })
            .await;
        }
    }
    println!(
        "{cuts} cuts of {cuts} came to a good end; the slowest took {:.1} s",
        slowest.as_secs_f64()
    );
}
