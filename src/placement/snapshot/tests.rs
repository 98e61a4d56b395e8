#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};

use super::*;
use crate::api::{LatticeCluster, LatticeService};
use crate::placement::fixtures::{at, carried_out, namespaced, object, plain, pool, seed};
use crate::scheduler::model::{Operator, Origin};

fn said(built: &Built) -> Vec<String> {
    built.problems.iter().map(ToString::to_string).collect()
}

fn with(change: impl Fn(&mut Inputs)) -> Built {
    let mut inputs = seed();
    change(&mut inputs);
    build(&inputs)
}

fn service(id: &str, spec: Value) -> LatticeService {
    namespaced("LatticeService", id, spec)
}

fn calls(other: Value, placement: Value) -> Value {
    json!({
        "containers": {"main": {"image": "x:1"}},
        "resources": {"db": other},
        "placement": placement,
    })
}

#[test]
fn nothing_in_nothing_out() {
    assert_eq!(build(&Inputs::default()), Built::default());
}

#[test]
fn the_seed_is_read_without_a_problem() {
    let built = build(&seed());
    assert_eq!(said(&built), [""; 0]);
    assert!(!built.has_errors());
    let pool = &built.snapshot.pools[2];
    assert_eq!(
        (pool.name.as_str(), pool.region.as_str()),
        ("us-east", "us-east")
    );
    assert_eq!(pool.labels["provider"], ["aws".to_owned()].into());
    assert_eq!(pool.labels["pool"], ["us-east".to_owned()].into());
    assert_eq!(pool.labels["compliance"].len(), 3);
    assert_eq!(pool.monthly_budget, Some(10_000_000_000));
    assert_eq!(pool.caps.max_mib, Some(8000 * 1024));
    let policy = &built.snapshot.policies[0];
    assert_eq!(policy.min_regions, Some(2));
    assert_eq!(policy.preferences.len(), 2);
    assert!(policy.preferences[1].descending);
    let rules = policy.cluster_policy.as_ref().unwrap();
    assert_eq!(rules.consolidate_below_ppm, Some(300_000));
    assert_eq!(rules.control_plane.replicas, 3);
}

#[test]
fn the_order_of_the_input_means_nothing() {
    let mut turned = seed();
    turned.pools.reverse();
    turned.node_classes.reverse();
    assert_eq!(build(&turned), build(&seed()));
}

#[test]
fn the_providers_region_and_zone_stand_in_for_labels() {
    let built = with(|inputs| {
        inputs.pools[0].spec.labels.remove("region");
        inputs.pools[0].spec.provider.zone = Some("us-east-1a".into());
        inputs.pools[0].spec.suspend = Some(true);
    });
    let pool = &built.snapshot.pools[2];
    assert_eq!(pool.region, "us-east-1");
    assert_eq!(pool.labels["region"], ["us-east-1".to_owned()].into());
    assert_eq!(pool.zone.as_deref(), Some("us-east-1a"));
    assert_eq!(pool.closed.as_deref(), Some("suspended"));
}

#[test]
fn prices_by_region_win() {
    let built = with(|inputs| {
        inputs.node_classes[0] = object(
            "LatticeNodeClass",
            "small",
            json!({
                "resources": {"cores": 2, "memoryGi": 2},
                "reserved": {"cores": 1, "memoryGi": 1},
                "costPerHour": {"aws": {"default": 3, "regions": {"us-east-1": 1, "eu-west": 2}}},
            }),
        );
    });
    let price = |pool: usize| {
        let offers = &built.snapshot.pools[pool].offers;
        offers.iter().find(|o| o.class == "small").unwrap().hourly
    };
    assert_eq!(
        (price(0), price(1), price(2)),
        (3_000_000, 2_000_000, 1_000_000)
    );
    assert_eq!(built.snapshot.node_classes[3].reserved.milli_cores, 1000);
}

