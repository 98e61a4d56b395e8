//! Moves of random clusters, killed at random.

use proptest::prelude::*;
use serde_json::json;

use super::{cluster, digest, key, machine, object, ready_cluster, run, run_until};
use crate::clusters::pivot::{
    Intent, Side,
    deed::{Deed, Inventory, State, owner},
    graph::Graph,
    object::Object,
    observe,
    tests::world::World,
};

/// An object: which kind, below which of those before it, with finalizers.
type Drawn = (u8, prop::sample::Index, Option<prop::sample::Index>, bool);

fn drawn() -> impl Strategy<Value = Vec<Drawn>> {
    let one = (
        0..4_u8,
        any::<prop::sample::Index>(),
        proptest::option::of(any::<prop::sample::Index>()),
        any::<bool>(),
    );
    proptest::collection::vec(one, 0..14)
}

fn world(objects: &[Drawn]) -> World {
    let world = World::new();
    let mut made: Vec<Object> = vec![world.source.put(ready_cluster())];
    for (number, (kind, first, second, held)) in objects.iter().enumerate() {
        // Names run against the order of owning.
        let name = format!("o{}", 99 - number);
        let mut owners = vec![first.get(&made)];
        owners.extend(second.as_ref().map(|second| second.get(&made)));
        owners.dedup_by_key(|owner| owner.uid().to_owned());
        let mut it = match kind {
            0 => machine(&name, owners[0]),
            1 => object("Box", &name, &owners),
            2 => object("Secret", &name, &owners),
            _ => object("ConfigMap", &name, &owners),
        };
        if *held {
            it.set_metadata("finalizers", json!(["held"]));
        }
        made.push(world.source.put(it));
    }
    world
}

fn deed() -> impl Strategy<Value = Option<Deed>> {
    let state = prop_oneof![
        Just(State::Receiving),
        Just(State::GivenUp),
        Just(State::Owner(Inventory {
            digest: String::new(),
            objects: Vec::new(),
        })),
    ];
    proptest::option::of((0..5_u64, state).prop_map(|(epoch, state)| Deed {
        epoch,
        source_uid: "uid".to_owned(),
        state,
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn owners_come_before_what_they_own(objects in drawn()) {
        let world = world(&objects);
        let view = super::block_on(observe(&world.source, &world.target, &cluster())).unwrap().source;
        let graph = Graph::of(Side::Source, &view, &cluster()).unwrap();
        prop_assert_eq!(graph.members.len(), objects.len() + 1);
        prop_assert_eq!(&graph.members[0].key, &key("Cluster", "c1"));
        let uids: Vec<&str> = graph.moved().map(|key| view.objects[key].uid()).collect();
        for (place, key) in graph.moved().enumerate() {
            for owner in view.objects[key].owners() {
                prop_assert!(uids[..place].contains(&owner.uid.as_str()));
            }
        }
    }

    /// Who owns is asked after every write, in `World`.
    #[test]
    fn any_crashes_end_the_same(objects in drawn(), kills in proptest::collection::vec(1..40_i64, 0..8)) {
        let world = world(&objects);
        let before = digest(&world, Side::Source);
        for kill in kills {
            run_until(&world, kill, Intent::Move);
        }
        run(&world, Intent::Move).unwrap();
        prop_assert_eq!(world.owner(), Side::Target);
        prop_assert_eq!(digest(&world, Side::Target), before);
        prop_assert!(world.source.objects.lock().unwrap().is_empty());
    }

    #[test]
    fn somebody_owns_and_nobody_else(source in deed(), target in deed()) {
        let here = owner(source.as_ref(), target.as_ref());
        let there = owner(target.as_ref(), source.as_ref());
        let has = |deed: &Option<Deed>| deed.as_ref().is_some_and(|deed| deed.inventory().is_some());
        let epoch = |deed: &Option<Deed>| deed.as_ref().filter(|_| has(deed)).map(|deed| deed.epoch);
        if epoch(&source) != epoch(&target) {
            // The same side, whichever way it is asked.
            prop_assert_ne!(here, there);
        } else {
            prop_assert_eq!(here, Side::Source);
        }
        prop_assert!(here == Side::Source || has(&target));
    }
}
