//! The checker notices every kind of broken plan: good plans are spoilt, one rule at a time.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::small::*;
use lattice::scheduler::check::check;
use lattice::scheduler::model::*;
use lattice::scheduler::solution::{ClusterAction, Solution, Verdict};
use lattice::scheduler::solve;
use lattice::scheduler::units::Resources;
use std::collections::{BTreeMap, BTreeSet};

fn rules(snapshot: &Snapshot, solution: &Solution) -> BTreeSet<&'static str> {
    check(snapshot, solution).iter().map(|v| v.rule).collect()
}

/// Solves, spoils and returns the rules that are broken then.
fn spoilt(
    mut snapshot: Snapshot,
    spoil: impl FnOnce(&mut Snapshot, &mut Solution),
) -> Vec<&'static str> {
    let mut solution = solve(&snapshot);
    assert!(rules(&snapshot, &solution).is_empty());
    // What changes the demand changes the bound too; that is a test of its own.
    solution.certificate = Default::default();
    spoil(&mut snapshot, &mut solution);
    rules(&snapshot, &solution).into_iter().collect()
}

fn one() -> Snapshot {
    three_regions(vec![service("s", 2)])
}

fn first(solution: &mut Solution) -> &mut Cluster {
    &mut solution.clusters[0].cluster
}

#[test]
fn services_must_have_what_they_ask_for() {
    let broken = |change: fn(&mut Snapshot)| spoilt(one(), |snapshot, _| change(snapshot));
    assert_eq!(broken(|s| s.services[0].replicas = 3), ["replicas"]);
    assert_eq!(
        broken(|s| {
            s.services[0].compliance.insert("gold".into());
        }),
        ["selector or compliance"]
    );
    for operator in [Operator::In, Operator::Exists] {
        let expression = Expression {
            key: "gpu".into(),
            operator,
            values: BTreeSet::from(["yes".into()]),
        };
        let found = spoilt(one(), |s, _| {
            s.services[0].pools.match_expressions.push(expression);
        });
        assert_eq!(found, ["selector or compliance"]);
    }
    let none = Expression {
        key: "compliance".into(),
        operator: Operator::DoesNotExist,
        values: BTreeSet::new(),
    };
    let not = Expression {
        key: "compliance".into(),
        operator: Operator::NotIn,
        values: BTreeSet::from(["soc2".into()]),
    };
    for expression in [none, not] {
        let found = spoilt(one(), |s, _| {
            s.services[0].pools.match_expressions.push(expression);
        });
        assert_eq!(found, ["selector or compliance"]);
    }
    assert_eq!(
        broken(|s| s.services[0].required_regions = vec!["ap".into()]),
        ["requiredRegions"]
    );
    assert_eq!(
        broken(|s| s.policies[0].min_regions = Some(2)),
        ["minRegions"]
    );
    for topology in [Topology::Region, Topology::Zone, Topology::Pool] {
        let found = spoilt(one(), |s, _| {
            s.policies[0].spread = vec![Spread {
                topology,
                max_skew: 1,
            }];
        });
        assert_eq!(found, ["spreadConstraint"]);
    }
    assert_eq!(
        broken(|s| s.pools[0].closed = Some("no".into())),
        ["closed pool"]
    );
    assert_eq!(
        broken(|s| s.policies[0].selector.match_labels = BTreeMap::from([("x".into(), "y".into())])),
        ["cluster policy"]
    );
}

#[test]
fn latency_and_pins_are_measured() {
    let mut far = service("far", 1);
    far.required_regions = vec!["ap".into()];
    let snapshot = three_regions(vec![service("s", 2), far]);
    let broken = spoilt(snapshot.clone(), |s, _| {
        s.services[0].latency = vec![near("far", 100)]
    });
    assert_eq!(broken, ["latency"]);
    let fine = spoilt(snapshot, |s, _| {
        s.services[0].latency = vec![near("far", 100), near("nobody", 1)];
        s.region_latencies.push(RegionLatency {
            from: "us".into(),
            to: "ap".into(),
            ms: 99,
        });
    });
    assert_eq!(fine, Vec::<&str>::new());
    let broken = spoilt(one(), |s, _| {
        s.pins.push(Pin {
            service: id("s"),
            cluster: "elsewhere".into(),
            replicas: None,
        });
    });
    assert_eq!(broken, ["pin"]);
}

