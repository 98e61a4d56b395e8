//! Services that people fixed to a cluster.

use crate::scheduler::problem::Problem;
use crate::scheduler::reason::Why;
use crate::scheduler::state::State;

/// Why a pool is out of question for a service all of whose replicas are fixed elsewhere.
pub(crate) fn check_pool(problem: &Problem<'_>, s: usize, pool: usize) -> Option<Why> {
    let pins = &problem.demands[s].pins;
    let pinned: u32 = pins.values().sum();
    if pins.is_empty() || pinned < problem.service(s).replicas {
        return None;
    }
    let here = problem
        .snapshot
        .clusters
        .iter()
        .any(|c| pins.contains_key(&c.name) && problem.pool(&c.pool) == Some(pool));
    let cluster = pins.keys().next()?.clone();
    (!here).then_some(Why::PinnedElsewhere { cluster })
}

/// What is wrong with a service's fixed replicas as they are placed.
pub(crate) fn check(state: &State<'_>, s: usize) -> Vec<Why> {
    let demand = &state.problem.demands[s];
    let mut found = Vec::new();
    let pinned: u32 = demand.pins.values().sum();
    let replicas = state.problem.service(s).replicas;
    if pinned > replicas {
        found.push(Why::PinnedTooMany { pinned, replicas });
    }
    for (cluster, &wanted) in &demand.pins {
        let Some(c) = state.cluster_named(cluster) else {
            found.push(Why::PinnedToNothing {
                cluster: cluster.clone(),
            });
            continue;
        };
        if state.replicas_in(s, c) < wanted {
            found.push(Why::ClusterFixed {
                cluster: cluster.clone(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::fixtures::{cluster, fleet, id, placed, words};
    use crate::scheduler::model::{Pin, Snapshot};

    fn pinned(pins: &[(&str, Option<u32>)]) -> Snapshot {
        let mut snapshot = fleet(&[("a", "eu"), ("b", "us")], &[("web", 2)]);
        snapshot.clusters = vec![cluster("a-1", "a"), cluster("b-1", "b")];
        snapshot.pins = pins
            .iter()
            .map(|(cluster, replicas)| Pin {
                service: id("web"),
                cluster: (*cluster).into(),
                replicas: *replicas,
            })
            .collect();
        snapshot
    }

    #[test]
    fn other_pools_are_out_of_question_once_all_replicas_are_fixed() {
        let of = |pins: &[(&str, Option<u32>)]| {
            let snapshot = pinned(pins);
            let problem = Problem::new(&snapshot);
            [0, 1].map(|pool| check_pool(&problem, 0, pool).map(|why| why.to_string()))
        };
        assert_eq!(of(&[]), [None, None]);
        assert_eq!(of(&[("a-1", Some(1))]), [None, None]);
        let elsewhere = Some("Pinned to cluster a-1".to_owned());
        assert_eq!(of(&[("a-1", None)]), [None, elsewhere.clone()]);
        assert_eq!(of(&[("a-1", Some(2))]), [None, elsewhere]);
        assert_eq!(of(&[("a-1", Some(1)), ("b-1", Some(1))]), [None, None]);
    }

    #[test]
    fn fixed_replicas_are_where_they_were_fixed() {
        let of = |pins: &[(&str, Option<u32>)], replicas: &[(usize, &str)]| {
            let snapshot = pinned(pins);
            let problem = Problem::new(&snapshot);
            check(&placed(&problem, replicas), 0)
        };
        let one = [("a-1", Some(1))];
        assert_eq!(of(&one, &[(0, "a-1"), (0, "b-1")]), []);
        let missing = Why::ClusterFixed {
            cluster: "a-1".into(),
        };
        assert_eq!(
            of(&[("a-1", None)], &[(0, "a-1"), (0, "b-1")]),
            [missing],
            "one of two"
        );
        assert_eq!(
            words(of(&[("a-9", None)], &[(0, "a-1"), (0, "a-1")])),
            ["Pinned to cluster a-9, which is not in any pool"]
        );
        assert_eq!(
            words(of(&[("a-1", Some(3))], &[(0, "a-1"); 3])),
            ["3 replicas are pinned, the service has 2"]
        );
    }
}
