//! The LatticeCluster objects that a solution wants.

use std::collections::BTreeMap;

use kube::api::ObjectMeta;
use serde_json::{Map, Value};

use super::Action;
use crate::api::cluster::{ClusterNodes, NodeGroup};
use crate::api::cluster_provider::{AwsConfig, ClusterProvider, KubernetesSpec, ProviderConfig};
use crate::api::flux::FluxSpec;
use crate::api::{LatticeCluster, LatticeClusterSpec, LatticePool, ProviderType};
use crate::placement::facts::Facts;
use crate::placement::inputs::Inputs;
use crate::placement::labels;
use crate::scheduler::capacity::{CapacityType, class_of};
use crate::scheduler::model::{Cluster, Origin};
use crate::scheduler::solution::ClusterAction;
use crate::scheduler::zones::zone_of;

/// Kubernetes version of clusters whose policy names none.
pub const DEFAULT_KUBERNETES_VERSION: &str = "1.34.1";

/// What is to be done: creations, updates, deletions, each by name.
pub(super) fn actions(inputs: &Inputs, facts: &Facts<'_>) -> Vec<Action> {
    let known: BTreeMap<&str, &LatticeCluster> = inputs
        .clusters
        .iter()
        .filter_map(|cluster| Some((cluster.metadata.name.as_deref()?, cluster)))
        .collect();
    let mut actions = [Vec::new(), Vec::new(), Vec::new()];
    for decision in &facts.solution.clusters {
        let wanted = &decision.cluster;
        let object = known.get(wanted.name.as_str()).copied();
        match (decision.action, object) {
            (ClusterAction::Delete, Some(_)) => {
                if matches!(wanted.origin, Origin::Scheduler { .. }) {
                    actions[2].push(Action::DeleteCluster(wanted.name.clone()));
                }
            }
            (ClusterAction::Delete, None) => {}
            (_, None) => {
                let made = create(inputs, wanted);
                actions[0].extend(made.map(|made| Action::CreateCluster(Box::new(made))));
            }
            (_, Some(object)) => {
                let nodes = nodes(object, wanted);
                if nodes != object.spec.nodes {
                    let mut changed = object.clone();
                    changed.spec.nodes = nodes;
                    actions[1].push(Action::UpdateCluster(Box::new(changed)));
                }
            }
        }
    }
    actions.into_iter().flatten().collect()
}

/// The nodes that a cluster is to have. Of a declared cluster only the number of workers changes, and only
/// where its spec lets it.
fn nodes(object: &LatticeCluster, wanted: &Cluster) -> ClusterNodes {
    let current = &object.spec.nodes;
    let groups = groups(wanted);
    match &wanted.origin {
        Origin::Scheduler { .. } => ClusterNodes {
            groups,
            workers: 0,
            ..scheduled_nodes(wanted)
        },
        Origin::Declared { resize: None } => current.clone(),
        Origin::Declared { resize: Some(_) } => {
            let total: u32 = groups.iter().map(|group| group.count).sum();
            let known: u32 = current.groups.iter().map(|group| group.count).sum();
            let mut nodes = current.clone();
            if total == known + current.workers && same_groups(&groups, current) {
                return nodes;
            }
            if current.groups.is_empty() && groups.len() <= 1 {
                nodes.workers = total;
            } else {
                nodes.workers = 0;
                nodes.groups = groups;
            }
            nodes
        }
    }
}

/// Whether the groups of the spec, with workers of no stated class besides, are these.
fn same_groups(groups: &[NodeGroup], current: &ClusterNodes) -> bool {
    current.workers > 0 || {
        let mut own: Vec<&NodeGroup> = current.groups.iter().filter(|g| g.count > 0).collect();
        own.sort_by_key(|group| (&group.node_class, group.capacity_type, &group.zone));
        own.into_iter().eq(groups)
    }
}

fn scheduled_nodes(wanted: &Cluster) -> ClusterNodes {
    let (class, count) = wanted.control_plane.clone().unzip();
    ClusterNodes {
        control_plane: count.unwrap_or(0),
        control_plane_class: class,
        workers: 0,
        groups: groups(wanted),
        autoscale: None,
    }
}

/// Workers by class, type of capacity and zone.
fn groups(wanted: &Cluster) -> Vec<NodeGroup> {
    let mut counts: BTreeMap<(&str, CapacityType, &str), u32> = BTreeMap::new();
    for group in &wanted.workers {
        let (class, capacity) = class_of(&group.class);
        let zone = zone_of(&group.class).1.unwrap_or_default();
        *counts.entry((class, capacity, zone)).or_default() += group.count;
    }
    counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|((class, capacity, zone), count)| NodeGroup {
            node_class: class.to_owned(),
            capacity_type: capacity.into(),
            zone: zone.to_owned(),
            count,
        })
        .collect()
}

