//! `lattice cluster` on three levels of real API servers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{path::Path, process::Command};

use k8s_openapi::api::core::v1::Node;
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};
use support::{
    cells::{fleet_of_one, join, operate, port, serving},
    fleet,
    pivoting::Place,
};

/// What the command prints, or complains of.
fn ask(kubeconfig: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lattice"));
    command.arg("cluster").args(arguments).arg("--kubeconfig");
    let output = command.arg(kubeconfig).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

/// What the command says of a cluster, as a document.
fn row(kubeconfig: &Path, path: &str) -> Option<Value> {
    let document = ask(kubeconfig, &["list", "-o", "json"]).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let rows = document["clusters"].as_array().unwrap();
    rows.iter().find(|row| row["path"] == path).cloned()
}

/// A machine that nobody made, which works.
async fn add_node(client: &Client, name: &str) {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = json!({"metadata": {"name": name}});
    let node = serde_json::from_value(node).unwrap();
    nodes.create(&PostParams::default(), &node).await.unwrap();
    let status = json!({"status": {
        "allocatable": {"cpu": "1900m", "memory": "6Gi"},
        "conditions": [{"type": "Ready", "status": "True"}],
    }});
    nodes
        .patch_status(name, &PatchParams::default(), &Patch::Merge(&status))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cell_shows_all_below_it_and_how_old_that_is() {
    let place = || Place::again(tempfile::tempdir().unwrap());
    let (root, eu, west) = tokio::join!(place(), place(), place());
    for place in [&root, &eu, &west] {
        fleet::install_kinds(&place.client).await;
    }
    let (for_eu, for_west) = (port(), port());
    let root_stop = operate(&root.client, serving("root", for_eu));
    let eu_stop = operate(&eu.client, serving("eu", for_west));
    let west_stop = operate(&west.client, fleet::options("west"));
    for object in fleet_of_one("eu") {
        fleet::apply(&root.client, &object).await;
    }
    for object in fleet_of_one("west") {
        fleet::apply(&eu.client, &object).await;
    }
    add_node(&west.client, "west-1").await;
    let endpoint = |port: u16| format!("127.0.0.1:{port}");
    join(&root.client, &eu.client, "eu", &endpoint(for_eu)).await;
    join(&eu.client, &west.client, "west", &endpoint(for_west)).await;

    let file = root.kubeconfig();
    let far = fleet::eventually("the root hears of the cluster far below", || async {
        row(&file, "eu/west").filter(|row| row["nodes"]["ready"] == 1)
    })
    .await;
    assert_eq!(far["agent"], "connected", "{far}");
    assert_eq!(far["capacity"], json!({"cores": "1900m", "memoryGi": 6}));
    assert_eq!(far["agentVersion"], env!("CARGO_PKG_VERSION"));
    assert!(far["kubernetesVersion"].as_str().unwrap().starts_with('v'));
    assert_eq!(
        far["hourly"], 0.1,
        "its control plane, by the class's price"
    );
    assert_eq!(far["seen"]["seconds"], 0, "{far}");
    let tree = ask(&file, &["tree"]).unwrap();
    assert!(tree.contains("└─ west"), "{tree}");
    assert!(tree.contains("2 clusters: 1 of 1 node"), "{tree}");
    let one = ask(&file, &["get", "eu/west"]).unwrap();
    assert!(one.contains("1900m cores, 6Gi"), "{one}");
    let wrong = ask(&file, &["get", "eu/wets"]).unwrap_err();
    assert!(wrong.contains("did you mean `eu/west`?"), "{wrong}");

    // The lowest goes: all above know since when nothing was heard.
    west_stop.cancel();
    let far = fleet::eventually("the root hears that it is lost", || async {
        row(&file, "eu/west").filter(|row| row["agent"] == "lost")
    })
    .await;
    assert_eq!(far["nodes"]["ready"], 1, "the last that was known");
    let since = far["seen"]["at"].clone();
    assert!(since.is_string(), "{far}");
    assert_eq!(row(&file, "eu").unwrap()["agent"], "connected");

    // Nobody leads the root: nothing is as of now any more.
    root_stop.cancel();
    fleet::eventually("time passes over what the root knew", || async {
        row(&file, "eu").filter(|row| row["seen"]["seconds"].as_u64() > Some(1))
    })
    .await;
    assert_eq!(row(&file, "eu/west").unwrap()["seen"]["at"], since);
    eu_stop.cancel();
    tokio::join!(root.stop(), eu.stop(), west.stop());
}
