//! The operator against a real API server.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use k8s_openapi::api::{coordination::v1::Lease, core::v1::ConfigMap, events::v1::Event};
use kube::{Api, Client, ResourceExt, api::ListParams};
use lattice::{
    operator::{control_plane::ControlPlane, decision_log::NAMESPACE},
    placement::record,
};
use serde_json::{Value, json};
use support::fleet::{self, Running, condition, eventually};

/// One fleet at a time: the machine has few cores, and each test has a control plane of its own.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Every object of the group, and the decision log's head, with its version.
async fn versions(client: &Client) -> BTreeMap<String, Option<String>> {
    let mut found = BTreeMap::new();
    for kind in lattice::api::kinds()
        .iter()
        .filter(|kind| kind.crd().is_some())
    {
        for object in fleet::list(client, &kind.name).await {
            let key = format!("{} {}", kind.name, object.name_any());
            found.insert(key, object.resource_version());
        }
    }
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    for map in maps.list(&ListParams::default()).await.unwrap() {
        found.insert(
            format!("ConfigMap {}", map.name_any()),
            map.resource_version(),
        );
    }
    found
}

async fn decided(client: &Client) {
    eventually("a decision on everything", || fleet::settled(client)).await;
    // Statuses that follow from the objects just made.
    tokio::time::sleep(Duration::from_millis(700)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seed_example_is_decided_as_printed_and_stays_so() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(support::options(folder.path()))
        .await
        .unwrap();
    let client = plane.client().await.unwrap();
    fleet::install_kinds(&client).await;
    fleet::apply_example(&client, "seed").await;
    let operator = Running::start(&client, "one");
    decided(&client).await;
    the_statuses_are_as_printed(&client).await;
    the_clusters_wait_for_provisioning(&client).await;
    constant_input_writes_nothing(&client).await;
    the_last_decision_can_be_made_again(&client).await;
    what_changed_is_told(&client).await;
    a_declared_cluster_grows_within_its_bounds(&client).await;
    a_bad_object_stalls_alone(&client).await;
    the_server_refuses_what_the_rules_forbid(&client).await;
    a_scheduled_cluster_that_a_person_deletes_is_decided_anew(&client).await;
    without_services_there_are_no_clusters(&client).await;
    let began = Instant::now();
    operator.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10));
    plane.stop().await.unwrap();
}

async fn the_statuses_are_as_printed(client: &Client) {
    let service = fleet::get(client, "LatticeService", "api-gateway")
        .await
        .unwrap();
    let status = &service["status"];
    assert_eq!(status["phase"], "Scheduled");
    let placements: Vec<Value> = status["placements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| {
            json!([
                place["pool"],
                place["replicas"],
                place["node"],
                place["cost"]["hourly"].to_string()
            ])
        })
        .collect();
    assert_eq!(
        placements,
        [
            json!([
                "us-east",
                2,
                "medium",
                status["placements"][0]["cost"]["hourly"].to_string()
            ]),
            json!([
                "eu-west",
                1,
                "medium",
                status["placements"][1]["cost"]["hourly"].to_string()
            ]),
        ]
    );
    let amount = |value: &Value| value.to_string().trim_matches('"').to_owned();
    assert_eq!(amount(&status["placements"][0]["cost"]["hourly"]), "0.384");
    assert_eq!(amount(&status["placements"][1]["cost"]["hourly"]), "0.192");
    assert_eq!(amount(&status["totalCost"]["hourly"]), "0.576");
    assert_eq!(amount(&status["totalCost"]["projected30Day"]), "414.72");
    let decision = &status["schedulerDecision"];
    assert_eq!(
        decision["reason"],
        "Placed in us-east and eu-west per requiredRegions constraint"
    );
    let rejected = decision["alternatives"].as_array().unwrap();
    let south = rejected.iter().find(|a| a["pool"] == "ap-south").unwrap();
    assert!(
        south["rejected"]
            .as_str()
            .unwrap()
            .contains("No GDPR compliance label")
    );
    assert_eq!(status["health"], json!({"available": 0, "ready": 0}));
    let pool = fleet::get(client, "LatticePool", "us-east").await.unwrap();
    assert_eq!(pool["status"]["phase"], "Ready");
    assert_eq!(pool["status"]["clusters"].as_array().unwrap().len(), 1);
    assert!(condition(&pool, "Ready").starts_with("True"));
}

