#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;

use super::*;
use crate::placement::conflict::costs::{ConstraintCost, Costs};
use crate::placement::fixtures::{
    at, carried_out, gateway, namespaced, object, plain, seed, solved,
};
use crate::placement::inputs::Inputs;
use crate::placement::plan::{
    ConflictSet, Options, Plan, PlanConstraint, PlanMove, PlanMoved, Relaxation, Unschedulable,
    build,
};

fn planned(inputs: &Inputs) -> Plan {
    let (built, solution) = solved(inputs);
    build(
        &built.snapshot,
        &solution,
        &built.problems,
        Options::default(),
    )
}

fn reason_of(inputs: &Inputs, name: &str) -> String {
    let plan = planned(inputs);
    let found = plan.decisions.into_iter().find(|d| d.service == name);
    found.unwrap().reason
}

#[test]
fn a_placed_service_is_explained() {
    let text = explain_service(&planned(&seed()), "api-gateway", None).unwrap();
    for part in [
        "Service shop/api-gateway: Placed\n",
        "Placed in us-east and eu-west per requiredRegions constraint\n",
        "  us-east: 2 replicas on medium in cluster us-east-prod-",
        "  0.576/h, 414.72 per 30 days\n",
        "  requiredRegions: us-east, eu-west\n",
        "  minRegions: 2 (production-policy)\n",
        "  compliance (1 pool of 3)\n    ap-south: No GDPR compliance label\n",
        "What binds: alone shuts pools out\n  compliance (1 pool)\n",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
}

#[test]
fn the_next_best_pool_is_priced() {
    let mut inputs = seed();
    inputs.services.push(plain("shop/web", 1, 1));
    let text = explain_service(&planned(&inputs), "shop/web", None).unwrap();
    assert!(
        text.contains("What would change it\n  A replica in "),
        "{text}"
    );
}

#[test]
fn a_service_without_a_place_is_told_its_ways_out() {
    let mut inputs = seed();
    let mut spec = gateway();
    spec["placement"]["requiredRegions"] = json!(["us-east", "ap-south"]);
    inputs
        .services
        .push(namespaced("LatticeService", "shop/stuck", spec));
    inputs.services.push(plain("shop/huge", 64, 512));
    let plan = planned(&inputs);
    let text = explain_service(&plan, "stuck", Some("shop")).unwrap();
    assert!(text.contains("What would give it a place\n  "), "{text}");
    assert!(text.contains("requiredRegions: drop ap-south: +"), "{text}");
    let text = explain_service(&plan, "huge", None).unwrap();
    let conflict = "What conflicts\n  Without this it has a place:\n    node classes: a replica of 64 cores / 512 Gi, large leaves 8 cores / 32 Gi\n";
    assert!(text.contains(conflict), "{text}");
    assert!(reason_of(&inputs, "huge").starts_with("No place: ap-south: A replica of 64 cores"));
}

#[test]
fn where_nothing_helps_that_is_said() {
    let mut inputs = seed();
    inputs.pools.clear();
    let text = explain_service(&planned(&inputs), "api-gateway", None).unwrap();
    assert!(!text.contains("What conflicts"), "{text}");
    assert!(
        text.ends_with("What would give it a place\n  No change that was tried\n"),
        "{text}"
    );
}

#[test]
fn conflicts_are_told_by_how_many_and_whether_these_are_all() {
    let member = |message: &str| PlanConstraint {
        constraint: "fit".into(),
        message: message.into(),
    };
    let set = |messages: &[&str]| ConflictSet {
        members: messages.iter().map(|m| member(m)).collect(),
    };
    let (one, two) = (set(&["a"]), set(&["b", "c"]));
    for (sets, complete, expected) in [
        (
            vec![one.clone()],
            true,
            "Without this it has a place:\n    a\n",
        ),
        (
            vec![two.clone()],
            true,
            "without any one of them it has a place:\n    b\n    c\n",
        ),
        (
            vec![two.clone()],
            false,
            "there may be more that cannot:\n    b\n    c\n",
        ),
        (
            vec![one.clone(), two.clone()],
            true,
            "then it has a place:\n    a\n    b + c\n",
        ),
        (
            vec![one, two],
            false,
            "there may be more that have to:\n    a\n    b + c\n",
        ),
    ] {
        let found = Unschedulable {
            service: "web".into(),
            namespace: "shop".into(),
            reasons: Vec::new(),
            conflicts: Vec::new(),
            conflict_sets: sets,
            conflicts_complete: complete,
            relaxations: Vec::new(),
        };
        let mut text = String::new();
        super::conflict::conflicts(&mut text, &found);
        assert!(text.ends_with(expected), "{text}");
    }
}

#[test]
fn a_way_out_tells_what_comes_with_it() {
    let way = Relaxation {
        constraint: "maxNodes".into(),
        change: "us-east: maxNodes 2 → 4".into(),
        changes: Vec::new(),
        nodes_delta: 2,
        hourly_cost_delta: "0.384".into(),
        monthly_cost_delta: "276.48".into(),
        also_places: vec!["shop/a".into(), "shop/b".into()],
        others_fixed: true,
    };
    assert_eq!(
        way_out(&way),
        "us-east: maxNodes 2 → 4: +2 nodes, +0.384/h, +276.48/month, everything else on its cluster; \
         also places shop/a and shop/b"
    );
}

#[test]
fn costs_are_told_with_what_they_rest_on() {
    let cost = |constraint: &str, text: &str, hourly| ConstraintCost {
        constraint: constraint.into(),
        text: text.into(),
        hourly,
    };
    let costs = Costs {
        binding: vec![cost("minRegions", "minRegions: 2 (p)", 100_000)],
        slack: vec![
            cost("compliance", "compliance: gdpr (p)", 0),
            cost("maxNodes", "a: maxNodes 3", 0),
            cost("budget", "a: maxMonthlyCost 3", 0),
        ],
        anew: -5_000,
        together: 250_000,
        conflict: vec!["minRegions: 2 (p)".into()],
        complete: false,
        others_fixed: true,
    };
    assert_eq!(
        explain_costs(&costs),
        "
What its constraints cost: each lifted alone, and placed anew
  0.1/h, 72/month  minRegions: 2 (p)
  Nothing is cheaper without:
    compliance: gdpr (p)
    2 limits of pools, each alone

What keeps it from costing less
  Without any constraint: 0.25/h, 180/month less
  1 constraint alone keeps it as dear as it is:
    minRegions: 2 (p)
  Counted from where it would be placed anew with all of them, at -0.005/h
  Everything not tied to it by latency was left on its cluster
  Not all was tried: that would take too long
"
    );
    let none = explain_costs(&Costs {
        complete: true,
        conflict: vec!["a".into(), "b".into()],
        ..Costs::default()
    });
    assert!(
        none.contains(
            "2 constraints together keep it as dear as it is; without any one of them it is cheaper"
        ),
        "{none}"
    );
}

#[test]
fn what_is_not_there_is_said() {
    let mut inputs = seed();
    inputs.services.push(plain("other/api-gateway", 1, 1));
    let plan = planned(&inputs);
    let said = |error: Result<String, ExplainError>| error.unwrap_err().to_string();
    assert_eq!(
        said(explain_service(&plan, "api-gatewy", None)),
        "the plan has no service `api-gatewy`; did you mean `api-gateway`?"
    );
    assert_eq!(
        said(explain_service(&plan, "api-gateway", None)),
        "there are several services `api-gateway`: other/api-gateway, shop/api-gateway; say which"
    );
    assert_eq!(
        said(explain_pool(&plan, "us-eats")),
        "the plan has no pool `us-eats`; did you mean `us-east`?"
    );
    assert_eq!(
        said(explain_cluster(&plan, "x")),
        "the plan has no cluster `x`"
    );
}

#[test]
fn pools_are_explained() {
    let mut inputs = seed();
    inputs.pools[2].spec.suspend = Some(true);
    let plan = planned(&inputs);
    let text = explain_pool(&plan, "us-east").unwrap();
    for part in [
        "Pool us-east: aws, us-east\n",
        " of 100\n",
        "Clusters\n",
        "shop/api-gateway: 2 replicas, 0.384/h",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    let text = explain_pool(&plan, "ap-south").unwrap();
    for part in [
        "Takes no new services: suspended",
        "compliance (1 service)\n    No GDPR compliance label (1)",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
}

#[test]
fn clusters_are_explained() {
    let plan = planned(&seed());
    let name = &plan.clusters[1].name;
    let text = explain_cluster(&plan, name).unwrap();
    for part in [
        "To be made",
        "nodes 0 → ",
        "control plane\n",
        "shop/api-gateway ×1 on each",
        "overhead: ",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    let mut after = carried_out(&seed(), at(0));
    let text = explain_cluster(&planned(&after), name).unwrap();
    assert!(text.contains("Keeps its nodes"), "{text}");
    after.services[0].spec.replicas.min = 9;
    let text = explain_cluster(&planned(&after), name).unwrap();
    assert!(text.contains("To be resized"), "{text}");
    after.services.clear();
    let text = explain_cluster(&planned(&after), name).unwrap();
    assert!(text.contains("To be removed"), "{text}");
}

#[test]
fn the_reason_names_the_first_constraint_that_counts() {
    let mut inputs = seed();
    let placement = inputs.services[0].spec.placement.as_mut().unwrap();
    placement.required_regions.clear();
    assert!(reason_of(&inputs, "api-gateway").ends_with("per minRegions constraint"));
    let wants = inputs.policies[0].spec.requirements.as_mut().unwrap();
    wants.min_regions = None;
    assert!(reason_of(&inputs, "api-gateway").ends_with("per spreadConstraint"));
    inputs.policies.clear();
    assert!(reason_of(&inputs, "api-gateway").ends_with("at the least cost"));
    inputs.services.push(namespaced(
        "LatticeService",
        "shop/web",
        json!({
            "containers": {"main": {"image": "x:1"}},
            "resources": {"api-gateway": {"type": "Service"}, "gone": {"type": "Service"}},
            "placement": {
                "resources": {"cores": 1, "memoryGi": 1},
                "pools": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]},
                "latency": {"api-gateway": {"maxMs": 5}, "gone": {"maxMs": 5}},
            },
        }),
    ));
    assert!(reason_of(&inputs, "web").ends_with("per latency to api-gateway"));
    let text = explain_service(&planned(&inputs), "web", None).unwrap();
    assert!(
        text.contains("  latency: api-gateway within 5 ms"),
        "{text}"
    );
    assert!(text.contains("  pool selector: tier Exists"), "{text}");
    assert!(text.contains("latency to gone is not enforced"), "{text}");
    let mut idle = plain("shop/idle", 1, 1);
    idle.spec.replicas.min = 0;
    inputs.services.push(idle);
    assert_eq!(reason_of(&inputs, "idle"), "Asks for no replicas");
}

#[test]
fn a_pin_is_a_reason() {
    let mut inputs = seed();
    inputs.policies.clear();
    inputs.services = vec![plain("shop/web", 1, 1)];
    inputs.clusters = vec![object(
        "LatticeCluster",
        "mine",
        json!({
            "provider": {"type": "aws", "kubernetes": {"version": "1.31.0"}},
            "nodes": {"controlPlane": 0, "groups": [{"nodeClass": "medium", "count": 1}]},
            "poolRef": "eu-west",
        }),
    )];
    let pin = |replicas: serde_json::Value| {
        namespaced(
            "LatticeServicePlacement",
            "shop/web",
            json!({"serviceRef": "web", "cluster": "mine", "overrides": replicas}),
        )
    };
    inputs.service_placements = vec![pin(json!({}))];
    assert_eq!(
        reason_of(&inputs, "web"),
        "Placed in eu-west per pin to cluster mine"
    );
    let text = explain_service(&planned(&inputs), "web", None).unwrap();
    assert!(text.contains("  pin: cluster mine"), "{text}");
    inputs.service_placements = vec![pin(json!({"replicas": 1}))];
    let text = explain_service(&planned(&inputs), "web", None).unwrap();
    assert!(text.contains("  pin: 1 on cluster mine"), "{text}");
}

#[test]
fn lists_and_signs() {
    use super::writing::*;
    assert_eq!(listed(&["a"; 0]), "");
    assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    assert_eq!(counted(1, "node"), "1 node");
    assert_eq!(signed("-1"), "-1");
    assert_eq!(signed("1"), "+1");
}

#[test]
fn what_is_left_on_the_table_is_explained() {
    let mut plan = planned(&seed());
    let told = |reason: &str, service: &str| PlanMove {
        reason: reason.into(),
        saved_hourly_cost: "0.1".into(),
        worth: "2.4".into(),
        price: "3".into(),
        margin: "1".into(),
        horizon_seconds: 86_400,
        held_by: None,
        replicas: vec![PlanMoved {
            service: service.into(),
            namespace: "shop".into(),
            replicas: 1,
            from_pool: "us-east".into(),
            from_cluster: "us-east-1".into(),
            to_pool: "eu-west".into(),
            to_cluster: None,
        }],
    };
    plan.moves.left = vec![told("too dear", "api-gateway"), told("not his", "other")];
    let text = explain_service(&plan, "api-gateway", None).unwrap();
    assert!(text.contains("\nLeft on the table\n  too dear\n"), "{text}");
    assert!(!text.contains("not his") && !text.contains("Moved for savings"));
    plan.moves.made = vec![told("gone", "api-gateway")];
    let text = explain_service(&plan, "api-gateway", None).unwrap();
    assert!(text.contains("\nMoved for savings\n  gone\n"), "{text}");
}
