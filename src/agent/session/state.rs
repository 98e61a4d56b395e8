//! What an agent calls the state of its cluster.

use crate::agent::proto::{AgentState, ClusterHealth};

/// What is known of a cluster from within.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// All that a new cluster needs to work is there.
    pub bootstrapped: bool,
    /// Cluster API's objects are on their way in.
    pub pivoting: bool,
    /// Why they did not come in, if they did not.
    pub pivot_failed: Option<String>,
    /// Its nodes, if they could be looked at.
    pub health: Option<ClusterHealth>,
}

/// The state that the facts make.
pub fn state(facts: &Facts) -> AgentState {
    let Some(health) = &facts.health else {
        return AgentState::Unknown;
    };
    if facts.pivoting {
        AgentState::Pivoting
    } else if facts.pivot_failed.is_some() {
        AgentState::Failed
    } else if !facts.bootstrapped {
        AgentState::Provisioning
    } else if health.ready_nodes == 0 {
        AgentState::Failed
    } else if health.ready_nodes < health.total_nodes || !health.conditions.is_empty() {
        AgentState::Degraded
    } else {
        AgentState::Ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(ready_nodes: i32, total_nodes: i32) -> Facts {
        Facts {
            bootstrapped: true,
            health: Some(ClusterHealth {
                ready_nodes,
                total_nodes,
                conditions: Vec::new(),
                ..ClusterHealth::default()
            }),
            ..Facts::default()
        }
    }

    #[test]
    fn a_cluster_is_made_moved_and_then_well_or_not() {
        assert_eq!(state(&Facts::default()), AgentState::Unknown);
        let new = Facts {
            bootstrapped: false,
            ..with(1, 3)
        };
        assert_eq!(state(&new), AgentState::Provisioning);
        let moving = Facts {
            pivoting: true,
            ..new
        };
        assert_eq!(state(&moving), AgentState::Pivoting);
        let stuck = Facts {
            pivot_failed: Some("no room".into()),
            ..with(3, 3)
        };
        assert_eq!(state(&stuck), AgentState::Failed);
        assert_eq!(state(&with(3, 3)), AgentState::Ready);
        assert_eq!(state(&with(2, 3)), AgentState::Degraded);
        assert_eq!(state(&with(0, 3)), AgentState::Failed);
    }
}
