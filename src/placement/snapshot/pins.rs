//! LatticeServicePlacement to services fixed to a cluster.

use super::Problem;
use super::names::Unique;
use crate::placement::problem::nearest;
use crate::scheduler::limits::MOST_REPLICAS;
use crate::scheduler::model::{Pin, ServiceId, Snapshot};

const PLACEMENT: &str = "LatticeServicePlacement";

/// A pin to a cluster that is not there is kept: it is for a person, not for the scheduler, to lift it.
pub(super) fn build(
    names: &Unique<'_>,
    snapshot: &Snapshot,
    problems: &mut Vec<Problem>,
) -> Vec<Pin> {
    let mut pins = Vec::new();
    let mut left = MOST_REPLICAS;
    for (id, placement) in &names.service_placements {
        let Some(cluster) = &placement.spec.cluster else {
            continue;
        };
        let service = ServiceId::new(&id.namespace, &placement.spec.service_ref);
        if !names.services.contains_key(&service) {
            let message = format!("there is no LatticeService `{}` here", service.name);
            let here = names
                .services
                .keys()
                .filter(|s| s.namespace == id.namespace);
            let near = nearest(&service.name, here.map(|s| s.name.as_str()));
            let problem = Problem::warning(PLACEMENT, &id.name, &["spec", "serviceRef"], message);
            problems.push(problem.within(&id.namespace).suggest(near));
            continue;
        }
        check_cluster(id, cluster, names, snapshot, problems);
        let overrides = placement.spec.overrides.as_ref();
        let replicas = overrides.and_then(|values| values.replicas);
        let all = names.services.get(&service).map(|s| s.spec.replicas.min);
        let fixed = u64::from(replicas.or(all).unwrap_or(0));
        if fixed > left {
            let path = ["spec", "overrides", "replicas"];
            let message = format!(
                "with {fixed} replicas, this and the placements before it fix more than the {MOST_REPLICAS} that can \
                 be reckoned with, so it is left out"
            );
            let problem = Problem::error(PLACEMENT, &id.name, &path, message);
            problems.push(problem.within(&id.namespace));
            continue;
        }
        left -= fixed;
        pins.push(Pin {
            service,
            cluster: cluster.clone(),
            replicas,
        });
    }
    pins
}

fn check_cluster(
    id: &ServiceId,
    cluster: &str,
    names: &Unique<'_>,
    snapshot: &Snapshot,
    problems: &mut Vec<Problem>,
) {
    if snapshot.clusters.iter().any(|c| c.name == cluster) {
        return;
    }
    let path = ["spec", "cluster"];
    let problem = match names.clusters.get(cluster) {
        Some(known) if known.metadata.deletion_timestamp.is_some() => {
            let message = format!("LatticeCluster `{cluster}` is being deleted");
            Problem::error(PLACEMENT, &id.name, &path, message)
        }
        Some(_) => {
            let message = format!(
                "LatticeCluster `{cluster}` is in no pool (spec.poolRef), so nothing can be placed on it"
            );
            Problem::warning(PLACEMENT, &id.name, &path, message)
        }
        None => {
            let near = nearest(cluster, snapshot.clusters.iter().map(|c| c.name.as_str()));
            let message = format!("there is no LatticeCluster `{cluster}`");
            Problem::error(PLACEMENT, &id.name, &path, message).suggest(near)
        }
    };
    problems.push(problem.within(&id.namespace));
}
