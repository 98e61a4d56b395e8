//! Watches that lag behind one another make no clusters that the next moment takes back.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{sync::Arc, time::Duration};

use http::Request;
use kube::{Client, ResourceExt, client::Body};
use lattice::operator::{control_plane::ControlPlane, decision_log::Reader};
use serde_json::json;
use support::fleet::{self, Running, eventually};
use tokio::{sync::Semaphore, time::sleep};
use tower::service_fn;

/// An operator of a test decides 50 ms after the last change.
const SEVERAL_PASSES: Duration = Duration::from_secs(2);

/// A client that hears nothing of policies before the gate is open.
fn deaf_to_policies(client: &Client, gate: &Arc<Semaphore>) -> Client {
    let (client, gate) = (client.clone(), Arc::clone(gate));
    let send = move |request: Request<Body>| {
        let (client, gate) = (client.clone(), Arc::clone(&gate));
        async move {
            let uri = request.uri();
            let is_watch = uri
                .query()
                .is_some_and(|query| query.contains("watch=true"));
            if is_watch && uri.path().ends_with("/latticeplacementpolicies") {
                drop(gate.acquire().await);
            }
            client.send(request).await
        }
    };
    Client::new(service_fn(send), "default")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_waits_for_the_policy_that_was_applied_before_its_service() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(support::options(folder.path())).await;
    let plane = plane.unwrap();
    let client = plane.client().await.unwrap();
    fleet::install_kinds(&client).await;
    let gate = Arc::new(Semaphore::new(0));
    let deaf = deaf_to_policies(&client, &gate);
    let operator = Running::start(&deaf, "deaf");
    eventually("a decision on nothing", || fleet::last_decision(&client)).await;

    let policy = json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": "LatticePlacementPolicy",
        "metadata": {"name": "rules"},
        "spec": {"clusterPolicy": {"controlPlane": {"replicas": 1, "nodeClass": "small"}}},
    });
    for document in [
        fleet::node_class("small", 4, 0.19),
        fleet::pool("east", "us-east-1", 12),
        policy,
        fleet::service("web", 2, "1"),
    ] {
        fleet::apply(&client, &document).await;
    }
    sleep(SEVERAL_PASSES).await;
    let made = fleet::list(&client, "LatticeCluster").await.items;
    assert!(made.is_empty(), "{made:?}");

    gate.add_permits(1);
    eventually("a decision on everything", || fleet::settled(&client)).await;
    let made = fleet::list(&client, "LatticeCluster").await.items;
    assert_eq!(made.len(), 1);
    let reader = Reader::new(client.clone());
    let head = reader.head().await.unwrap().unwrap();
    for entry in &head.entries {
        let record = reader.record(entry).await.unwrap();
        let decided = record.solution.clusters.iter();
        for name in decided.map(|decision| &decision.cluster.name) {
            assert_eq!(*name, made[0].name_any(), "decision {}", entry.id);
        }
    }
    operator.stop().await;
    plane.stop().await.unwrap();
}
