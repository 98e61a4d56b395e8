//! What stands in the way of a move, and what becomes of it.

use serde_json::json;

use super::{key, machine, object, ready_cluster, run, run_until, small_world};
use crate::clusters::pivot::{
    Intent, PivotError, Side,
    decide::Outcome,
    pause::{BLOCK_MOVE, is_paused},
    tests::world::World,
};

fn refused(world: &World) -> PivotError {
    let writes = |world: &World| world.writes.load(std::sync::atomic::Ordering::Relaxed);
    let before = writes(world);
    let error = run(world, Intent::Move).unwrap_err();
    assert_eq!(writes(world), before, "nothing was touched");
    assert_eq!(world.owner(), Side::Source);
    error
}

#[test]
fn no_cluster_is_an_error() {
    assert!(matches!(
        refused(&World::new()),
        PivotError::NoCluster { .. }
    ));
}

#[test]
fn what_is_not_provisioned_does_not_move() {
    let world = World::new();
    let mut cluster = ready_cluster();
    cluster.0["status"]["initialization"] = json!({});
    let cluster = world.source.put(cluster);
    assert!(refused(&world).to_string().contains("infrastructure"));
    world.source.put(ready_cluster());
    let mut bootless = machine("m1", &cluster);
    bootless.0["status"] = json!({});
    let world = World::new();
    let cluster = world.source.put(ready_cluster());
    bootless.0["metadata"]["ownerReferences"][0]["uid"] = json!(cluster.uid());
    world.source.put(bootless);
    assert_eq!(
        refused(&world),
        PivotError::NotProvisioned {
            object: key("Machine", "m1"),
            what: "has no node yet",
        }
    );
}

#[test]
fn what_a_person_paused_stays_theirs() {
    let world = small_world();
    world.source.change(&key("Cluster", "c1"), |c| {
        c.0["spec"]["paused"] = json!(true)
    });
    assert!(matches!(refused(&world), PivotError::AlreadyPaused { .. }));
}

#[test]
fn what_is_being_deleted_does_not_move() {
    let world = small_world();
    world.source.change(&key("Machine", "m1"), |machine| {
        machine.set_metadata("deletionTimestamp", json!("now"));
    });
    assert_eq!(
        refused(&world),
        PivotError::BeingDeleted {
            object: key("Machine", "m1"),
        }
    );
}

#[test]
fn a_foreign_object_on_the_target_is_named_and_kept() {
    let world = small_world();
    let mut foreign = object("Machine", "m2", &[]);
    foreign.0["spec"] = json!({"size": 99});
    let foreign = world.target.put(foreign);
    assert_eq!(
        refused(&world),
        PivotError::Foreign {
            object: key("Machine", "m2"),
        }
    );
    assert_eq!(world.target.get(&key("Machine", "m2")), Some(foreign));
}

#[test]
fn a_target_without_a_kind_is_told_which() {
    let mut world = small_world();
    world.target.kinds.retain(|kind| kind.kind != "Box");
    assert!(
        refused(&world)
            .to_string()
            .contains("no Box of infra.example.com/v1")
    );
    let mut world = small_world();
    for kind in &mut world.target.kinds {
        kind.version = "v0".to_owned();
    }
    assert!(matches!(refused(&world), PivotError::UnknownKind { .. }));
}

#[test]
fn a_change_on_the_source_while_it_is_copied_reaches_the_target() {
    // Claim, pause, and some of the copies.
    let world = small_world();
    run_until(&world, 8, Intent::Move);
    world.source.change(&key("Machine", "m1"), |machine| {
        machine.0["spec"]["size"] = json!(4);
        machine.0["status"]["phase"] = json!("Running");
    });
    let owner = world.source.get(&key("Machine", "m1")).unwrap();
    world.source.put(object("Box", "late", &[&owner]));
    run(&world, Intent::Move).unwrap();
    let copy = world.target.get(&key("Machine", "m1")).unwrap();
    assert_eq!(copy.0["spec"]["size"], 4);
    assert_eq!(copy.0["status"]["phase"], "Running");
    assert!(world.target.get(&key("Box", "late")).is_some());
}

#[test]
fn what_the_source_loses_while_it_is_copied_the_target_loses_too() {
    let world = small_world();
    run_until(&world, 12, Intent::Move);
    assert!(world.target.get(&key("Box", "m1")).is_some());
    let gone = key("Box", "m1");
    world.source.objects.lock().unwrap().remove(&gone);
    run(&world, Intent::Move).unwrap();
    assert!(world.target.get(&gone).is_none());
}

/// Moves up to the handover, and says after how many writes it is.
fn handed_over() -> World {
    for writes in 1.. {
        let world = small_world();
        run_until(&world, writes, Intent::Move);
        if world.owner() == Side::Target {
            return world;
        }
    }
    unreachable!("moves end");
}

