//! Moves between API servers in memory.

mod failures;
mod graphs;
mod properties;
mod world;

use std::sync::atomic::Ordering;

use futures::executor::block_on;
use serde_json::{Value, json};

use self::world::{NAMESPACE, World, cluster};
use super::{
    Intent, PivotError, Side, Step,
    canonical::graph_digest,
    decide::Outcome,
    graph::Graph,
    object::{Key, Object},
    observe, round,
};

/// Rounds that no move of these tests takes.
const MOST_ROUNDS: u32 = 64;

fn key(kind: &str, name: &str) -> Key {
    let kinds = world::kinds();
    let kind = kinds.iter().find(|known| known.kind == kind).unwrap();
    let namespace = if kind.namespaced { NAMESPACE } else { "" };
    Key::new(&kind.group, &kind.kind, namespace, name)
}

fn object(kind: &str, name: &str, owners: &[&Object]) -> Object {
    let key = key(kind, name);
    let owners: Vec<Value> = owners
        .iter()
        .map(|owner| {
            json!({
                "apiVersion": owner.text("/apiVersion"),
                "kind": owner.text("/kind"),
                "name": owner.text("/metadata/name"),
                "uid": owner.uid(),
            })
        })
        .collect();
    let api_version = if key.group.is_empty() {
        "v1".to_owned()
    } else {
        format!("{}/v1", key.group)
    };
    let mut object = Object(json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "ownerReferences": owners},
        "spec": {"size": 3},
    }));
    if !key.namespace.is_empty() {
        object.set_metadata("namespace", json!(key.namespace));
    }
    object
}

/// A cluster that is ready to be moved.
fn ready_cluster() -> Object {
    let mut cluster = object("Cluster", "c1", &[]);
    cluster.set_metadata("finalizers", json!(["cluster.cluster.x-k8s.io"]));
    cluster.0["status"] = json!({
        "initialization": {"infrastructureProvisioned": true, "controlPlaneInitialized": true},
        "conditions": [{"type": "ControlPlaneInitialized", "status": "True", "observedGeneration": 7}],
    });
    cluster
}

fn machine(name: &str, owner: &Object) -> Object {
    let mut machine = object("Machine", name, &[owner]);
    machine.set_metadata("finalizers", json!(["machine.cluster.x-k8s.io"]));
    machine.0["spec"]["providerID"] = json!(format!("local://{name}"));
    machine.0["status"] = json!({"nodeRef": {"name": name}});
    machine
}

/// A cluster of two machines, a box each, and a Secret.
fn small_world() -> World {
    let world = World::new();
    let cluster = world.source.put(ready_cluster());
    for name in ["m1", "m2"] {
        let machine = world.source.put(machine(name, &cluster));
        let mut owned = object("Box", name, &[&machine]);
        owned.set_metadata("finalizers", json!(["box"]));
        world.source.put(owned);
    }
    world.source.put(object("Secret", "c1-kubeconfig", &[]));
    world
}

/// Goes on until the end, or the first error.
fn run(world: &World, intent: Intent) -> Result<Outcome, PivotError> {
    for _ in 0..MOST_ROUNDS {
        let (source, target) = (world.side(Side::Source), world.side(Side::Target));
        match block_on(round(&source, &target, &cluster(), intent))? {
            Step::Done(outcome) => return Ok(outcome),
            Step::Wait(_) => world.source.acknowledge(),
            Step::Act(_) => {}
        }
    }
    panic!("no end after {MOST_ROUNDS} rounds");
}

/// Kills whoever moves after so many writes.
fn run_until(world: &World, writes: i64, intent: Intent) {
    world.left.store(writes, Ordering::Relaxed);
    let end = run(world, intent);
    world.left.store(i64::MAX, Ordering::Relaxed);
    if let Err(error) = end {
        assert!(error.is_passing(), "{error}");
    }
}

fn digest(world: &World, side: Side) -> String {
    let observed = block_on(observe(&world.source, &world.target, &cluster())).unwrap();
    let graph = Graph::of(side, observed.side(side), &cluster()).unwrap();
    graph_digest(&graph, observed.side(side))
}

