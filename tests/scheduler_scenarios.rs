//! One scenario for each hard constraint and for what happens when the fleet changes.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::small::*;
use lattice::scheduler::check::check;
use lattice::scheduler::explain::rejections;
use lattice::scheduler::model::*;
use lattice::scheduler::solution::{ClusterAction, Solution, Verdict};
use lattice::scheduler::units::Resources;
use lattice::scheduler::{latency_cycles, solve};
use std::collections::{BTreeMap, BTreeSet};

/// Solves, and holds the outcome against the checker.
fn sound(snapshot: &Snapshot) -> Solution {
    let solution = solve(snapshot);
    assert_eq!(check(snapshot, &solution), [], "{solution:#?}");
    solution
}

/// Replicas by pool.
fn by_pool(solution: &Solution, name: &str) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    for place in solution.placements().remove(&id(name)).unwrap_or_default() {
        *found.entry(place.pool).or_default() += place.replicas;
    }
    found
}

fn pools(list: &[(&str, u32)]) -> BTreeMap<String, u32> {
    list.iter().map(|(p, n)| ((*p).to_owned(), *n)).collect()
}

fn verdict(solution: &Solution, name: &str) -> Verdict {
    solution.outcome(&id(name)).unwrap().verdict
}

/// The reasons of a service that has no place, as text.
fn reasons(solution: &Solution, name: &str) -> Vec<String> {
    let outcome = solution.outcome(&id(name)).unwrap();
    assert_eq!(outcome.verdict, Verdict::Unschedulable);
    outcome
        .reasons
        .iter()
        .map(|r| match &r.pool {
            Some(pool) => format!("{pool}: {}", r.why),
            None => r.why.to_string(),
        })
        .collect()
}

/// Why the pools without replicas have none, as text.
fn not_there(
    snapshot: &Snapshot,
    solution: &Solution,
    name: &str,
) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    rejections::<()>(
        snapshot,
        solution,
        &|s| *s == id(name),
        &mut |_, pool, why| {
            found.insert(
                pool.to_owned(),
                why.iter().map(ToString::to_string).collect(),
            );
            Ok(())
        },
    )
    .unwrap();
    found
}

fn then(snapshot: &Snapshot, solution: &Solution) -> Snapshot {
    Snapshot {
        clusters: solution.live().map(|d| d.cluster.clone()).collect(),
        ..snapshot.clone()
    }
}

fn actions(solution: &Solution) -> Vec<ClusterAction> {
    solution.clusters.iter().map(|d| d.action).collect()
}

#[test]
fn the_seeds_example_comes_out_as_printed() {
    let mut api = service("api-gateway", 3);
    api.labels.insert("env".into(), "production".into());
    api.pools
        .match_labels
        .insert("tier".into(), "production".into());
    api.required_regions = vec!["us-east".into(), "eu-west".into()];
    api.compliance.insert("gdpr".into());
    let production = Policy {
        name: "production-policy".into(),
        selector: Selector {
            match_labels: BTreeMap::from([("env".into(), "production".into())]),
            ..Selector::default()
        },
        min_regions: Some(2),
        compliance: BTreeSet::from(["soc2".into()]),
        spread: vec![Spread {
            topology: Topology::Region,
            max_skew: 1,
        }],
        preferences: vec![
            Preference {
                weight: 50,
                sort_by: SortBy::Cost,
                descending: false,
            },
            Preference {
                weight: 30,
                sort_by: SortBy::AvailableCapacity,
                descending: true,
            },
        ],
        cluster_policy: Some(ClusterPolicy {
            min_nodes: 3,
            max_nodes: Some(20),
            bin_packing_threshold_ppm: Some(800_000),
            consolidate_below_ppm: Some(300_000),
            ..ClusterPolicy::default()
        }),
        ..Policy::default()
    };
    let named = |name: &str, region: &str, compliance: &[&str]| {
        let mut pool = pool(name, region, compliance);
        pool.labels
            .insert("tier".into(), BTreeSet::from(["production".into()]));
        pool
    };
    let snapshot = Snapshot {
        pools: vec![
            named("us-east", "us-east-1", &["soc2", "hipaa", "gdpr"]),
            named("eu-west", "eu-west-1", &["soc2", "gdpr"]),
            named("ap-south", "ap-south-1", &["soc2"]),
        ],
        policies: vec![production],
        ..three_regions(vec![api])
    };
    let solution = sound(&snapshot);
    let places = &solution.placements()[&id("api-gateway")];
    let summary: Vec<(&str, &str, u32)> = places
        .iter()
        .map(|p| (p.pool.as_str(), p.class.as_str(), p.replicas))
        .collect();
    assert_eq!(
        summary,
        [("eu-west", "medium", 1), ("us-east", "medium", 2)]
    );
    assert!(places[1].cluster.starts_with("us-east-prod-"));
    let rejected = not_there(&snapshot, &solution, "api-gateway");
    assert_eq!(rejected["ap-south"], ["No GDPR compliance label"]);
}

