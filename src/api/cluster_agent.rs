//! What a cluster's agent says of the cluster, and of all clusters below it.

use kube::ResourceExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::LatticeCluster;
use super::cluster_status::{ClusterPhase, NodeCounts};
use super::money::Money;
use super::quantity::{Cores, MemoryGi};
use super::timestamp::Timestamp;

/// What a cluster's agent says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// Version of Lattice in the cluster.
    pub version: String,
    /// Machines, as the cluster itself sees them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,
    /// What pods may use of them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<ClusterCapacity>,
    /// Since when the agent is lost. While it is there, what it says is current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Timestamp>,
    /// The clusters below the cluster, at any depth.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("maxItems" = 1000))]
    pub below: Vec<ClusterBelow>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
}

/// What pods may use of a cluster's machines together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterCapacity {
    /// Processor cores.
    pub cores: Cores,
    /// Memory in GiB.
    pub memory_gi: MemoryGi,
}

/// A cluster below a cell, as far as the cell knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterBelow {
    /// Names of the LatticeClusters that lead to it, with `/` between them.
    pub path: String,
    /// The state in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<ClusterPhase>,
    /// Version that the control plane runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes_version: Option<String>,
    /// Version of its agent, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// Machines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<NodeCounts>,
    /// What pods may use of them together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<ClusterCapacity>,
    /// What it costs, in units of currency per hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hourly: Option<Money>,
    /// Since when nothing was heard of it, if its agent or one on the way is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Timestamp>,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl ClusterBelow {
    /// A cell's cluster, and all that its agent has said of clusters below it.
    pub fn all_of(cluster: &LatticeCluster) -> Vec<Self> {
        let name = cluster.name_any();
        let status = cluster.status.clone().unwrap_or_default();
        let agent = status.agent.unwrap_or_default();
        let lost = agent.lost;
        let below = agent.below.into_iter().map(|below| Self {
            path: format!("{name}/{}", below.path),
            // Whatever is lost first leaves the rest unheard.
            lost: [lost, below.lost].into_iter().flatten().min(),
            ..below
        });
        let own = Self {
            path: name.clone(),
            phase: status.phase,
            kubernetes_version: status.kubernetes_version,
            agent_version: Some(agent.version).filter(|version| !version.is_empty()),
            nodes: agent.nodes.or(status.nodes),
            capacity: agent.capacity,
            hourly: status.cost.map(|cost| cost.hourly),
            lost,
        };
        std::iter::once(own).chain(below).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    #[test]
    fn what_is_lost_on_the_way_is_lost_for_all_below() {
        let at = |seconds| Timestamp::from(DateTime::from_timestamp(seconds, 0).unwrap());
        let below = |path: &str, lost| ClusterBelow {
            path: path.to_owned(),
            lost,
            ..ClusterBelow::default()
        };
        let document = serde_json::json!({
            "apiVersion": "lattice.dev/v1alpha1",
            "kind": "LatticeCluster",
            "metadata": {"name": "eu"},
            "spec": {
                "provider": {"kubernetes": {"version": "1.36.3"}, "config": {}},
                "nodes": {"controlPlane": 1},
            },
            "status": {"nodes": {"ready": 1, "total": 3}},
        });
        let mut cluster: LatticeCluster = serde_json::from_value(document).unwrap();
        let known = ClusterBelow::all_of(&cluster);
        assert_eq!(known[0].nodes, Some(NodeCounts { ready: 1, total: 3 }));
        assert_eq!(known[0].agent_version, None);
        cluster.status.get_or_insert_default().agent = Some(AgentStatus {
            version: "1".to_owned(),
            nodes: Some(NodeCounts { ready: 2, total: 2 }),
            lost: Some(at(50)),
            below: vec![below("west", Some(at(20))), below("east", None)],
            ..AgentStatus::default()
        });
        let all = ClusterBelow::all_of(&cluster);
        let told: Vec<_> = all
            .iter()
            .map(|one| (one.path.as_str(), one.lost))
            .collect();
        assert_eq!(
            told,
            [
                ("eu", Some(at(50))),
                ("eu/west", Some(at(20))),
                ("eu/east", Some(at(50)))
            ]
        );
        assert_eq!(all[0].nodes, Some(NodeCounts { ready: 2, total: 2 }));
    }
}
