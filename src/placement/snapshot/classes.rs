//! LatticeNodeClass to machine templates.

use super::names::Unique;
use crate::scheduler::model::NodeClass;
use crate::scheduler::units::Resources;

pub(super) fn build(names: &Unique<'_>) -> Vec<NodeClass> {
    names
        .node_classes
        .iter()
        .map(|(name, class)| {
            let has = &class.spec.resources;
            let reserved = class.spec.reserved.as_ref();
            NodeClass {
                name: name.clone(),
                capacity: Resources::new(has.cores.millis(), has.memory_gi.mib()),
                reserved: reserved.map_or(Resources::default(), |r| {
                    Resources::new(r.cores.millis(), r.memory_gi.mib())
                }),
            }
        })
        .collect()
}