#[test]
fn pins_to_one_cluster_add_up() {
    let pinned_times = |times: u32| {
        spoilt(one(), |s, solution| {
            let workers = first(solution).workers.iter();
            let there = workers.flat_map(|group| group.services.values().map(|n| n * group.count));
            let pin = Pin {
                service: id("s"),
                replicas: Some(there.sum()),
                cluster: first(solution).name.clone(),
            };
            s.pins.extend((0..times).map(|_| pin.clone()));
        })
    };
    assert_eq!(pinned_times(1), Vec::<&str>::new());
    assert_eq!(pinned_times(2), ["pin"]);
}

#[test]
fn nodes_hold_what_fits() {
    assert_eq!(
        spoilt(one(), |s, _| s.services[0].size = Resources::new(4001, 1)),
        ["fit"]
    );
    assert_eq!(
        spoilt(one(), |s, _| s.node_classes[0].reserved.mib = 16 * 1024),
        ["fit"]
    );
    assert_eq!(
        spoilt(one(), |_, solution| {
            let group = &mut first(solution).workers[0];
            group.services.insert(id("s"), 2);
            group.count = 1;
        }),
        ["cost", "replicaSpread"]
    );
    let stranger = spoilt(one(), |_, solution| {
        first(solution).workers[0].services.insert(id("ghost"), 1);
    });
    assert_eq!(stranger, ["fit"]);
    let unknown = spoilt(one(), |_, solution| {
        first(solution).workers[0].class = "gold".into()
    });
    assert_eq!(unknown, ["cost", "fit"]);
    let unsold = spoilt(one(), |s, _| {
        s.pools[0].offers.retain(|o| o.class != "medium")
    });
    assert_eq!(unsold, ["cost", "offer"]);
}

#[test]
fn pools_and_clusters_keep_their_limits() {
    assert_eq!(
        spoilt(one(), |s, _| s.pools[0].caps.max_nodes = Some(1)),
        ["maxNodes"]
    );
    assert_eq!(
        spoilt(one(), |s, _| s.pools[0].caps.max_milli_cores = Some(7999)),
        ["maxCores"]
    );
    assert_eq!(
        spoilt(one(), |s, _| s.pools[0].caps.max_mib = Some(1)),
        ["maxMemory"]
    );
    assert_eq!(
        spoilt(one(), |s, _| s.pools[0].monthly_budget = Some(720)),
        ["budget"]
    );
    let size = |min, max| {
        spoilt(one(), |s, _| {
            let rules = s.policies[0].cluster_policy.as_mut().unwrap();
            (rules.min_nodes, rules.max_nodes) = (min, Some(max));
        })
    };
    assert_eq!(size(3, 9), ["cluster size"]);
    assert_eq!(size(0, 1), ["cluster size"]);
    assert_eq!(
        spoilt(one(), |_, solution| {
            let twice = solution.clusters[0].clone();
            solution.clusters.push(twice);
        }),
        ["cost", "replicas", "unique names"]
    );
}

#[test]
fn declared_clusters_are_left_as_they_are() {
    let mut snapshot = one();
    snapshot.clusters.push(Cluster {
        name: "by-hand".into(),
        pool: "c".into(),
        origin: Origin::Declared { resize: None },
        control_plane: Some(("medium".into(), 1)),
        workers: vec![NodeGroup {
            class: "medium".into(),
            count: 2,
            services: BTreeMap::new(),
        }],
    });
    let grown = spoilt(snapshot.clone(), |_, solution| {
        let group = &mut first(solution).workers[0];
        group.count += 1;
        group.services.clear();
    });
    assert!(grown.contains(&"cluster size"), "{grown:?}");
    let deleted = spoilt(snapshot, |_, solution| {
        solution.clusters[0].action = ClusterAction::Delete;
    });
    assert!(deleted.contains(&"declared"), "{deleted:?}");
}

#[test]
fn the_outcome_says_what_is_true() {
    assert_eq!(spoilt(one(), |_, s| s.outcomes.clear()), ["outcome"]);
    let halves = spoilt(one(), |_, s| s.outcomes[0].verdict = Verdict::Unschedulable);
    assert_eq!(halves, ["outcome"]);
    assert_eq!(spoilt(one(), |_, s| s.hourly += 1), ["cost", "objective"]);
    let mut solution = solve(&one());
    solution.hourly += 1;
    let said: Vec<String> = check(&one(), &solution)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said[0],
        "the fleet breaks cost: 384001 is claimed, 384000 is due"
    );
}

