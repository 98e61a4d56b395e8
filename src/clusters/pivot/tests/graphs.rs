//! What belongs to a cluster, and in which order.

use serde_json::json;

use super::{cluster, key, machine, object, ready_cluster, small_world};
use crate::clusters::pivot::{
    PivotError, Side, View,
    graph::Graph,
    kind::MOVE_LABEL,
    object::{Key, Object},
    observe,
    tests::world::World,
};

fn view(world: &World) -> View {
    let both = super::block_on(observe(&world.source, &world.target, &cluster()));
    both.unwrap().source
}

fn graph(world: &World) -> Result<Graph, PivotError> {
    Graph::of(Side::Source, &view(world), &cluster())
}

fn moved(world: &World) -> Vec<Key> {
    graph(world).unwrap().moved().cloned().collect()
}

fn label(object: &mut Object, name: &str, value: &str) {
    object.0["metadata"]["labels"][name] = json!(value);
}

#[test]
fn the_cluster_comes_first_and_owners_before_what_they_own() {
    let order = moved(&small_world());
    let place = |kind: &str, name: &str| {
        let key = key(kind, name);
        order.iter().position(|it| *it == key).unwrap()
    };
    assert_eq!(place("Cluster", "c1"), 0);
    assert!(place("Machine", "m1") < place("Box", "m1"));
    assert!(place("Machine", "m2") < place("Box", "m2"));
}

#[test]
fn what_belongs_without_an_owner_belongs() {
    let world = small_world();
    let mut labelled = object("ConfigMap", "notes", &[]);
    label(&mut labelled, "cluster.x-k8s.io/cluster-name", "c1");
    world.source.put(labelled);
    world.source.put(object("Box", "template", &[]));
    world.source.change(&key("Machine", "m1"), |machine| {
        machine.0["spec"]["infrastructureRef"] =
            json!({"apiGroup": "infra.example.com", "kind": "Box", "name": "template"});
    });
    for purpose in ["ca", "etcd", "sa", "proxy", "apiserver-etcd-client"] {
        world
            .source
            .put(object("Secret", &format!("c1-{purpose}"), &[]));
    }
    let mut identity = object("Secret", "identity", &[]);
    label(&mut identity, MOVE_LABEL, "");
    world.source.put(identity);
    world.source.put(object("Secret", "unrelated", &[]));
    world.source.put(object("Box", "unrelated", &[]));
    let moved = moved(&world);
    assert!(moved.contains(&key("ConfigMap", "notes")));
    assert!(moved.contains(&key("Box", "template")));
    assert!(moved.contains(&key("Secret", "c1-apiserver-etcd-client")));
    assert!(moved.contains(&key("Secret", "identity")));
    assert_eq!(
        moved.iter().filter(|key| key.name == "unrelated").count(),
        0
    );
    assert_eq!(moved.len(), 6 + 2 + 5 + 1);
}

#[test]
fn what_others_need_too_is_shared() {
    let world = small_world();
    for account in ["account", "unused"] {
        let identity = world.source.put(object("Identity", account, &[]));
        let mut password = object("Secret", &format!("{account}-key"), &[&identity]);
        label(&mut password, MOVE_LABEL, "");
        world.source.put(password);
    }
    world.source.change(&key("Box", "m1"), |it| {
        it.0["spec"]["identityRef"] = json!({"kind": "Identity", "name": "account"});
    });
    let other = world.source.put(object("Cluster", "c2", &[]));
    world.source.put(machine("theirs", &other));
    let mut key_of_theirs = object("Secret", "their-key", &[]);
    label(&mut key_of_theirs, MOVE_LABEL, "");
    world.source.put(key_of_theirs);
    for (set, cluster) in [("cni", "c1"), ("theirs", "c2")] {
        let set = world.source.put(object("ClusterResourceSet", set, &[]));
        let mut binding = object("ClusterResourceSetBinding", cluster, &[&set]);
        binding.0["spec"]["clusterName"] = json!(cluster);
        world.source.put(binding);
    }
    let graph = graph(&world).unwrap();
    let shared = |kind: &str, name: &str| {
        let key = key(kind, name);
        let member = graph.members.iter().find(|member| member.key == key);
        member.map(|member| member.shared)
    };
    assert_eq!(shared("Identity", "account"), Some(true));
    assert_eq!(shared("Secret", "account-key"), Some(true));
    assert_eq!(shared("ClusterResourceSet", "cni"), Some(true));
    assert_eq!(shared("ClusterResourceSetBinding", "c1"), Some(false));
    assert_eq!(shared("Identity", "unused"), None);
    assert_eq!(shared("Secret", "unused-key"), None);
    assert_eq!(shared("Secret", "their-key"), None);
    assert_eq!(shared("ClusterResourceSet", "theirs"), None);
    assert_eq!(shared("Machine", "m1"), Some(false));
    assert_eq!(shared("Machine", "theirs"), None);
    assert_eq!(shared("Cluster", "c2"), None);
}

#[test]
fn a_cycle_is_named() {
    let world = World::new();
    let cluster = world.source.put(ready_cluster());
    let first = world.source.put(object("Box", "a", &[&cluster]));
    let second = world.source.put(object("Box", "b", &[&first]));
    world.source.change(&key("Box", "a"), |it| {
        it.0["metadata"]["ownerReferences"][0]["uid"] = json!(second.uid());
    });
    // Still found by its label, though nothing leads there from the cluster.
    world
        .source
        .change(&key("Box", "b"), |it| label(it, MOVE_LABEL, ""));
    world
        .source
        .change(&key("Box", "a"), |it| label(it, MOVE_LABEL, ""));
    let error = graph(&world).unwrap_err();
    assert!(matches!(error, PivotError::Cycle { object } if object.kind == "Box"));
}

#[test]
fn an_owner_that_is_missing_or_outside_is_named() {
    let world = small_world();
    let mut orphan = world.source.get(&key("Box", "m1")).unwrap();
    let lost =
        json!({"apiVersion": "cluster.x-k8s.io/v1", "kind": "Machine", "name": "lost", "uid": "?"});
    let owners = orphan.0["metadata"]["ownerReferences"].as_array_mut();
    owners.unwrap().push(lost);
    world.source.change(&key("Box", "m1"), |it| *it = orphan);
    let error = graph(&world).unwrap_err();
    let named = PivotError::MissingOwner {
        side: Side::Source,
        object: key("Box", "m1"),
        owner: Box::new(key("Machine", "lost")),
    };
    assert_eq!(error, named);

    let world = small_world();
    let outside = world.source.put(object("Box", "outside", &[]));
    let machine = world.source.get(&key("Machine", "m1")).unwrap();
    world
        .source
        .put(object("Box", "both", &[&machine, &outside]));
    let error = graph(&world).unwrap_err();
    let named = PivotError::OwnerOutside {
        side: Side::Source,
        object: key("Box", "both"),
        owner: Box::new(key("Box", "outside")),
    };
    assert_eq!(error, named);

    let world = small_world();
    world.source.change(&key("Cluster", "c1"), |cluster| {
        cluster.0["metadata"]["ownerReferences"] = json!([
            {"apiVersion": "lattice.dev/v1alpha1", "kind": "LatticeCluster", "name": "c1", "uid": "!"}
        ]);
    });
    let error = graph(&world).unwrap_err();
    assert!(matches!(error, PivotError::OwnerOutside { .. }), "{error}");
}
