//! Machines that do not come: what is planned on is what is there, and no more is bought of what is not to be had.
//!
//! Clusters say in their statuses what they wait for in vain. Once the plan asks for it no more nobody says so any longer, so
//! each decision takes over from the one before what is to be left alone, until its time is over.

use std::collections::BTreeMap;

use kube::ResourceExt;

use crate::api::LatticeCluster;
use crate::api::cluster_status::{MachineShortage, NodeRole};
use crate::scheduler::capacity::CapacityType;
use crate::scheduler::model::{Cluster, NodeGroup, Origin, Shortage, Snapshot};
use crate::scheduler::zones::stated;

/// How long nothing is bought of what was not to be had, in seconds: providers' stocks change by the hour, and each try
/// moves what would run there.
const REST: i64 = 1_800;

/// Has a snapshot know what is not to be had: by what clusters say, and by the snapshot of the decision before. `now` is in
/// seconds of the Unix epoch.
pub(crate) fn apply(snapshot: &mut Snapshot, seen: &[LatticeCluster], before: &Snapshot, now: i64) {
    remember(snapshot, before, now);
    for object in seen {
        let said = object.status.iter().flat_map(|status| &status.shortages);
        for shortage in said {
            note(snapshot, &object.name_any(), shortage, now);
        }
    }
}

/// What was known before and is not over.
fn remember(snapshot: &mut Snapshot, before: &Snapshot, now: i64) {
    let known: BTreeMap<&str, _> = before
        .pools
        .iter()
        .map(|pool| (pool.name.as_str(), &pool.shortages))
        .collect();
    for pool in &mut snapshot.pools {
        let known = known
            .get(pool.name.as_str())
            .into_iter()
            .flat_map(|all| all.iter());
        for (offer, shortage) in known.filter(|(_, shortage)| shortage.until > now) {
            if pool.offers.iter().any(|sold| sold.class == *offer) {
                pool.shortages.insert(offer.clone(), shortage.clone());
            }
        }
    }
}

fn note(snapshot: &mut Snapshot, cluster: &str, shortage: &MachineShortage, now: i64) {
    let Some(cluster) = snapshot.clusters.iter_mut().find(|c| c.name == cluster) else {
        return;
    };
    let Some(pool) = snapshot
        .pools
        .iter_mut()
        .find(|pool| pool.name == cluster.pool)
    else {
        return;
    };
    let offer = CapacityType::from(shortage.capacity_type).offer(&shortage.node_class);
    if !pool.offers.iter().any(|sold| sold.class == offer) {
        return;
    }
    let why = format!("{}: {}", shortage.reason, shortage.message);
    let is_hopeless = shortage.role == NodeRole::ControlPlane && shortage.coming == 0;
    // Machines that people asked for are theirs to give up.
    if matches!(cluster.origin, Origin::Scheduler { .. }) {
        match shortage.role {
            NodeRole::Worker => keep(
                cluster,
                &stated(offer.clone(), &shortage.zone),
                shortage.coming,
            ),
            NodeRole::ControlPlane if is_hopeless => {
                // It never begins. What was to run on it goes elsewhere, and the cluster goes.
                cluster.workers.clear();
                let closed = pool.closed.take();
                let this = format!("no control plane comes for {}: {why}", cluster.name);
                pool.closed = closed.or(Some(this));
            }
            NodeRole::ControlPlane => {}
        }
    }
    pool.shortages.entry(offer).or_insert(Shortage {
        why,
        until: now.saturating_add(REST),
    });
}

