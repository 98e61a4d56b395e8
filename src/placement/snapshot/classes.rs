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
        zone: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::placement::decisions::decide;
    use crate::placement::fixtures::{at, carried_out, namespaced, object, seed, solved};
    use crate::placement::inputs::Inputs;

    /// The seed with `large` as spot capacity on aws, and a batch job that may use it.
    fn with_spot() -> Inputs {
        let mut inputs = seed();
        inputs.policies.clear();
        inputs.node_classes[2] = object(
            "LatticeNodeClass",
            "large",
            json!({
                "resources": {"cores": 8, "memoryGi": 32},
                "costPerHour": {"aws": 0.384},
                "spot": {"costPerHour": {"aws": 0.05}, "interruptionsPerMonth": 2},
            }),
        );
        inputs.services = vec![namespaced(
            "LatticeService",
            "shop/batch",
            json!({
                "containers": {"main": {"image": "x:1"}},
                "placement": {
                    "resources": {"cores": 4, "memoryGi": 8},
                    "capacityTypes": ["on-demand", "spot"],
                },
            }),
        )];
        inputs
    }

    #[test]
    fn spot_capacity_is_an_offer_of_its_own() {
        let (built, _) = solved(&with_spot());
        assert_eq!(built.problems, []);
        let pool = &built.snapshot.pools[2];
        let price = |name: &str| {
            let offer = pool.offers.iter().find(|offer| offer.class == name);
            offer.map(|offer| offer.hourly)
        };
        assert_eq!(price("large/spot"), Some(50_000));
        assert_eq!(price("large"), Some(384_000));
        assert_eq!(price("medium/spot"), None);
        let classes = &built.snapshot.node_classes;
        let spot = classes.iter().find(|class| class.name == "large/spot");
        assert_eq!(spot.and_then(|class| class.spot), Some(2_000_000));
    }

    #[test]
    fn what_is_written_of_spot_machines_is_read_back() {
        let after = carried_out(&with_spot(), at(0));
        let nodes = serde_json::to_value(&after.clusters[0].spec.nodes).unwrap();
        assert_eq!(
            nodes["groups"],
            json!([{"nodeClass": "large", "capacityType": "spot", "count": 1}])
        );
        let status = after.clusters[0].status.as_ref().unwrap();
        let classes = status.node_groups.iter().map(|group| group.class.as_str());
        assert!(classes.into_iter().any(|class| class == "large/spot"));
        let (built, solution) = solved(&after);
        assert_eq!(built.problems, []);
        let nothing = decide(&after, &built, &solution, &Default::default(), at(1));
        assert_eq!(nothing.actions, []);
    }

    #[test]
    fn spot_machines_of_a_class_without_spot_are_told() {
        let mut after = carried_out(&with_spot(), at(0));
        after.node_classes[2].spec.spot = None;
        let built = crate::placement::snapshot::build(&after);
        assert!(built.has_errors());
        assert!(
            built.problems[0]
                .to_string()
                .ends_with("spec.nodes.groups[0]: LatticeNodeClass `large` has no `spot`"),
            "{}",
            built.problems[0]
        );
    }
}
