//! What is lost: each in turn, and zones.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::*;
use crate::placement::fixtures::at;
use crate::scheduler::model::NodeGroup;
use crate::scheduler::zones::zone_of;

#[test]
fn each_in_turn_is_a_scenario_of_its_own() {
    let request = |scope| Request {
        n_minus_1: Some(scope),
        ..Request::default()
    };
    let names = |request: &Request| -> Vec<String> {
        let answer = answer(&shop(), request).unwrap();
        answer
            .scenarios
            .into_iter()
            .map(|report| report.name)
            .collect()
    };
    let regions = [
        "lose region ap-south",
        "lose region eu-west",
        "lose region us-east",
    ];
    assert_eq!(names(&request(Scope::Region)), regions);
    assert_eq!(names(&request(Scope::Provider)), ["lose provider aws"]);
    let mut on_top = request(Scope::Pool);
    on_top.losses = vec!["pool=ap-south".parse().unwrap()];
    assert_eq!(
        names(&on_top),
        [
            "lose pool ap-south, lose pool eu-west",
            "lose pool ap-south, lose pool us-east"
        ]
    );
    on_top.losses = vec!["provider=aws".parse().unwrap()];
    assert_eq!(answer(&shop(), &on_top), Err(WhatIfError::NothingLeft));
}

/// The shop in pools of several zones: `a` and `b`, in `us-east` besides `c`.
fn zoned() -> Inputs {
    let mut inputs = shop();
    for pool in &mut inputs.pools {
        pool.spec.provider.zones = ["a", "b"].map(String::from).to_vec();
    }
    inputs.pools[0].spec.provider.zones.push("c".into());
    inputs
}

#[test]
fn a_lost_zone_takes_the_workers_that_are_in_it() {
    let after = carried_out(&zoned(), at(0));
    let zone = |classes: &[NodeGroup]| -> BTreeSet<String> {
        let zones = classes.iter().filter_map(|group| zone_of(&group.class).1);
        zones.map(str::to_owned).collect()
    };
    let built = build(&after);
    let scenario = Scenario {
        losses: losing("zone=us-east/a").losses,
        ..Scenario::default()
    };
    let changed = scenario.apply(&built.snapshot).unwrap();
    let workers = |snapshot: &Snapshot, pool: &str| {
        let of = snapshot.clusters.iter().filter(|c| c.pool == pool);
        of.flat_map(|c| zone(&c.workers)).collect::<BTreeSet<_>>()
    };
    assert!(workers(&built.snapshot, "us-east").contains("a"));
    assert!(!workers(&changed, "us-east").contains("a"));
    assert_eq!(
        workers(&changed, "eu-west"),
        workers(&built.snapshot, "eu-west")
    );
    let pool = changed.pools.iter().find(|p| p.name == "us-east").unwrap();
    assert_eq!(pool.zones, ["b", "c"].map(String::from).into());
    assert!(
        pool.offers
            .iter()
            .all(|offer| zone_of(&offer.class).1 != Some("a"))
    );
    assert_eq!(pool.labels["zone"], pool.zones);
    let report = only(&after, &losing("zone=us-east/a"));
    assert!(report.placeable);
}

#[test]
fn a_zone_is_named_with_its_region_where_others_have_one_of_that_name() {
    let known = |name: &str| answer(&zoned(), &losing(&format!("zone={name}"))).map(|_| ());
    assert_eq!(known("c"), Ok(()));
    assert_eq!(known("eu-west/b"), Ok(()));
    let error = known("a").unwrap_err().to_string();
    assert_eq!(
        error,
        "`a` may be any of ap-south/a, eu-west/a, us-east/a: write one of these"
    );
    assert!(
        known("d")
            .unwrap_err()
            .to_string()
            .starts_with("there is no zone `d`")
    );
    assert!(PriceChange::from_str("zone=c=+20%").is_err());
}

#[test]
fn each_zone_in_turn_and_a_pool_without_others_is_lost() {
    let mut inputs = zoned();
    inputs.pools.truncate(1);
    let mut request = losing("zone=b");
    request.n_minus_1 = Some(Scope::Zone);
    let names: Vec<String> = answer(&inputs, &request)
        .unwrap()
        .scenarios
        .into_iter()
        .map(|report| report.name)
        .collect();
    assert_eq!(
        names,
        [
            "lose zone b, lose zone us-east/a",
            "lose zone b, lose zone us-east/c"
        ]
    );
    request.n_minus_1 = None;
    request.losses = ["zone=a", "zone=b", "zone=c"]
        .map(|loss| loss.parse().unwrap())
        .to_vec();
    assert_eq!(only(&inputs, &request).headroom.pools, []);
}