#[test]
fn a_selector_that_no_pool_meets_names_every_term() {
    let mut lost = service("lost", 1);
    lost.pools.match_labels.insert("gpu".into(), "yes".into());
    let solution = sound(&three_regions(vec![lost, service("fine", 1)]));
    assert_eq!(verdict(&solution, "fine"), Verdict::Placed);
    assert_eq!(
        reasons(&solution, "lost"),
        [
            "a: Selector gpu=yes: no such label",
            "b: Selector gpu=yes: no such label",
            "c: Selector gpu=yes: no such label"
        ]
    );
}

#[test]
fn all_reasons_of_a_pool_are_given_not_the_first() {
    let mut huge = service("huge", 1);
    huge.size = Resources::new(64_000, 4096);
    huge.compliance.insert("gdpr".into());
    let mut snapshot = three_regions(vec![huge]);
    snapshot.pools[0].closed = Some("suspended".into());
    let solution = sound(&snapshot);
    let all = reasons(&solution, "huge");
    assert_eq!(
        all.iter().filter(|r| r.starts_with("a: ")).count(),
        3,
        "{all:#?}"
    );
    assert!(all.contains(&"a: Takes no new services: suspended".to_owned()));
    assert!(all.contains(&"a: No GDPR compliance label".to_owned()));
    assert!(
        all.iter()
            .any(|r| r.starts_with("b: A replica of 64 cores"))
    );
}

#[test]
fn a_pool_without_offers_says_so() {
    let mut snapshot = three_regions(vec![service("s", 1)]);
    snapshot.pools.truncate(1);
    snapshot.pools[0].offers.clear();
    assert_eq!(
        reasons(&sound(&snapshot), "s"),
        ["a: Offers no node class at a known price"]
    );
}

#[test]
fn required_regions_are_regions_or_pool_names() {
    let mut s = service("s", 3);
    s.required_regions = vec!["ap".into(), "a".into(), "us".into()];
    let snapshot = three_regions(vec![s]);
    let solution = sound(&snapshot);
    let places = by_pool(&solution, "s");
    assert!(
        places.contains_key("a") && places.contains_key("c"),
        "{places:?}"
    );

    let mut unknown = snapshot.clone();
    unknown.services[0].required_regions = vec!["mars".into()];
    assert_eq!(
        reasons(&sound(&unknown), "s"),
        ["Required region mars: no pool has this region or name"]
    );

    let mut few = snapshot.clone();
    few.services[0].replicas = 1;
    assert_eq!(
        reasons(&sound(&few), "s"),
        ["requiredRegions asks for 2 places, the service has 1 replica"]
    );

    let mut shut = snapshot;
    shut.pools[2].closed = Some("suspended".into());
    assert_eq!(
        reasons(&sound(&shut), "s")[0],
        "Required region ap: c: Takes no new services: suspended"
    );
}

#[test]
fn min_regions_needs_regions_and_replicas() {
    let mut snapshot = three_regions(vec![service("s", 3)]);
    snapshot.policies[0].min_regions = Some(3);
    assert_eq!(
        by_pool(&sound(&snapshot), "s"),
        pools(&[("a", 1), ("b", 1), ("c", 1)])
    );
    snapshot.services[0].replicas = 2;
    assert_eq!(
        reasons(&sound(&snapshot), "s"),
        ["minRegions asks for 3 places, the service has 2 replicas"]
    );
    snapshot.services[0].replicas = 3;
    snapshot.services[0].compliance.insert("soc2".into());
    assert_eq!(
        reasons(&sound(&snapshot), "s")[0],
        "minRegions 3: only 2 possible (us, eu)"
    );
}

