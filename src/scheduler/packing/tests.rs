//! What must hold of every packing.

#![allow(clippy::unwrap_used)]

use super::*;
use proptest::prelude::*;

const NONE: Limits = Limits([f64::INFINITY; 4]);

fn class(cpu: f64, mem: f64, price: f64) -> Class {
    Class {
        cpu,
        mem,
        price,
        takes: Limits([1.0, cpu, mem, price]),
    }
}

fn item(cpu: f64, mem: f64, count: u32) -> Item {
    Item {
        cpu,
        mem,
        count,
        apart: false,
    }
}

/// Cost of a packing that keeps all rules, and how many replicas are in it.
fn sound(classes: &[Class], items: &[Item], limits: &Limits, nodes: &[Filled]) -> (f64, u32) {
    let mut placed = vec![0u32; items.len()];
    let mut used = Limits([0.0; 4]);
    for node in nodes {
        let class = &classes[node.class];
        used = used.less(&class.takes, -1.0);
        let (mut cpu, mut mem) = (0.0, 0.0);
        for &(i, n) in &node.content {
            let item = &items[i as usize];
            assert!(n > 0 && (!item.apart || n == 1), "twice on one node");
            cpu += item.cpu * f64::from(n);
            mem += item.mem * f64::from(n);
            placed[i as usize] += n;
        }
        assert!(!node.content.is_empty(), "an empty node is bought");
        assert!(cpu <= class.cpu && mem <= class.mem, "a node is too full");
    }
    assert!(limits.holds(&used), "{used:?} is beyond {limits:?}");
    for (placed, item) in placed.iter().zip(items) {
        assert!(*placed <= item.count);
    }
    let cost = nodes.iter().map(|node| classes[node.class].price).sum();
    (cost, placed.iter().sum())
}

fn packed(classes: &[Class], items: &[Item], limits: &Limits) -> Vec<Filled> {
    pack(classes, items, limits)
}

#[test]
fn the_fleet_is_chosen_for_the_whole() {
    // Ten of these fill five large nodes exactly, or ten small ones at a higher price.
    let classes = [class(4000.0, 16.0, 100.0), class(8000.0, 32.0, 150.0)];
    let items = [item(4000.0, 16.0, 10)];
    let nodes = packed(&classes, &items, &NONE);
    assert_eq!(sound(&classes, &items, &NONE, &nodes), (750.0, 10));
}

#[test]
fn what_the_cheapest_nodes_do_not_hold_gets_larger_ones() {
    let classes = [class(2000.0, 8.0, 20.0), class(8000.0, 32.0, 100.0)];
    let items = [item(1000.0, 4.0, 8), item(3000.0, 12.0, 2)];
    let nodes = packed(&classes, &items, &NONE);
    // One large node for both bulky ones and two small replicas, three small nodes for the rest.
    assert_eq!(sound(&classes, &items, &NONE, &nodes), (160.0, 10));
}

#[test]
fn no_replica_is_poured_over_nodes_that_do_not_hold_it() {
    // For nothing, a billion of the first have what the replicas need together; none holds one of them.
    let classes = [class(1.0, 1e12, 0.0), class(1e9, 1e12, 100.0)];
    let items = [item(1e9, 8.0, 20)];
    let nodes = packed(&classes, &items, &NONE);
    assert_eq!(sound(&classes, &items, &NONE, &nodes), (2000.0, 20));
    let quickly = quick::pack(&classes, &items, &NONE);
    assert_eq!(sound(&classes, &items, &NONE, &quickly), (2000.0, 20));
}

#[test]
fn a_limit_on_nodes_makes_them_larger() {
    let classes = [class(2000.0, 8.0, 20.0), class(8000.0, 32.0, 100.0)];
    let items = [item(1000.0, 4.0, 16)];
    let limits = Limits([3.0, f64::INFINITY, f64::INFINITY, f64::INFINITY]);
    let nodes = packed(&classes, &items, &limits);
    assert_eq!(sound(&classes, &items, &limits, &nodes), (200.0, 16));
    let tight = Limits([1.0, f64::INFINITY, f64::INFINITY, f64::INFINITY]);
    let nodes = packed(&classes, &items, &tight);
    assert_eq!(sound(&classes, &items, &tight, &nodes), (100.0, 8));
}

#[test]
fn nothing_is_bought_for_nothing() {
    let classes = [class(2000.0, 8.0, 20.0)];
    assert_eq!(packed(&classes, &[], &NONE), []);
    assert_eq!(packed(&classes, &[item(1.0, 1.0, 0)], &NONE), []);
    assert_eq!(packed(&[], &[item(1.0, 1.0, 1)], &NONE), []);
    assert_eq!(packed(&classes, &[item(9000.0, 1.0, 1)], &NONE), []);
}

fn classes() -> impl Strategy<Value = Vec<Class>> {
    let one = (1u32..=16, 1u32..=8, 90u32..=110).prop_map(|(cores, ratio, level)| {
        let (cpu, mem) = (f64::from(cores * 1000), f64::from(cores * ratio * 1024));
        class(
            cpu,
            mem,
            (cpu * 30.0 + mem * 4.0) * f64::from(level) / 100.0,
        )
    });
    prop::collection::vec(one, 1..7)
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let one =
        (1u32..=80, 1u32..=8, 0u32..=12, any::<bool>()).prop_map(|(cpu, ratio, count, apart)| {
            Item {
                cpu: f64::from(cpu * 100),
                mem: f64::from(cpu * ratio * 102),
                count,
                apart,
            }
        });
    prop::collection::vec(one, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_packing_is_sound_and_places_what_fits(classes in classes(), items in items()) {
        let nodes = packed(&classes, &items, &NONE);
        let (cost, placed) = sound(&classes, &items, &NONE, &nodes);
        let holds = |i: &&Item| classes.iter().any(|k| k.cpu >= i.cpu && k.mem >= i.mem);
        let fitting: u32 = items.iter().filter(holds).map(|i| i.count).sum();
        prop_assert_eq!(placed, fitting);
        let all: Vec<usize> = (0..classes.len()).collect();
        let need = items.iter().filter(holds).fold((0.0, 0.0), |(cpu, mem), i| {
            (cpu + i.cpu * f64::from(i.count), mem + i.mem * f64::from(i.count))
        });
        if let Some(fluid) = fluid::solve(&classes, &all, need) {
            prop_assert!(cost >= fluid.cost * (1.0 - 1e-9), "{} below the bound", cost);
        }
        prop_assert_eq!(nodes, packed(&classes, &items, &NONE), "two runs differ");
    }

    #[test]
    fn no_packing_is_beyond_its_limits(
        classes in classes(),
        items in items(),
        nodes in 0u32..20,
        cores in 0u32..100,
    ) {
        let limits = Limits([
            f64::from(nodes),
            f64::from(cores * 1000),
            f64::INFINITY,
            f64::INFINITY,
        ]);
        let packed = packed(&classes, &items, &limits);
        sound(&classes, &items, &limits, &packed);
    }
}
