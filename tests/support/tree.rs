//! Pools and services of cells in a tree, and where the services have a place.

use kube::Client;
use serde_json::{Value, json};

use super::fleet;

pub fn lattice(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    })
}

/// A pool of machines of a class of its own.
pub async fn give(client: &Client, name: &str, cores: u32, price: f64, labels: Value) {
    let class = json!({
        "providers": {"aws": {"instanceType": "m5.large"}},
        "resources": {"cores": cores, "memoryGi": cores * 4},
        "costPerHour": {"aws": price},
    });
    let pool = json!({
        "provider": {"type": "aws", "region": "us-east-1"},
        "capacity": {"maxNodes": 8},
        "nodeClasses": [name],
        "labels": labels,
    });
    fleet::apply(client, &lattice("LatticeNodeClass", name, class)).await;
    fleet::apply(client, &lattice("LatticePool", name, pool)).await;
}

pub fn service(name: &str, cores: u32, labels: Value) -> Value {
    let mut service = lattice(
        "LatticeService",
        name,
        json!({
            "containers": {"main": {"image": "example.com/app:1"}},
            "placement": {
                "pools": {"matchLabels": labels},
                "resources": {"cores": cores, "memoryGi": 1},
            },
        }),
    );
    service["metadata"]["namespace"] = json!("default");
    service
}

/// Waits until a service's place is in other cells, and says on which way.
pub async fn path_of(client: &Client, name: &str) -> Vec<String> {
    fleet::eventually(&format!("a place for {name}"), || async {
        let object = fleet::get(client, "LatticeService", name).await?;
        let path = object["status"]["escalation"]["path"].as_array()?;
        assert_eq!(object["status"]["phase"], "Scheduled", "{object}");
        let scheduled = fleet::condition(&object, "Scheduled");
        assert!(scheduled.starts_with("True PlacedElsewhere"), "{scheduled}");
        let names = path.iter().map(|name| name.as_str().unwrap().to_owned());
        Some(names.collect())
    })
    .await
}

/// The services of other cells that have a place here for good.
pub async fn guests(client: &Client) -> Vec<Value> {
    let all = fleet::list(client, "LatticeService").await;
    let all = all
        .into_iter()
        .map(|object| serde_json::to_value(object).unwrap());
    all.filter(|object| {
        let taken = &object["metadata"]["annotations"]["lattice.dev/guest-until"];
        object["metadata"]["namespace"] == "lattice-guests" && taken.is_null()
    })
    .collect()
}
