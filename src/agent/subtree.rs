//! What a cell knows of the clusters below it, as its agent tells it upwards.

use chrono::DateTime;
use prost_types::Timestamp as WireTime;
use serde_json::Value;

use super::proto::{self, SubtreeState};
use crate::api::{
    Money, Timestamp,
    cluster_agent::{ClusterBelow, ClusterCapacity},
    cluster_status::NodeCounts,
    quantity::{Cores, MemoryGi},
};

/// Clusters that one message tells of.
pub const MOST_BELOW: usize = 1000;
/// Longest name of a cluster.
const LONGEST_NAME: usize = 253;

/// The message that tells of these clusters.
pub fn tell(clusters: &[ClusterBelow]) -> SubtreeState {
    let told = clusters.iter().take(MOST_BELOW);
    let left_out = clusters.len().saturating_sub(MOST_BELOW);
    SubtreeState {
        clusters: told.map(below).collect(),
        left_out: u32::try_from(left_out).unwrap_or(u32::MAX),
    }
}

/// The clusters that a message tells of, and how many more there are. What has no usable name is passed over.
pub fn heard(said: SubtreeState) -> (Vec<ClusterBelow>, u32) {
    let most = said.clusters.len().saturating_sub(MOST_BELOW);
    let more = u32::try_from(most).unwrap_or(u32::MAX);
    let known = said.clusters.into_iter().take(MOST_BELOW);
    let clusters = known.filter_map(read).collect();
    (clusters, said.left_out.saturating_add(more))
}

fn below(cluster: &ClusterBelow) -> proto::ClusterBelow {
    let nodes = cluster.nodes.unwrap_or_default();
    let capacity = cluster.capacity.unwrap_or_default();
    proto::ClusterBelow {
        path: cluster.path.split('/').map(str::to_owned).collect(),
        phase: cluster
            .phase
            .map_or_else(String::new, |phase| format!("{phase:?}")),
        kubernetes_version: cluster.kubernetes_version.clone().unwrap_or_default(),
        agent_version: cluster.agent_version.clone().unwrap_or_default(),
        ready_nodes: nodes.ready,
        total_nodes: nodes.total,
        milli_cores: capacity.cores.millis(),
        memory_mib: capacity.memory_gi.mib(),
        hourly: cluster.hourly.map_or(0, Money::micros),
        lost: cluster.lost.map(|lost| WireTime {
            seconds: lost.datetime().timestamp(),
            nanos: 0,
        }),
    }
}

fn read(said: proto::ClusterBelow) -> Option<ClusterBelow> {
    let is_name =
        |name: &String| !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains('/');
    if said.path.is_empty() || !said.path.iter().all(is_name) {
        return None;
    }
    let text = |text: String| (!text.is_empty()).then_some(text);
    let lost = said
        .lost
        .and_then(|lost| DateTime::from_timestamp(lost.seconds, 0))
        .map(Timestamp::from);
    Some(ClusterBelow {
        path: said.path.join("/"),
        // A phase that is newer than this cell is none.
        phase: serde_json::from_value(Value::from(said.phase)).ok(),
        kubernetes_version: text(said.kubernetes_version),
        agent_version: text(said.agent_version),
        nodes: Some(NodeCounts {
            ready: said.ready_nodes,
            total: said.total_nodes,
        }),
        capacity: capacity(said.milli_cores, said.memory_mib),
        hourly: Some(Money::from_micros(said.hourly)),
        lost,
    })
}

/// What nodes have to give; nothing is known of a cluster that has nothing.
pub fn capacity(milli_cores: u64, memory_mib: u64) -> Option<ClusterCapacity> {
    (milli_cores > 0 || memory_mib > 0).then(|| ClusterCapacity {
        cores: Cores::from_millis(milli_cores),
        memory_gi: MemoryGi::from_mib(memory_mib),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ClusterPhase;

    #[test]
    fn what_is_told_is_what_is_heard() {
        let cluster = ClusterBelow {
            path: "eu/west".to_owned(),
            phase: Some(ClusterPhase::Ready),
            kubernetes_version: Some("v1.36.3".to_owned()),
            agent_version: Some("0.1.0".to_owned()),
            nodes: Some(NodeCounts { ready: 2, total: 3 }),
            capacity: capacity(7500, 4096),
            hourly: Some(Money::from_micros(192_000)),
            lost: Some(DateTime::from_timestamp(1_000, 0).unwrap().into()),
        };
        let told = tell(std::slice::from_ref(&cluster));
        assert_eq!(heard(told), (vec![cluster], 0));
    }

    #[test]
    fn names_that_lead_elsewhere_are_passed_over_and_too_many_counted() {
        let named = |path: &[&str]| proto::ClusterBelow {
            path: path.iter().map(|name| (*name).to_owned()).collect(),
            phase: "Dreaming".to_owned(),
            ..proto::ClusterBelow::default()
        };
        let mut clusters = vec![named(&[]), named(&["a/b"]), named(&["a", ""])];
        clusters.extend(vec![named(&["fine"]); MOST_BELOW]);
        let (known, left_out) = heard(SubtreeState {
            clusters,
            left_out: 2,
        });
        assert_eq!((known.len(), left_out), (MOST_BELOW - 3, 5));
        assert_eq!(known[0].phase, None);
    }
}