#[test]
fn spread_counts_eligible_regions_full_or_not() {
    let mut snapshot = three_regions(vec![service("s", 4)]);
    snapshot.policies[0].spread = vec![Spread {
        topology: Topology::Region,
        max_skew: 1,
    }];
    let places = by_pool(&sound(&snapshot), "s");
    assert_eq!(places.values().max(), Some(&2));
    assert_eq!(places.len(), 3);

    snapshot.pools[2].caps.max_nodes = Some(0);
    let text = reasons(&sound(&snapshot), "s");
    assert_eq!(
        text[0],
        "Spread over region with maxSkew 1: us gets 2, ap can have only 0"
    );
    assert!(
        text.contains(&"c: maxNodes 0: 0 in use".to_owned()),
        "{text:?}"
    );

    // A region that compliance rules out is not eligible, so it does not count.
    snapshot.services[0].compliance.insert("soc2".into());
    assert_eq!(
        by_pool(&sound(&snapshot), "s"),
        pools(&[("a", 2), ("b", 2)])
    );
}

#[test]
fn dependencies_are_placed_jointly() {
    // The front end may only be in Europe, its store is cheapest elsewhere.
    let mut web = service("web", 2);
    web.compliance.insert("gdpr".into());
    web.latency = vec![near("store", 10)];
    let mut snapshot = three_regions(vec![web, service("store", 1)]);
    for offer in &mut snapshot.pools[0].offers {
        offer.hourly /= 2;
    }
    let solution = sound(&snapshot);
    assert_eq!(by_pool(&solution, "web"), pools(&[("b", 2)]));
    assert_eq!(by_pool(&solution, "store"), pools(&[("b", 1)]));
}

#[test]
fn a_dependency_that_runs_attracts_and_moves_only_if_it_must() {
    let store = service("store", 1);
    let mut snapshot = three_regions(vec![store]);
    for offer in &mut snapshot.pools[2].offers {
        offer.hourly /= 2;
    }
    let first = sound(&snapshot);
    assert_eq!(by_pool(&first, "store"), pools(&[("c", 1)]));

    let mut web = service("web", 1);
    web.latency = vec![near("store", 5)];
    let mut next = then(&snapshot, &first);
    next.services.push(web);
    let second = sound(&next);
    assert_eq!(by_pool(&second, "web"), pools(&[("c", 1)]));
    assert_eq!(verdict(&second, "store"), Verdict::Unchanged);

    next.services[1].compliance.insert("gdpr".into());
    let third = sound(&next);
    assert_eq!(by_pool(&third, "store"), pools(&[("b", 1)]));
    assert_eq!(verdict(&third, "store"), Verdict::Placed);
}

#[test]
fn one_millisecond_means_the_same_cluster() {
    let mut web = service("web", 1);
    web.latency = vec![near("store", 1)];
    let snapshot = three_regions(vec![web, service("store", 1)]);
    let placements = sound(&snapshot).placements();
    assert_eq!(
        placements[&id("web")][0].cluster,
        placements[&id("store")][0].cluster
    );
}

#[test]
fn the_table_of_regions_decides_how_far_apart_they_are() {
    let mut web = service("web", 1);
    web.latency = vec![near("store", 90)];
    web.required_regions = vec!["us".into()];
    let mut store = service("store", 1);
    store.required_regions = vec!["eu".into()];
    let mut snapshot = three_regions(vec![web, store]);
    let text = reasons(&sound(&snapshot), "web");
    assert!(
        text.contains(&"150 ms to the nearest replica of store, limit 90 ms".to_owned())
            || text.iter().any(|t| t.contains("no place meets all")),
        "{text:?}"
    );
    snapshot.region_latencies.push(RegionLatency {
        from: "eu".into(),
        to: "us".into(),
        ms: 80,
    });
    assert_eq!(by_pool(&sound(&snapshot), "web"), pools(&[("a", 1)]));
}

#[test]
fn a_dependency_without_a_place_takes_its_dependents_along() {
    let mut store = service("store", 1);
    store.size = Resources::new(1_000_000, 1);
    let mut web = service("web", 1);
    web.latency = vec![near("store", 5)];
    let solution = sound(&three_regions(vec![web, store, service("other", 1)]));
    assert_eq!(verdict(&solution, "other"), Verdict::Placed);
    assert_eq!(
        reasons(&solution, "web")[0],
        "Needs store within 5 ms, which has no place"
    );
}