fn create(inputs: &Inputs, wanted: &Cluster) -> Option<LatticeCluster> {
    let named = |pool: &&LatticePool| pool.metadata.name.as_deref() == Some(&wanted.pool);
    let pool = inputs.pools.iter().find(named)?;
    let policy = match &wanted.origin {
        Origin::Scheduler { policy } => policy.as_deref(),
        Origin::Declared { .. } => None,
    };
    let flux = pool.spec.flux.as_ref();
    Some(LatticeCluster {
        metadata: metadata(wanted, policy),
        spec: LatticeClusterSpec {
            provider: provider(inputs, pool, wanted, policy),
            nodes: scheduled_nodes(wanted),
            pool_ref: Some(wanted.pool.clone()),
            networking: None,
            endpoints: None,
            cell: None,
            cell_ref: None,
            flux: flux.map(|flux| FluxSpec {
                path: Some(flux.path.clone()),
                ..FluxSpec::default()
            }),
        },
        status: None,
    })
}

fn metadata(wanted: &Cluster, policy: Option<&str>) -> ObjectMeta {
    let mut short = BTreeMap::from([(labels::MANAGED_BY.to_owned(), labels::SCHEDULER.to_owned())]);
    let mut long = BTreeMap::new();
    let marks = [
        (labels::POOL, Some(wanted.pool.as_str())),
        (labels::POLICY, policy),
    ];
    for (key, value) in marks {
        let Some(value) = value else { continue };
        let marks = if value.len() <= labels::LONGEST_VALUE {
            &mut short
        } else {
            &mut long
        };
        marks.insert(key.to_owned(), value.to_owned());
    }
    ObjectMeta {
        name: Some(wanted.name.clone()),
        labels: Some(short),
        annotations: (!long.is_empty()).then_some(long),
        finalizers: Some(vec![labels::CLUSTER_FINALIZER.to_owned()]),
        ..ObjectMeta::default()
    }
}

fn provider(
    inputs: &Inputs,
    pool: &LatticePool,
    wanted: &Cluster,
    policy: Option<&str>,
) -> ClusterProvider {
    let rules = inputs
        .policies
        .iter()
        .find(|p| policy.is_some() && p.metadata.name.as_deref() == policy)
        .and_then(|p| p.spec.cluster_policy.as_ref());
    let version = rules.and_then(|rules| rules.kubernetes_version.clone());
    ClusterProvider {
        type_: Some(pool.spec.provider.type_),
        kubernetes: KubernetesSpec {
            version: version.unwrap_or_else(|| DEFAULT_KUBERNETES_VERSION.to_owned()),
            ..KubernetesSpec::default()
        },
        config: Some(config(inputs, pool, wanted)),
        credentials: pool.spec.provider.credentials.clone(),
    }
}

/// Settings of the infrastructure: where, and for AWS which instances; the groups name the classes.
fn config(inputs: &Inputs, pool: &LatticePool, wanted: &Cluster) -> ProviderConfig {
    let region = pool.spec.provider.region.clone();
    let settings = || {
        let place = [
            ("region", Some(region.clone())),
            ("zone", pool.spec.provider.zone.clone()),
        ];
        let place = place
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
        Some(place.collect::<Map<String, Value>>())
    };
    let mut config = ProviderConfig::default();
    match pool.spec.provider.type_ {
        ProviderType::Aws => config.aws = Some(aws(inputs, &region, wanted)),
        ProviderType::Gcp => config.gcp = settings(),
        ProviderType::Azure => config.azure = settings(),
        ProviderType::Openstack => config.openstack = settings(),
        ProviderType::Proxmox => config.proxmox = settings(),
        ProviderType::Docker => config.docker = settings(),
        ProviderType::Local => config.local = settings(),
    }
    config
}

fn aws(inputs: &Inputs, region: &str, wanted: &Cluster) -> AwsConfig {
    let instance_type = |class: &str| {
        let named = |c: &&crate::api::LatticeNodeClass| c.metadata.name.as_deref() == Some(class);
        let class = inputs.node_classes.iter().find(named)?;
        class.spec.providers.aws.as_ref()?.instance_type.clone()
    };
    let control_plane = wanted.control_plane.as_ref();
    let worker = wanted.workers.first();
    AwsConfig {
        region: Some(region.to_owned()),
        cp_instance_type: control_plane.and_then(|(class, _)| instance_type(class)),
        worker_instance_type: worker.and_then(|group| instance_type(class_of(&group.class).0)),
        ..AwsConfig::default()
    }
}
