//! A plan read back: the solution that the document tells of, from the document alone.

use std::collections::BTreeMap;

use super::certificate::{money, service};
use super::document::{Decision, Plan, PlanCluster, PlanNodes, Role};
use super::write::PlanError;
use crate::placement::diff::Action;
use crate::scheduler::model::{Cluster, NodeGroup, Origin, ServiceId};
use crate::scheduler::reason::{Reason, Why};
use crate::scheduler::solution::{ClusterAction, ClusterDecision, Outcome, Solution, Verdict};

/// The solution that a plan tells of. Reasons are in the document as words only: of a service without a place
/// there are as many as it says, without what they say.
///
/// # Errors
/// When a field does not hold what it should; the error names it.
pub fn solution(plan: &Plan) -> Result<Solution, PlanError> {
    let summary = &plan.summary;
    let lower_bound = match &summary.lower_bound {
        Some(bound) => money(bound, || "summary.lowerBound".to_owned())?,
        None => 0,
    };
    small_enough(plan)?;
    let clusters: Result<Vec<_>, _> = plan.clusters.iter().enumerate().map(cluster).collect();
    let (mut clusters, mut outcomes) = (clusters?, outcomes(plan)?);
    clusters.sort_by(|a, b| a.cluster.name.cmp(&b.cluster.name));
    outcomes.sort_by(|a, b| a.service.cmp(&b.service));
    let names = clusters
        .windows(2)
        .map(|w| (&w[0].cluster.name, &w[1].cluster.name));
    if let Some((name, _)) = names.into_iter().find(|(a, b)| a == b) {
        return Err(wrong("clusters", format!("`{name}` is in it twice")));
    }
    let mut ids = outcomes.windows(2).map(|w| (&w[0].service, &w[1].service));
    if let Some((id, _)) = ids.find(|(a, b)| a == b) {
        return Err(wrong("decisions", format!("`{id}` is in it twice")));
    }
    Ok(Solution {
        clusters,
        outcomes,
        hourly: money(&summary.hourly_cost, || "summary.hourlyCost".to_owned())?,
        objective: money(&summary.objective, || "summary.objective".to_owned())?,
        certificate: plan.certificate.read(lower_bound)?,
        moves: plan.moves.read()?,
    })
}

fn wrong(field: impl Into<String>, problem: String) -> PlanError {
    PlanError::Field {
        field: field.into(),
        problem,
    }
}

/// Sums of nodes and replicas stay numbers that others can count with.
fn small_enough(plan: &Plan) -> Result<(), PlanError> {
    let (mut nodes, mut replicas) = (0u64, 0u64);
    for group in plan.clusters.iter().flat_map(|cluster| &cluster.nodes) {
        nodes = nodes.saturating_add(u64::from(group.count));
        for n in group.services.values() {
            let placed = u64::from(*n) * u64::from(group.count.max(1));
            replicas = replicas.saturating_add(placed);
        }
    }
    for (what, number) in [("nodes", nodes), ("replicas", replicas)] {
        if number > u64::from(u32::MAX) {
            let problem = format!("{number} {what} are more than a fleet can have");
            return Err(wrong("clusters", problem));
        }
    }
    Ok(())
}

fn cluster((index, told): (usize, &PlanCluster)) -> Result<ClusterDecision, PlanError> {
    let at = |field: &str| format!("clusters[{index}].{field}");
    let mut control_plane = None;
    let mut workers = Vec::new();
    for (group, nodes) in told.nodes.iter().enumerate() {
        let at = || at(&format!("nodes[{group}]"));
        match nodes.role {
            Role::Worker => workers.push(worker(nodes, at)?),
            Role::ControlPlane if control_plane.is_some() => {
                return Err(wrong(at(), "is a second control plane".to_owned()));
            }
            Role::ControlPlane if !nodes.services.is_empty() => {
                return Err(wrong(at(), "has services on a control plane".to_owned()));
            }
            Role::ControlPlane => control_plane = Some((nodes.class.clone(), nodes.count)),
        }
    }
    let origin = match (told.declared, &told.policy) {
        (true, Some(_)) => {
            let problem = "a declared cluster follows no policy".to_owned();
            return Err(wrong(at("policy"), problem));
        }
        (true, None) => Origin::Declared {
            resize: told.resizable.map(|r| (r.min_workers, r.max_workers)),
        },
        (false, policy) => Origin::Scheduler {
            policy: policy.clone(),
        },
    };
    Ok(ClusterDecision {
        cluster: Cluster {
            name: told.name.clone(),
            pool: told.pool.clone(),
            origin,
            control_plane,
            workers,
        },
        action: match told.action {
            Action::Create => ClusterAction::Create,
            Action::Resize => ClusterAction::Resize,
            Action::Keep => ClusterAction::Keep,
            Action::Delete => ClusterAction::Delete,
        },
    })
}

fn worker(nodes: &PlanNodes, at: impl Fn() -> String) -> Result<NodeGroup, PlanError> {
    let services: Result<BTreeMap<ServiceId, u32>, PlanError> = (nodes.services.iter())
        .map(|(id, n)| Ok((service(id, || format!("{}.services", at()))?, *n)))
        .collect();
    Ok(NodeGroup {
        class: nodes.class.clone(),
        count: nodes.count,
        services: services?,
    })
}

fn outcomes(plan: &Plan) -> Result<Vec<Outcome>, PlanError> {
    let mut reasons: BTreeMap<ServiceId, Vec<Reason>> = BTreeMap::new();
    for stuck in &plan.unschedulable {
        let id = ServiceId::new(&stuck.namespace, &stuck.service);
        let untold = stuck.reasons.iter().map(|told| Reason {
            pool: told.pool.clone(),
            why: Why::NoCombination { steps: 0 },
        });
        reasons.entry(id).or_default().extend(untold);
    }
    let decisions = plan.decisions.iter().enumerate();
    decisions
        .map(|(index, decision)| {
            let service = ServiceId::new(&decision.namespace, &decision.service);
            Ok(Outcome {
                verdict: verdict(index, decision)?,
                reasons: reasons.remove(&service).unwrap_or_default(),
                unenforced: Vec::new(),
                service,
            })
        })
        .collect()
}

fn verdict(index: usize, decision: &Decision) -> Result<Verdict, PlanError> {
    match decision.verdict.as_str() {
        "Placed" => Ok(Verdict::Placed),
        "Unchanged" => Ok(Verdict::Unchanged),
        "Escalated" => Ok(Verdict::Escalated),
        "Unschedulable" => Ok(Verdict::Unschedulable),
        other => Err(wrong(
            format!("decisions[{index}].verdict"),
            format!("`{other}` is not Placed, Unchanged, Escalated or Unschedulable"),
        )),
    }
}
