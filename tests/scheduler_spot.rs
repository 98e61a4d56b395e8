//! Spot capacity: who runs on it, at what price of risk, and why not.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::small::*;
use lattice::scheduler::capacity::{CapacityType, CapacityTypes, INTERRUPTION};
use lattice::scheduler::check::check;
use lattice::scheduler::model::*;
use lattice::scheduler::solution::{Solution, Verdict};
use lattice::scheduler::solve;
use lattice::scheduler::units::Resources;
use std::collections::BTreeMap;

const SPOT_ONLY: CapacityTypes = CapacityTypes {
    on_demand: false,
    spot: true,
};

/// Three regions of which the first sells `large` as spot capacity for 0.1, with so many interruptions a month.
fn with_spot(services: Vec<Service>, interruptions: u64) -> Snapshot {
    let mut snapshot = three_regions(services);
    let mut spot = class(&CapacityType::Spot.offer("large"), 8, 32);
    spot.spot = Some(interruptions * 1_000_000);
    snapshot.node_classes.push(spot);
    snapshot.pools[0].offers.push(offer("large/spot", 100_000));
    snapshot
}

fn on(name: &str, replicas: u32, types: CapacityTypes) -> Service {
    let mut made = service(name, replicas);
    made.one_per_node = false;
    made.capacity_types = types;
    made
}

fn sound(snapshot: &Snapshot) -> Solution {
    let solution = solve(snapshot);
    assert_eq!(check(snapshot, &solution), [], "{solution:#?}");
    solution
}

/// Replicas by node class.
fn by_class(solution: &Solution, name: &str) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for place in solution.placements().remove(&id(name)).unwrap_or_default() {
        *found.entry(place.class).or_default() += place.replicas;
    }
    found
}

fn all_on(class: &str, n: u32) -> BTreeMap<String, u32> {
    BTreeMap::from([(class.to_owned(), n)])
}

#[test]
fn only_those_that_say_so_run_on_spot_and_risk_is_no_part_of_the_bill() {
    let services = vec![
        on("batch", 4, CapacityTypes::ALL),
        on("web", 4, CapacityTypes::default()),
    ];
    let solution = sound(&with_spot(services, 5));
    assert_eq!(by_class(&solution, "batch"), all_on("large/spot", 4));
    assert!(!by_class(&solution, "web").contains_key("large/spot"));
    assert_eq!(solution.hourly, 100_000 + 384_000);
    // 4 × 5 interruptions a month at 0.1 each, an hour's share rounded up.
    let risk = (5 * INTERRUPTION + 719) / 720 * 4;
    assert_eq!(solution.objective, solution.hourly + risk);
}

#[test]
fn risk_can_make_cheap_capacity_the_dearer_one() {
    let batch = || vec![on("batch", 1, CapacityTypes::ALL)];
    let calm = sound(&with_spot(batch(), 100));
    assert_eq!(by_class(&calm, "batch"), all_on("large/spot", 1));
    // The cheapest on demand is `medium` for 0.192; 720 interruptions a month are 0.1 an hour.
    let stormy = sound(&with_spot(batch(), 720));
    assert_eq!(by_class(&stormy, "batch"), all_on("medium", 1));
}

#[test]
fn control_planes_and_padding_are_on_demand() {
    let mut snapshot = with_spot(vec![on("batch", 1, SPOT_ONLY)], 1);
    let rules = snapshot.policies[0].cluster_policy.as_mut().unwrap();
    rules.control_plane.replicas = 1;
    rules.min_nodes = 2;
    let solution = sound(&snapshot);
    let cluster = &solution.live().next().unwrap().cluster;
    assert_eq!(cluster.control_plane, Some(("medium".to_owned(), 1)));
    let classes: Vec<&str> = cluster.workers.iter().map(|g| g.class.as_str()).collect();
    assert_eq!(classes, ["large/spot", "medium"]);
}

#[test]
fn what_runs_leaves_spot_when_it_no_longer_may_be_there() {
    let mut snapshot = with_spot(vec![on("batch", 2, CapacityTypes::ALL)], 1);
    let solution = sound(&snapshot);
    snapshot.clusters = solution.live().map(|d| d.cluster.clone()).collect();
    assert_eq!(
        by_class(&sound(&snapshot), "batch"),
        all_on("large/spot", 2)
    );
    snapshot.services[0].capacity_types = CapacityTypes::default();
    let moved = sound(&snapshot);
    assert!(!by_class(&moved, "batch").contains_key("large/spot"));
    assert_eq!(
        moved.outcome(&id("batch")).unwrap().verdict,
        Verdict::Placed
    );
}

#[test]
fn where_no_spot_is_offered_the_reason_says_so() {
    let mut snapshot = with_spot(vec![on("batch", 1, SPOT_ONLY)], 1);
    snapshot.pools.remove(0);
    let solution = sound(&snapshot);
    let outcome = solution.outcome(&id("batch")).unwrap();
    assert_eq!(outcome.verdict, Verdict::Unschedulable);
    let why: Vec<String> = outcome.reasons.iter().map(|r| r.why.to_string()).collect();
    assert_eq!(why, ["Offers no spot capacity", "Offers no spot capacity"]);
}

#[test]
fn the_checker_knows_who_may_be_on_spot_and_what_risk_costs() {
    let mut snapshot = with_spot(vec![on("batch", 1, CapacityTypes::ALL)], 5);
    let mut solution = sound(&snapshot);
    solution.certificate = Default::default();
    solution.objective -= 1;
    let rules = |snapshot: &Snapshot, solution: &Solution| -> Vec<&str> {
        check(snapshot, solution).iter().map(|v| v.rule).collect()
    };
    assert_eq!(rules(&snapshot, &solution), ["objective"]);
    solution.objective += 1;
    snapshot.services[0].capacity_types = CapacityTypes::default();
    assert_eq!(rules(&snapshot, &solution), ["capacity type"]);
}

#[test]
fn the_bound_holds_and_knows_spot_prices() {
    let services: Vec<Service> = (0..40)
        .map(|i| {
            let types = match i % 2 {
                0 => CapacityTypes::ALL,
                _ => CapacityTypes::default(),
            };
            let mut made = on(&format!("s{i:02}"), 2, types);
            made.size = Resources::new(2000, 8192);
            made
        })
        .collect();
    let solution = sound(&with_spot(services, 1));
    let bound = solution.certificate.lower_bound;
    assert!(
        bound * 100 >= solution.objective * 95,
        "{bound} of {}",
        solution.objective
    );
    let prices = &solution.certificate.prices;
    assert_eq!(
        prices.iter().map(|p| p.spot.is_some()).collect::<Vec<_>>(),
        [true, false, false]
    );
}

#[test]
fn a_spot_price_that_is_worth_more_than_it_costs_proves_nothing() {
    let snapshot = with_spot(vec![on("batch", 4, CapacityTypes::ALL)], 1);
    let mut solution = sound(&snapshot);
    let spot = solution.certificate.prices[0].spot.as_mut().unwrap();
    spot.milli_core = spot.milli_core * 2 + 1_000_000_000;
    let found = check(&snapshot, &solution);
    assert!(found.iter().any(|v| v.rule == "lowerBound"), "{found:?}");
}

#[test]
fn snapshots_without_spot_are_written_as_before() {
    let text = serde_json::to_string(&three_regions(vec![service("web", 1)])).unwrap();
    assert!(!text.contains("spot") && !text.contains("capacity_types"));
}
