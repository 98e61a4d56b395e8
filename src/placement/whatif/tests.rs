#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::json;

use super::*;
use crate::placement::fixtures::{carried_out, object, plain, pool, seed, solved};
use crate::placement::inputs::Inputs;
use crate::placement::snapshot::build;
use crate::scheduler::model::Snapshot;

mod losses;

fn answer(inputs: &Inputs, request: &Request) -> Result<Simulation, WhatIfError> {
    let built = build(inputs);
    simulate(&built.snapshot, &built.problems, request)
}

fn only(inputs: &Inputs, request: &Request) -> Report {
    let mut answer = answer(inputs, request).unwrap();
    assert_eq!(answer.scenarios.len(), 1);
    assert_eq!(answer.placeable, answer.scenarios[0].placeable);
    answer.scenarios.remove(0)
}

fn losing(what: &str) -> Request {
    Request {
        losses: vec![what.parse().unwrap()],
        ..Request::default()
    }
}

fn pricing(what: &str) -> Request {
    Request {
        prices: vec![what.parse().unwrap()],
        ..Request::default()
    }
}

fn growing(factor: &str) -> Request {
    Request {
        growth: Some(Factor::parse(factor).unwrap()),
        ..Request::default()
    }
}

fn micros(amount: &str) -> i64 {
    let (sign, digits) = amount
        .strip_prefix('-')
        .map_or((1, amount), |rest| (-1, rest));
    sign * crate::api::Money::parse(digits).unwrap().micros()
}

/// The seed with a service that may be anywhere and one that has no place at all.
fn shop() -> Inputs {
    let mut inputs = seed();
    inputs.services.push(plain("shop/web", 2, 4));
    inputs.services.push(plain("shop/huge", 64, 512));
    inputs
}

#[test]
fn without_a_change_all_is_as_planned() {
    let answer = answer(&shop(), &Request::default()).unwrap();
    let report = &answer.scenarios[0];
    assert_eq!(report.name, "no change");
    // What preferences are worth depends on what is free beforehand, which differs once the plan is carried out.
    let figures = |summary: &crate::placement::plan::Summary| {
        let sizes = (
            summary.services,
            summary.replicas,
            summary.nodes,
            summary.clusters,
        );
        (
            sizes,
            summary.hourly_cost.clone(),
            summary.projected_30_day.clone(),
        )
    };
    assert_eq!(figures(&report.summary), figures(&answer.base.summary));
    assert_eq!(report.headroom, answer.base.headroom);
    assert_eq!(report.moves, Moves::default());
    assert_eq!(report.cost.hourly_delta, "0");
    assert!(report.placeable && report.services.is_empty() && report.clusters.is_empty());
    assert_eq!(report.first_constraint, None);
    assert_eq!(answer.base.unplaceable, ["shop/huge"]);
    let plan = {
        let (built, solution) = solved(&shop());
        let options = crate::placement::plan::Options::default();
        crate::placement::plan::build(&built.snapshot, &solution, &[], options)
    };
    assert_eq!(answer.base.summary, plan.summary);
}

#[test]
fn a_required_region_that_is_lost_is_said_to_be_lost() {
    let report = only(&shop(), &losing("region=eu-west"));
    assert!(!report.placeable);
    let found: Vec<&str> = report
        .unplaceable
        .iter()
        .map(|u| u.service.as_str())
        .collect();
    assert_eq!(found, ["api-gateway"]);
    let gateway = &report.unplaceable[0];
    assert_eq!((gateway.placed, gateway.replicas), (2, 3));
    assert_eq!(
        gateway.reason.message,
        "Required region eu-west: lost in this scenario"
    );
    assert!(gateway.reasons.len() > 1);
    let binding = report.first_constraint.unwrap();
    assert_eq!(binding.constraint, "requiredRegions");
    assert_eq!(binding.service.as_deref(), Some("shop/api-gateway"));
    assert_eq!((report.moves.replicas, report.moves.gone), (0, 1));
    assert!(report.headroom.pools.iter().all(|p| p.pool != "eu-west"));
    assert!(matches!(&report.changes[0], Change::Lose { pools, .. } if pools == &["eu-west"]));
}