#[test]
fn an_unknown_dependency_is_said_not_to_be_enforced() {
    let mut web = service("web", 1);
    web.latency = vec![near("nobody", 5)];
    let solution = sound(&three_regions(vec![web]));
    let outcome = solution.outcome(&id("web")).unwrap();
    assert_eq!(outcome.verdict, Verdict::Placed);
    assert_eq!(
        outcome.unenforced[0].to_string(),
        "latency to nobody is not enforced: no LatticeService default/nobody is known"
    );
}

#[test]
fn cycles_of_latency_limits_are_found() {
    let mut a = service("a", 1);
    a.latency = vec![near("b", 5)];
    let mut b = service("b", 1);
    b.latency = vec![near("a", 5)];
    let mut c = service("c", 1);
    c.latency = vec![near("c", 5)];
    let snapshot = three_regions(vec![a, b, c, service("d", 1)]);
    assert_eq!(
        latency_cycles(&snapshot),
        [vec![id("a"), id("b")], vec![id("c")]]
    );
    // The solver itself still ends, whatever it makes of it.
    solve(&snapshot);
}

#[test]
fn every_cap_is_kept_and_named() {
    for (caps, expected) in [
        (
            Caps {
                max_nodes: Some(2),
                ..Caps::default()
            },
            "maxNodes 2: 2 in use",
        ),
        (
            Caps {
                max_milli_cores: Some(10_000),
                ..Caps::default()
            },
            "maxCores 10: 8 in use",
        ),
        (
            Caps {
                max_mib: Some(40 * 1024),
                ..Caps::default()
            },
            "maxMemoryGi 40: 32 in use",
        ),
    ] {
        let mut snapshot = three_regions(vec![service("s", 2), service("t", 3)]);
        snapshot.pools.truncate(1);
        snapshot.pools[0].caps = caps;
        snapshot.services[0].priority = 1;
        snapshot.services[0].size = Resources::new(4000, 1024);
        let text = reasons(&sound(&snapshot), "t");
        assert!(text[0].contains(expected), "{expected}: {text:?}");
    }
}

#[test]
fn a_budget_is_a_month_of_720_hours() {
    let mut snapshot = three_regions(vec![service("s", 2)]);
    snapshot.pools.truncate(1);
    snapshot.pools[0].monthly_budget = Some(2 * 192_000 * 720);
    sound(&snapshot);
    snapshot.pools[0].monthly_budget = Some(2 * 192_000 * 720 - 1);
    let text = reasons(&sound(&snapshot), "s");
    assert!(
        text[0].starts_with("Each constraint can be met alone"),
        "{text:?}"
    );
    assert_eq!(text[1..], ["a: Has room for 1 of 2 replicas"]);
}

#[test]
fn a_full_cluster_is_followed_by_a_new_one() {
    let mut snapshot = three_regions(vec![service("s", 10)]);
    snapshot.pools.truncate(1);
    let rules = snapshot.policies[0].cluster_policy.as_mut().unwrap();
    rules.max_nodes = Some(5);
    rules.bin_packing_threshold_ppm = Some(800_000);
    let solution = sound(&snapshot);
    let sizes: Vec<u32> = solution
        .live()
        .map(|d| d.cluster.workers.iter().map(|g| g.count).sum())
        .collect();
    assert_eq!(sizes.iter().sum::<u32>(), 10);
    assert!(sizes.iter().all(|n| *n <= 4), "{sizes:?}");

    // Where no further cluster can be had, the ones there are fill up to their limit.
    snapshot.pools[0].caps.max_nodes = Some(4 + 3);
    snapshot.services[0].replicas = 4;
    let rules = snapshot.policies[0].cluster_policy.as_mut().unwrap();
    rules.bin_packing_threshold_ppm = Some(400_000);
    rules.control_plane.replicas = 3;
    let solution = sound(&snapshot);
    assert_eq!(solution.live().count(), 1);
    let rules = snapshot.policies[0].cluster_policy.as_mut().unwrap();
    rules.max_nodes = Some(2);
    let text = reasons(&sound(&snapshot), "s");
    assert!(
        text.iter().any(|t| t.contains("Has room for 2 of 4")),
        "{text:?}"
    );
}

