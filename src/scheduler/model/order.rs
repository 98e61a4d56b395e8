//! The one canonical order of a snapshot, of the many that mean the same.

use super::{Cluster, NodeGroup, Policy, Pool, Service, ServiceId, Snapshot};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

impl Snapshot {
    /// Puts every list whose order means nothing into its canonical order.
    pub fn normalise(&mut self) {
        self.pools.sort_by(pools);
        for pool in &mut self.pools {
            pool.offers.sort_by(|a, b| a.class.cmp(&b.class));
        }
        self.node_classes.sort_by(|a, b| a.name.cmp(&b.name));
        self.policies.sort_by(policies);
        for policy in &mut self.policies {
            policy.spread.sort();
            policy.selector.match_expressions.sort();
        }
        self.services.sort_by(|a, b| a.id.cmp(&b.id));
        for service in &mut self.services {
            service.normalise();
        }
        self.clusters.sort_by(|a, b| a.name.cmp(&b.name));
        for cluster in &mut self.clusters {
            cluster.normalise();
        }
        self.pins.sort();
        for pair in &mut self.region_latencies {
            if pair.to < pair.from {
                std::mem::swap(&mut pair.from, &mut pair.to);
            }
        }
        self.region_latencies.sort();
    }

    /// The same in canonical order: itself, if it is in that.
    pub fn normalised(&self) -> Cow<'_, Snapshot> {
        if self.is_normal() {
            return Cow::Borrowed(self);
        }
        let mut snapshot = self.clone();
        snapshot.normalise();
        Cow::Owned(snapshot)
    }

    /// Whether [`normalise`](Self::normalise) would change nothing.
    fn is_normal(&self) -> bool {
        self.pools.is_sorted_by(|a, b| pools(a, b).is_le())
            && (self.pools.iter()).all(|pool| pool.offers.is_sorted_by(|a, b| a.class <= b.class))
            && self.node_classes.is_sorted_by(|a, b| a.name <= b.name)
            && self.policies.is_sorted_by(|a, b| policies(a, b).is_le())
            && (self.policies.iter())
                .all(|p| p.spread.is_sorted() && p.selector.match_expressions.is_sorted())
            && self.services.is_sorted_by(|a, b| a.id <= b.id)
            && self.services.iter().all(Service::is_normal)
            && self.clusters.is_sorted_by(|a, b| a.name <= b.name)
            && self.clusters.iter().all(Cluster::is_normal)
            && self.pins.is_sorted()
            && self
                .region_latencies
                .iter()
                .all(|pair| pair.from <= pair.to)
            && self.region_latencies.is_sorted()
    }
}

fn pools(a: &Pool, b: &Pool) -> Ordering {
    a.name.cmp(&b.name)
}

fn policies(a: &Policy, b: &Policy) -> Ordering {
    let by_priority = b.priority.cmp(&a.priority);
    by_priority.then_with(|| a.name.cmp(&b.name))
}

impl Service {
    /// Puts every list whose order means nothing into its canonical order.
    pub fn normalise(&mut self) {
        self.pools.match_expressions.sort();
        self.latency.sort();
    }

    fn is_normal(&self) -> bool {
        self.pools.match_expressions.is_sorted() && self.latency.is_sorted()
    }
}

impl Cluster {
    /// Groups equal nodes and puts the groups into their canonical order.
    pub fn normalise(&mut self) {
        self.workers = merged(std::mem::take(&mut self.workers));
    }

    fn is_normal(&self) -> bool {
        self.workers
            .is_sorted_by(|a, b| (&a.class, &a.services) < (&b.class, &b.services))
            && (self.workers.iter())
                .all(|group| group.count > 0 && group.services.values().all(|n| *n > 0))
    }
}

/// Groups equal nodes and puts the groups into order.
fn merged(groups: Vec<NodeGroup>) -> Vec<NodeGroup> {
    let mut counts: BTreeMap<(String, BTreeMap<ServiceId, u32>), u32> = BTreeMap::new();
    for mut group in groups {
        group.services.retain(|_, n| *n > 0);
        let count = counts.entry((group.class, group.services)).or_default();
        // Numbers beyond all limits are found as such later.
        *count = count.saturating_add(group.count);
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|((class, services), count)| NodeGroup {
            class,
            count,
            services,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::fixtures::fleet;
    use crate::scheduler::model::{Origin, RegionLatency};

    fn group(class: &str, count: u32, replicas: u32) -> NodeGroup {
        NodeGroup {
            class: class.into(),
            count,
            services: [(ServiceId::new("n", "s"), replicas)].into(),
        }
    }

    #[test]
    fn what_is_in_order_is_not_copied_and_all_else_is_put_in_order() {
        let ordered = fleet(&[("a", "east"), ("b", "west")], &[("api", 1), ("web", 1)]);
        let ordered = ordered.normalised().into_owned();
        assert!(matches!(ordered.normalised(), Cow::Borrowed(_)));
        let disorders: [fn(&mut Snapshot); 3] = [
            |s| s.pools.reverse(),
            |s| s.services.reverse(),
            |s| {
                s.region_latencies.push(RegionLatency {
                    from: "west".into(),
                    to: "east".into(),
                    ms: 1,
                });
            },
        ];
        for (at, disorder) in disorders.iter().enumerate() {
            let mut snapshot = ordered.clone();
            disorder(&mut snapshot);
            assert!(matches!(snapshot.normalised(), Cow::Owned(_)), "{at}");
            assert!(matches!(
                snapshot.normalised().normalised(),
                Cow::Borrowed(_)
            ));
        }
    }

    #[test]
    fn a_cluster_is_in_order_when_equal_nodes_are_one_group() {
        let with = |workers: Vec<NodeGroup>| Cluster {
            name: "c".into(),
            pool: "a".into(),
            origin: Origin::Declared { resize: None },
            control_plane: None,
            workers,
        };
        assert!(with(vec![group("a", 1, 1), group("a", 2, 2), group("b", 1, 1)]).is_normal());
        for workers in [
            vec![group("b", 1, 1), group("a", 1, 1)],
            vec![group("a", 1, 1), group("a", 1, 1)],
            vec![group("a", 0, 1)],
            vec![group("a", 1, 0)],
        ] {
            let mut cluster = with(workers);
            assert!(!cluster.is_normal());
            cluster.normalise();
            assert!(cluster.is_normal());
        }
    }
}