/// Leaves so many nodes of an offer, those with the most on them.
fn keep(cluster: &mut Cluster, offer: &str, coming: u32) {
    let load = |group: &NodeGroup| group.services.values().map(|n| u64::from(*n)).sum::<u64>();
    let mut groups: Vec<&mut NodeGroup> = cluster
        .workers
        .iter_mut()
        .filter(|group| group.class == offer)
        .collect();
    groups.sort_by(|a, b| (load(b), &b.services).cmp(&(load(a), &a.services)));
    let mut left = coming;
    for group in groups {
        group.count = group.count.min(left);
        left -= group.count;
    }
    cluster.workers.retain(|group| group.count > 0);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scheduler::model::{Offer, Pool, ServiceId};

    const NOW: i64 = 1_000_000;

    fn group(class: &str, count: u32, replicas: u32) -> NodeGroup {
        NodeGroup {
            class: class.into(),
            count,
            services: [(ServiceId::new("default", "api"), replicas)].into(),
        }
    }

    fn snapshot(origin: Origin) -> Snapshot {
        let offer = |class: &str| Offer {
            class: class.into(),
            hourly: 1,
        };
        Snapshot {
            pools: vec![Pool {
                name: "here".into(),
                offers: vec![offer("small"), offer("small@a"), offer("large")],
                ..Pool::default()
            }],
            clusters: vec![Cluster {
                name: "east".into(),
                pool: "here".into(),
                origin,
                control_plane: Some(("small".into(), 1)),
                workers: vec![
                    group("small", 2, 1),
                    group("small", 2, 3),
                    group("large", 1, 1),
                ],
            }],
            ..Snapshot::default()
        }
    }

    fn made() -> Snapshot {
        snapshot(Origin::Scheduler { policy: None })
    }

    fn seen(role: &str, coming: u32) -> Vec<LatticeCluster> {
        let object = json!({
            "apiVersion": "lattice.dev/v1alpha1", "kind": "LatticeCluster", "metadata": {"name": "east"},
            "spec": {"provider": {"kubernetes": {"version": "1.36.3"}}, "nodes": {"controlPlane": 1}},
            "status": {"shortages": [{
                "nodeClass": "small", "role": role, "coming": coming,
                "reason": "OutOfStock", "message": "none is left",
            }]},
        });
        vec![serde_json::from_value(object).unwrap()]
    }

    fn counts(snapshot: &Snapshot) -> Vec<(&str, u32)> {
        let workers = snapshot.clusters[0].workers.iter();
        workers
            .map(|group| (group.class.as_str(), group.count))
            .collect()
    }

    #[test]
    fn what_is_there_is_kept_the_fullest_first_and_no_more_is_bought() {
        let mut snapshot = made();
        apply(&mut snapshot, &seen("worker", 3), &Snapshot::default(), NOW);
        assert_eq!(
            counts(&snapshot),
            [("small", 1), ("small", 2), ("large", 1)]
        );
        let shortage = &snapshot.pools[0].shortages["small"];
        assert_eq!(shortage.why, "OutOfStock: none is left");
        assert_eq!(shortage.until, NOW + REST);
        // The same word again, of a plan that has come down to what is there, takes nothing more.
        let before = snapshot.clone();
        apply(&mut snapshot, &seen("worker", 3), &before, NOW + 60);
        assert_eq!(snapshot, before);
    }

    #[test]
    fn it_is_remembered_until_its_time_is_over() {
        let mut before = made();
        apply(&mut before, &seen("worker", 3), &Snapshot::default(), NOW);
        let mut next = made();
        apply(&mut next, &[], &before, NOW + REST - 1);
        assert_eq!(next.pools, before.pools);
        let mut later = made();
        apply(&mut later, &[], &before, NOW + REST);
        assert_eq!(later, made());
        let mut sold_no_more = made();
        sold_no_more.pools[0].offers.clear();
        apply(&mut sold_no_more, &[], &before, NOW + 1);
        assert!(sold_no_more.pools[0].shortages.is_empty());
    }

    #[test]
    fn a_cluster_without_a_control_plane_is_given_up() {
        let mut snapshot = made();
        apply(
            &mut snapshot,
            &seen("control-plane", 0),
            &Snapshot::default(),
            NOW,
        );
        assert!(snapshot.clusters[0].workers.is_empty());
        let closed = snapshot.pools[0].closed.as_deref().unwrap();
        assert!(
            closed.starts_with("no control plane comes for east: OutOfStock"),
            "{closed}"
        );
        let mut some = made();
        apply(
            &mut some,
            &seen("control-plane", 1),
            &Snapshot::default(),
            NOW,
        );
        assert_eq!(
            (some.clusters, &some.pools[0].closed),
            (made().clusters, &None)
        );
    }

    #[test]
    fn what_people_asked_for_stays_asked_for() {
        let declared = || snapshot(Origin::Declared { resize: None });
        let mut snapshot = declared();
        apply(&mut snapshot, &seen("worker", 0), &Snapshot::default(), NOW);
        assert_eq!(snapshot.clusters, declared().clusters);
        assert!(snapshot.pools[0].shortages.contains_key("small"));
    }
}