#[test]
fn a_cluster_has_its_fewest_workers_and_a_control_plane() {
    let mut snapshot = three_regions(vec![service("s", 1)]);
    let rules = snapshot.policies[0].cluster_policy.as_mut().unwrap();
    rules.min_nodes = 3;
    rules.control_plane = ControlPlaneRule::default();
    let solution = sound(&snapshot);
    let cluster = &solution.clusters[0].cluster;
    assert_eq!(cluster.workers.iter().map(|g| g.count).sum::<u32>(), 3);
    assert_eq!(cluster.control_plane, Some(("medium".into(), 3)));
    assert_eq!(solution.hourly, 6 * 192_000);

    let rules = snapshot.policies[0].cluster_policy.as_mut().unwrap();
    rules.control_plane.class = Some("gold".into());
    assert_eq!(
        reasons(&sound(&snapshot), "s")[0],
        "a: No node class for a control plane: class gold is not offered"
    );
    let rules = snapshot.policies[0].cluster_policy.as_mut().unwrap();
    rules.control_plane.class = None;
    snapshot.node_classes = vec![class("medium", 1, 16), class("large", 1, 32)];
    snapshot.services[0].size = Resources::new(500, 512);
    assert_eq!(
        reasons(&sound(&snapshot), "s")[0],
        "a: No node class for a control plane: none has 2 cores and 4 Gi"
    );
}

#[test]
fn the_more_important_service_goes_first() {
    let mut first = service("z-important", 2);
    first.priority = 10;
    let mut snapshot = three_regions(vec![service("a-other", 2), first]);
    snapshot.pools.truncate(1);
    snapshot.pools[0].caps.max_nodes = Some(2);
    snapshot.pools[0].offers.retain(|o| o.class == "medium");
    snapshot.services[0].size = Resources::new(4000, 4096);
    snapshot.services[1].size = Resources::new(4000, 4096);
    let solution = sound(&snapshot);
    assert_eq!(verdict(&solution, "z-important"), Verdict::Placed);
    assert_eq!(verdict(&solution, "a-other"), Verdict::Unschedulable);
    assert!(by_pool(&solution, "a-other").is_empty(), "never by halves");
}

fn by_hand(pool: &str, nodes: u32, resize: Option<(u32, u32)>) -> Cluster {
    Cluster {
        name: "by-hand".into(),
        pool: pool.into(),
        origin: Origin::Declared { resize },
        control_plane: None,
        workers: vec![NodeGroup {
            class: "medium".into(),
            count: nodes,
            services: BTreeMap::new(),
        }],
    }
}

fn pin(service: &str, replicas: Option<u32>) -> Pin {
    Pin {
        service: id(service),
        cluster: "by-hand".into(),
        replicas,
    }
}

#[test]
fn pins_are_obeyed() {
    let mut snapshot = three_regions(vec![service("s", 3)]);
    snapshot.clusters = vec![by_hand("c", 2, None)];
    snapshot.pins = vec![pin("s", Some(2))];
    for offer in &mut snapshot.pools[0].offers {
        offer.hourly /= 2;
    }
    assert_eq!(
        by_pool(&sound(&snapshot), "s"),
        pools(&[("a", 1), ("c", 2)])
    );

    snapshot.pins = vec![pin("s", None)];
    let text = reasons(&sound(&snapshot), "s");
    assert!(
        text.contains(&"Cluster by-hand has no room and may not be resized".to_owned()),
        "{text:?}"
    );
    assert!(
        text.contains(&"a: Pinned to cluster by-hand".to_owned()),
        "{text:?}"
    );

    snapshot.clusters = vec![by_hand("c", 2, Some((1, 5)))];
    assert_eq!(by_pool(&sound(&snapshot), "s"), pools(&[("c", 3)]));

    snapshot.pins = vec![pin("s", Some(9))];
    assert_eq!(
        reasons(&sound(&snapshot), "s")[0],
        "9 replicas are pinned, the service has 3"
    );
    snapshot.clusters.clear();
    snapshot.pins = vec![pin("s", None)];
    assert_eq!(
        reasons(&sound(&snapshot), "s")[0],
        "Pinned to cluster by-hand, which is not in any pool"
    );
}

