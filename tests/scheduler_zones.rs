//! Zones within a pool: who is in which, and why not.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::small::*;
use lattice::scheduler::check::check;
use lattice::scheduler::explain::rejections;
use lattice::scheduler::model::*;
use lattice::scheduler::solution::{Solution, Verdict};
use lattice::scheduler::solve;
use lattice::scheduler::zones::zone_of;
use std::collections::{BTreeMap, BTreeSet};

/// One region with zones `1`, `2` and `3`.
fn zoned(services: Vec<Service>) -> Snapshot {
    let mut snapshot = three_regions(services);
    snapshot.pools.truncate(1);
    snapshot.pools[0].zones = ["1", "2", "3"].map(String::from).into();
    snapshot.sell_in_zones();
    snapshot
}

fn spread(snapshot: &mut Snapshot, max_skew: u32) {
    snapshot.policies[0].spread = vec![Spread {
        topology: Topology::Zone,
        max_skew,
    }];
}

/// Small enough that many are on one node.
fn tiny(name: &str, replicas: u32) -> Service {
    let mut made = service(name, replicas);
    made.one_per_node = false;
    made.size.milli_cores = 100;
    made.size.mib = 128;
    made
}

fn choosing(name: &str, operator: Operator, zones: &[&str]) -> Service {
    let mut made = tiny(name, 2);
    made.pools.match_expressions = vec![Expression {
        key: "zone".into(),
        operator,
        values: zones.iter().map(|z| (*z).to_owned()).collect(),
    }];
    made
}

fn sound(snapshot: &Snapshot) -> Solution {
    let solution = solve(snapshot);
    assert_eq!(check(snapshot, &solution), [], "{solution:#?}");
    let mut again = snapshot.clone();
    again.clusters = solution.live().map(|d| d.cluster.clone()).collect();
    let clusters: Vec<Cluster> = solve(&again).live().map(|d| d.cluster.clone()).collect();
    assert_eq!(clusters, again.clusters, "its own output moves");
    solution
}

/// Replicas by zone.
fn by_zone(solution: &Solution, name: &str) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for place in solution.placements().remove(&id(name)).unwrap_or_default() {
        let zone = zone_of(&place.class).1.unwrap_or("unknown");
        *found.entry(zone.to_owned()).or_default() += place.replicas;
    }
    found
}

fn counts(zones: &[(&str, u32)]) -> BTreeMap<String, u32> {
    zones.iter().map(|(z, n)| ((*z).to_owned(), *n)).collect()
}

fn rules(snapshot: &Snapshot, solution: &Solution) -> BTreeSet<&'static str> {
    check(snapshot, solution).iter().map(|v| v.rule).collect()
}

#[test]
fn replicas_are_spread_over_the_zones_of_one_cluster() {
    let mut snapshot = zoned(vec![tiny("web", 7)]);
    assert_eq!(
        by_zone(&sound(&snapshot), "web").len(),
        1,
        "nobody asks for more"
    );
    spread(&mut snapshot, 1);
    let solution = sound(&snapshot);
    assert_eq!(solution.live().count(), 1);
    let mut replicas: Vec<u32> = by_zone(&solution, "web").into_values().collect();
    replicas.sort_unstable();
    assert_eq!(replicas, [2, 2, 3]);
}

#[test]
fn a_service_that_shrinks_stays_even() {
    let mut snapshot = zoned(vec![tiny("web", 6)]);
    spread(&mut snapshot, 1);
    snapshot.clusters = sound(&snapshot).live().map(|d| d.cluster.clone()).collect();
    snapshot.services[0].replicas = 4;
    let solution = sound(&snapshot);
    assert_eq!(solution.outcomes[0].verdict, Verdict::Placed);
    assert_eq!(by_zone(&solution, "web").len(), 3);
}

#[test]
fn a_service_chooses_among_zones() {
    let snapshot = zoned(vec![
        choosing("only", Operator::In, &["2"]),
        choosing("without", Operator::NotIn, &["1", "2"]),
    ]);
    let solution = sound(&snapshot);
    assert_eq!(by_zone(&solution, "only"), counts(&[("2", 2)]));
    assert_eq!(by_zone(&solution, "without"), counts(&[("3", 2)]));
}

#[test]
fn only_zones_that_a_service_may_be_in_count_when_it_is_spread() {
    let mut web = choosing("web", Operator::In, &["1", "3"]);
    web.replicas = 4;
    let mut snapshot = zoned(vec![web]);
    spread(&mut snapshot, 1);
    assert_eq!(
        by_zone(&sound(&snapshot), "web"),
        counts(&[("1", 2), ("3", 2)])
    );
}

#[test]
fn a_zone_that_no_pool_has_is_told() {
    let snapshot = zoned(vec![choosing("web", Operator::In, &["4"])]);
    let solution = solve(&snapshot);
    assert_eq!(solution.outcomes[0].verdict, Verdict::Unschedulable);
    let told: Vec<String> = solution.outcomes[0]
        .reasons
        .iter()
        .map(|r| r.why.to_string())
        .collect();
    assert_eq!(told, ["Selector zone in (4): has 1, 2, 3"]);
    let mut why = Vec::new();
    rejections::<()>(&snapshot, &solution, &|_| true, &mut |_, pool, reasons| {
        why.extend(reasons.iter().map(|r| format!("{pool}: {r}")));
        Ok(())
    })
    .unwrap();
    assert_eq!(why, ["a: Selector zone in (4): has 1, 2, 3"]);
}

