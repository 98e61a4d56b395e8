//! Which clusters take a service: those that people made take all, those that the scheduler made
//! the services under the same cluster rules.

use crate::scheduler::reason::Why;
use crate::scheduler::state::State;

/// Whether a cluster takes a service. One that is fixed to a cluster goes there whatever its rules.
pub(crate) fn accepts(state: &State<'_>, c: usize, s: usize) -> bool {
    let cluster = &state.clusters[c];
    let demand = &state.problem.demands[s];
    cluster.is_declared()
        || cluster.policy == demand.governing
        || demand.pins.contains_key(&cluster.name)
}

/// Clusters of other rules that a service is on, as after a change of its labels.
pub(crate) fn check(state: &State<'_>, s: usize) -> Vec<Why> {
    let clusters = state.places(s).keys().map(|place| place.cluster);
    clusters
        .filter(|&c| !accepts(state, c, s))
        .map(|c| Why::OtherClusterRules {
            cluster: state.clusters[c].name.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::scheduler::fixtures::{CLASS, cluster, fleet, id};
    use crate::scheduler::model::{
        ClusterPolicy, NodeGroup, Origin, Pin, Policy, Selector, Snapshot,
    };
    use crate::scheduler::prior;
    use crate::scheduler::problem::Problem;
    use crate::scheduler::solve;

    /// A service on a cluster under the rules `staging`, which it is no longer in the scope of.
    fn relabelled() -> Snapshot {
        let mut snapshot = fleet(&[("a", "eu")], &[("web", 1)]);
        let mut old = cluster("a-1", "a");
        old.origin = Origin::Scheduler {
            policy: Some("staging".into()),
        };
        old.workers = vec![NodeGroup {
            class: CLASS.into(),
            count: 1,
            services: [(id("web"), 1)].into(),
        }];
        snapshot.clusters = vec![old];
        snapshot.policies = vec![Policy {
            name: "staging".into(),
            selector: Selector {
                match_labels: [("env".to_owned(), "staging".to_owned())].into(),
                ..Selector::default()
            },
            cluster_policy: Some(ClusterPolicy::default()),
            ..Policy::default()
        }];
        snapshot
    }

    #[test]
    fn a_service_leaves_a_cluster_whose_rules_are_no_longer_its_own() {
        let snapshot = relabelled();
        let solution = solve(&snapshot);
        let live: Vec<_> = solution.live().map(|d| d.cluster.name.as_str()).collect();
        assert_eq!(live.len(), 1);
        assert_ne!(live, ["a-1"]);
        let problem = Problem::new(&snapshot);
        let state = prior::load(&problem, &problem.laid());
        let c = state.cluster_named("a-1").unwrap();
        assert!(!accepts(&state, c, 0));
        let cluster = "a-1".into();
        assert_eq!(check(&state, 0), [Why::OtherClusterRules { cluster }]);
    }

    #[test]
    fn a_service_fixed_to_a_cluster_may_stay() {
        let mut snapshot = relabelled();
        snapshot.pins = vec![Pin {
            service: id("web"),
            cluster: "a-1".into(),
            replicas: None,
        }];
        let problem = Problem::new(&snapshot);
        assert_eq!(check(&prior::load(&problem, &problem.laid()), 0), []);
        let solution = solve(&snapshot);
        assert!(solution.live().all(|d| d.cluster.name == "a-1"));
    }
}