#[test]
fn classes_that_are_missing_or_have_no_price_are_told() {
    let built = with(|inputs| {
        inputs.pools[0].spec.node_classes[0] = "smal".into();
        inputs.node_classes[3].spec.cost_per_hour.clear();
    });
    let said = said(&built);
    assert_eq!(
        said[0],
        "LatticePool us-east: spec.nodeClasses[0]: there is no LatticeNodeClass `smal`; did you mean `small`?"
    );
    assert!(said[1].starts_with("LatticePool ap-south: spec.nodeClasses[3]: LatticeNodeClass `gpu` has no costPerHour for aws"), "{said:?}");
    assert!(built.has_errors());
    assert_eq!(built.snapshot.pools[2].offers.len(), 2);
}

#[test]
fn names_that_come_twice_are_told() {
    let built = with(|inputs| {
        inputs.pools.push(pool("us-east", &[]));
        inputs.services.push(plain("shop/api-gateway", 1, 1));
    });
    assert_eq!(
        said(&built),
        [
            "LatticePool us-east: metadata.name: there is more than one LatticePool of this name",
            "LatticeService shop/api-gateway: metadata.name: there is more than one LatticeService of this name",
        ]
    );
    assert_eq!(built.snapshot.pools.len(), 3);
}

#[test]
fn money_is_in_one_currency() {
    let built = with(|inputs| {
        inputs.pools[0].spec.budget.as_mut().unwrap().currency = "EUR".into();
        inputs.node_classes[3].spec.currency = "GBP".into();
    });
    let said = said(&built);
    assert!(
        said[0].contains("gpu: spec.currency: `GBP` cannot be compared with USD"),
        "{said:?}"
    );
    assert!(
        said[1].contains("us-east: spec.budget.currency: `EUR`"),
        "{said:?}"
    );
    assert_eq!(said.len(), 2);
    let pool = &built.snapshot.pools[2];
    assert_eq!(pool.monthly_budget, None);
    assert!(pool.closed.is_some());
    assert!(pool.offers.iter().all(|offer| offer.class != "gpu"));
}

#[test]
fn selectors_and_regions_that_name_nothing_are_told() {
    let built = with(|inputs| {
        let placement = inputs.services[0].spec.placement.as_mut().unwrap();
        placement.required_regions[0] = "us-eats".into();
        let selector = placement.pools.as_mut().unwrap();
        selector
            .match_labels
            .insert("tier".into(), "prodution".into());
        let selector = &mut inputs.policies[0].spec.selector;
        selector.match_labels = [("evn".to_owned(), "production".to_owned())].into();
    });
    assert_eq!(
        said(&built),
        [
            "LatticePlacementPolicy production-policy: spec.selector: the selector matches no LatticeService",
            "LatticeService shop/api-gateway: spec.placement.pools: the selector matches no LatticePool; did you mean `tier=production`?",
            "LatticeService shop/api-gateway: spec.placement.requiredRegions[0]: no pool has the region or the name `us-eats`; did you mean `us-east`?",
        ]
    );
    assert!(!built.has_errors());
}

#[test]
fn a_label_key_that_is_near_is_suggested() {
    let built = with(|inputs| {
        inputs.policies[0].spec.selector = serde_json::from_value(json!({
            "matchExpressions": [{"key": "envi", "operator": "In", "values": ["production"]}],
        }))
        .unwrap();
    });
    assert!(
        said(&built)[0].ends_with("did you mean `env=production`?"),
        "{:?}",
        said(&built)
    );
}

#[test]
fn every_operator_is_kept_and_matches_alike() {
    let labels = [("a".to_owned(), "1".to_owned())].into();
    for (operator, values, expected, selected) in [
        ("In", vec!["1"], Operator::In, true),
        ("NotIn", vec!["1"], Operator::NotIn, false),
        ("Exists", vec![], Operator::Exists, true),
        ("DoesNotExist", vec![], Operator::DoesNotExist, false),
    ] {
        let selector: crate::api::LabelSelector = serde_json::from_value(json!({
            "matchExpressions": [{"key": "a", "operator": operator, "values": values}],
        }))
        .unwrap();
        let converted = selectors::convert(&selector);
        assert_eq!(converted.match_expressions[0].operator, expected);
        assert_eq!(selects(&converted, &labels), selected);
        assert_eq!(selector.matches(&labels), selected);
    }
}