#[test]
fn a_declared_cluster_is_used_and_never_deleted() {
    let mut snapshot = three_regions(vec![service("s", 2)]);
    snapshot.clusters = vec![by_hand("c", 2, None)];
    let first = sound(&snapshot);
    assert_eq!(by_pool(&first, "s"), pools(&[("c", 2)]), "paid for anyway");
    let mut next = then(&snapshot, &first);
    next.services.clear();
    let second = sound(&next);
    assert_eq!(actions(&second), [ClusterAction::Keep]);
    assert_eq!(second.clusters[0].cluster.workers[0].count, 2);
}

#[test]
fn clusters_grow_shrink_and_go() {
    let snapshot = three_regions(vec![service("s", 2)]);
    let first = sound(&snapshot);
    assert_eq!(actions(&first), [ClusterAction::Create]);

    let mut more = then(&snapshot, &first);
    more.services[0].replicas = 4;
    let grown = sound(&more);
    assert_eq!(actions(&grown), [ClusterAction::Resize]);
    assert_eq!(verdict(&grown, "s"), Verdict::Placed);

    let mut fewer = then(&more, &grown);
    fewer.services[0].replicas = 1;
    let shrunk = sound(&fewer);
    assert_eq!(shrunk.hourly, 192_000);

    let mut none = then(&fewer, &shrunk);
    none.services[0].replicas = 0;
    assert_eq!(actions(&sound(&none)), [ClusterAction::Delete]);
    none.services.clear();
    assert_eq!(actions(&sound(&none)), [ClusterAction::Delete]);
    none.pools.remove(0);
    assert_eq!(actions(&sound(&none)), [ClusterAction::Delete]);
}

#[test]
fn a_lost_label_moves_the_service_and_a_lost_cause_stays() {
    let mut s = service("s", 2);
    s.compliance.insert("soc2".into());
    let snapshot = three_regions(vec![s]);
    let first = sound(&snapshot);
    assert_eq!(by_pool(&first, "s"), pools(&[("a", 2)]));

    let mut changed = then(&snapshot, &first);
    changed.pools[0].labels.clear();
    let moved = sound(&changed);
    assert_eq!(by_pool(&moved, "s"), pools(&[("b", 2)]));

    changed.pools[1].labels.clear();
    let stuck = sound(&changed);
    assert_eq!(
        by_pool(&stuck, "s"),
        pools(&[("a", 2)]),
        "keeps what it has"
    );
    assert_eq!(reasons(&stuck, "s").len(), 3);
}

#[test]
fn a_lowered_limit_moves_the_least_important_that_can_move() {
    let mut low = service("low", 1);
    low.priority = -1;
    let mut fixed = service("fixed", 1);
    fixed.required_regions = vec!["us".into()];
    let mut snapshot = three_regions(vec![low, fixed]);
    for offer in &mut snapshot.pools[0].offers {
        offer.hourly /= 2;
    }
    // Each needs a node of its own.
    for s in &mut snapshot.services {
        s.size = Resources::new(5000, 4096);
    }
    let first = sound(&snapshot);
    assert_eq!(by_pool(&first, "low"), pools(&[("a", 1)]));
    let mut tight = then(&snapshot, &first);
    tight.pools[0].caps.max_nodes = Some(1);
    let second = sound(&tight);
    assert_eq!(by_pool(&second, "low"), pools(&[("b", 1)]));
    assert_eq!(verdict(&second, "fixed"), Verdict::Unchanged);
    tight.pools[0].caps.max_nodes = Some(0);
    let third = sound(&tight);
    assert_eq!(
        verdict(&third, "fixed"),
        Verdict::Unchanged,
        "never killed for a limit"
    );
}

