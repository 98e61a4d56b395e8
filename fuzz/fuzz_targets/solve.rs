//! Whatever the numbers, solving and checking neither panic nor wrap: a fleet by seed, in which any number is
//! replaced by what the fuzzer finds.

#![no_main]

use arbitrary::Arbitrary;
use lattice::scheduler::model::Snapshot;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/fleet/mod.rs"]
mod fleet;
#[path = "../../tests/fleet/sound.rs"]
mod sound;

/// Most replicas and most nodes of one cluster that are tried: what is reckoned with one by one takes its time.
const MANY: u32 = 300;

#[derive(Arbitrary, Debug)]
struct Input {
    seed: u64,
    edits: Vec<(Field, u8, u64)>,
}

/// A number of the snapshot.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Field {
    MaxNodes,
    MaxMilliCores,
    MaxMib,
    Budget,
    Hourly,
    ClassMilliCores,
    ClassMib,
    Reserved,
    Spot,
    ServiceMilliCores,
    ServiceMib,
    Replicas,
    Priority,
    MaxMs,
    MovePrice,
    MoveHorizon,
    MoveMargin,
    MinRegions,
    MaxSkew,
    Weight,
    Threshold,
    ControlPlane,
    FewestNodes,
    MostNodes,
    WorkersThere,
    ReplicasThere,
}

fn edit(snapshot: &mut Snapshot, field: Field, at: u8, number: u64) {
    let money = number as i64;
    let few = (number as u32).min(MANY);
    fn of<T>(list: &mut [T], at: u8) -> Option<&mut T> {
        let n = list.len().max(1);
        list.get_mut(usize::from(at) % n)
    }
    // Rules that ask a cluster that is there for more machines than there is room for are another matter.
    let founding = matches!(
        field,
        Field::ControlPlane | Field::FewestNodes | Field::MostNodes
    );
    if founding && !snapshot.clusters.is_empty() {
        return;
    }
    let pool = of(&mut snapshot.pools, at);
    let class = of(&mut snapshot.node_classes, at);
    let service = of(&mut snapshot.services, at);
    let policy = of(&mut snapshot.policies, at);
    let group = of(&mut snapshot.clusters, at).and_then(|c| c.workers.first_mut());
    match (field, pool, class, service, policy, group) {
        (Field::MaxNodes, Some(pool), ..) => pool.caps.max_nodes = Some(number),
        (Field::MaxMilliCores, Some(pool), ..) => pool.caps.max_milli_cores = Some(number),
        (Field::MaxMib, Some(pool), ..) => pool.caps.max_mib = Some(number),
        (Field::Budget, Some(pool), ..) => pool.monthly_budget = Some(money),
        (Field::Hourly, Some(pool), ..) => {
            if let Some(offer) = of(&mut pool.offers, at) {
                offer.hourly = money;
            }
        }
        (Field::ClassMilliCores, _, Some(class), ..) => class.capacity.milli_cores = number,
        (Field::ClassMib, _, Some(class), ..) => class.capacity.mib = number,
        (Field::Reserved, _, Some(class), ..) => class.reserved.mib = number,
        (Field::Spot, _, Some(class), ..) => class.spot = class.spot.map(|_| number),
        (Field::ServiceMilliCores, _, _, Some(service), ..) => service.size.milli_cores = number,
        (Field::ServiceMib, _, _, Some(service), ..) => service.size.mib = number,
        (Field::Replicas, _, _, Some(service), ..) => service.replicas = few,
        (Field::Priority, _, _, Some(service), ..) => service.priority = money,
        (Field::MaxMs, _, _, Some(service), ..) => {
            service
                .latency
                .iter_mut()
                .for_each(|bound| bound.max_ms = number as u32);
        }
        (Field::MovePrice, _, _, Some(service), ..) => service.moving.per_replica = Some(money),
        (Field::MoveHorizon, _, _, Some(service), ..) => {
            service.moving.horizon_seconds = Some(number);
        }
        (Field::MoveMargin, _, _, Some(service), ..) => service.moving.margin = Some(money),
        (Field::MinRegions, .., Some(policy), _) => policy.min_regions = Some(number as u32),
        (Field::MaxSkew, .., Some(policy), _) => {
            policy
                .spread
                .iter_mut()
                .for_each(|spread| spread.max_skew = number as u32);
        }
        (Field::Weight, .., Some(policy), _) => {
            policy
                .preferences
                .iter_mut()
                .for_each(|wish| wish.weight = number as u32);
        }
        (Field::Threshold, .., Some(policy), _) => {
            let rules = policy.cluster_policy.get_or_insert_default();
            rules.bin_packing_threshold_ppm = Some(number);
        }
        (Field::ControlPlane, .., Some(policy), _) => {
            policy
                .cluster_policy
                .get_or_insert_default()
                .control_plane
                .replicas = few;
        }
        (Field::FewestNodes, .., Some(policy), _) => {
            let rules = policy.cluster_policy.get_or_insert_default();
            rules.min_nodes = few;
            rules.max_nodes = rules.max_nodes.map(|most| most.max(few));
        }
        (Field::MostNodes, .., Some(policy), _) => {
            let rules = policy.cluster_policy.get_or_insert_default();
            rules.max_nodes = Some(few.max(rules.min_nodes).max(1));
        }
        (Field::WorkersThere, .., Some(group)) => group.count = few,
        (Field::ReplicasThere, .., Some(group)) => {
            group.services.values_mut().for_each(|n| *n = few);
        }
        _ => {}
    }
}

fuzz_target!(|input: Input| {
    let mut snapshot = fleet::extreme::extreme(input.seed);
    for (field, at, number) in input.edits.into_iter().take(12) {
        edit(&mut snapshot, field, at, number);
    }
    if let Err(what) = sound::sound(&snapshot) {
        panic!("{what}");
    }
});