#[test]
fn a_control_plane_of_no_class_is_told() {
    let built = with(|inputs| {
        let rules = inputs.policies[0].spec.cluster_policy.as_mut().unwrap();
        rules.control_plane = Some(crate::api::placement_policy::ControlPlanePolicy {
            replicas: 1,
            node_class: Some("mediun".into()),
        });
        let wants = inputs.policies[0].spec.requirements.as_mut().unwrap();
        let over =
            |key: &str| serde_json::from_value(json!({"topologyKey": key, "maxSkew": 1})).unwrap();
        wants.spread_constraints = ["zone", "pool", "cluster", "provider"].map(over).to_vec();
    });
    assert!(said(&built)[0].ends_with("did you mean `medium`?"));
    assert_eq!(built.snapshot.policies[0].spread.len(), 5);
}

#[test]
fn the_terms_of_moving_become_integers() {
    let built = with(|inputs| {
        let terms = json!({"costPerReplica": 0.25, "horizon": "7d"});
        inputs.policies[0].spec.moving = Some(serde_json::from_value(terms).unwrap());
        let mut web = plain("shop/web", 1, 1);
        let own = json!({"margin": "0.5", "horizon": "0h"});
        let placement = web.spec.placement.get_or_insert_default();
        placement.moving = Some(serde_json::from_value(own).unwrap());
        inputs.services.push(web);
    });
    let terms = built.snapshot.policies[0].moving.unwrap();
    assert_eq!((terms.per_replica, terms.margin), (Some(250_000), None));
    assert_eq!(terms.horizon_seconds, Some(604_800));
    let own = built.snapshot.services.iter().find(|s| s.id.name == "web");
    let own = own.unwrap().moving;
    assert_eq!((own.per_replica, own.margin), (None, Some(500_000)));
    assert_eq!(own.horizon_seconds, Some(0));
}

#[test]
fn a_size_that_cannot_be_read_is_told() {
    let mut broken = plain("shop/web", 1, 1);
    broken.spec.placement = None;
    let container = broken.spec.containers.get_mut("main").unwrap();
    container.resources = Some(crate::api::container::ContainerResources {
        requests: Some(crate::api::container::ResourceAmounts {
            cpu: Some("many".into()),
            memory: Some("1Gi".into()),
        }),
        limits: None,
        extended: Default::default(),
    });
    let built = with(|inputs| inputs.services.push(broken.clone()));
    let said = said(&built);
    assert!(
        said[0].starts_with("LatticeService shop/web: spec.containers.main.resources: `many`"),
        "{said:?}"
    );
    assert_eq!(built.snapshot.services.len(), 1);
    // What runs is kept.
    broken.status = Some(crate::api::LatticeServiceStatus {
        placements: vec![Default::default()],
        ..Default::default()
    });
    let built = with(|inputs| inputs.services.push(broken.clone()));
    assert_eq!(built.snapshot.services.len(), 2);
}

