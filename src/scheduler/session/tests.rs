//! What a session does to a small fleet.

#![allow(clippy::unwrap_used)]

use super::{Advice, Change, Session};
use crate::scheduler::fixtures::{CLASS, fleet, id, service};
use crate::scheduler::model::Snapshot;
use crate::scheduler::solution::ClusterAction;
use crate::scheduler::solve;

fn opened(snapshot: &Snapshot) -> Session {
    Session::new(snapshot, &solve(snapshot)).unwrap()
}

fn scale(name: &str, replicas: u32) -> Change {
    let service = id(name);
    Change::Scale { service, replicas }
}

/// One pool, nodes of four cores, three of which one service has.
fn three_of_four() -> Session {
    opened(&fleet(&[("a", "eu")], &[("web", 3)]))
}

#[test]
fn a_service_goes_into_room_and_then_onto_another_node() {
    let mut session = three_of_four();
    let into_room = session
        .apply(&Change::Add(Box::new(service("one", 1))))
        .unwrap();
    assert_eq!(into_room.before, into_room.after);
    assert_eq!(into_room.clusters[0].action, ClusterAction::Keep);
    assert_eq!(into_room.clusters[0].replicas, [(id("one"), 1)].into());
    let onto_another = session
        .apply(&Change::Add(Box::new(service("two", 1))))
        .unwrap();
    let more = onto_another.after.hourly - onto_another.before.hourly;
    assert_eq!(more, 100_000, "one node");
    assert_eq!(onto_another.clusters[0].nodes, [(CLASS.into(), 1)].into());
    assert_eq!(onto_another.clusters[0].action, ClusterAction::Resize);
}

#[test]
fn the_last_service_takes_its_cluster_with_it_and_the_name_is_not_given_again() {
    let mut session = three_of_four();
    let first = session.clusters()[0].name.clone();
    let gone = session.apply(&Change::Remove(id("web"))).unwrap();
    assert_eq!(gone.clusters[0].action, ClusterAction::Delete);
    assert_eq!(session.cost().hourly, 0);
    assert_eq!(session.clusters(), []);
    let back = session
        .apply(&Change::Add(Box::new(service("web", 1))))
        .unwrap();
    assert_eq!(back.clusters[0].action, ClusterAction::Create);
    assert_ne!(back.clusters[0].cluster, first);
    assert!(session.cluster(&first).is_none());
    assert_eq!(session.is_placed(&id("web")), Some(true));
}

#[test]
fn scaling_down_gives_nodes_back() {
    let mut session = opened(&fleet(&[("a", "eu")], &[("web", 9)]));
    let changed = session.apply(&scale("web", 4)).unwrap();
    assert!(changed.after.hourly < changed.before.hourly);
    let workers = session.clusters()[0].workers.clone();
    assert_eq!(workers.iter().map(|g| g.count).sum::<u32>(), 1);
}

#[test]
fn a_cheaper_class_and_many_changes_advise_solving() {
    let mut session = three_of_four();
    let price = |hourly| Change::Price {
        pool: "a".into(),
        class: CLASS.into(),
        hourly,
    };
    let dearer = session.apply(&price(100_001)).unwrap();
    assert_eq!(dearer.advice, None);
    let cheaper = session.apply(&price(1)).unwrap();
    assert_eq!(cheaper.advice, Some(Advice::Cheaper));
    let mut session = three_of_four();
    let advice = (0..1_000).map(|_| session.apply(&scale("web", 3)).unwrap().advice);
    assert_eq!(advice.last(), Some(Some(Advice::ManyChanges(1_000))));
}