#[test]
fn what_changes_on_the_source_after_the_handover_is_not_deleted() {
    let world = handed_over();
    world
        .source
        .change(&key("Box", "m1"), |it| it.0["spec"]["size"] = json!(8));
    let error = run(&world, Intent::Move).unwrap_err();
    assert_eq!(
        error,
        PivotError::ChangedAfterHandover {
            object: key("Box", "m1"),
        }
    );
    assert!(
        world.source.get(&key("Machine", "m2")).is_some(),
        "nothing is deleted"
    );
    let cluster = world.target.get(&key("Cluster", "c1")).unwrap();
    assert!(!is_paused(&cluster), "the target goes on all the same");
}

#[test]
fn what_appears_on_the_source_after_the_handover_is_not_deleted() {
    let world = handed_over();
    let owner = world.source.get(&key("Machine", "m1")).unwrap();
    world.source.put(object("Box", "late", &[&owner]));
    assert_eq!(
        run(&world, Intent::Move).unwrap_err(),
        PivotError::AppearedAfterHandover {
            object: key("Box", "late"),
        }
    );
    assert!(world.source.get(&key("Cluster", "c1")).is_some());
}

#[test]
fn a_source_resumed_after_the_handover_is_stopped_before_the_target_starts() {
    let world = handed_over();
    world.source.change(&key("Cluster", "c1"), |cluster| {
        cluster.0["spec"] = json!({"size": 3});
    });
    // The first thing that is done about it, before anything else.
    world.left.store(1, std::sync::atomic::Ordering::Relaxed);
    let _ = run(&world, Intent::Move);
    world
        .left
        .store(i64::MAX, std::sync::atomic::Ordering::Relaxed);
    assert!(is_paused(&world.source.get(&key("Cluster", "c1")).unwrap()));
    run(&world, Intent::Move).unwrap();
}

#[test]
fn a_blocked_object_is_waited_for() {
    let world = small_world();
    world
        .source
        .change(&key("Box", "m1"), |it| it.annotate(BLOCK_MOVE, Some("")));
    for _ in 0..6 {
        let (source, target) = (world.side(Side::Source), world.side(Side::Target));
        let cluster = super::cluster();
        let step = super::block_on(super::round(&source, &target, &cluster, Intent::Move));
        world.source.acknowledge();
        if let super::Step::Wait(waiting) = step.unwrap() {
            let all: Vec<String> = waiting.iter().map(ToString::to_string).collect();
            assert!(
                all.iter().any(|one| one.starts_with("Box fleet/m1")),
                "{all:?}"
            );
        }
    }
    assert!(world.target.get(&key("Cluster", "c1")).is_none());
    world
        .source
        .change(&key("Box", "m1"), |it| it.annotate(BLOCK_MOVE, None));
    assert!(matches!(
        run(&world, Intent::Move),
        Ok(Outcome::Moved { .. })
    ));
}

#[test]
fn nothing_is_copied_before_the_pause_is_acknowledged_for_its_generation() {
    let world = small_world();
    for _ in 0..6 {
        let (source, target) = (world.side(Side::Source), world.side(Side::Target));
        let cluster = super::cluster();
        let _ = super::block_on(super::round(&source, &target, &cluster, Intent::Move));
    }
    assert!(world.target.get(&key("Cluster", "c1")).is_none());
    world.source.acknowledge();
    world.source.change(&key("Machine", "m1"), |machine| {
        machine.set_metadata("generation", json!(9));
    });
    let (source, target) = (world.side(Side::Source), world.side(Side::Target));
    let cluster = super::cluster();
    let step = super::block_on(super::round(&source, &target, &cluster, Intent::Move)).unwrap();
    assert!(matches!(step, super::Step::Wait(waiting) if waiting.len() == 1));
}

#[test]
fn a_second_cluster_of_the_same_name_is_not_mixed_in() {
    let world = small_world();
    run_until(&world, 5, Intent::Move);
    let other = World::new();
    other.source.put(ready_cluster());
    let other = other.source;
    let mut other_cluster = other.get(&key("Cluster", "c1")).unwrap();
    other_cluster.set_metadata("uid", json!("another"));
    other
        .objects
        .lock()
        .unwrap()
        .insert(key("Cluster", "c1"), other_cluster);
    let step = super::block_on(super::round(
        &other,
        &world.target,
        &super::cluster(),
        Intent::Move,
    ));
    assert!(matches!(step, Err(PivotError::Claimed { .. })), "{step:?}");
}

#[test]
fn a_deed_that_cannot_be_read_stops_everything() {
    let world = handed_over();
    let deed = crate::clusters::pivot::deed::deed_key(&super::cluster());
    world.target.change(&deed, |it| it.0["data"] = json!({}));
    assert!(matches!(
        run(&world, Intent::Move),
        Err(PivotError::Deed { .. })
    ));
}
