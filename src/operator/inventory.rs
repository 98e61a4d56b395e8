//! What is: the last committed decision, as far as people have not changed it since.
//!
//! Statuses and cluster objects trail behind a decision, and after a crash only part of them may be written.
//! So the next decision starts from the last one, not from them: what was decided counts as being there, and
//! nothing is bought twice. Objects are believed where the decision says nothing: a cluster declared since, a
//! declared cluster that was resized by hand, a cluster that somebody deletes.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use crate::{
    api::{LatticeCluster, Timestamp},
    placement::{record::DecisionRecord, shortage, validity},
    scheduler::{
        model::{Cluster, Origin, Snapshot},
        solution::ClusterAction,
    },
};

/// A decision that was committed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Committed {
    pub(crate) id: u64,
    /// As it was committed, but under the limits and prices that it was last found to stand under.
    pub(crate) record: DecisionRecord,
}

impl Committed {
    /// Clusters that the decision removes.
    pub(crate) fn deleted(&self) -> impl Iterator<Item = &str> {
        self.record
            .solution
            .clusters
            .iter()
            .filter(|decision| decision.action == ClusterAction::Delete)
            .map(|decision| decision.cluster.name.as_str())
    }

    /// Whether the decision keeps the cluster.
    pub(crate) fn keeps(&self, name: &str) -> bool {
        self.record.solution.live().any(|d| d.cluster.name == name)
    }

    /// Whether this input asks for no new decision: it is what was decided on, with what was decided
    /// carried out.
    pub(crate) fn answers(&self, snapshot: &Snapshot) -> bool {
        if snapshot.clusters != self.carried_out() {
            return false;
        }
        // Names are reserved only while something is being deleted, which is no reason to decide anew.
        let asked = |snapshot: &Snapshot| Snapshot {
            clusters: Vec::new(),
            reserved_names: BTreeSet::new(),
            ..snapshot.clone()
        };
        asked(snapshot) == asked(&self.record.snapshot)
    }

    /// The same decision under the limits and prices of this input, if it stands: then nothing is to be decided,
    /// and the log needs no other record. `snapshot` holds what was decided.
    pub(crate) fn under(&self, snapshot: &Snapshot) -> Option<Self> {
        let record = &self.record;
        let stands = snapshot.clusters == self.carried_out()
            && validity::stands(&record.snapshot, &record.solution, snapshot);
        stands.then(|| {
            let mut confirmed = self.clone();
            confirmed.record.snapshot.pools.clone_from(&snapshot.pools);
            confirmed
        })
    }

    fn carried_out(&self) -> Vec<Cluster> {
        let mut after = Snapshot {
            clusters: self
                .record
                .solution
                .live()
                .map(|d| d.cluster.clone())
                .collect(),
            ..Snapshot::default()
        };
        after.normalise();
        after.clusters
    }
}

/// Puts what was decided in the place of what was observed, but for machines that do not come. `seen` are the clusters as the
/// API has them.
pub(crate) fn carry_over(
    committed: &Committed,
    seen: &[LatticeCluster],
    now: Timestamp,
    snapshot: &mut Snapshot,
) {
    let leaving: BTreeSet<String> = seen
        .iter()
        .filter(|cluster| cluster.metadata.deletion_timestamp.is_some())
        .map(ResourceExt::name_any)
        .collect();
    let pools: BTreeSet<&str> = snapshot.pools.iter().map(|p| p.name.as_str()).collect();
    let before: BTreeMap<&str, &Cluster> = committed
        .record
        .snapshot
        .clusters
        .iter()
        .map(|cluster| (cluster.name.as_str(), cluster))
        .collect();
    let gone: BTreeSet<&str> = committed.deleted().collect();
    let mut clusters: BTreeMap<String, Cluster> = std::mem::take(&mut snapshot.clusters)
        .into_iter()
        .filter(|cluster| !gone.contains(cluster.name.as_str()))
        .map(|cluster| (cluster.name.clone(), cluster))
        .collect();
    for decided in committed.record.solution.live().map(|d| &d.cluster) {
        let name = decided.name.as_str();
        let stays = !leaving.contains(name) && pools.contains(decided.pool.as_str());
        let wanted = match (&decided.origin, clusters.get(name)) {
            (Origin::Scheduler { .. }, _) => stays,
            (Origin::Declared { .. }, None) => false,
            (Origin::Declared { .. }, Some(observed)) => {
                stays && untouched(observed, decided, before.get(name).copied())
            }
        };
        if wanted {
            clusters.insert(name.to_owned(), decided.clone());
        }
    }
    // A name that a decision frees stays taken until its object is gone.
    let freed = gone
        .into_iter()
        .map(str::to_owned)
        .filter(|name| seen.iter().any(|cluster| cluster.name_any() == *name));
    snapshot.reserved_names.extend(freed);
    snapshot.clusters = clusters.into_values().collect();
    let before = &committed.record.snapshot;
    shortage::apply(snapshot, seen, before, now.datetime().timestamp());
}

