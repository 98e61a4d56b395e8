//! Fleets with extreme numbers in which further ones are replaced, one by one.

use super::Rng;
use super::extreme::extreme;
use lattice::scheduler::model::Snapshot;

/// Most replicas and most nodes of one cluster that are tried: what is reckoned with one by one takes its time.
const MANY: u32 = 300;

/// A number of the snapshot.
#[derive(Clone, Copy, Debug)]
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

const FIELDS: [Field; 26] = [
    Field::MaxNodes,
    Field::MaxMilliCores,
    Field::MaxMib,
    Field::Budget,
    Field::Hourly,
    Field::ClassMilliCores,
    Field::ClassMib,
    Field::Reserved,
    Field::Spot,
    Field::ServiceMilliCores,
    Field::ServiceMib,
    Field::Replicas,
    Field::Priority,
    Field::MaxMs,
    Field::MovePrice,
    Field::MoveHorizon,
    Field::MoveMargin,
    Field::MinRegions,
    Field::MaxSkew,
    Field::Weight,
    Field::Threshold,
    Field::ControlPlane,
    Field::FewestNodes,
    Field::MostNodes,
    Field::WorkersThere,
    Field::ReplicasThere,
];

/// Which number, where of those that there are, and what it becomes.
pub type Edit = (u8, u8, u64);

/// The fleet with extreme numbers of a seed, with some of these numbers in the place of others.
pub fn edited(seed: u64, edits: &[Edit]) -> Snapshot {
    let mut snapshot = extreme(seed);
    for &(field, at, number) in edits {
        edit(
            &mut snapshot,
            FIELDS[usize::from(field) % FIELDS.len()],
            at,
            number,
        );
    }
    snapshot
}

/// The same with a few edits that the seed decides on.
pub fn drawn(seed: u64) -> Snapshot {
    let mut rng = Rng(!seed);
    let number = |rng: &mut Rng| match rng.below(3) {
        0 => rng.below(5),
        1 => rng.below(1 << 20),
        _ => rng.below(1 << 40),
    };
    let edits: Vec<Edit> = (0..rng.below(6))
        .map(|_| (rng.below(256) as u8, rng.below(256) as u8, number(&mut rng)))
        .collect();
    edited(seed, &edits)
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
