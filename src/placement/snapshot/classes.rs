//! LatticeNodeClass to machine templates.

use std::collections::BTreeSet;

use super::extended::amounts;
use super::names::Unique;
use crate::scheduler::model::NodeClass;
use crate::scheduler::units::Resources;

pub(super) fn build(names: &Unique<'_>, extended: &BTreeSet<String>) -> Vec<NodeClass> {
    names
        .node_classes
        .iter()
        .map(|(name, class)| {
            let has = &class.spec.resources;
            let besides = has.all_extended();
            let besides = (besides.iter()).map(|(name, n)| (name.as_str(), u64::from(*n)));
            let reserved = class.spec.reserved.as_ref();
            NodeClass {
                name: name.clone(),
                capacity: Resources::new(has.cores.millis(), has.memory_gi.mib())
                    .with(amounts(extended, besides)),
                reserved: reserved.map_or(Resources::default(), |r| {
                    Resources::new(r.cores.millis(), r.memory_gi.mib())
                }),
            }
        })
        .collect()
}