#[test]
fn what_can_go_elsewhere_moves_and_the_rest_stays() {
    let mut inputs = shop();
    inputs.services.remove(0);
    let base = answer(&inputs, &Request::default()).unwrap();
    let built = build(&inputs);
    let placed = crate::scheduler::solve(&built.snapshot).placements();
    let home = placed.values().next().unwrap()[0].pool.clone();
    let report = only(&inputs, &losing(&format!("pool={home}")));
    assert!(report.placeable, "{report:?}");
    assert_eq!((report.moves.services, report.moves.replicas), (1, 1));
    assert_eq!((report.moves.gone, report.moves.started), (0, 0));
    assert_eq!(report.services.len(), 1);
    assert_eq!(report.services[0].from[0].pool, home);
    assert_ne!(report.services[0].to[0].pool, home);
    // The clusters' differences are the fleet's.
    let sum: i64 = report
        .clusters
        .iter()
        .map(|c| micros(&c.hourly_cost_delta))
        .sum();
    assert_eq!(sum, micros(&report.cost.hourly_delta));
    assert_eq!(report.cost.hourly_before, base.base.summary.hourly_cost);
    assert_eq!(report.cost.hourly_after, report.summary.hourly_cost);
}

#[test]
fn names_of_lost_clusters_are_not_given_again() {
    let (built, solution) = solved(&shop());
    let mut settled: Snapshot = built.snapshot;
    settled.clusters = solution.live().map(|d| d.cluster.clone()).collect();
    let scenario = Scenario {
        losses: vec!["region=us-east".parse().unwrap()],
        ..Scenario::default()
    };
    let changed = scenario.apply(&settled).unwrap();
    let gone = settled.clusters.iter().filter(|c| c.pool == "us-east");
    let gone: Vec<&String> = gone.map(|c| &c.name).collect();
    assert!(!gone.is_empty());
    assert!(
        gone.iter()
            .all(|name| changed.reserved_names.contains(*name))
    );
    assert!(changed.clusters.iter().all(|c| c.pool != "us-east"));
}

#[test]
fn every_scenario_is_solved_within_the_rules() {
    let (built, solution) = solved(&shop());
    let mut settled: Snapshot = built.snapshot;
    settled.clusters = solution.live().map(|d| d.cluster.clone()).collect();
    settled.normalise();
    let scenario = |losses: &[&str], prices: &[&str], growth: Option<&str>| Scenario {
        losses: losses.iter().map(|text| text.parse().unwrap()).collect(),
        prices: prices.iter().map(|text| text.parse().unwrap()).collect(),
        growth: growth.map(|text| Factor::parse(text).unwrap()),
        selector: None,
    };
    for scenario in [
        scenario(&["pool=us-east"], &[], None),
        scenario(&["region=eu-west"], &["aws=+50%"], Some("2.5")),
        scenario(&[], &["us-east=20", "eu-west=0.1"], Some("0.3")),
        scenario(&["provider=aws"], &[], Some("3")),
    ] {
        let changed = scenario.apply(&settled).unwrap();
        let solution = crate::scheduler::solve(&changed);
        let broken = crate::scheduler::check::check(&changed, &solution);
        assert_eq!(broken, [], "{}", scenario.name());
    }
}

#[test]
fn what_is_pinned_to_a_lost_cluster_says_so() {
    let mut inputs = carried_out(&shop(), crate::placement::fixtures::at(0));
    let web = inputs
        .services
        .iter()
        .find(|s| s.metadata.name.as_deref() == Some("web"))
        .unwrap();
    let home = web.status.as_ref().unwrap().placements[0].clone();
    inputs
        .service_placements
        .push(crate::placement::fixtures::namespaced(
            "LatticeServicePlacement",
            "shop/web",
            json!({"cluster": home.cluster, "serviceRef": "web"}),
        ));
    let built = build(&inputs);
    assert_eq!(built.snapshot.pins.len(), 1, "{:?}", built.problems);
    let report = only(&inputs, &losing(&format!("pool={}", home.pool)));
    let web = report
        .unplaceable
        .iter()
        .find(|u| u.service == "web")
        .unwrap();
    assert_eq!(web.reason.constraint, "pin");
}

