//! What `make bench-peers` relies on: its checker finds what is wrong, and its bound is one.

#[path = "../tools/bench_peers/bound.rs"]
mod bound;
#[path = "../tools/bench_peers/check.rs"]
mod check;
mod fleet;
#[path = "../tools/bench_peers/instance.rs"]
mod instance;
#[path = "../tools/bench_peers/ours.rs"]
mod ours;

use bound::Worth;
use check::{Fault, check};
use instance::{Class, Instance, Node, Plan, Service, Short};

fn class(name: &str, milli_cores: u64, mib: u64, hourly_micros: i64) -> Class {
    Class {
        name: name.into(),
        milli_cores,
        mib,
        max_pods: 5,
        hourly_micros,
    }
}

fn service(name: &str, milli_cores: u64, mib: u64, replicas: u32) -> Service {
    Service {
        name: name.into(),
        milli_cores,
        mib,
        replicas,
    }
}

fn instance() -> Instance {
    Instance {
        classes: vec![class("small", 2000, 4096, 100_000)],
        services: vec![service("web", 250, 256, 6), service("db", 1500, 3072, 1)],
    }
}

fn plan(hourly_micros: i64, nodes: &[(&str, &[(&str, u32)])]) -> Plan {
    let nodes = nodes.iter().map(|(class, services)| Node {
        class: (*class).to_owned(),
        services: services
            .iter()
            .map(|(s, n)| ((*s).to_owned(), *n))
            .collect(),
    });
    Plan {
        version: "1".into(),
        threads: 1,
        runs: 1,
        milliseconds: 1.0,
        hourly_micros,
        nodes: nodes.collect(),
    }
}

#[test]
fn a_right_plan_has_no_faults() {
    let right = plan(
        200_000,
        &[
            ("small", &[("web", 2), ("db", 1)]),
            ("small", &[("web", 4)]),
        ],
    );
    let found = check(&instance(), &right);
    assert_eq!((found.hourly, found.faults), (200_000, vec![]));
}

#[test]
fn a_node_over_each_of_its_limits_is_found() {
    let over = |what, used, room| Fault::Overfull {
        node: 0,
        what,
        used,
        room,
    };
    let all = plan(100_000, &[("small", &[("web", 6), ("db", 1)])]);
    let faults = check(&instance(), &all).faults;
    assert_eq!(
        faults,
        [
            over("milli-cores", 3000, 2000),
            over("MiB", 4608, 4096),
            over("pods", 7, 5)
        ]
    );
}

#[test]
fn replicas_missing_or_placed_twice_are_found() {
    let wrong = plan(
        200_000,
        &[("small", &[("web", 5)]), ("small", &[("db", 1)])],
    );
    let replicas = |service: &str, placed, wanted| Fault::Replicas {
        service: service.into(),
        placed,
        wanted,
    };
    assert_eq!(check(&instance(), &wrong).faults, [replicas("web", 5, 6)]);
    let twice = plan(
        300_000,
        &[
            ("small", &[("web", 5)]),
            ("small", &[("db", 1), ("web", 1)]),
            ("small", &[("db", 1)]),
        ],
    );
    assert_eq!(check(&instance(), &twice).faults, [replicas("db", 2, 1)]);
}

#[test]
fn unknown_names_and_wrong_sums_are_found() {
    let wrong = plan(
        150_000,
        &[
            ("small", &[("web", 2), ("db", 1)]),
            ("small", &[("web", 4), ("cache", 1)]),
            ("huge", &[]),
        ],
    );
    let faults = check(&instance(), &wrong).faults;
    assert_eq!(
        faults,
        [
            Fault::UnknownService {
                node: 1,
                service: "cache".into()
            },
            Fault::UnknownClass {
                node: 2,
                class: "huge".into()
            },
            Fault::Cost {
                claimed: 150_000,
                real: 200_000
            },
        ]
    );
}

#[test]
fn the_bound_is_the_price_of_nodes_by_the_slice() {
    // Full nodes of both classes, one of each: nothing is cheaper by the slice than to buy them.
    let instance = Instance {
        classes: vec![
            class("lean", 4000, 4096, 100_000),
            class("fat", 4000, 16_384, 130_000),
            class("dear", 4000, 8192, 200_000),
        ],
        services: vec![
            service("lean", 1000, 1024, 4),
            service("fat", 1000, 4096, 4),
        ],
    };
    let worth = bound::best(&instance);
    assert!(worth.proves(&instance.classes));
    assert_eq!(worth.bound(&instance), 230_000);
}

#[test]
fn worths_above_a_price_or_below_nothing_prove_nothing() {
    let classes = instance().classes;
    let worth = |milli_core, mib, denominator| Worth {
        milli_core,
        mib,
        denominator,
    };
    assert!(worth(50, 0, 1).proves(&classes));
    assert!(!worth(51, 0, 1).proves(&classes));
    assert!(!worth(60, -1, 1).proves(&classes));
    assert!(!worth(0, 0, 0).proves(&classes));
    assert!(!worth(-50, 0, -1).proves(&classes));
}

#[test]
fn our_plans_stand_the_check_and_the_bound() {
    for seed in 0..8 {
        let short = Short::ALL[seed as usize % 2];
        let instance = instance::random(seed, short, 25, 400);
        let plan = ours::plan(&instance, 1);
        let found = check(&instance, &plan);
        assert_eq!(found.faults, [], "seed {seed}");
        let worth = bound::best(&instance);
        assert!(worth.proves(&instance.classes), "seed {seed}");
        let bound = worth.bound(&instance);
        let cost = i128::from(found.hourly);
        // Twice the bound would be a mistake somewhere, even with so few services.
        assert!(
            bound <= cost && cost < 2 * bound,
            "seed {seed}: {bound}, {cost}"
        );
    }
}

#[test]
fn instances_are_of_the_size_and_kind_they_are_said_to_be() {
    for (services, pods) in [
        (200, 1000..1300),
        (1_000, 5_200..5_900),
        (4_000, 21_000..23_000),
    ] {
        let short = Short::Both;
        let instance = instance::random(7, short, services, 320);
        assert!(pods.contains(&instance.pods()), "{}", instance.pods());
        assert_eq!(instance.classes.len(), 20);
        assert_eq!(instance, instance::random(7, short, services, 320));
        for service in &instance.services {
            let per_core = service.mib * 1000 / service.milli_cores;
            assert!((1000..=8192).contains(&per_core), "{service:?}");
        }
        // What is left of the smallest and of the largest, by hand.
        let left = |name: &str| instance.classes.iter().find(|c| c.name == name).unwrap();
        let (small, large) = (left("c6i.large"), left("r6i.8xlarge"));
        assert_eq!((small.milli_cores, small.mib), (1930, 2972));
        assert_eq!((large.milli_cores, large.mib), (31_864, 249_878));
    }
}

#[test]
fn memory_is_short_only_where_it_is_said_to_be() {
    for (short, scarce) in [(Short::Cores, false), (Short::Both, true)] {
        let worth = bound::best(&instance::random(7, short, 1_000, 320));
        assert_eq!(worth.mib > 0, scarce, "{}: {worth:?}", short.name());
    }
}