#[test]
fn latency_is_to_a_service_by_its_real_name() {
    let near = json!({"latency": {"db": {"maxMs": 10}}});
    let built = with(|inputs| {
        inputs.services.push(service(
            "shop/a",
            calls(json!({"type": "Service"}), near.clone()),
        ));
        let elsewhere = json!({"type": "Service", "id": "pg", "namespace": "data"});
        inputs
            .services
            .push(service("shop/b", calls(elsewhere, near.clone())));
        let outside = json!({"type": "ExternalService", "id": "s3"});
        inputs
            .services
            .push(service("shop/c", calls(outside, near.clone())));
    });
    let bounds = |name: &str| {
        let found = built.snapshot.services.iter().find(|s| s.id.name == name);
        let bounds = &found.unwrap().latency;
        bounds
            .iter()
            .map(|b| b.dependency.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(bounds("a"), ["shop/db"]);
    assert_eq!(bounds("b"), ["data/pg"]);
    assert_eq!(bounds("c"), [""; 0]);
    assert_eq!(
        said(&built),
        [
            "LatticeService shop/c: spec.placement.latency.db: latency to s3 is not enforced: Lattice does not place external services"
        ]
    );
}

#[test]
fn cycles_of_latency_are_told_to_each() {
    let near = |other: &str| {
        json!({
            "containers": {"main": {"image": "x:1"}},
            "resources": {other: {"type": "Service"}},
            "placement": {"latency": {other: {"maxMs": 10}}},
        })
    };
    let mut running = service("shop/b", near("a"));
    running.status = Some(crate::api::LatticeServiceStatus {
        placements: vec![Default::default()],
        ..Default::default()
    });
    let built = with(|inputs| {
        inputs.services.push(service("shop/a", near("b")));
        inputs.services.push(running.clone());
        inputs.services.push(service("shop/self", near("self")));
    });
    let said = said(&built);
    assert_eq!(said.len(), 3);
    assert!(
        said[0].contains(
            "shop/a: spec.placement.latency.b: latency limits form a cycle: shop/a, shop/b"
        ),
        "{said:?}"
    );
    assert!(said[2].contains("to itself"), "{said:?}");
    let left: Vec<_> = built
        .snapshot
        .services
        .iter()
        .map(|s| s.id.name.as_str())
        .collect();
    assert_eq!(left, ["api-gateway", "b"]);
    assert_eq!(built.snapshot.services[1].latency, []);
}

#[test]
fn round_trips_are_between_the_pools_regions() {
    let built = with(|inputs| {
        let to = |region: &str, ms: u32| crate::api::pool::RegionLatency {
            region: region.into(),
            ms,
        };
        inputs.pools[0].spec.latency = vec![to("eu-west-1", 80), to("ap-sout", 200)];
        inputs.pools[1].spec.latency = vec![to("us-east", 90), to("eu-west", 3)];
    });
    let pairs: Vec<_> = built
        .snapshot
        .region_latencies
        .iter()
        .map(|l| (l.from.as_str(), l.to.as_str(), l.ms))
        .collect();
    assert_eq!(pairs, [("eu-west", "us-east", 90)]);
    assert!(
        said(&built)[0]
            .contains("spec.latency[1]: no pool is in region `ap-sout`; did you mean `ap-south"),
        "{:?}",
        said(&built)
    );
}

fn cluster(name: &str, nodes: Value, pool: Option<&str>) -> LatticeCluster {
    let mut spec = json!({
        "provider": {"type": "aws", "kubernetes": {"version": "1.31.0"}},
        "nodes": nodes,
    });
    if let Some(pool) = pool {
        spec["poolRef"] = json!(pool);
    }
    object("LatticeCluster", name, spec)
}

#[test]
fn clusters_are_inventory_in_a_pool_only() {
    let mut dying = cluster("dying", json!({"controlPlane": 0}), Some("us-east"));
    dying.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2024-01-15T10:30:00Z")).unwrap());
    let built = with(|inputs| {
        inputs.clusters = vec![
            dying.clone(),
            cluster("bare", json!({"controlPlane": 3, "workers": 2}), None),
            cluster("lost", json!({"controlPlane": 0}), Some("us-eats")),
            cluster(
                "odd",
                json!({"controlPlane": 3, "workers": 2, "groups": [{"nodeClass": "mediun", "count": 1}]}),
                Some("us-east"),
            ),
            cluster(
                "odder",
                json!({"controlPlane": 1, "controlPlaneClass": "huge", "autoscale": {"minWorkers": 1, "maxWorkers": 2}}),
                Some("us-east"),
            ),
        ];
    });
    let names: Vec<_> = built
        .snapshot
        .clusters
        .iter()
        .map(|c| c.name.as_str())
        .collect();
    assert_eq!(names, ["odd", "odder"]);
    assert_eq!(built.snapshot.reserved_names.len(), 3);
    assert_eq!(
        built.snapshot.clusters[1].origin,
        Origin::Declared {
            resize: Some((1, 2))
        }
    );
    let said = said(&built).join("\n");
    assert!(
        said.contains(
            "lost: spec.poolRef: there is no LatticePool `us-eats`; did you mean `us-east`?"
        ),
        "{said}"
    );
    assert!(
        said.contains("odd: spec.nodes.groups[0]: there is no LatticeNodeClass `mediun`"),
        "{said}"
    );
    assert!(
        said.contains("odd: spec.nodes.workers: of which node class"),
        "{said}"
    );
    assert!(
        said.contains("odd: spec.nodes.controlPlane: of which node class"),
        "{said}"
    );
    assert!(
        said.contains("odder: spec.nodes.controlPlaneClass: there is no"),
        "{said}"
    );
}

fn pin(id: &str, spec: Value) -> crate::api::LatticeServicePlacement {
    namespaced("LatticeServicePlacement", id, spec)
}

#[test]
fn pins_are_kept_and_what_they_name_is_checked() {
    let mut dying = cluster("dying", json!({"controlPlane": 0}), Some("us-east"));
    dying.metadata.deletion_timestamp =
        Some(serde_json::from_value(json!("2024-01-15T10:30:00Z")).unwrap());
    let to = |cluster: &str| json!({"serviceRef": "api-gateway", "cluster": cluster});
    let built = with(|inputs| {
        inputs.clusters = vec![
            dying.clone(),
            cluster("mine", json!({"controlPlane": 0}), Some("us-east")),
            cluster("bare", json!({"controlPlane": 0}), None),
        ];
        let few =
            json!({"serviceRef": "api-gateway", "cluster": "mine", "overrides": {"replicas": 1}});
        inputs.service_placements = vec![
            pin("shop/a", few),
            pin("shop/b", to("bare")),
            pin("shop/c", to("mime")),
            pin("shop/d", to("dying")),
            pin(
                "shop/e",
                json!({"serviceRef": "api-gatway", "cluster": "mine"}),
            ),
            pin("shop/f", json!({"serviceRef": "elsewhere"})),
        ];
    });
    let pins = &built.snapshot.pins;
    assert_eq!(pins.len(), 4);
    assert_eq!(
        pins.iter().find(|p| p.cluster == "mine").unwrap().replicas,
        Some(1)
    );
    let said = said(&built).join("\n");
    assert!(
        said.contains("shop/b: spec.cluster: LatticeCluster `bare` is in no pool"),
        "{said}"
    );
    assert!(
        said.contains(
            "shop/c: spec.cluster: there is no LatticeCluster `mime`; did you mean `mine`?"
        ),
        "{said}"
    );
    assert!(
        said.contains("shop/d: spec.cluster: LatticeCluster `dying` is being deleted"),
        "{said}"
    );
    assert!(said.contains("shop/e: spec.serviceRef: there is no LatticeService `api-gatway` here; did you mean `api-gateway`?"), "{said}");
}

#[test]
fn a_witness_of_other_machines_is_not_believed() {
    let mut after = carried_out(&seed(), at(0));
    let before = build(&after);
    let status = after.clusters[0].status.as_mut().unwrap();
    status.node_groups.last_mut().unwrap().count += 1;
    let status = after.clusters[1].status.as_mut().unwrap();
    let tenants = &mut status.node_groups.last_mut().unwrap().services;
    *tenants = [("nonsense".to_owned(), 1)].into();
    let rebuilt = build(&after);
    assert_eq!(before.problems, []);
    assert_eq!(rebuilt.snapshot.clusters, before.snapshot.clusters);
    assert_eq!(
        rebuilt.snapshot.clusters[0].origin,
        Origin::Scheduler {
            policy: Some("production-policy".into())
        }
    );
}