#[test]
fn prices_change_exactly_and_nothing_moves_for_them() {
    let inputs = seed();
    let base = answer(&inputs, &Request::default()).unwrap().base.summary;
    for (change, times) in [("aws=+20%", 12), ("aws=0.5", 5), ("provider=aws=2", 20)] {
        let report = only(&inputs, &pricing(change));
        assert_eq!(
            micros(&report.cost.hourly_after) * 10,
            micros(&base.hourly_cost) * times,
            "{change}"
        );
        assert_eq!(report.moves, Moves::default(), "{change}");
    }
    let report = only(&inputs, &pricing("eu-west=3"));
    assert!(
        matches!(&report.changes[0], Change::Price { pools, scope, .. }
        if pools == &["eu-west"] && scope == "pool")
    );
    let eu = |report: &Report| -> String {
        let pools = &report.headroom.pools;
        let pool = pools.iter().find(|p| p.pool == "eu-west").unwrap();
        pool.room.monthly_budget.clone().unwrap()
    };
    let before = eu(&only(&inputs, &Request::default()));
    let spent = 10_000_000_000 - micros(&before);
    assert_eq!(10_000_000_000 - micros(&eu(&report)), 3 * spent);
}

#[test]
fn a_budget_that_prices_exceed_binds_though_all_stays() {
    let report = only(&seed(), &pricing("aws=15"));
    assert!(report.placeable);
    let binding = report.first_constraint.unwrap();
    assert_eq!(
        (binding.constraint.as_str(), binding.service),
        ("budget", None)
    );
    assert_eq!(binding.pools, ["us-east"]);
    assert_eq!(
        binding.message,
        "Budget 10000/month: would come to 10592.64"
    );
    let nearest = report.nearest_limit.unwrap();
    assert_eq!(nearest.percent, "106");
    let room = &report
        .headroom
        .pools
        .iter()
        .find(|p| p.pool == "us-east")
        .unwrap()
        .room;
    assert_eq!(room.monthly_budget.as_deref(), Some("-592.64"));
    // What one pool exceeds is not taken from the others.
    let label = |name: &str| {
        report
            .headroom
            .labels
            .iter()
            .find(|l| l.label == name)
            .unwrap()
    };
    assert_eq!(
        label("compliance=hipaa").room.monthly_budget.as_deref(),
        Some("0")
    );
}

#[test]
fn afresh_goes_where_it_is_cheaper_now() {
    let mut inputs = seed();
    inputs.services = vec![plain("shop/web", 2, 4)];
    let (_, solution) = solved(&inputs);
    let home = solution.placements().into_values().next().unwrap()[0]
        .pool
        .clone();
    let mut request = pricing(&format!("{home}=1.5"));
    request.afresh = true;
    let report = only(&inputs, &request);
    assert_eq!(report.cost.hourly_delta, "0");
    assert_eq!(report.moves.replicas, 1);
}

#[test]
fn growth_is_rounded_up_and_may_be_of_some() {
    let inputs = shop();
    let report = only(&inputs, &growing("1.3"));
    // The gateway's 3 become 4, the web's 1 becomes 2; the huge one has no place either way.
    assert_eq!(report.moves.started, 2);
    let mut some = growing("1.3");
    some.selector = Some(parse_selector("env=production").unwrap());
    let report = only(&inputs, &some);
    assert_eq!(report.name, "grow ×1.3 (env=production)");
    assert_eq!(report.moves.started, 1);
    let report = only(&inputs, &growing("0.5"));
    assert_eq!((report.moves.gone, report.placeable), (1, true));
}