async fn the_clusters_wait_for_provisioning(client: &Client) {
    let clusters = fleet::list(client, "LatticeCluster").await.items;
    assert_eq!(clusters.len(), 2);
    for cluster in clusters {
        assert_eq!(cluster.data["status"]["phase"], "Pending");
        assert_eq!(cluster.finalizers(), ["lattice.dev/cluster"]);
        assert_eq!(cluster.labels()["lattice.dev/managed-by"], "scheduler");
        assert_eq!(cluster.labels()["lattice.dev/policy"], "production-policy");
        let pool = cluster.data["spec"]["poolRef"].as_str().unwrap();
        assert!(cluster.name_any().starts_with(&format!("{pool}-prod-")));
        let managers: Vec<String> = cluster
            .managed_fields()
            .iter()
            .filter_map(|entry| entry.manager.clone())
            .collect();
        assert!(
            managers.contains(&"lattice.dev/clusters".to_owned()),
            "{managers:?}"
        );
        assert!(
            managers.contains(&"lattice.dev/status".to_owned()),
            "{managers:?}"
        );
    }
}

async fn constant_input_writes_nothing(client: &Client) {
    let before = versions(client).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(versions(client).await, before);
}

async fn the_last_decision_can_be_made_again(client: &Client) {
    let (_, decision) = fleet::last_decision(client).await.unwrap();
    record::replay(&decision).unwrap();
    let mut other = decision;
    other.snapshot.services[0].replicas += 1;
    assert!(record::replay(&other).is_err());
}

async fn what_changed_is_told(client: &Client) {
    let events: Api<Event> = Api::namespaced(client.clone(), "default");
    let events = events.list(&ListParams::default()).await.unwrap().items;
    let told = |reason: &str| {
        events
            .iter()
            .find(|e| e.reason.as_deref() == Some(reason))
            .unwrap()
    };
    assert_eq!(
        told("Placed").note.as_deref(),
        Some("Placed in us-east and eu-west per requiredRegions constraint")
    );
    told("ClusterCreated");
}

async fn a_declared_cluster_grows_within_its_bounds(client: &Client) {
    fleet::apply(client, &fleet::pool("declared", "us-west-1", 9)).await;
    fleet::apply(client, &fleet::node_class("small", 4, 0.01)).await;
    let cluster = json!({
        "apiVersion": lattice::api::API_VERSION,
        "kind": "LatticeCluster",
        "metadata": {"name": "by-hand"},
        "spec": {
            "poolRef": "declared",
            "provider": {"kubernetes": {"version": "1.34.1"}, "config": {"aws": {"region": "us-west-1"}}},
            "nodes": {
                "controlPlane": 0,
                "groups": [{"nodeClass": "small", "count": 1}],
                "autoscale": {"minWorkers": 1, "maxWorkers": 4},
            },
        },
    });
    fleet::apply(client, &cluster).await;
    let mut service = fleet::service("wide", 3, "3");
    service["metadata"]["labels"] = json!({"env": "other"});
    service["spec"]["placement"]["requiredRegions"] = json!(["declared"]);
    fleet::apply(client, &service).await;
    decided(client).await;
    let service = fleet::get(client, "LatticeService", "wide").await.unwrap();
    assert_eq!(
        service["status"]["placements"][0]["cluster"], "by-hand",
        "{service}"
    );
    let cluster = fleet::get(client, "LatticeCluster", "by-hand")
        .await
        .unwrap();
    let nodes = &cluster["spec"]["nodes"];
    let group = json!({"nodeClass": "small", "count": 3, "capacityType": "on-demand", "zone": ""});
    assert_eq!(nodes["groups"], json!([group]));
    assert_eq!(
        nodes["autoscale"],
        json!({"minWorkers": 1, "maxWorkers": 4})
    );
    fleet::delete(client, "LatticeService", Some("default"), "wide").await;
    decided(client).await;
    fleet::delete(client, "LatticeCluster", None, "by-hand").await;
    fleet::delete(client, "LatticePool", None, "declared").await;
    fleet::delete(client, "LatticeNodeClass", None, "small").await;
    decided(client).await;
}

