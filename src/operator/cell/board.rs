//! What agents have said, for whoever writes the statuses of their clusters.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::Utc;
use kube::ResourceExt;

use crate::{
    agent::{
        proto::{AgentReady, AgentState, ClusterHealth, agent_message::Payload},
        session::Event,
    },
    api::{
        LatticeCluster,
        conditions::{self, ConditionStatus, Observation},
    },
};

/// The condition that says whether a cluster's agent is there.
const CONNECTED: &str = "AgentConnected";

/// What is known of one agent.
#[derive(Clone, Debug, PartialEq)]
struct Agent {
    /// Why it is not there, if it is not.
    lost: Option<String>,
    ready: AgentReady,
    state: AgentState,
    health: Option<ClusterHealth>,
}

/// Where the latest word of all agents is put up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Shown>>);

/// The latest word of all agents at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown(Arc<BTreeMap<String, Agent>>);

impl Board {
    /// Takes in what an agent has said. Says whether anything is new.
    pub(super) fn hear(&self, cluster: &str, event: Event) -> bool {
        let mut shown = self.lock();
        let known = shown.0.get(cluster);
        let next = match (event, known.cloned()) {
            (Event::Up(mut ready), _) => {
                // Another one for each stream; the cluster is no other for it.
                ready.nonce = 0;
                Agent {
                    lost: None,
                    ready,
                    state: known.map_or(AgentState::Unknown, |agent| agent.state),
                    health: known.and_then(|agent| agent.health.clone()),
                }
            }
            (Event::Down(why), Some(agent)) => Agent {
                lost: Some(why),
                ..agent
            },
            (Event::Report(Payload::Heartbeat(beat)), Some(agent)) => Agent {
                state: beat.state(),
                ..agent
            },
            (Event::Report(Payload::ClusterHealth(health)), Some(agent)) => Agent {
                health: Some(health),
                ..agent
            },
            _ => return false,
        };
        if known == Some(&next) {
            return false;
        }
        let mut all = BTreeMap::clone(&shown.0);
        all.insert(cluster.to_owned(), next);
        *shown = Shown(Arc::new(all));
        true
    }

    /// Forgets everything, as another operator now hears them.
    pub(super) fn clear(&self) {
        *self.lock() = Shown::default();
    }

    /// What is up now.
    pub(crate) fn shown(&self) -> Shown {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        // What is on the board is whole at any time.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    /// The cluster, with what its agent has said in its status.
    pub(crate) fn on(&self, mut cluster: LatticeCluster) -> LatticeCluster {
        let Some(agent) = self.0.get(&cluster.name_any()) else {
            return cluster;
        };
        let generation = cluster.metadata.generation;
        let status = cluster.status.get_or_insert_default();
        if !agent.ready.kubernetes_version.is_empty() {
            status.kubernetes_version = Some(agent.ready.kubernetes_version.clone());
        }
        let (holds, reason) = match agent.lost {
            None => (true, "Connected"),
            Some(_) => (false, "Lost"),
        };
        let observation = Observation {
            type_: CONNECTED,
            status: ConditionStatus::from(holds),
            reason,
            message: agent.message(),
            observed_generation: generation,
        };
        conditions::set(&mut status.conditions, observation, Utc::now().into());
        cluster
    }
}

impl Agent {
    fn message(&self) -> String {
        if let Some(why) = &self.lost {
            return format!("{why}; the cluster goes on by itself");
        }
        let state = match self.state {
            AgentState::Unknown => "not known yet",
            AgentState::Provisioning => "being made",
            AgentState::Pivoting => "taking over its own machines",
            AgentState::Ready => "ready",
            AgentState::Degraded => "degraded",
            AgentState::Failed => "failed",
        };
        let nodes = self.health.as_ref().map_or_else(String::new, |health| {
            let ClusterHealth {
                ready_nodes,
                total_nodes,
                conditions,
            } = health;
            let mut text = format!(", {ready_nodes} of {total_nodes} nodes ready");
            for condition in conditions {
                text = format!("{text}; {condition}");
            }
            text
        });
        let version = &self.ready.agent_version;
        format!("agent {version}: the cluster is {state}{nodes}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(nonce: u64) -> Event {
        Event::Up(AgentReady {
            agent_version: "1.2.3".into(),
            kubernetes_version: "v1.36.3".into(),
            nonce,
            ..AgentReady::default()
        })
    }

    fn cluster() -> LatticeCluster {
        let document = serde_json::json!({
            "apiVersion": "lattice.dev/v1alpha1",
            "kind": "LatticeCluster",
            "metadata": {"name": "east", "generation": 3},
            "spec": {
                "provider": {"kubernetes": {"version": "1.36.3"}, "config": {"aws": {"region": "r"}}},
                "nodes": {"controlPlane": 1},
            },
        });
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn a_cluster_says_what_its_agent_said_and_that_it_was_lost() {
        let board = Board::default();
        assert!(!board.hear("east", Event::Down("never there".into())));
        assert!(board.hear("east", up(1)));
        assert!(!board.hear("east", up(2)), "the same agent again");
        let health = ClusterHealth {
            ready_nodes: 2,
            total_nodes: 3,
            conditions: vec!["node n3 is not ready".into()],
        };
        assert!(board.hear(
            "east",
            Event::Report(Payload::ClusterHealth(health.clone()))
        ));
        assert!(!board.hear("east", Event::Report(Payload::ClusterHealth(health))));
        let status = board.shown().on(cluster()).status.unwrap();
        assert_eq!(status.kubernetes_version.as_deref(), Some("v1.36.3"));
        assert!(conditions::is_true(&status.conditions, CONNECTED));
        assert_eq!(
            status.conditions[0].message,
            "agent 1.2.3: the cluster is not known yet, 2 of 3 nodes ready; node n3 is not ready"
        );
        assert!(board.hear("east", Event::Down("nothing was heard".into())));
        let status = board.shown().on(cluster()).status.unwrap();
        assert!(!conditions::is_true(&status.conditions, CONNECTED));
        board.clear();
        assert_eq!(board.shown().on(cluster()), cluster());
    }
}