#[test]
fn the_limit_that_binds_is_found_by_trying() {
    let mut inputs = seed();
    inputs.services = vec![plain("shop/web", 2, 4)];
    inputs.policies.clear();
    inputs.pools = vec![pool("us-east", &[])];
    inputs.pools[0].spec.capacity.max_nodes = Some(12);
    let report = only(&inputs, &growing("40"));
    assert!(!report.placeable);
    let binding = report.first_constraint.unwrap();
    assert_eq!(
        (binding.constraint.as_str(), &*binding.pools),
        ("maxNodes", &["us-east".to_owned()][..])
    );
    assert!(
        binding
            .message
            .ends_with("without it there is room for all"),
        "{}",
        binding.message
    );
    assert_eq!(report.unplaceable[0].reason.constraint, "combination");
    assert!(
        report.unplaceable[0]
            .reason
            .message
            .starts_with("Has room for ")
    );
}

#[test]
fn a_limit_that_is_reached_already_binds_as_it_is() {
    let mut inputs = seed();
    inputs.services = vec![plain("shop/web", 4, 4)];
    inputs.policies.clear();
    inputs.pools = vec![pool("us-east", &[])];
    // Three for the control plane and one worker.
    inputs.pools[0].spec.capacity.max_nodes = Some(4);
    inputs.services[0].spec.replicas.min = 1;
    let report = only(&inputs, &growing("2"));
    let binding = report.first_constraint.unwrap();
    assert_eq!(binding.constraint, "maxNodes");
    assert_eq!(report.nearest_limit.unwrap().percent, "100");
}

#[test]
fn too_few_regions_are_the_policys() {
    let mut inputs = seed();
    inputs.services[0]
        .spec
        .placement
        .as_mut()
        .unwrap()
        .required_regions
        .clear();
    let report = only(&inputs, &losing("region=eu-west"));
    let binding = report.first_constraint.unwrap();
    assert_eq!(binding.constraint, "minRegions");
    assert_eq!(binding.policy.as_deref(), Some("production-policy"));
}

#[test]
fn losing_everything_leaves_nothing() {
    let report = only(&shop(), &losing("provider=aws"));
    assert_eq!(report.summary.nodes, 0);
    assert_eq!(report.cost.hourly_after, "0");
    assert_eq!(report.unplaceable.len(), 2);
    assert_eq!(
        (&report.headroom, report.nearest_limit),
        (&Headroom::default(), None)
    );
}

#[test]
fn a_sweep_ends_where_something_has_no_place() {
    let mut inputs = seed();
    inputs.services = vec![plain("shop/web", 4, 4)];
    inputs.policies.clear();
    inputs.pools = vec![pool("us-east", &[])];
    inputs.pools[0].spec.capacity.max_nodes = Some(6);
    let mut request = Request {
        sweep: Some(Sweep {
            step: Factor::ONE,
            to: Factor::parse("9").unwrap(),
        }),
        ..Request::default()
    };
    let found = answer(&inputs, &request).unwrap();
    let names: Vec<&str> = found.scenarios.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["grow ×1", "grow ×2", "grow ×3", "grow ×4"]);
    assert_eq!(
        found.growth,
        [Growth {
            under: "no change".into(),
            placeable: Some("3".into()),
            unplaceable: Some("4".into()),
        }]
    );
    request.sweep.as_mut().unwrap().to = Factor::parse("2.5").unwrap();
    let found = answer(&inputs, &request).unwrap();
    assert_eq!(found.scenarios.len(), 2);
    assert_eq!(found.growth[0].unplaceable, None);
    assert!(found.placeable);
    request.n_minus_1 = Some(Scope::Region);
    let found = answer(&inputs, &request).unwrap();
    assert_eq!(found.growth[0].placeable, None);
    assert_eq!(found.growth[0].under, "lose region us-east");
}

