#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};

use super::*;
use crate::placement::fixtures::{gateway, namespaced, plain, seed, solved};
use crate::placement::inputs::Inputs;

fn ways(inputs: &Inputs, id: &str) -> Vec<Relaxation> {
    let (built, solution) = solved(inputs);
    let facts = Facts::new(&built.snapshot, &solution);
    let mut warnings = Vec::new();
    let mut found = all(&facts, &mut warnings);
    assert_eq!(warnings, [""; 0]);
    found
        .remove(&ServiceId::try_from(id.to_owned()).unwrap())
        .expect("the service has no place")
}

fn changes(inputs: &Inputs, id: &str) -> Vec<String> {
    ways(inputs, id).into_iter().map(|way| way.change).collect()
}

/// The seed with another gateway.
fn with(change: impl Fn(&mut Value)) -> Inputs {
    let mut inputs = seed();
    let mut spec = gateway();
    change(&mut spec);
    let labels = inputs.services[0].metadata.labels.clone();
    inputs.services[0] = namespaced("LatticeService", "shop/api-gateway", spec);
    inputs.services[0].metadata.labels = labels;
    inputs
}

const ID: &str = "shop/api-gateway";

#[test]
fn a_required_region_or_a_label_may_be_dropped() {
    let inputs = with(|spec| {
        spec["placement"]["requiredRegions"] = json!(["us-east", "eu-west", "ap-south"]);
    });
    let found = changes(&inputs, ID);
    assert!(
        found.contains(&"requiredRegions: drop ap-south".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"the service: drop compliance gdpr".to_owned()),
        "{found:?}"
    );
    let ways = ways(&inputs, ID);
    assert!(ways.is_sorted_by_key(|w| crate::api::Money::parse(&w.hourly_cost_delta).unwrap()));
}

#[test]
fn fewer_regions_will_do() {
    let mut inputs = with(|spec| spec["placement"]["requiredRegions"] = json!([]));
    let wants = inputs.policies[0].spec.requirements.as_mut().unwrap();
    wants.min_regions = Some(3);
    let found = changes(&inputs, ID);
    assert!(
        found.contains(&"production-policy: minRegions 3 → 2".to_owned()),
        "{found:?}"
    );
}

#[test]
fn limits_are_raised_by_what_is_needed() {
    let mut inputs = seed();
    inputs.policies.clear();
    inputs.services = vec![plain("shop/web", 2, 4)];
    inputs.pools.truncate(1);
    inputs.pools[0].spec.capacity.max_nodes = Some(2);
    let found = ways(&inputs, "shop/web");
    assert_eq!(found[0].change, "us-east: maxNodes 2 → 4");
    assert_eq!(found[0].constraint, "maxNodes");
    assert_eq!(found[0].nodes_delta, 4);
    inputs.pools[0].spec.capacity = serde_json::from_value(json!({"maxCores": 2})).unwrap();
    let found = changes(&inputs, "shop/web");
    assert!(found[0].starts_with("us-east: maxCores 2 → "), "{found:?}");
    inputs.pools[0].spec.capacity = serde_json::from_value(json!({"maxMemoryGi": 2})).unwrap();
    let found = changes(&inputs, "shop/web");
    assert!(
        found[0].starts_with("us-east: maxMemoryGi 2 → "),
        "{found:?}"
    );
    inputs.pools[0].spec.capacity = Default::default();
    let budget = inputs.pools[0].spec.budget.as_mut().unwrap();
    budget.max_monthly_cost = crate::api::Money::parse("10").unwrap();
    let found = changes(&inputs, "shop/web");
    assert!(
        found[0].starts_with("us-east: maxMonthlyCost 10 → "),
        "{found:?}"
    );
}

#[test]
fn a_selector_may_be_dropped() {
    let inputs = with(|spec| {
        spec["placement"]["pools"] = json!({"matchLabels": {"tier": "gold"}});
    });
    assert_eq!(changes(&inputs, ID), ["pool selector: drop tier"]);
}

#[test]
fn replicas_may_be_as_many_as_fit_or_as_are_needed() {
    let inputs = with(|spec| spec["replicas"] = json!({"min": 1}));
    let found = changes(&inputs, ID);
    assert!(
        found.contains(&"replicas.min: 1 → 2".to_owned()),
        "{found:?}"
    );
    let mut inputs = seed();
    inputs.policies.clear();
    let mut service = plain("shop/web", 2, 4);
    service.spec.replicas.min = 9;
    inputs.services = vec![service];
    inputs.pools.truncate(1);
    inputs.pools[0].spec.capacity.max_nodes = Some(8);
    let found = changes(&inputs, "shop/web");
    assert!(
        found.contains(&"replicas.min: 9 → 5".to_owned()),
        "{found:?}"
    );
    assert!(
        found.contains(&"us-east: maxNodes 8 → 12".to_owned()),
        "{found:?}"
    );
}

#[test]
fn distances_may_be_longer() {
    let mut inputs = seed();
    inputs.policies.clear();
    let in_region = |region: &str, latency: Value| {
        json!({
            "containers": {"main": {"image": "x:1"}},
            "resources": {"db": {"type": "Service"}},
            "placement": {
                "resources": {"cores": 1, "memoryGi": 1},
                "pools": {"matchLabels": {"region": region}},
                "latency": latency,
            },
        })
    };
    inputs.services = vec![
        namespaced("LatticeService", "shop/db", in_region("us-east", json!({}))),
        namespaced(
            "LatticeService",
            "shop/web",
            in_region("eu-west", json!({"db": {"maxMs": 20}})),
        ),
    ];
    let found = changes(&inputs, "shop/web");
    assert!(
        found.contains(&"latency to db: 20 → 150 ms".to_owned()),
        "{found:?}"
    );
}

#[test]
fn a_larger_skew_may_do() {
    let mut inputs = with(|spec| {
        spec["placement"]["requiredRegions"] = json!([]);
        spec["replicas"] = json!({"min": 4});
    });
    inputs.pools[1].spec.suspend = Some(true);
    inputs.policies[0]
        .spec
        .requirements
        .as_mut()
        .unwrap()
        .min_regions = None;
    inputs.policies[0]
        .spec
        .requirements
        .as_mut()
        .unwrap()
        .spread_constraint =
        serde_json::from_value(json!({"topologyKey": "region", "maxSkew": 3})).unwrap();
    let found = changes(&inputs, ID);
    assert!(
        found.contains(&"production-policy: maxSkew over region 3 → 4".to_owned()),
        "{found:?}"
    );
}

#[test]
fn the_search_is_bounded_and_says_so() {
    let mut inputs = seed();
    for n in 0..25 {
        inputs.services.push(plain(&format!("shop/s{n}"), 64, 512));
    }
    let (built, solution) = solved(&inputs);
    let facts = Facts::new(&built.snapshot, &solution);
    let mut warnings = Vec::new();
    let found = all(&facts, &mut warnings);
    assert_eq!(found.len(), MOST_SERVICES);
    assert!(warnings[0].contains("20 of 25"), "{warnings:?}");
    let mut large = built.snapshot.clone();
    let pool = large.pools[0].clone();
    large.pools.extend(std::iter::repeat_n(pool, 10_000));
    let facts = Facts::new(&large, &solution);
    let mut warnings = Vec::new();
    assert!(all(&facts, &mut warnings).is_empty());
    assert!(warnings[0].contains("are not looked for"), "{warnings:?}");
}
