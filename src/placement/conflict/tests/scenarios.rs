//! Conflicts and ways out of fleets made by hand, word by word.

use serde_json::{Value, json};

use super::super::*;
use crate::placement::fixtures::{gateway, namespaced, plain, seed, solved};
use crate::placement::inputs::Inputs;
use crate::placement::plan::{ConflictSet, Options, Relaxation, Unschedulable, build};

/// What the plan says of a service without a place.
fn told(inputs: &Inputs, name: &str) -> Unschedulable {
    let (built, solution) = solved(inputs);
    let options = Options {
        rejections: false,
        relaxations: true,
    };
    let plan = build(&built.snapshot, &solution, &[], options);
    assert_eq!(plan.warnings, [""; 0]);
    let mut found = plan.unschedulable.into_iter();
    found.find(|u| u.service == name).expect("it has no place")
}

fn ways(inputs: &Inputs, id: &str) -> Vec<Relaxation> {
    told(inputs, id.rsplit('/').next().unwrap()).relaxations
}

fn words(set: &ConflictSet) -> Vec<&str> {
    set.members.iter().map(|m| m.message.as_str()).collect()
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
    let told_of = told(&inputs, "web");
    assert_eq!(told_of.conflicts, ["maxNodes"]);
    assert!(told_of.conflicts_complete);
    assert_eq!(words(&told_of.conflict_sets[0]), ["us-east: maxNodes 2"]);
    // One fewer is not enough.
    let mut fewer = inputs.clone();
    fewer.pools[0].spec.capacity.max_nodes = Some(3);
    assert_eq!(
        ways(&fewer, "shop/web")[0].change,
        "us-east: maxNodes 3 → 4"
    );
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
fn conflicts_that_have_nothing_to_do_with_each_other_are_told_one_by_one() {
    let inputs = with(|spec| {
        spec["placement"]["requiredRegions"] = json!([]);
        spec["placement"]["compliance"] = json!(["fedramp"]);
        spec["placement"]["pools"] = json!({"matchLabels": {"tier": "gold"}});
    });
    let found = told(&inputs, "api-gateway");
    assert_eq!(found.conflicts, ["compliance", "poolSelector"]);
    assert!(found.conflicts_complete);
    let mut sets: Vec<_> = found.conflict_sets.iter().map(words).collect();
    sets.sort();
    assert_eq!(
        sets,
        [
            vec!["compliance: fedramp (the service)"],
            vec!["pool selector: tier=gold"]
        ]
    );
    let changes: Vec<&str> = found
        .relaxations
        .iter()
        .map(|w| w.change.as_str())
        .collect();
    assert_eq!(
        changes,
        [
            "the service: drop compliance fedramp + pool selector: drop tier",
            "ap-south, eu-west and us-east: add compliance fedramp + pool selector: drop tier"
        ]
    );
    let way = &found.relaxations[0];
    assert_eq!(way.changes.len(), 2);
    assert_eq!(way.changes[1].constraint, "poolSelector");
}

#[test]
fn constraints_that_cannot_all_be_met_are_one_set() {
    let mut inputs = seed();
    inputs.policies.clear();
    let mut service = plain("shop/web", 2, 4);
    service.spec.replicas.min = 9;
    inputs.services = vec![service];
    inputs.pools.truncate(1);
    inputs.pools[0].spec.capacity.max_nodes = Some(8);
    let found = told(&inputs, "web");
    assert_eq!(found.conflict_sets.len(), 1);
    assert_eq!(
        words(&found.conflict_sets[0]),
        [
            "replicaSpread: each replica on a node of its own",
            "us-east: maxNodes 8",
            "replicas.min: 9"
        ]
    );
}

#[test]
fn no_machine_is_large_enough() {
    let mut inputs = seed();
    inputs.policies.clear();
    inputs.services = vec![plain("shop/huge", 12, 40)];
    inputs.pools.truncate(2);
    let found = told(&inputs, "huge");
    assert_eq!(found.conflicts, ["fit"]);
    assert_eq!(
        words(&found.conflict_sets[0]),
        ["node classes: a replica of 12 cores / 40 Gi, large leaves 8 cores / 32 Gi"]
    );
    assert_eq!(
        found.relaxations[0].change,
        "eu-west: offer a node class of 16 cores / 64 Gi (2 × large in size and price, 0.768/h)"
    );
}

#[test]
fn extended_resources_may_be_fewer_or_a_machine_larger() {
    let asking = |gpus: u32| {
        let mut inputs = seed();
        inputs.policies.clear();
        inputs.services = vec![namespaced(
            "LatticeService",
            "shop/train",
            json!({"containers": {"main": {"image": "x:1", "resources": {
                "requests": {"cpu": 1, "memory": "1Gi"},
                "extended": {"nvidia.com/gpu": gpus},
            }}}}),
        )];
        inputs.pools.truncate(1);
        let gpu = inputs
            .node_classes
            .iter_mut()
            .find(|c| c.metadata.name.as_deref() == Some("gpu"));
        gpu.unwrap().spec.resources.gpus = Some(2);
        inputs
    };
    let found = told(&asking(3), "train");
    assert_eq!(found.conflicts, ["fit"]);
    let changes: Vec<&str> = found
        .relaxations
        .iter()
        .map(|r| r.change.as_str())
        .collect();
    assert_eq!(
        changes,
        [
            "containers: nvidia.com/gpu 3 → 2",
            "us-east: offer a node class of 8 cores / 32 Gi (2 × gpu in size and price, 1.052/h)"
        ]
    );
    let (_, solution) = solved(&asking(2));
    assert!(solution.outcomes.iter().all(|o| o.reasons.is_empty()));
}

#[test]
fn a_service_for_spot_only_may_run_on_demand() {
    let mut inputs = seed();
    inputs.policies.clear();
    inputs.services = vec![namespaced(
        "LatticeService",
        "shop/batch",
        json!({
            "containers": {"main": {"image": "x:1"}},
            "placement": {"resources": {"cores": 2, "memoryGi": 4}, "capacityTypes": ["spot"]},
        }),
    )];
    let found = told(&inputs, "batch");
    assert_eq!(found.conflicts, ["capacityType"]);
    assert_eq!(found.reasons[0].message, "Offers no spot capacity");
    let changes: Vec<&str> = found
        .relaxations
        .iter()
        .map(|r| r.change.as_str())
        .collect();
    assert_eq!(changes, ["capacityTypes: spot → on-demand, spot"]);
}

#[test]
fn a_pin_may_be_lifted_and_a_pool_opened_again() {
    let mut inputs = seed();
    inputs.policies.clear();
    inputs.services = vec![plain("shop/web", 2, 4)];
    inputs.service_placements = vec![namespaced(
        "LatticeServicePlacement",
        "shop/web",
        json!({"serviceRef": "web", "cluster": "gone"}),
    )];
    let (built, solution) = solved(&inputs);
    let facts = Facts::new(&built.snapshot, &solution);
    let mut found = all(&facts, &mut Vec::new());
    let (_, found) = found.pop_first().unwrap();
    assert_eq!(
        found.ways[0].changes[0].to_string(),
        "pin: lift it from cluster gone"
    );
    inputs.service_placements.clear();
    inputs.pools.truncate(1);
    inputs.pools[0].spec.suspend = Some(true);
    let found = told(&inputs, "web");
    assert_eq!(found.conflicts, ["poolClosed"]);
    assert!(
        found.relaxations[0]
            .change
            .starts_with("us-east: open it again ("),
        "{found:?}"
    );
}

#[test]
fn a_place_for_one_may_be_a_place_for_others() {
    let mut inputs = seed();
    inputs.policies.clear();
    inputs.services = vec![plain("shop/web", 2, 4), plain("shop/web2", 1, 1)];
    inputs.pools.truncate(1);
    inputs.pools[0].spec.capacity.max_nodes = Some(2);
    let way = &ways(&inputs, "shop/web")[0];
    assert_eq!(way.change, "us-east: maxNodes 2 → 4");
    assert_eq!(way.also_places, ["shop/web2"]);
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
}

#[test]
fn quotes_of_a_large_fleet_hold_everything_else_where_it_is() {
    let mut inputs = seed();
    inputs.services.push(plain("shop/huge", 64, 512));
    let (built, solution) = solved(&inputs);
    let facts = Facts::new(&built.snapshot, &solution);
    let outcome = stuck(&solution).next().unwrap();
    let nothing = Whole {
        tries: 0,
        quotes: 0,
    };
    let mut effort = Effort {
        solves: MOST_SOLVES,
        work: MOST_WORK,
    };
    let settled = Settled::new(&facts);
    let (found, all_tried) = analyse(&facts, &settled, outcome, nothing, &mut effort);
    assert!(found.others_fixed && found.complete && all_tried);
    let (whole, _) = analyse(&facts, &settled, outcome, WHOLE, &mut effort);
    assert!(!whole.others_fixed);
    assert_eq!(found.ways, whole.ways);
    // Without enough to spend, it is said that not all was tried.
    effort.solves = 3;
    let (found, all_tried) = analyse(&facts, &settled, outcome, WHOLE, &mut effort);
    assert!(!found.complete || !all_tried);
}

#[test]
fn costs_tell_what_binds_and_what_does_not() {
    let (built, solution) = solved(&seed());
    let id = ServiceId::try_from(ID.to_owned()).unwrap();
    let found = costs::costs(&built.snapshot, &solution, &id).unwrap();
    let binding: Vec<_> = found
        .binding
        .iter()
        .map(|c| (c.text.as_str(), c.hourly))
        .collect();
    assert_eq!(
        binding,
        [
            (
                "clusterPolicy: controlPlane of 3 (production-policy)",
                1_152_000
            ),
            ("replicaSpread: each replica on a node of its own", 171_200),
            ("clusterPolicy: minNodes 3 (production-policy)", 62_400)
        ]
    );
    assert!(
        found
            .slack
            .iter()
            .any(|c| c.text == "requiredRegions: us-east")
    );
    assert!(found.complete && !found.others_fixed);
    let mut inputs = seed();
    inputs.services.push(plain("shop/huge", 64, 512));
    let (built, solution) = solved(&inputs);
    let huge = ServiceId::new("shop", "huge");
    assert_eq!(costs::costs(&built.snapshot, &solution, &huge), None);
}
