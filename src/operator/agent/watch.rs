//! What the agent tells of its cluster.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, ResourceExt, api::ListParams, runtime::reflector::Store};
use tokio::sync::mpsc;

use crate::{
    agent::{
        client::Report,
        proto::{AgentState, ClusterHealth, SubtreeState, agent_message::Payload},
        session::{Facts, state},
        subtree,
    },
    api::{
        LatticeCluster,
        cluster_agent::ClusterBelow,
        quantity::{Cores, MemoryGi},
    },
};

/// How often the cluster is looked at.
const PERIOD: Duration = Duration::from_secs(10);
/// Nodes that are named when they are not ready.
const MOST_NAMED: usize = 20;
/// Nodes that are read together.
const PAGE: u32 = 500;

/// Looks at the cluster until nobody wants to know any more.
pub(super) async fn watch(
    client: Client,
    clusters: Store<LatticeCluster>,
    reports: mpsc::Sender<Report>,
) {
    loop {
        let (state, health) = look(&client).await;
        let latest = |payload| Report::Latest(Box::new(payload));
        let mut news = vec![Report::State(state)];
        news.extend(health.map(|health| latest(Payload::ClusterHealth(health))));
        news.push(latest(Payload::Subtree(below(&clusters))));
        for report in news {
            if reports.send(report).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(PERIOD).await;
    }
}

/// The cluster as it is now.
pub(super) async fn look(client: &Client) -> (AgentState, Option<ClusterHealth>) {
    let nodes = match nodes(client).await {
        Ok(nodes) => nodes,
        Err(error) => {
            tracing::warn!(%error, "the cluster's nodes could not be read");
            return (AgentState::Unknown, None);
        }
    };
    let health = health(&nodes);
    let facts = Facts {
        // The bootstrap is over once Lattice runs with an identity; Cluster API's objects travel without the agent.
        bootstrapped: true,
        health: Some(health.clone()),
        ..Facts::default()
    };
    (state(&facts), Some(health))
}

/// What is known here of the clusters below, by name.
fn below(clusters: &Store<LatticeCluster>) -> SubtreeState {
    let mut all: Vec<ClusterBelow> = clusters
        .state()
        .iter()
        .flat_map(|cluster| ClusterBelow::all_of(cluster))
        .collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    subtree::tell(&all)
}

async fn nodes(client: &Client) -> kube::Result<Vec<Node>> {
    let nodes: Api<Node> = Api::all(client.clone());
    let mut params = ListParams::default().limit(PAGE);
    let mut all = Vec::new();
    loop {
        let page = nodes.list(&params).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(all),
        }
    }
}

fn health(nodes: &[Node]) -> ClusterHealth {
    let mut down: Vec<String> = nodes
        .iter()
        .filter(|node| !is_ready(node))
        .map(|node| format!("node {} is not ready", node.name_any()))
        .collect();
    down.sort();
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let ready_nodes = count(nodes.len() - down.len());
    down.truncate(MOST_NAMED);
    let allocatable = |name: &str| {
        let each = nodes.iter().filter_map(move |node| {
            let amounts = node.status.as_ref()?.allocatable.as_ref()?;
            Some(amounts.get(name)?.0.as_str())
        });
        each.collect::<Vec<&str>>()
    };
    // What cannot be read counts as nothing.
    let cores = allocatable("cpu").into_iter().flat_map(Cores::parse);
    let memory = allocatable("memory")
        .into_iter()
        .flat_map(MemoryGi::parse_bytes);
    ClusterHealth {
        ready_nodes,
        total_nodes: count(nodes.len()),
        conditions: down,
        milli_cores: cores.map(Cores::millis).sum(),
        memory_mib: memory.map(MemoryGi::mib).sum(),
    }
}

fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, ready: &str) -> Node {
        let node = serde_json::json!({
            "metadata": {"name": name},
            "status": {
                "conditions": [{"type": "Ready", "status": ready}],
                "allocatable": {"cpu": "1500m", "memory": "2Gi", "pods": "110"},
            },
        });
        serde_json::from_value(node).unwrap()
    }

    #[test]
    fn nodes_are_counted_and_those_that_are_down_named() {
        let all = [node("b", "Unknown"), node("a", "True"), Node::default()];
        let health = health(&all);
        assert_eq!((health.ready_nodes, health.total_nodes), (1, 3));
        assert_eq!((health.milli_cores, health.memory_mib), (3000, 4096));
        assert_eq!(health.conditions[1], "node b is not ready");
    }
}
