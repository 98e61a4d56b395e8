//! Extended resources, such as GPUs: who gets which machines, who pays, and why not elsewhere.

#![allow(clippy::unwrap_used)]

mod fleet;

use fleet::small::*;
use lattice::scheduler::check::check;
use lattice::scheduler::extended::Extended;
use lattice::scheduler::model::*;
use lattice::scheduler::share::Prices;
use lattice::scheduler::solution::{Solution, Verdict};
use lattice::scheduler::solve;
use lattice::scheduler::units::Resources;
use std::collections::BTreeMap;

const GPU: &str = "nvidia.com/gpu";

/// Three regions of which two sell machines with four GPUs, 16 cores and 64 GiB.
fn with_gpus(services: Vec<Service>) -> Snapshot {
    let mut snapshot = three_regions(services);
    snapshot.extended = [GPU.to_owned()].into();
    let mut gpu = class("gpu", 16, 64);
    gpu.capacity.extended = Extended::new([(0, 4)]);
    snapshot.node_classes.push(gpu);
    for pool in &mut snapshot.pools[..2] {
        pool.offers.push(offer("gpu", 3_000_000));
    }
    snapshot
}

fn asking(name: &str, replicas: u32, gpus: u64) -> Service {
    let mut made = service(name, replicas);
    made.one_per_node = false;
    made.size.extended = Extended::new([(0, gpus)]);
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
    for decision in solution.live() {
        for group in &decision.cluster.workers {
            if let Some(n) = group.services.get(&id(name)) {
                *found.entry(group.class.clone()).or_default() += n * group.count;
            }
        }
    }
    found
}

fn nodes(solution: &Solution, class: &str) -> u32 {
    let groups = solution.live().flat_map(|d| &d.cluster.workers);
    groups.filter(|g| g.class == class).map(|g| g.count).sum()
}

fn all_on(class: &str, n: u32) -> BTreeMap<String, u32> {
    BTreeMap::from([(class.to_owned(), n)])
}

#[test]
fn a_node_gives_out_no_more_than_it_has() {
    let solution = sound(&with_gpus(vec![asking("train", 5, 1)]));
    assert_eq!(by_class(&solution, "train"), all_on("gpu", 5));
    assert_eq!(nodes(&solution, "gpu"), 2, "four on the first, one beside");
    let solution = sound(&with_gpus(vec![asking("train", 3, 3)]));
    assert_eq!(nodes(&solution, "gpu"), 3);
}

#[test]
fn the_checker_counts_them() {
    let mut snapshot = with_gpus(vec![asking("train", 4, 1)]);
    let mut solution = sound(&snapshot);
    solution.certificate = Default::default();
    snapshot.services[0].size.extended = Extended::new([(0, 2)]);
    let found = check(&snapshot, &solution);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule, "fit");
    assert_eq!(found[0].detail, "8 nvidia.com/gpu on gpu (4)");
}

#[test]
fn where_no_class_has_it_the_reason_says_so() {
    let mut snapshot = with_gpus(vec![asking("train", 1, 1)]);
    snapshot.pools.retain(|pool| pool.name == "c");
    let solution = sound(&snapshot);
    let outcome = solution.outcome(&id("train")).unwrap();
    assert_eq!(outcome.verdict, Verdict::Unschedulable);
    let why = outcome.reasons.iter().map(|r| r.why.to_string());
    assert_eq!(
        why.collect::<Vec<_>>(),
        ["No node class with nvidia.com/gpu"]
    );
}

#[test]
fn ordinary_services_leave_gpus_to_others_while_there_is_room_elsewhere() {
    let mut snapshot = with_gpus(vec![asking("train", 1, 1)]);
    snapshot.pools.truncate(1);
    snapshot.pools[0].offers.retain(|o| o.class != "large");
    let mut web = service("web", 1);
    web.size = Resources::new(3000, 4096);
    snapshot.services.push(web);
    let first = sound(&snapshot);
    // Room on the machine with GPUs costs nothing, so one machine is enough while nothing else is there.
    assert_eq!(by_class(&first, "web"), all_on("gpu", 1));

    // With an ordinary machine that has room, what comes new goes there, though it fits less tightly.
    let mut busy = service("busy", 1);
    busy.size = Resources::new(1000, 2048);
    let mut declared = snapshot.clone();
    declared.services.retain(|s| s.id == id("train"));
    declared.services.push(busy);
    declared.clusters = vec![Cluster {
        name: "by-hand".into(),
        pool: "a".into(),
        origin: Origin::Declared { resize: None },
        control_plane: None,
        workers: vec![
            NodeGroup {
                class: "gpu".into(),
                count: 1,
                services: BTreeMap::from([(id("train"), 1)]),
            },
            NodeGroup {
                class: "medium".into(),
                count: 1,
                services: BTreeMap::new(),
            },
        ],
    }];
    declared.node_classes.retain(|c| c.name != "large");
    let mut tight = declared.clone();
    let gpu = tight.node_classes.iter_mut().find(|c| c.name == "gpu");
    gpu.unwrap().capacity.milli_cores = 3000;
    for snapshot in [declared, tight] {
        let solution = sound(&snapshot);
        assert_eq!(by_class(&solution, "busy"), all_on("medium", 1));
    }
}

#[test]
fn the_dominant_resource_may_be_an_extended_one() {
    // Half of the GPUs beside a quarter of the cores.
    let mut plain = service("plain", 1);
    plain.size = Resources::new(4000, 1024);
    let snapshot = with_gpus(vec![asking("train", 1, 2), plain]);
    let cluster = Cluster {
        name: "a-1".into(),
        pool: "a".into(),
        origin: Origin::Scheduler { policy: None },
        control_plane: None,
        workers: vec![NodeGroup {
            class: "gpu".into(),
            count: 1,
            services: BTreeMap::from([(id("plain"), 1), (id("train"), 1)]),
        }],
    };
    let cost = Prices::new(&snapshot).cluster(&cluster);
    let of = |name: &str| cost.services[&(id(name), "gpu".to_owned())];
    assert_eq!((of("train"), of("plain")), (2_000_000, 1_000_000));
}

#[test]
fn many_services_at_once_include_those_that_ask_for_gpus() {
    let mut services: Vec<Service> = (0..120).map(|i| service(&format!("s{i:03}"), 2)).collect();
    for service in services.iter_mut().step_by(10) {
        service.size.extended = Extended::new([(0, 1)]);
    }
    let solution = sound(&with_gpus(services));
    let placed = |o: &lattice::scheduler::solution::Outcome| o.verdict == Verdict::Placed;
    assert!(solution.outcomes.iter().all(placed));
    assert!(nodes(&solution, "gpu") <= 24);
}

#[test]
fn records_from_before_are_read_and_new_ones_name_the_resources() {
    let old: Resources = serde_json::from_str(r#"{"milli_cores":2000,"mib":4096}"#).unwrap();
    assert_eq!(old, Resources::new(2000, 4096));
    let plain = three_regions(vec![service("web", 1)]);
    let text = serde_json::to_string(&plain).unwrap();
    assert!(!text.contains("extended"), "addresses stay as they were");
    assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), plain);
    let new = with_gpus(vec![asking("train", 1, 2)]);
    let text = serde_json::to_string(&new).unwrap();
    assert!(text.contains(GPU));
    assert_eq!(serde_json::from_str::<Snapshot>(&text).unwrap(), new);
}
