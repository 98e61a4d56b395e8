#![allow(clippy::unwrap_used)]

use super::*;
use serde_json::json;

fn spec(value: Value) -> LatticeServiceSpec {
    serde_json::from_value(value).unwrap()
}

#[test]
fn size_is_what_placement_states() {
    let spec = spec(json!({
        "containers": {"a": {"image": "i", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}},
        "placement": {"resources": {"cores": 2, "memoryGi": 4}},
    }));
    assert_eq!(spec.replica_size(), Ok((2000, 4096)));
}

#[test]
fn size_is_the_sum_of_the_containers_otherwise() {
    let spec = spec(json!({"containers": {
        "a": {"image": "i", "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": 4}}},
        "b": {"image": "i", "resources": {"limits": {"cpu": 0.5, "memory": 134217728}}},
        "c": {"image": "i"},
    }}));
    assert_eq!(spec.replica_size(), Ok((750, 384)));
}

#[test]
fn directions() {
    let resource = |value| serde_json::from_value::<Resource>(value).unwrap();
    assert!(resource(json!({"type": "Service"})).is_outbound());
    assert!(!resource(json!({"type": "Volume"})).is_outbound());
    let both = resource(json!({"type": "Service", "direction": "both"}));
    assert!(both.is_outbound() && both.is_inbound());
    let inbound = resource(json!({"type": "Service", "direction": "inbound"}));
    assert!(!inbound.is_outbound() && inbound.is_inbound());
}

#[test]
fn at_least_one_replica_by_default() {
    let spec = spec(json!({"containers": {}}));
    assert_eq!(spec.replicas, Replicas { min: 1, max: None });
    assert_eq!(
        serde_json::to_value(&spec).unwrap(),
        json!({"containers": {}, "replicas": {"min": 1}})
    );
}