async fn a_bad_object_stalls_alone(client: &Client) {
    let mut pool = fleet::pool("broken", "us-west-1", 9);
    pool["spec"]["nodeClasses"] = json!(["medium", "lrage"]);
    fleet::apply(client, &pool).await;
    let mut service = fleet::service("fine", 1, "1");
    service["metadata"]["labels"] = json!({"env": "other"});
    fleet::apply(client, &service).await;
    decided(client).await;
    let pool = fleet::get(client, "LatticePool", "broken").await.unwrap();
    let stalled = condition(&pool, "Stalled");
    assert!(
        stalled.starts_with("True") && stalled.contains("spec.nodeClasses[1]"),
        "{stalled}"
    );
    assert!(stalled.contains("did you mean `large`?"), "{stalled}");
    let service = fleet::get(client, "LatticeService", "fine").await.unwrap();
    assert_eq!(service["status"]["phase"], "Scheduled");
    assert!(condition(&service, "Stalled").starts_with("False"));
    fleet::delete(client, "LatticePool", None, "broken").await;
    fleet::delete(client, "LatticeService", Some("default"), "fine").await;
    decided(client).await;
}

async fn the_server_refuses_what_the_rules_forbid(client: &Client) {
    let mut pool = fleet::pool("bad", "us-west-1", 9);
    pool["spec"]["budget"]["maxMonthlyCost"] = json!(-1);
    assert!(fleet::try_apply(client, &pool).await.is_err());
    let mut service = fleet::service("bad", 3, "1");
    service["spec"]["replicas"] = json!({"min": 3, "max": 1});
    assert!(fleet::try_apply(client, &service).await.is_err());
}

async fn a_scheduled_cluster_that_a_person_deletes_is_decided_anew(client: &Client) {
    let before = fleet::list(client, "LatticeCluster").await.items;
    let (victim, uid) = (before[0].name_any(), before[0].uid());
    fleet::delete(client, "LatticeCluster", None, &victim).await;
    eventually("the cluster to be let go", || async {
        let left = fleet::list(client, "LatticeCluster").await.items;
        (!left.iter().any(|cluster| cluster.uid() == uid)).then_some(())
    })
    .await;
    decided(client).await;
    let service = fleet::get(client, "LatticeService", "api-gateway")
        .await
        .unwrap();
    assert_eq!(service["status"]["phase"], "Scheduled");
    assert_eq!(fleet::list(client, "LatticeCluster").await.items.len(), 2);
    for place in service["status"]["placements"].as_array().unwrap() {
        assert_ne!(place["cluster"], victim.as_str());
    }
}

async fn without_services_there_are_no_clusters(client: &Client) {
    fleet::delete(client, "LatticeService", Some("default"), "api-gateway").await;
    decided(client).await;
    eventually("no clusters", || async {
        let left = fleet::list(client, "LatticeCluster").await.items;
        left.is_empty().then_some(())
    })
    .await;
    let pool = fleet::get(client, "LatticePool", "us-east").await.unwrap();
    assert_eq!(pool["status"]["capacity"]["allocatedNodes"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_leads_and_another_takes_over() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(support::options(folder.path()))
        .await
        .unwrap();
    let client = plane.client().await.unwrap();
    fleet::install_kinds(&client).await;
    for document in [
        fleet::node_class("small", 4, 0.19),
        fleet::node_class("large", 8, 0.37),
        fleet::pool("east", "us-east-1", 12),
        fleet::service("web", 2, "1"),
    ] {
        fleet::apply(&client, &document).await;
    }
    let first = Running::start(&client, "first");
    decided(&client).await;
    let second = Running::start(&client, "second");
    fleet::apply(&client, &fleet::service("api", 2, "1")).await;
    decided(&client).await;
    assert_eq!(holder(&client).await, "first");
    // Ends without a word, as a machine that loses power does.
    first.task.abort();
    fleet::apply(&client, &fleet::service("db", 1, "2")).await;
    decided(&client).await;
    assert_eq!(holder(&client).await, "second");
    let began = Instant::now();
    second.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10));
    let leases: Api<Lease> = Api::namespaced(client.clone(), NAMESPACE);
    let lease = leases.get("lattice-operator").await.unwrap();
    assert_eq!(lease.spec.unwrap().holder_identity, None);
    plane.stop().await.unwrap();
}

/// Who made the last decision.
async fn holder(client: &Client) -> String {
    let reader = lattice::operator::decision_log::Reader::new(client.clone());
    let head = reader.head().await.unwrap().unwrap();
    assert_eq!(head.last().unwrap().holder, head.holder);
    head.holder
}
