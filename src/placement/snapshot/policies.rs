//! LatticePlacementPolicy to rules over services.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::Problem;
use super::names::Unique;
use super::selectors::{convert, meant, policy_selects};
use crate::api::placement_policy::{self, SortOrder, SpreadConstraint, TopologyKey};
use crate::api::{LatticePlacementPolicy, Money, moving as api};
use crate::placement::problem::nearest;
use crate::scheduler::model::{
    ClusterPolicy, ControlPlaneRule, Moving, Policy, Preference, SortBy, Spread, Topology,
};

const POLICY: &str = "LatticePlacementPolicy";

pub(super) fn build(names: &Unique<'_>, problems: &mut Vec<Problem>) -> Vec<Policy> {
    let mut labels: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (key, value) in names.services.values().flat_map(|s| s.labels()) {
        labels.entry(key).or_default().insert(value);
    }
    for (name, policy) in &names.policies {
        if !names.services.values().any(|s| policy_selects(policy, s)) {
            let message = "the selector matches no LatticeService".to_owned();
            let near = meant(&policy.spec.selector, &labels);
            problems
                .push(Problem::warning(POLICY, name, &["spec", "selector"], message).suggest(near));
        }
        check_control_plane(name, policy, names, problems);
    }
    names
        .policies
        .iter()
        .map(|(name, policy)| one(name, policy))
        .collect()
}

fn check_control_plane(
    name: &str,
    policy: &LatticePlacementPolicy,
    names: &Unique<'_>,
    problems: &mut Vec<Problem>,
) {
    let rules = policy.spec.cluster_policy.as_ref();
    let control_plane = rules.and_then(|rules| rules.control_plane.as_ref());
    let Some(class) = control_plane.and_then(|rule| rule.node_class.as_ref()) else {
        return;
    };
    if !names.node_classes.contains_key(class) {
        let path = ["spec", "clusterPolicy", "controlPlane", "nodeClass"];
        let message = format!("there is no LatticeNodeClass `{class}`");
        let near = nearest(class, names.node_classes.keys().map(String::as_str));
        problems.push(Problem::error(POLICY, name, &path, message).suggest(near));
    }
}

/// One policy as the solver knows it.
pub(crate) fn one(name: &str, policy: &LatticePlacementPolicy) -> Policy {
    let spec = &policy.spec;
    let requirements = spec.requirements.clone().unwrap_or_default();
    Policy {
        name: name.to_owned(),
        priority: i64::from(spec.priority),
        selector: convert(&spec.selector),
        min_regions: requirements.min_regions,
        compliance: requirements.compliance.iter().cloned().collect(),
        spread: requirements.spreads().map(spread).collect(),
        preferences: spec
            .preferences
            .iter()
            .map(|wish| preference(wish.weight, &wish.preference))
            .collect(),
        cluster_policy: spec.cluster_policy.as_ref().map(cluster_policy),
        moving: spec.moving.as_ref().map(moving),
    }
}

/// The terms of moving as integers.
pub(super) fn moving(terms: &api::Moving) -> Moving {
    Moving {
        per_replica: terms.cost_per_replica.map(Money::micros),
        horizon_seconds: terms.horizon.map(api::Horizon::seconds),
        margin: terms.margin.map(Money::micros),
    }
}

fn spread(spread: &SpreadConstraint) -> Spread {
    Spread {
        topology: match spread.topology_key {
            TopologyKey::Region => Topology::Region,
            TopologyKey::Zone => Topology::Zone,
            TopologyKey::Pool => Topology::Pool,
            TopologyKey::Cluster => Topology::Cluster,
            TopologyKey::Provider => Topology::Provider,
        },
        max_skew: spread.max_skew,
    }
}

fn preference(weight: u32, wish: &placement_policy::Preference) -> Preference {
    Preference {
        weight,
        sort_by: match wish.sort_by {
            placement_policy::SortBy::Cost => SortBy::Cost,
            placement_policy::SortBy::AvailableCapacity => SortBy::AvailableCapacity,
        },
        descending: wish.effective_order() == SortOrder::Descending,
    }
}

fn cluster_policy(rules: &placement_policy::ClusterPolicy) -> ClusterPolicy {
    let consolidation = rules.consolidation.as_ref().filter(|c| c.enabled);
    ClusterPolicy {
        min_nodes: rules.min_nodes.unwrap_or(0),
        max_nodes: rules.max_nodes,
        bin_packing_threshold_ppm: rules.bin_packing_threshold.map(|r| u64::from(r.ppm())),
        consolidate_below_ppm: consolidation
            .and_then(|c| c.min_utilization)
            .map(|r| u64::from(r.ppm())),
        control_plane: rules.control_plane.as_ref().map_or_else(
            ControlPlaneRule::default,
            |rule| ControlPlaneRule {
                replicas: rule.replicas,
                class: rule.node_class.clone(),
            },
        ),
    }
}
