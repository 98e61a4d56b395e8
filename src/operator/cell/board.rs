//! What agents have said, for whoever writes the statuses of their clusters.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use kube::ResourceExt;

use crate::{
    agent::{
        proto::{AgentReady, AgentState, ClusterHealth, agent_message::Payload},
        session::Event,
        subtree,
    },
    api::{
        LatticeCluster, Timestamp,
        cluster_agent::{AgentStatus, ClusterBelow},
        cluster_status::NodeCounts,
        conditions::{self, ConditionStatus, Observation},
    },
};

/// The condition that says whether a cluster's agent is there.
const CONNECTED: &str = "AgentConnected";

/// What is known of one agent.
#[derive(Clone, Debug, PartialEq)]
struct Agent {
    /// Why it is not there, if it is not, and since when.
    lost: Option<(String, Timestamp)>,
    ready: AgentReady,
    state: AgentState,
    health: Option<ClusterHealth>,
    /// The clusters below it, and how many more there are.
    below: (Vec<ClusterBelow>, u32),
}

/// Where the latest word of all agents is put up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<Mutex<Shown>>);

/// The latest word of all agents at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Shown {
    agents: Arc<BTreeMap<String, Agent>>,
    /// Whoever was not heard since then is gone; not there while that is still to be seen.
    settled: Option<Timestamp>,
}

impl Board {
    /// Takes in what an agent has said. Says whether anything is new.
    pub(super) fn hear(&self, cluster: &str, event: Event) -> bool {
        let mut shown = self.lock();
        let known = shown.agents.get(cluster);
        let next = match (event, known.cloned()) {
            (Event::Up(mut ready), _) => {
                // Another one for each stream; the cluster is no other for it.
                ready.nonce = 0;
                Agent {
                    lost: None,
                    ready,
                    state: known.map_or(AgentState::Unknown, |agent| agent.state),
                    health: known.and_then(|agent| agent.health.clone()),
                    below: known.map_or_else(Default::default, |agent| agent.below.clone()),
                }
            }
            (Event::Down(why), Some(agent)) => Agent {
                lost: Some((why, Utc::now().into())),
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
            (Event::Report(Payload::Subtree(said)), Some(agent)) => Agent {
                below: subtree::heard(said),
                ..agent
            },
            _ => return false,
        };
        if known == Some(&next) {
            return false;
        }
        let mut all = BTreeMap::clone(&shown.agents);
        all.insert(cluster.to_owned(), next);
        shown.agents = Arc::new(all);
        true
    }

    /// Whoever was not heard since this time is gone from now on.
    pub(super) fn settle(&self, began: DateTime<Utc>) {
        self.lock().settled = Some(began.into());
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
        let generation = cluster.metadata.generation;
        let Some(agent) = self.agents.get(&cluster.name_any()) else {
            return self.unheard(cluster);
        };
        let status = cluster.status.get_or_insert_default();
        if !agent.ready.kubernetes_version.is_empty() {
            status.kubernetes_version = Some(agent.ready.kubernetes_version.clone());
        }
        status.agent = Some(agent.status());
        let is_there = agent.lost.is_none();
        let observation = connected(is_there, agent.message(), generation);
        conditions::set(&mut status.conditions, observation, Utc::now().into());
        cluster
    }

    /// The cluster, of whose agent an earlier leader may have said that it is there.
    fn unheard(&self, mut cluster: LatticeCluster) -> LatticeCluster {
        let generation = cluster.metadata.generation;
        let (Some(settled), Some(status)) = (self.settled, &mut cluster.status) else {
            return cluster;
        };
        if conditions::is_true(&status.conditions, CONNECTED) {
            status.agent.get_or_insert_default().lost = Some(settled);
            let why = format!("nothing was heard since this operator leads; {GOES_ON}");
            let observation = connected(false, why, generation);
            conditions::set(&mut status.conditions, observation, Utc::now().into());
        }
        cluster
    }
}

const GOES_ON: &str = "the cluster goes on by itself";

fn connected(is_there: bool, message: String, generation: Option<i64>) -> Observation<'static> {
    Observation {
        type_: CONNECTED,
        status: ConditionStatus::from(is_there),
        reason: if is_there { "Connected" } else { "Lost" },
        message,
        observed_generation: generation,
    }
}

impl Agent {
    fn status(&self) -> AgentStatus {
        let count = |nodes: i32| u32::try_from(nodes).unwrap_or_default();
        let health = self.health.as_ref();
        let (below, left_out) = self.below.clone();
        AgentStatus {
            version: self.ready.agent_version.clone(),
            nodes: health.map(|health| NodeCounts {
                ready: count(health.ready_nodes),
                total: count(health.total_nodes),
            }),
            capacity: health
                .and_then(|health| subtree::capacity(health.milli_cores, health.memory_mib)),
            lost: self.lost.as_ref().map(|(_, since)| *since),
            below,
            left_out,
        }
    }

    fn message(&self) -> String {
        if let Some((why, _)) = &self.lost {
            return format!("{why}; {GOES_ON}");
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
                ..
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
            milli_cores: 6000,
            memory_mib: 4096,
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
        let agent = status.agent.unwrap();
        assert_eq!(agent.nodes, Some(NodeCounts { ready: 2, total: 3 }));
        assert_eq!(agent.capacity.unwrap().cores.millis(), 6000);
        assert_eq!(agent.lost, None);
        let below = ClusterBelow {
            path: "far".into(),
            nodes: Some(NodeCounts::default()),
            hourly: Some(crate::api::Money::ZERO),
            ..ClusterBelow::default()
        };
        let report = subtree::tell(std::slice::from_ref(&below));
        let report = || Event::Report(Payload::Subtree(report.clone()));
        assert!(board.hear("east", report()));
        assert!(!board.hear("east", report()));
        assert!(board.hear("east", Event::Down("nothing was heard".into())));
        let status = board.shown().on(cluster()).status.unwrap();
        assert!(!conditions::is_true(&status.conditions, CONNECTED));
        let agent = status.agent.unwrap();
        assert!(agent.lost.is_some());
        assert_eq!(agent.below, [below]);
        board.clear();
        assert_eq!(board.shown().on(cluster()), cluster());
    }

    #[test]
    fn who_was_there_for_an_earlier_leader_and_does_not_come_is_lost() {
        let board = Board::default();
        board.hear("east", up(1));
        let known = board.shown().on(cluster());
        board.clear();
        assert_eq!(board.shown().on(known.clone()), known);
        board.settle(DateTime::UNIX_EPOCH);
        let status = board.shown().on(known).status.unwrap();
        assert!(!conditions::is_true(&status.conditions, CONNECTED));
        let lost = status.agent.unwrap().lost;
        assert_eq!(lost, Some(DateTime::UNIX_EPOCH.into()));
        assert_eq!(board.shown().on(cluster()), cluster(), "it never had one");
    }
}