#[test]
fn preferences_are_worth_money() {
    let mut snapshot = three_regions(vec![service("s", 1)]);
    // c is a little cheaper, but nearly full by its caps.
    for offer in &mut snapshot.pools[2].offers {
        offer.hourly -= 1_000;
    }
    snapshot.clusters = vec![by_hand("c", 9, None)];
    snapshot.clusters[0].workers[0].services = BTreeMap::new();
    snapshot.pools[2].caps.max_nodes = Some(10);
    snapshot.clusters[0].origin = Origin::Declared { resize: None };
    snapshot.node_classes.push(class("tiny", 1, 1));
    snapshot.clusters[0].workers[0].class = "tiny".into();
    assert_eq!(by_pool(&sound(&snapshot), "s"), pools(&[("c", 1)]));
    snapshot.policies[0].preferences = vec![Preference {
        weight: 30,
        sort_by: SortBy::AvailableCapacity,
        descending: true,
    }];
    let solution = sound(&snapshot);
    assert_eq!(by_pool(&solution, "s"), pools(&[("a", 1)]));
    assert_eq!(solution.objective, solution.hourly);
}

#[test]
fn hardly_used_clusters_are_merged() {
    let mut snapshot = three_regions(vec![service("s", 2), service("t", 2)]);
    snapshot.pools.truncate(1);
    let rules = snapshot.policies[0].cluster_policy.as_mut().unwrap();
    rules.consolidate_below_ppm = Some(600_000);
    rules.control_plane = ControlPlaneRule::default();
    let cluster = |name: &str, service: &str| Cluster {
        name: name.into(),
        pool: "a".into(),
        origin: Origin::Scheduler {
            policy: Some("all".into()),
        },
        control_plane: Some(("medium".into(), 3)),
        workers: vec![NodeGroup {
            class: "medium".into(),
            count: 2,
            services: BTreeMap::from([(id(service), 1)]),
        }],
    };
    snapshot.clusters = vec![cluster("one", "s"), cluster("two", "t")];
    assert_eq!(
        actions(&sound(&snapshot)),
        [ClusterAction::Delete, ClusterAction::Keep],
        "a control plane of three is worth it"
    );
    snapshot.policies[0].moving = Some(Moving {
        per_replica: Some(100_000_000),
        ..Moving::default()
    });
    let kept = [ClusterAction::Keep, ClusterAction::Keep];
    assert_eq!(actions(&sound(&snapshot)), kept, "unless moving is dear");
    snapshot.services[0].replicas = 1;
    let solution = sound(&snapshot);
    assert_eq!(solution.live().count(), 2, "{solution:#?}");
}

#[test]
fn a_pool_that_was_not_chosen_says_what_it_would_cost() {
    let mut snapshot = three_regions(vec![service("s", 1)]);
    for offer in &mut snapshot.pools[1].offers {
        offer.hourly += 8_000;
    }
    let solution = sound(&snapshot);
    let rejected = not_there(&snapshot, &solution, "s");
    assert_eq!(rejected["b"], ["A replica here instead costs 0.008/h more"]);
    assert_eq!(rejected["c"], ["A replica here instead costs the same"]);
    let mut cheaper = then(&snapshot, &solution);
    for offer in &mut cheaper.pools[2].offers {
        offer.hourly /= 2;
    }
    cheaper.services[0].moving.per_replica = Some(10_000_000);
    let calm = sound(&cheaper);
    assert_eq!(verdict(&calm, "s"), Verdict::Unchanged);
    assert_eq!(
        not_there(&cheaper, &calm, "s")["c"],
        ["A replica here instead saves 0.096/h, which does not pay for moving what runs"]
    );
}

#[test]
fn replicas_share_a_node_only_where_allowed() {
    let mut together = service("together", 2);
    together.one_per_node = false;
    let solution = sound(&three_regions(vec![together]));
    assert_eq!(solution.hourly, 192_000);
    let solution = sound(&three_regions(vec![service("apart", 2)]));
    assert_eq!(solution.hourly, 2 * 192_000);
}

#[test]
fn a_name_that_is_taken_is_not_used_again() {
    let snapshot = three_regions(vec![service("s", 1)]);
    let name = sound(&snapshot).clusters[0].cluster.name.clone();
    let mut reserved = snapshot;
    reserved.reserved_names.insert(name.clone());
    assert_ne!(sound(&reserved).clusters[0].cluster.name, name);
}

#[test]
fn an_empty_fleet_is_no_trouble() {
    assert_eq!(sound(&Snapshot::default()), Solution::default());
    let solution = sound(&Snapshot {
        services: vec![service("s", 1)],
        ..Snapshot::default()
    });
    assert_eq!(verdict(&solution, "s"), Verdict::Unschedulable);
}