#[test]
fn clusters_are_what_they_may_be() {
    let policed = spoilt(one(), |_, s| {
        first(s).origin = Origin::Declared { resize: None }
    });
    assert!(policed.contains(&"origin"), "{policed:?}");
    let kept = spoilt(one(), |_, s| s.clusters[0].action = ClusterAction::Keep);
    assert_eq!(kept, ["action"]);
    let controlled = spoilt(one(), |_, s| {
        first(s).control_plane = Some(("medium".into(), 1));
        (s.hourly, s.objective) = (s.hourly + 192_000, s.objective + 192_000);
    });
    assert_eq!(controlled, ["control plane"]);
    let elsewhere = spoilt(one(), |_, s| first(s).pool = "nowhere".into());
    assert!(elsewhere.contains(&"origin"), "{elsewhere:?}");

    let mut after = one();
    after.clusters = vec![solve(&one()).clusters[0].cluster.clone()];
    let forgotten = spoilt(after.clone(), |_, s| {
        s.clusters.clear();
        (s.hourly, s.objective) = (0, 0);
    });
    assert!(forgotten.contains(&"action"), "{forgotten:?}");
    let moved = spoilt(after, |_, s| first(s).pool = "b".into());
    assert!(moved.contains(&"origin"), "{moved:?}");
}

#[test]
fn machines_that_people_declared_are_not_swapped() {
    let mut snapshot = one();
    snapshot.clusters.push(Cluster {
        name: "by-hand".into(),
        pool: "c".into(),
        origin: Origin::Declared { resize: None },
        control_plane: Some(("medium".into(), 1)),
        workers: vec![NodeGroup {
            class: "large".into(),
            count: 2,
            services: BTreeMap::new(),
        }],
    });
    let swapped = spoilt(snapshot.clone(), |_, s| {
        let declared = s.clusters.iter_mut().find(|d| d.cluster.name == "by-hand");
        for group in &mut declared.unwrap().cluster.workers {
            group.class = "medium".into();
        }
    });
    assert!(swapped.contains(&"declared"), "{swapped:?}");
    let dropped = spoilt(snapshot, |_, s| {
        let declared = s.clusters.iter_mut().find(|d| d.cluster.name == "by-hand");
        declared.unwrap().cluster.control_plane = None;
    });
    assert!(dropped.contains(&"control plane"), "{dropped:?}");
}

#[test]
fn preferences_are_charged_to_the_last_digit() {
    let mut snapshot = three_regions(vec![service("s", 3)]);
    snapshot.policies[0].min_regions = Some(3);
    snapshot.policies[0].preferences = vec![
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
    ];
    for offer in &mut snapshot.pools[1].offers {
        offer.hourly += 50_001;
    }
    snapshot.pools[2].caps.max_nodes = Some(7);
    let solution = solve(&snapshot);
    assert!(solution.objective > solution.hourly, "{solution:?}");
    for more in [1, -1] {
        assert_eq!(
            spoilt(snapshot.clone(), |_, s| s.objective += more),
            ["objective"]
        );
    }
}

/// The rules that are broken once the proof of the lower bound is spoilt.
fn disproven(spoil: impl FnOnce(&mut Solution)) -> Vec<&'static str> {
    let snapshot = one();
    let mut solution = solve(&snapshot);
    assert!(solution.certificate.lower_bound > 0);
    assert!(rules(&snapshot, &solution).is_empty());
    spoil(&mut solution);
    rules(&snapshot, &solution).into_iter().collect()
}

#[test]
fn a_bound_must_be_proven() {
    let claim = |more| disproven(move |s| s.certificate.lower_bound += more);
    assert_eq!(claim(1), ["lowerBound"], "more than is proven");
    assert_eq!(claim(-1), [""; 0], "less is fine");
    let above = disproven(|s| s.certificate.lower_bound = s.objective + 1);
    assert_eq!(above, ["lowerBound"]);
    let dear = disproven(|s| {
        s.certificate
            .prices
            .iter_mut()
            .for_each(|p| p.milli_core *= 3)
    });
    assert_eq!(dear, ["lowerBound"], "a class worth more than it costs");
    let negative = disproven(|s| s.certificate.prices[0].mib = -1);
    assert_eq!(negative, ["lowerBound"]);
    let unpriced = disproven(|s| s.certificate.prices.truncate(1));
    assert_eq!(unpriced, ["lowerBound"]);
    let limitless = disproven(|s| s.certificate.prices[0].core_limit = 1);
    assert_eq!(limitless, ["lowerBound"], "the pool has no such limit");
    let twice = disproven(|s| s.certificate.separate = vec![id("s"), id("s")]);
    assert_eq!(twice, ["lowerBound"]);
    let stranger = disproven(|s| s.certificate.separate.push(id("unheard-of")));
    assert_eq!(stranger, ["lowerBound"]);
}