#[test]
fn wrong_requests_say_what_is_wrong() {
    let error = |request: Request| answer(&shop(), &request).unwrap_err().to_string();
    for (request, words) in [
        (
            losing("region=eu-wets"),
            "there is no region `eu-wets`; did you mean `eu-west`?",
        ),
        (losing("pool=x"), "there are: ap-south, eu-west, us-east"),
        (
            pricing("awz=2"),
            "there is no provider or pool `awz`; did you mean `aws`?",
        ),
        (pricing("pool=aws=2"), "there is no pool `aws`"),
    ] {
        let said = error(request);
        assert!(said.contains(words), "{said}");
    }
    let mut some = growing("2");
    some.selector = Some(parse_selector("env=prodction").unwrap());
    assert!(error(some).ends_with("did you mean `env=production`?"));
    let mut inputs = shop();
    inputs.services[1].spec.replicas.min = 60_000;
    let said = answer(&inputs, &growing("2")).unwrap_err().to_string();
    assert!(
        said.contains("shop/web would have 120000 replicas"),
        "{said}"
    );
    let sweep = |step: &str, to: &str| Request {
        sweep: Some(Sweep {
            step: Factor::parse(step).unwrap(),
            to: Factor::parse(to).unwrap(),
        }),
        ..Request::default()
    };
    assert!(error(sweep("0.000001", "1000")).contains("more than 5000 scenarios"));
    assert!(error(sweep("0.1", "1")).contains("its end must be more than 1"));
}

#[test]
fn a_name_of_two_things_is_asked_about() {
    let mut inputs = shop();
    inputs.pools.push(pool("aws", &[]));
    let said = answer(&inputs, &pricing("aws=2")).unwrap_err().to_string();
    assert!(said.contains("provider=aws=… or pool=aws=…"), "{said}");
    assert!(answer(&inputs, &pricing("pool=aws=2")).is_ok());
}

#[test]
fn a_price_beyond_what_prices_may_be_is_refused() {
    let mut inputs = shop();
    inputs.node_classes.push(object(
        "LatticeNodeClass",
        "gold",
        json!({
            "resources": {"cores": 1, "memoryGi": 1},
            "costPerHour": {"aws": 900_000_000},
        }),
    ));
    inputs.pools[0].spec.node_classes.push("gold".into());
    let said = answer(&inputs, &pricing("us-east=2"))
        .unwrap_err()
        .to_string();
    assert_eq!(
        said,
        "gold in us-east would cost 1800000000/h, which is more than a price may be"
    );
}

#[test]
fn a_closed_pool_has_no_room_to_give() {
    let mut inputs = shop();
    inputs.pools[2].spec.suspend = Some(true);
    let report = only(&inputs, &Request::default());
    let pool = report
        .headroom
        .pools
        .iter()
        .find(|p| p.pool == "ap-south")
        .unwrap();
    assert_eq!(
        (pool.closed.as_deref(), pool.room.nodes),
        (Some("suspended"), Some(100))
    );
    let label = report
        .headroom
        .labels
        .iter()
        .find(|l| l.label == "region=ap-south")
        .unwrap();
    assert_eq!((label.pools, label.room.nodes), (1, Some(0)));
}

#[test]
fn what_has_no_limit_says_so() {
    let mut inputs = shop();
    inputs.pools[0].spec.capacity.max_cores = None;
    inputs.pools[0].spec.budget = None;
    let report = only(&inputs, &Request::default());
    let room = &report
        .headroom
        .pools
        .iter()
        .find(|p| p.pool == "us-east")
        .unwrap()
        .room;
    assert_eq!((&room.cores, &room.monthly_budget), (&None, &None));
    let tier = report
        .headroom
        .labels
        .iter()
        .find(|l| l.label == "tier=production")
        .unwrap();
    assert_eq!((tier.pools, &tier.room.cores), (3, &None));
    assert!(tier.room.nodes.is_some());
    assert!(
        report
            .headroom
            .labels
            .iter()
            .all(|l| !l.label.starts_with("pool="))
    );
}

#[test]
fn what_gets_a_place_is_told() {
    let mut inputs = shop();
    // Too dear for the budget, but for the price.
    inputs.services = vec![plain("shop/web", 4, 4)];
    inputs.policies.clear();
    inputs.pools = vec![pool("us-east", &[])];
    inputs.pools[0]
        .spec
        .budget
        .as_mut()
        .unwrap()
        .max_monthly_cost = crate::api::Money::from_micros(20_000_000);
    let base = answer(&inputs, &Request::default()).unwrap();
    assert_eq!(base.base.unplaceable, ["shop/web"]);
    assert!(base.placeable);
    let report = only(&inputs, &pricing("aws=0.01"));
    assert_eq!(report.newly_placed, ["shop/web"]);
    assert!(report.placeable);
}
