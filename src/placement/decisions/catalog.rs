//! Statuses of policies and node classes: who uses them.

use std::collections::BTreeMap;

use super::observe;
use crate::api::conditions::{READY, RECONCILING, STALLED};
use crate::api::{Condition, LatticeNodeClassStatus, LatticePlacementPolicyStatus, Timestamp};
use crate::placement::inputs::Inputs;
use crate::placement::snapshot::{Built, policy_selects};
use crate::scheduler::capacity::class_of;

pub(super) fn policies(
    inputs: &Inputs,
    built: &Built,
    now: Timestamp,
) -> BTreeMap<String, LatticePlacementPolicyStatus> {
    let mut found = BTreeMap::new();
    for object in &inputs.policies {
        let name = object.metadata.name.clone().unwrap_or_default();
        let services = inputs.services.iter();
        let matched = services.filter(|s| policy_selects(object, s)).count();
        let known = object.status.as_ref().map(|status| &status.conditions);
        let generation = object.metadata.generation;
        let broken = super::errors(built.of("LatticePlacementPolicy", &name));
        let status = LatticePlacementPolicyStatus {
            matched_services: Some(u32::try_from(matched).unwrap_or(u32::MAX)),
            conditions: conditions(known, generation, broken, now),
            observed_generation: generation,
        };
        found.entry(name).or_insert(status);
    }
    found
}

pub(super) fn node_classes(
    inputs: &Inputs,
    built: &Built,
    now: Timestamp,
) -> BTreeMap<String, LatticeNodeClassStatus> {
    let mut found = BTreeMap::new();
    for object in &inputs.node_classes {
        let name = object.metadata.name.clone().unwrap_or_default();
        let offering = built
            .snapshot
            .pools
            .iter()
            .filter(|pool| (pool.offers.iter()).any(|offer| class_of(&offer.class).0 == name))
            .count();
        let known = object.status.as_ref().map(|status| &status.conditions);
        let generation = object.metadata.generation;
        let broken = super::errors(built.of("LatticeNodeClass", &name));
        let status = LatticeNodeClassStatus {
            pools: Some(u32::try_from(offering).unwrap_or(u32::MAX)),
            conditions: conditions(known, generation, broken, now),
            observed_generation: generation,
        };
        found.entry(name).or_insert(status);
    }
    found
}

fn conditions(
    known: Option<&Vec<Condition>>,
    generation: Option<i64>,
    broken: Option<String>,
    now: Timestamp,
) -> Vec<Condition> {
    let word = if broken.is_some() {
        "InvalidSpec"
    } else {
        "Accepted"
    };
    let stalled = broken.is_some();
    let message = broken.unwrap_or_default();
    let seen = [
        (READY, (!stalled).into(), word, message.clone()),
        (RECONCILING, false.into(), word, String::new()),
        (STALLED, stalled.into(), word, message),
    ];
    observe(known.map_or(&[], Vec::as_slice), generation, now, &seen)
}