/// Whether a declared cluster has the size that was decided, or the one from before that decision, which
/// then is still to be written.
fn untouched(observed: &Cluster, decided: &Cluster, before: Option<&Cluster>) -> bool {
    observed.pool == decided.pool
        && observed.origin == decided.origin
        && observed.control_plane == decided.control_plane
        && (sizes(observed) == sizes(decided)
            || before.is_some_and(|before| sizes(observed) == sizes(before)))
}

fn sizes(cluster: &Cluster) -> BTreeMap<&str, u32> {
    let mut sizes = BTreeMap::new();
    for group in &cluster.workers {
        *sizes.entry(group.class.as_str()).or_default() += group.count;
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::{
        model::{NodeGroup, Pool},
        solution::{ClusterDecision, Solution},
    };
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff};

    fn cluster(name: &str, origin: Origin, nodes: u32) -> Cluster {
        Cluster {
            name: name.into(),
            pool: "us".into(),
            origin,
            control_plane: None,
            workers: vec![NodeGroup {
                class: "small".into(),
                count: nodes,
                services: BTreeMap::new(),
            }],
        }
    }

    fn made(name: &str, nodes: u32) -> Cluster {
        cluster(name, Origin::Scheduler { policy: None }, nodes)
    }

    fn declared(name: &str, nodes: u32) -> Cluster {
        let resize = Some((1, 9));
        cluster(name, Origin::Declared { resize }, nodes)
    }

    fn snapshot(clusters: Vec<Cluster>) -> Snapshot {
        Snapshot {
            pools: vec![Pool {
                name: "us".into(),
                ..Pool::default()
            }],
            clusters,
            ..Snapshot::default()
        }
    }

    fn committed(before: Vec<Cluster>, after: Vec<(Cluster, ClusterAction)>) -> Committed {
        let clusters = after
            .into_iter()
            .map(|(cluster, action)| ClusterDecision { cluster, action });
        let solution = Solution {
            clusters: clusters.collect(),
            ..Solution::default()
        };
        let time = chrono::DateTime::UNIX_EPOCH.into();
        Committed {
            id: 1,
            record: DecisionRecord::new(&snapshot(before), solution, time).unwrap(),
        }
    }

    fn object(name: &str, leaving: bool) -> LatticeCluster {
        let spec = serde_json::from_value(serde_json::json!({
            "provider": {"kubernetes": {"version": "1.34.0"}, "config": {}},
            "nodes": {"controlPlane": 0},
        }));
        let mut cluster = LatticeCluster::new(name, spec.unwrap());
        cluster.metadata.deletion_timestamp = leaving.then_some(Time(jiff::Timestamp::UNIX_EPOCH));
        cluster
    }

    fn carried(committed: &Committed, seen: &[LatticeCluster], observed: Vec<Cluster>) -> Snapshot {
        let mut next = snapshot(observed);
        let now = chrono::DateTime::UNIX_EPOCH.into();
        carry_over(committed, seen, now, &mut next);
        next
    }

    #[test]
    fn what_was_decided_and_is_not_yet_written_counts() {
        let last = committed(vec![], vec![(made("a", 3), ClusterAction::Create)]);
        let next = carried(&last, &[], vec![]);
        assert_eq!(next.clusters, [made("a", 3)]);
        assert!(last.answers(&next));
        assert!(!last.answers(&snapshot(vec![])));
    }

    #[test]
    fn what_was_decided_to_go_does_not_count_and_keeps_its_name() {
        let last = committed(
            vec![made("a", 3)],
            vec![(made("a", 0), ClusterAction::Delete)],
        );
        let next = carried(&last, &[object("a", false)], vec![made("a", 3)]);
        assert_eq!(next.clusters, []);
        assert!(next.reserved_names.contains("a"));
        assert!(last.answers(&next));
        let later = carried(&last, &[], vec![]);
        assert!(later.reserved_names.is_empty() && last.answers(&later));
    }

    #[test]
    fn what_a_person_deletes_is_gone() {
        let last = committed(vec![], vec![(made("a", 3), ClusterAction::Create)]);
        let next = carried(&last, &[object("a", true)], vec![]);
        assert_eq!(next.clusters, []);
        assert!(last.keeps("a") && !last.answers(&next));
    }

    #[test]
    fn a_declared_cluster_is_as_decided_until_a_person_resizes_it() {
        let last = committed(
            vec![declared("d", 2)],
            vec![(declared("d", 4), ClusterAction::Resize)],
        );
        let size = |observed| carried(&last, &[], vec![declared("d", observed)]).clusters;
        assert_eq!(size(2), [declared("d", 4)]);
        assert_eq!(size(4), [declared("d", 4)]);
        assert_eq!(size(7), [declared("d", 7)]);
        assert_eq!(carried(&last, &[], vec![]).clusters, []);
    }

    #[test]
    fn other_input_asks_for_another_decision() {
        let last = committed(vec![], vec![(made("a", 3), ClusterAction::Create)]);
        let mut next = carried(&last, &[], vec![]);
        next.pools[0].closed = Some("maintenance".into());
        assert!(!last.answers(&next));
        assert!(!last.answers(&snapshot(vec![made("b", 1)])));
    }
}