#[test]
fn a_cluster_moves_with_all_that_belongs_to_it() {
    let world = small_world();
    let before = digest(&world, Side::Source);
    let outcome = run(&world, Intent::Move).unwrap();
    let (digest_of_move, objects) = match outcome {
        Outcome::Moved { digest, objects } => (digest, objects),
        Outcome::GivenUp => panic!("given up"),
    };
    assert_eq!(objects, 6);
    assert_eq!(digest_of_move, before);
    assert_eq!(digest(&world, Side::Target), before);
    assert_eq!(world.owner(), Side::Target);
    assert!(world.source.objects.lock().unwrap().is_empty());
    let cluster = world.target.get(&key("Cluster", "c1")).unwrap();
    assert!(cluster.0["spec"].get("paused").is_none(), "{cluster:?}");
    let machine = world.target.get(&key("Machine", "m1")).unwrap();
    assert_eq!(machine.text("/spec/providerID"), "local://m1");
    assert_eq!(machine.text("/status/nodeRef/name"), "m1");
    assert_eq!(machine.owners()[0].uid, cluster.uid());
    assert_eq!(
        machine.list("/metadata/finalizers"),
        [json!("machine.cluster.x-k8s.io")]
    );
}

#[test]
fn whoever_comes_after_the_end_finds_it_done() {
    let world = small_world();
    let first = run(&world, Intent::Move).unwrap();
    let writes = world.writes.load(Ordering::Relaxed);
    assert_eq!(run(&world, Intent::Move).unwrap(), first);
    assert_eq!(world.writes.load(Ordering::Relaxed), writes);
}

#[test]
fn every_crash_point_ends_the_same() {
    let world = small_world();
    run(&world, Intent::Move).unwrap();
    let writes = world.writes.load(Ordering::Relaxed);
    for point in 1..=writes {
        let world = small_world();
        let before = digest(&world, Side::Source);
        run_until(&world, i64::try_from(point).unwrap(), Intent::Move);
        run(&world, Intent::Move).unwrap();
        assert_eq!(world.owner(), Side::Target, "killed after write {point}");
        assert_eq!(
            digest(&world, Side::Target),
            before,
            "killed after write {point}"
        );
        assert!(world.source.objects.lock().unwrap().is_empty());
    }
}

#[test]
fn a_move_is_given_up_at_every_point_before_the_handover_and_at_none_after() {
    let world = small_world();
    run(&world, Intent::Move).unwrap();
    let writes = world.writes.load(Ordering::Relaxed);
    let (mut given_up, mut refused) = (0, 0);
    for point in 1..=writes {
        let world = small_world();
        let before = digest(&world, Side::Source);
        run_until(&world, i64::try_from(point).unwrap(), Intent::Move);
        match run(&world, Intent::GiveUp) {
            Ok(outcome) => {
                given_up += 1;
                assert_eq!(outcome, Outcome::GivenUp);
                assert_eq!(world.owner(), Side::Source);
                assert_eq!(digest(&world, Side::Source), before);
                let cluster = world.source.get(&key("Cluster", "c1")).unwrap();
                assert!(!super::pause::is_paused(&cluster), "after write {point}");
                let left = world.target.objects.lock().unwrap();
                let mut left = left.keys().filter(|key| key.kind != "Namespace");
                assert_eq!(left.next(), None, "after write {point}");
            }
            Err(PivotError::HandedOver { .. }) => {
                refused += 1;
                assert_eq!(world.owner(), Side::Target);
            }
            Err(error) => panic!("after write {point}: {error}"),
        }
    }
    assert!(given_up > 10, "{given_up}");
    assert!(refused > 10, "{refused}");
}

#[test]
fn a_killed_giving_up_is_finished_by_the_next() {
    for point in 1.. {
        let world = small_world();
        run_until(&world, 12, Intent::Move);
        let before = world.writes.load(Ordering::Relaxed);
        run_until(&world, point, Intent::GiveUp);
        let finished = world.writes.load(Ordering::Relaxed) - before < point.unsigned_abs();
        run(&world, Intent::GiveUp).unwrap();
        assert_eq!(world.owner(), Side::Source);
        assert!(run(&world, Intent::Move).is_ok());
        if finished {
            break;
        }
    }
}

#[test]
fn what_goes_over_a_stream_comes_out_the_same() {
    let world = small_world();
    let observed = block_on(observe(&world.source, &world.target, &cluster())).unwrap();
    let answer = super::Response::View(Box::new(observed.source));
    let text = serde_json::to_string(&answer).unwrap();
    assert_eq!(
        serde_json::from_str::<super::Response>(&text).unwrap(),
        answer
    );
}
