//! From the final state of the search to the decision as others read it.

use super::explain;
use super::layout::{self, LaidCluster, LaidNodes};
use super::limits::Excess;
use super::model::{Cluster, Origin, Service, Snapshot};
use super::naming;
use super::reason::{Reason, Why};
use super::solution::{ClusterAction, ClusterDecision, Outcome, Solution, Unenforced, Verdict};
use super::state::{ClusterState, State};
use std::collections::{BTreeMap, BTreeSet};

/// The clusters that a state holds; those that are new get their names here.
pub(crate) fn live(state: &State<'_>) -> Vec<LaidCluster> {
    let mut taken: BTreeSet<String> = state.clusters.iter().map(|c| c.name.clone()).collect();
    let mut clusters = Vec::new();
    for c in state.clusters.iter().filter(|c| c.is_wanted()) {
        let mut cluster = cluster(state, c);
        if cluster.name.is_empty() {
            cluster.name = name(state, c, &taken);
            taken.insert(cluster.name.clone());
        }
        clusters.push(cluster);
    }
    clusters.sort_by(|a, b| a.name.cmp(&b.name));
    clusters
}

/// A name for a new cluster, other than those taken.
pub(crate) fn name(state: &State<'_>, c: &ClusterState, taken: &BTreeSet<String>) -> String {
    let problem = state.problem;
    let pool = &problem.snapshot.pools[c.pool].name;
    let policy = c.policy.map(|p| problem.snapshot.policies[p].name.as_str());
    let is_taken = |name: &str| problem.taken_names.contains(name) || taken.contains(name);
    naming::fresh(pool, policy, &is_taken)
}

/// What became of a service.
pub(crate) fn outcome(state: &mut State<'_>, s: usize, verdict: Verdict) -> Outcome {
    let service = state.problem.service(s);
    let problem = state.problem;
    let unenforced = service
        .latency
        .iter()
        .filter(|bound| problem.service_named(&bound.dependency).is_none())
        .map(|bound| Unenforced::UnknownDependency {
            dependency: bound.dependency.clone(),
        })
        .collect();
    let reasons = match verdict {
        Verdict::Unschedulable => explain::unschedulable(state, s),
        _ => Vec::new(),
    };
    Outcome {
        service: service.id.clone(),
        verdict,
        reasons,
        unenforced,
    }
}

/// What is there stays, for a number of the snapshot cannot be reckoned with.
pub(crate) fn undecided(snapshot: Snapshot, excess: &Excess) -> Solution {
    let outcome = |service: Service| Outcome {
        service: service.id,
        verdict: Verdict::Unschedulable,
        reasons: vec![Reason::of_service(Why::BeyondLimits {
            excess: excess.clone(),
        })],
        unenforced: Vec::new(),
    };
    let keep = |cluster| ClusterDecision {
        cluster,
        action: ClusterAction::Keep,
    };
    Solution {
        clusters: snapshot.clusters.into_iter().map(keep).collect(),
        outcomes: snapshot.services.into_iter().map(outcome).collect(),
        ..Solution::default()
    }
}

/// What is to be done with each cluster, compared with the snapshot.
pub(crate) fn decisions(snapshot: &Snapshot, clusters: Vec<Cluster>) -> Vec<ClusterDecision> {
    let mut decisions: Vec<ClusterDecision> = clusters
        .into_iter()
        .map(|cluster| {
            let old = snapshot
                .clusters
                .binary_search_by(|old| old.name.cmp(&cluster.name));
            let action = match old {
                Err(_) => ClusterAction::Create,
                Ok(i) if machines(&snapshot.clusters[i]) == machines(&cluster) => {
                    ClusterAction::Keep
                }
                Ok(_) => ClusterAction::Resize,
            };
            ClusterDecision { cluster, action }
        })
        .collect();
    let named: BTreeSet<String> = decisions.iter().map(|d| d.cluster.name.clone()).collect();
    for gone in snapshot
        .clusters
        .iter()
        .filter(|c| !named.contains(&c.name))
    {
        // A cluster that people declared in a pool that is not known is left alone.
        if matches!(gone.origin, Origin::Scheduler { .. }) {
            decisions.push(ClusterDecision {
                cluster: Cluster {
                    control_plane: None,
                    workers: Vec::new(),
                    ..gone.clone()
                },
                action: ClusterAction::Delete,
            });
        }
    }
    decisions.sort_by(|a, b| a.cluster.name.cmp(&b.cluster.name));
    decisions
}

/// A cluster as it stands.
pub(crate) fn cluster(state: &State<'_>, c: &ClusterState) -> LaidCluster {
    let pool = &state.problem.pools[c.pool];
    let nodes = c.nodes.iter().filter(|node| node.live);
    let nodes = nodes.map(|node| LaidNodes {
        class: node.offer.class,
        count: 1,
        tenants: node.tenants.clone(),
    });
    let filling = c
        .filling()
        .flat_map(|(offer, n)| std::iter::repeat_n(offer, n as usize));
    let padding = filling.zip(c.padding_zones()).map(|(offer, zone)| {
        let there = zone.and_then(|zone| pool.in_zone(offer, zone));
        LaidNodes {
            class: there.unwrap_or(offer).class,
            count: 1,
            tenants: Vec::new(),
        }
    });
    LaidCluster {
        name: c.name.clone(),
        pool: c.pool,
        origin: c.origin.clone(),
        control: c.control.as_ref().map(|(offer, n)| (offer.class, *n)),
        workers: layout::merged(nodes.chain(padding)),
    }
}

fn machines(cluster: &Cluster) -> (BTreeMap<&str, u32>, Option<&(String, u32)>) {
    let mut workers = BTreeMap::new();
    for group in &cluster.workers {
        *workers.entry(group.class.as_str()).or_default() += group.count;
    }
    (workers, cluster.control_plane.as_ref())
}
