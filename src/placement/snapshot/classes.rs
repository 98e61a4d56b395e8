//! LatticeNodeClass to machine templates.

use std::collections::BTreeSet;

use super::extended::amounts;
use super::names::Unique;
use crate::api::LatticeNodeClassSpec;
use crate::scheduler::capacity::CapacityType;
use crate::scheduler::model::NodeClass;
use crate::scheduler::units::Resources;

/// Each node class, and once more as spot capacity where it has a price as that.
pub(super) fn build(names: &Unique<'_>, extended: &BTreeSet<String>) -> Vec<NodeClass> {
    let classes = names.node_classes.iter();
    classes
        .flat_map(|(name, class)| {
            let firm = one(name, &class.spec, extended);
            let spot = class.spec.spot.as_ref().map(|spot| NodeClass {
                name: CapacityType::Spot.offer(name),
                spot: Some(u64::from(spot.interruptions_per_month.ppm())),
                ..firm.clone()
            });
            [Some(firm), spot]
        })
        .flatten()
        .collect()
}

fn one(name: &str, spec: &LatticeNodeClassSpec, extended: &BTreeSet<String>) -> NodeClass {
    let has = &spec.resources;
    let besides = has.all_extended();
    let besides = (besides.iter()).map(|(name, n)| (name.as_str(), u64::from(*n)));
    let capacity = Resources::new(has.cores.millis(), has.memory_gi.mib());
    let reserved = spec.reserved.as_ref();
    NodeClass {
        name: name.to_owned(),
        capacity: capacity.with(amounts(extended, besides)),
        reserved: reserved.map_or(Resources::default(), |r| {
            Resources::new(r.cores.millis(), r.memory_gi.mib())
        }),
        spot: None,
    }
}