#[test]
fn zones_of_other_pools_count_too() {
    let mut snapshot = zoned(vec![tiny("web", 4)]);
    let mut other = pool("d", "us", &["soc2"]);
    other.zone = Some("4".into());
    snapshot.pools.push(other);
    spread(&mut snapshot, 1);
    let solution = sound(&snapshot);
    assert_eq!(
        by_zone(&solution, "web"),
        counts(&[("1", 1), ("2", 1), ("3", 1), ("unknown", 1)])
    );
}

#[test]
fn nodes_are_even_over_the_zones_of_a_cluster_where_nobody_asks_for_any() {
    let snapshot = zoned(vec![service("web", 6)]);
    let nodes = by_zone(&sound(&snapshot), "web");
    assert_eq!(nodes, counts(&[("1", 2), ("2", 2), ("3", 2)]));
}

#[test]
fn what_fills_a_cluster_up_is_even_over_zones() {
    let mut snapshot = zoned(vec![tiny("web", 1)]);
    snapshot.policies[0]
        .cluster_policy
        .as_mut()
        .unwrap()
        .min_nodes = 3;
    let solution = sound(&snapshot);
    let workers = &solution.live().next().unwrap().cluster.workers;
    let zones: BTreeSet<_> = workers.iter().map(|g| zone_of(&g.class).1).collect();
    assert_eq!(zones, BTreeSet::from([Some("1"), Some("2"), Some("3")]));
}

#[test]
fn near_is_in_the_same_zone_even_of_one_cluster() {
    let mut web = choosing("web", Operator::In, &["3"]);
    web.latency = vec![near("database", 2)];
    let snapshot = zoned(vec![tiny("database", 1), web.clone()]);
    assert_eq!(by_zone(&sound(&snapshot), "database"), counts(&[("3", 1)]));
    // Where it may not be in that zone, there is no place for both.
    let snapshot = zoned(vec![choosing("database", Operator::NotIn, &["3"]), web]);
    let solution = solve(&snapshot);
    assert_eq!(solution.outcomes[1].verdict, Verdict::Unschedulable);
    assert_eq!(check(&snapshot, &solution), []);
}

/// A cluster from before the pool had zones, with both replicas of `web` on one node.
fn from_before(web: Service) -> Snapshot {
    let mut snapshot = zoned(vec![web]);
    snapshot.clusters = vec![Cluster {
        name: "old".into(),
        pool: "a".into(),
        origin: Origin::Scheduler {
            policy: Some("all".into()),
        },
        control_plane: None,
        workers: vec![NodeGroup {
            class: "medium".into(),
            count: 1,
            services: BTreeMap::from([(id("web"), 2)]),
        }],
    }];
    snapshot
}

#[test]
fn what_ran_before_there_were_zones_stays_unless_a_rule_asks_where_it_is() {
    let snapshot = from_before(tiny("web", 2));
    let solution = sound(&snapshot);
    assert_eq!(solution.outcomes[0].verdict, Verdict::Unchanged);
    assert_eq!(by_zone(&solution, "web"), counts(&[("unknown", 2)]));
    let solution = sound(&from_before(choosing("web", Operator::NotIn, &["1"])));
    assert!(!by_zone(&solution, "web").contains_key("unknown"));
    let mut snapshot = from_before(tiny("web", 2));
    spread(&mut snapshot, 1);
    assert!(by_zone(&sound(&snapshot), "web").values().all(|n| *n == 1));
}

#[test]
fn what_is_in_a_zone_that_a_pool_no_longer_has_goes_elsewhere() {
    let mut snapshot = zoned(vec![tiny("web", 3)]);
    spread(&mut snapshot, 1);
    snapshot.clusters = sound(&snapshot).live().map(|d| d.cluster.clone()).collect();
    snapshot.pools[0].zones.remove("2");
    snapshot.sell_in_zones();
    let replicas = by_zone(&sound(&snapshot), "web");
    assert_eq!(replicas.keys().collect::<Vec<_>>(), ["1", "3"]);
}

#[test]
fn the_checker_sees_zones() {
    let mut snapshot = zoned(vec![tiny("web", 3), choosing("only", Operator::In, &["2"])]);
    spread(&mut snapshot, 1);
    let right = sound(&zoned(vec![tiny("web", 3)]));
    let with = |class: &str| {
        let mut wrong = right.clone();
        wrong.clusters[0].cluster.workers[0].class = class.to_owned();
        wrong
    };
    let mut alone = zoned(vec![tiny("web", 3)]);
    assert_eq!(rules(&alone, &with("medium@1")), BTreeSet::new());
    assert!(rules(&alone, &with("medium")).contains("zone"));
    assert!(rules(&alone, &with("medium@4")).contains("fit"));
    spread(&mut alone, 1);
    assert!(rules(&alone, &with("medium@1")).contains("spreadConstraint"));
    alone.policies[0].spread.clear();
    alone.services[0].pools = choosing("web", Operator::In, &["3"]).pools;
    assert!(rules(&alone, &with("medium@1")).contains("selector or compliance"));
    let solution = sound(&snapshot);
    assert_eq!(by_zone(&solution, "only"), counts(&[("2", 2)]));
}

#[test]
fn snapshots_without_zones_are_written_as_before() {
    let text = serde_json::to_string(&three_regions(vec![service("web", 1)])).unwrap();
    assert!(!text.contains("zones"), "{text}");
    let pool = serde_json::to_string(&class("large", 8, 32)).unwrap();
    assert!(!pool.contains("zone"), "{pool}");
}
