//! Objects by name, each name once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use kube::{Resource, ResourceExt};

use super::{Inputs, Problem};
use crate::api::{
    LatticeCluster, LatticeExternalService, LatticeNodeClass, LatticePlacementPolicy, LatticePool,
    LatticeService, LatticeServicePlacement,
};
use crate::scheduler::model::ServiceId;

/// The namespace of objects whose manifest names none.
const DEFAULT_NAMESPACE: &str = "default";

/// The input with one object a name, in the order of names.
pub(super) struct Unique<'a> {
    pub pools: BTreeMap<String, &'a LatticePool>,
    pub node_classes: BTreeMap<String, &'a LatticeNodeClass>,
    pub policies: BTreeMap<String, &'a LatticePlacementPolicy>,
    pub services: BTreeMap<ServiceId, &'a LatticeService>,
    pub clusters: BTreeMap<String, &'a LatticeCluster>,
    pub service_placements: BTreeMap<ServiceId, &'a LatticeServicePlacement>,
    pub external_services: BTreeMap<ServiceId, &'a LatticeExternalService>,
}

impl<'a> Unique<'a> {
    pub fn new(inputs: &'a Inputs, problems: &mut Vec<Problem>) -> Self {
        Self {
            pools: named(&inputs.pools, problems),
            node_classes: named(&inputs.node_classes, problems),
            policies: named(&inputs.policies, problems),
            services: identified(&inputs.services, problems),
            clusters: named(&inputs.clusters, problems),
            service_placements: identified(&inputs.service_placements, problems),
            external_services: identified(&inputs.external_services, problems),
        }
    }
}

/// Namespace and name of an object.
pub(crate) fn service_id(object: &impl Resource) -> ServiceId {
    let namespace = object.namespace();
    let namespace = namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    ServiceId::new(namespace, object.name_any())
}

fn named<'a, K: Resource<DynamicType = ()>>(
    objects: &'a [K],
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, &'a K> {
    let mut found = BTreeMap::new();
    for object in objects {
        match found.entry(object.name_any()) {
            Entry::Vacant(free) => {
                free.insert(object);
            }
            Entry::Occupied(taken) => problems.push(duplicate(kind_of::<K>(), taken.key())),
        }
    }
    found
}

fn identified<'a, K: Resource<DynamicType = ()>>(
    objects: &'a [K],
    problems: &mut Vec<Problem>,
) -> BTreeMap<ServiceId, &'a K> {
    let mut found = BTreeMap::new();
    for object in objects {
        match found.entry(service_id(object)) {
            Entry::Vacant(free) => {
                free.insert(object);
            }
            Entry::Occupied(taken) => {
                let id = taken.key();
                problems.push(duplicate(kind_of::<K>(), &id.name).within(&id.namespace));
            }
        }
    }
    found
}

fn duplicate(kind: &'static str, name: &str) -> Problem {
    let message = format!("there is more than one {kind} of this name");
    Problem::error(kind, name, &["metadata", "name"], message)
}

/// The derived kinds have static names; the trait hands them out as a `Cow`.
fn kind_of<K: Resource<DynamicType = ()>>() -> &'static str {
    match K::kind(&()) {
        std::borrow::Cow::Borrowed(kind) => kind,
        std::borrow::Cow::Owned(_) => "object",
    }
}
