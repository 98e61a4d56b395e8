//! `lattice explain cluster`.

use std::fmt::Write;

use super::ExplainError;
use super::writing::{counted, signed};
use crate::placement::diff::Action;
use crate::placement::plan::{Plan, PlanCluster, Role};
use crate::placement::problem::nearest;

/// What a cluster is made of, what is on it, what it costs and what becomes of it.
///
/// # Errors
/// When the plan has no such cluster.
pub fn explain_cluster(plan: &Plan, name: &str) -> Result<String, ExplainError> {
    let Some(cluster) = plan.clusters.iter().find(|c| c.name == name) else {
        return Err(ExplainError::Unknown {
            kind: "cluster",
            name: name.to_owned(),
            suggestion: nearest(name, plan.clusters.iter().map(|c| c.name.as_str())),
        });
    };
    let mut text = format!("Cluster {} in pool {}\n", cluster.name, cluster.pool);
    text.push_str(match cluster.action {
        Action::Create => "To be made: no cluster there could take all that is placed on it\n",
        Action::Resize => "To be resized to what is placed on it\n",
        Action::Keep => "Keeps its nodes\n",
        Action::Delete => "To be removed: nothing is placed on it any more\n",
    });
    if let Some(change) = plan.changes.clusters.iter().find(|c| c.name == name) {
        let _ = writeln!(
            text,
            "  nodes {} → {}, {}/h",
            change.nodes_before,
            change.nodes_after,
            signed(&change.hourly_cost_delta)
        );
    }
    nodes(&mut text, cluster);
    tenants(&mut text, plan, cluster);
    Ok(text)
}

fn nodes(text: &mut String, cluster: &PlanCluster) {
    if !cluster.nodes.is_empty() {
        text.push_str("\nNodes\n");
    }
    for group in &cluster.nodes {
        let role = match group.role {
            Role::Worker => "worker",
            Role::ControlPlane => "control plane",
        };
        let on: Vec<String> = group
            .services
            .iter()
            .map(|(service, n)| format!("{service} ×{n}"))
            .collect();
        let on = match (on.is_empty(), group.role) {
            (false, _) => format!(": {} on each", on.join(", ")),
            (true, Role::Worker) => ": idle".to_owned(),
            (true, Role::ControlPlane) => String::new(),
        };
        let _ = writeln!(text, "  {} × {} {role}{on}", group.count, group.class);
    }
}

fn tenants(text: &mut String, plan: &Plan, cluster: &PlanCluster) {
    text.push_str("\nWhat it costs, and who pays\n");
    for place in plan.placements.iter().filter(|p| p.cluster == cluster.name) {
        let _ = writeln!(
            text,
            "  {}/{}: {}, {}/h",
            place.namespace,
            place.service,
            counted(u64::from(place.replicas), "replica"),
            place.hourly_cost
        );
    }
    let _ = writeln!(text, "  overhead: {}/h", cluster.overhead_hourly_cost);
}
