//! What a decision changes, as news about the objects.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};

use super::events::News;
use crate::{
    api::{API_VERSION, LatticeService},
    placement::{
        decisions::Decisions,
        diff::{self, Action, ClusterChange, Place, ServiceChange, ServiceChangeKind},
        inputs::Inputs,
    },
    scheduler::{
        model::{ServiceId, Snapshot},
        solution::Solution,
    },
};

/// Most news of one decision; a fleet that is decided on for the first time has more than anybody reads.
const MOST: usize = 200;

/// The news of a decision that was just committed.
pub(crate) fn of_decision(
    inputs: &Inputs,
    snapshot: &Snapshot,
    solution: &Solution,
    decided: &Decisions,
) -> Vec<News> {
    let changes = diff::changes(snapshot, &snapshot.clusters, solution);
    let objects: BTreeMap<ServiceId, &LatticeService> = inputs
        .services
        .iter()
        .map(|object| {
            let namespace = object.namespace().unwrap_or_default();
            (ServiceId::new(namespace, object.name_any()), object)
        })
        .collect();
    let services = changes.services.iter().filter_map(|change| {
        let id = ServiceId::new(change.namespace.as_str(), change.service.as_str());
        let status = decided.services.get(&id);
        let reason = status
            .and_then(|status| status.scheduler_decision.as_ref())
            .map(|decision| decision.reason.as_str());
        service(change, objects.get(&id)?, reason)
    });
    let clusters = changes.clusters.iter().filter_map(|change| {
        let found = inputs.clusters.iter().find(|c| c.name_any() == change.name);
        cluster(change, found.and_then(ResourceExt::uid))
    });
    clusters.chain(services).take(MOST).collect()
}

fn service(change: &ServiceChange, object: &LatticeService, why: Option<&str>) -> Option<News> {
    let (reason, note) = match change.change {
        ServiceChangeKind::Added => ("Placed", why?.to_owned()),
        ServiceChangeKind::Moved => (
            "Moved",
            format!(
                "{} to {}: {}",
                places(&change.from),
                places(&change.to),
                why?
            ),
        ),
        ServiceChangeKind::Scaled => ("Scaled", format!("{}: {}", places(&change.to), why?)),
        ServiceChangeKind::Removed => return None,
    };
    Some(News {
        about: object.object_ref(&()),
        warning: false,
        reason: reason.to_owned(),
        action: "Schedule".to_owned(),
        note,
    })
}

fn places(places: &[Place]) -> String {
    let places: Vec<String> = places
        .iter()
        .map(|place| format!("{} on {}", place.replicas, place.cluster))
        .collect();
    places.join(", ")
}

fn cluster(change: &ClusterChange, uid: Option<String>) -> Option<News> {
    let (reason, verb) = match change.action {
        Action::Create => ("ClusterCreated", "Created"),
        Action::Resize => ("ClusterResized", "Resized"),
        Action::Delete => ("ClusterDeleted", "Deleted"),
        Action::Keep => return None,
    };
    let delta = &change.hourly_cost_delta;
    let sign = if delta.starts_with('-') { "" } else { "+" };
    Some(News {
        about: ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some("LatticeCluster".to_owned()),
            name: Some(change.name.clone()),
            uid,
            ..ObjectReference::default()
        },
        warning: false,
        reason: reason.to_owned(),
        action: "Schedule".to_owned(),
        note: format!(
            "{verb} in pool {}: {} to {} nodes, {sign}{delta}/h",
            change.pool, change.nodes_before, change.nodes_after
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_told_with_its_nodes_and_its_price() {
        let change = ClusterChange {
            name: "us-1".into(),
            pool: "us".into(),
            action: Action::Create,
            nodes_before: 0,
            nodes_after: 5,
            hourly_cost_delta: "0.96".into(),
        };
        let news = cluster(&change, None).unwrap();
        assert_eq!(news.note, "Created in pool us: 0 to 5 nodes, +0.96/h");
        let kept = ClusterChange {
            action: Action::Keep,
            ..change
        };
        assert_eq!(cluster(&kept, None), None);
    }
}
