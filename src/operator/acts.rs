//! What a pass has to write: what should be, less what is.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use serde_json::Value;

use super::{
    apply::{self, ClusterWrite},
    error::OperatorError,
    events::News,
    inventory::Committed,
    metrics::{Metrics, PoolFigures},
    news,
    seen::Seen,
    status_writer::StatusWrite,
};
use crate::{
    api::{LatticeCluster, LatticePool, LatticePoolStatus, LatticeService, Money},
    placement::{
        decisions::{self, Action, Alternatives, Decisions},
        inputs::Inputs,
        snapshot::{self, Built, Problem},
    },
    scheduler::{model::Origin, units::PPM},
};

/// What is to be done besides writing statuses, and what it shows.
#[derive(Debug, Default)]
pub(crate) struct Acts {
    pub(crate) clusters: Vec<ClusterWrite>,
    pub(crate) news: Vec<News>,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Figures {
    phases: Vec<String>,
    pools: Vec<PoolFigures>,
    hourly: f64,
    objective: f64,
    lower_bound: f64,
    gap: f64,
}

impl Acts {
    /// Puts what is decided into the metrics.
    pub(crate) fn show(&self, metrics: &Metrics) {
        let figures = &self.figures;
        metrics.set_services(figures.phases.iter().map(String::as_str));
        metrics.set_pools(figures.pools.iter().cloned());
        metrics.hourly_cost.set(figures.hourly);
        metrics.objective.set(figures.objective);
        metrics.lower_bound.set(figures.lower_bound);
        metrics.gap.set(figures.gap);
    }
}

/// Tells what was decided, and compares the clusters with those observed. `fresh` says that it was decided
/// just now.
pub(crate) fn full(
    inputs: &Inputs,
    problems: &[Problem],
    committed: &Committed,
    alternatives: &Alternatives,
    fresh: bool,
    now: crate::api::Timestamp,
) -> Result<(Decisions, Acts), OperatorError> {
    let record = &committed.record;
    let built = Built {
        snapshot: record.snapshot.clone(),
        problems: problems.to_vec(),
    };
    let mut decided = decisions::decide(inputs, &built, &record.solution, alternatives, now);
    let mut acts = Acts {
        figures: figures(inputs, &decided, committed),
        ..Acts::default()
    };
    if fresh {
        acts.news = news::of_decision(inputs, &built.snapshot, &record.solution, &decided);
    }
    let actions = std::mem::take(&mut decided.actions);
    acts.clusters = clusters(inputs, actions, committed);
    Ok((decided, acts))
}

/// The statuses that are not as they should be, and what is to be told about them.
pub(crate) fn statuses(
    seen: &Seen,
    decided: &Decisions,
) -> Result<(Vec<StatusWrite>, Vec<News>), OperatorError> {
    let mut statuses = Statuses::default();
    let service = |o: &LatticeService| decided.services.get(&snapshot::service_id(o));
    statuses.compare(&seen.services, |o| o.status.as_ref(), service)?;
    statuses.compare(
        &seen.pools,
        |o| o.status.as_ref(),
        |o| decided.pools.get(&o.name_any()),
    )?;
    statuses.compare(
        &seen.policies,
        |o| o.status.as_ref(),
        |o| decided.policies.get(&o.name_any()),
    )?;
    statuses.compare(
        &seen.node_classes,
        |o| o.status.as_ref(),
        |o| decided.node_classes.get(&o.name_any()),
    )?;
    statuses.compare(
        &seen.clusters,
        |o| o.status.as_ref(),
        |o| decided.clusters.get(&o.name_any()),
    )?;
    Ok((statuses.writes, statuses.news))
}

fn clusters(inputs: &Inputs, actions: Vec<Action>, committed: &Committed) -> Vec<ClusterWrite> {
    let found: BTreeMap<String, &LatticeCluster> = inputs
        .clusters
        .iter()
        .map(|cluster| (cluster.name_any(), cluster))
        .collect();
    let origins: BTreeMap<&str, &Origin> = committed
        .record
        .solution
        .live()
        .map(|decision| {
            let cluster = &decision.cluster;
            (cluster.name.as_str(), &cluster.origin)
        })
        .collect();
    let made = |name: &str| matches!(origins.get(name), Some(Origin::Scheduler { .. }));
    let mut desired: BTreeMap<String, LatticeCluster> = found
        .iter()
        .filter(|(name, _)| made(name))
        .map(|(name, cluster)| (name.clone(), (*cluster).clone()))
        .collect();
    let mut writes = Vec::new();
    for action in actions {
        match action {
            Action::CreateCluster(cluster) | Action::UpdateCluster(cluster)
                if made(&cluster.name_any()) =>
            {
                desired.insert(cluster.name_any(), *cluster);
            }
            Action::UpdateCluster(cluster) => writes.push(apply::resize(&cluster)),
            // A person's cluster that is not there any more is not made again; deletions come before all else.
            Action::CreateCluster(_) | Action::DeleteCluster(_) => {}
        }
    }
    for (name, cluster) in desired {
        let found = found.get(&name).copied();
        if found.is_none_or(|found| found.metadata.deletion_timestamp.is_none()) {
            writes.extend(apply::wanted(apply::marked(cluster), found));
        }
    }
    let leaving = inputs
        .clusters
        .iter()
        .filter_map(|cluster| apply::release(cluster, committed.keeps(&cluster.name_any())));
    writes.extend(leaving);
    writes
}

#[derive(Default)]
struct Statuses {
    writes: Vec<StatusWrite>,
    news: Vec<News>,
}

impl Statuses {
    /// Adds the statuses of a kind that differ from those that the objects have.
    fn compare<'o, K, S>(
        &mut self,
        objects: &'o [Arc<K>],
        has: impl Fn(&'o K) -> Option<&'o S>,
        should: impl Fn(&'o K) -> Option<&'o S>,
    ) -> Result<(), OperatorError>
    where
        K: Resource<DynamicType = ()>,
        S: Serialize + PartialEq + 'o,
    {
        let kind = K::kind(&());
        let Some(kind) = crate::api::kind(&kind).map(|kind| kind.name.as_str()) else {
            return Ok(());
        };
        for object in objects.iter().map(Arc::as_ref) {
            let (has, should) = (has(object), should(object));
            let Some(status) = should.filter(|_| has != should) else {
                continue;
            };
            let status = serde_json::to_value(status)?;
            let before = has.map(serde_json::to_value).transpose()?;
            let about = object.object_ref(&());
            self.news.extend(stalled(about, before.as_ref(), &status));
            self.writes.push(StatusWrite {
                kind,
                namespace: object.namespace(),
                name: object.name_any(),
                uid: object.uid(),
                status,
            });
        }
        Ok(())
    }
}

/// A warning when an object cannot go on, in the words of its condition.
fn stalled(about: ObjectReference, before: Option<&Value>, after: &Value) -> Option<News> {
    let message = stall(after)?;
    if before.and_then(stall).as_ref() == Some(&message) {
        return None;
    }
    let (reason, note) = message;
    Some(News {
        about,
        warning: true,
        reason,
        action: "Schedule".to_owned(),
        note,
    })
}

/// Reason and message of the `Stalled` condition, if it holds.
fn stall(status: &Value) -> Option<(String, String)> {
    let conditions = status.get("conditions")?.as_array()?;
    let text = |condition: &Value, key: &str| {
        let text = condition.get(key).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    conditions
        .iter()
        .find(|c| text(c, "type") == crate::api::conditions::STALLED && text(c, "status") == "True")
        .map(|c| (text(c, "reason"), text(c, "message")))
}

fn figures(inputs: &Inputs, decided: &Decisions, committed: &Committed) -> Figures {
    let solution = &committed.record.solution;
    let phase = |status: &crate::api::LatticeServiceStatus| {
        status
            .phase
            .map_or("Unknown".to_owned(), |phase| format!("{phase:?}"))
    };
    Figures {
        phases: decided.services.values().map(phase).collect(),
        pools: inputs
            .pools
            .iter()
            .filter_map(|pool| {
                let status = decided.pools.get(&pool.name_any())?;
                Some(pool_figures(pool, status))
            })
            .collect(),
        hourly: amount(Money::from_micros(solution.hourly)),
        objective: amount(Money::from_micros(solution.objective)),
        lower_bound: amount(Money::from_micros(solution.certificate.lower_bound)),
        gap: solution
            .gap_ppm()
            .map_or(0.0, |ppm| ppm as f64 / PPM as f64),
    }
}

fn pool_figures(pool: &LatticePool, status: &LatticePoolStatus) -> PoolFigures {
    let capacity = status.capacity.as_ref();
    let budget = status.budget.as_ref();
    let limit = pool.spec.budget.as_ref();
    PoolFigures {
        name: pool.name_any(),
        nodes: capacity.map_or(0, |capacity| capacity.allocated_nodes),
        max_nodes: pool.spec.capacity.max_nodes,
        month_cost: budget.map_or(0.0, |budget| amount(budget.projected_month_cost)),
        budget: limit.map(|limit| amount(limit.max_monthly_cost)),
    }
}

/// An amount for a graph, where the last digit does not matter.
fn amount(money: Money) -> f64 {
    money.decimal().to_f64().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::record::DecisionRecord;
    use crate::scheduler::model::Snapshot;
    use crate::scheduler::solution::Solution;
    use serde_json::json;

    fn status(holds: &str, message: &str) -> Value {
        json!({"conditions": [
            {"type": "Ready", "status": "True", "reason": "Ready", "message": ""},
            {"type": "Stalled", "status": holds, "reason": "InvalidSpec", "message": message},
        ]})
    }

    #[test]
    fn cost_bound_and_gap_of_the_decision_are_figures() {
        let mut solution = Solution {
            hourly: 1_750_000,
            objective: 2_000_000,
            ..Solution::default()
        };
        solution.certificate.lower_bound = 1_500_000;
        let record = DecisionRecord::new(
            &Snapshot::default(),
            solution,
            chrono::DateTime::UNIX_EPOCH.into(),
        );
        let committed = Committed {
            id: 1,
            record: record.unwrap(),
        };
        let acts = Acts {
            figures: figures(&Inputs::default(), &Decisions::default(), &committed),
            ..Acts::default()
        };
        let metrics = Metrics::new();
        acts.show(&metrics);
        let text = metrics.text().unwrap();
        for line in [
            "lattice_hourly_cost 1.75",
            "lattice_objective 2.0",
            "lattice_lower_bound 1.5",
            "lattice_gap_ratio 0.25",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_stall_is_told_once_in_the_words_of_the_condition() {
        let about = ObjectReference::default;
        let after = status("True", "spec.nodeClasses[0]: no such class");
        let news = stalled(about(), Some(&status("False", "")), &after).unwrap();
        assert_eq!(news.note, "spec.nodeClasses[0]: no such class");
        assert!(stalled(about(), None, &after).is_some());
        assert!(stalled(about(), Some(&after), &after).is_none());
        assert!(stalled(about(), Some(&after), &status("False", "")).is_none());
    }
}
