//! Numbers too large to reckon with: what has them is left out or cut down, and told.

use super::Problem;
use super::names::Unique;
use super::services::{SERVICE, runs};
use crate::api::PathSegment;
use crate::scheduler::capacity::{CapacityType, class_of};
use crate::scheduler::limits::{
    Excess, Field, MOST_MIB, MOST_MILLI_CORES, MOST_REPLICAS, Part, excesses,
};
use crate::scheduler::model::{Service, Snapshot};
use crate::scheduler::units::decimal;

const CLASS: &str = "LatticeNodeClass";

/// Services that ask for more than is left of all replicas together, or for replicas of more than any machine
/// has, are left out. What runs is kept: with as many replicas as there are, and as large as can be.
pub(super) fn leave_out_replicas(
    names: &Unique<'_>,
    snapshot: &mut Snapshot,
    problems: &mut Vec<Problem>,
) {
    let mut left = MOST_REPLICAS;
    snapshot.services.retain_mut(|service| {
        let kept =
            small_enough(names, service, problems) && few_enough(names, service, left, problems);
        left -= if kept { service.replicas.into() } else { 0 };
        kept
    });
}

fn small_enough(names: &Unique<'_>, service: &mut Service, problems: &mut Vec<Problem>) -> bool {
    let size = &mut service.size;
    if size.milli_cores <= MOST_MILLI_CORES && size.mib <= MOST_MIB {
        return true;
    }
    let message = format!(
        "one replica asks for {} cores and {} Gi in all, which is more than any machine has; ask for less",
        decimal(i128::from(size.milli_cores) * 1000),
        size.mib / 1024
    );
    size.milli_cores = size.milli_cores.min(MOST_MILLI_CORES);
    size.mib = size.mib.min(MOST_MIB);
    problems.push(of(service, &["spec", "containers"], message));
    is_running(names, service)
}

fn few_enough(
    names: &Unique<'_>,
    service: &mut Service,
    left: u64,
    problems: &mut Vec<Problem>,
) -> bool {
    if u64::from(service.replicas) <= left {
        return true;
    }
    let message = format!(
        "with {} replicas, this and the services before it are more than the {MOST_REPLICAS} replicas that can be \
         reckoned with; ask for fewer",
        service.replicas
    );
    problems.push(of(service, &["spec", "replicas", "min"], message));
    let placements = names.services.get(&service.id).and_then(|object| {
        let status = object.status.as_ref()?;
        Some(status.placements.iter().map(|place| place.replicas))
    });
    let running = placements.map_or(0, |replicas| replicas.fold(0, u32::saturating_add));
    service.replicas = service.replicas.min(running);
    is_running(names, service) && u64::from(service.replicas) <= left
}

fn is_running(names: &Unique<'_>, service: &Service) -> bool {
    names
        .services
        .get(&service.id)
        .is_some_and(|object| runs(object))
}

fn of(service: &Service, path: &[&str], message: String) -> Problem {
    Problem::error(SERVICE, &service.id.name, path, message).within(&service.id.namespace)
}

/// Node classes that are so large or dear that not all machines together could be added up are left out.
pub(super) fn leave_out(names: &Unique<'_>, snapshot: &mut Snapshot, problems: &mut Vec<Problem>) {
    for excess in excesses(snapshot) {
        match &excess.part {
            Part::NodeClass(class) => {
                problems.push(large(class, &excess));
                snapshot.node_classes.retain(|known| known.name != *class);
                for pool in &mut snapshot.pools {
                    pool.offers.retain(|offer| offer.class != *class);
                }
            }
            Part::Offer { pool, class } => {
                problems.push(dear(names, pool, class, &excess));
                for known in snapshot
                    .pools
                    .iter_mut()
                    .filter(|known| known.name == *pool)
                {
                    known.offers.retain(|offer| offer.class != *class);
                }
            }
            // The rest is bounded by the fields themselves, and above.
            _ => {}
        }
    }
}

fn large(class: &str, excess: &Excess) -> Problem {
    let (field, is, most) = match excess.field {
        Field::MilliCores => ("cores", excess.is / 1000, excess.most / 1000),
        _ => ("memoryGi", excess.is / 1024, excess.most / 1024),
    };
    let message = format!(
        "{is} is too large: with as many machines as this fleet may need, only up to {most} can be added up"
    );
    Problem::error(
        CLASS,
        class_of(class).0,
        &["spec", "resources", field],
        message,
    )
}

fn dear(names: &Unique<'_>, pool: &str, class: &str, excess: &Excess) -> Problem {
    let (name, capacity) = class_of(class);
    let path: &[&str] = match capacity {
        CapacityType::OnDemand => &["spec", "costPerHour"],
        CapacityType::Spot => &["spec", "spot", "costPerHour"],
    };
    let message = format!(
        "{} is too dear in LatticePool `{pool}`: with as many machines as this fleet may need, only prices up to {} can \
         be added up; write prices in a larger unit of currency, or ask for fewer replicas",
        decimal(excess.is),
        decimal(excess.most)
    );
    let mut problem = Problem::error(CLASS, name, path, message);
    let provider = names
        .pools
        .get(pool)
        .map(|pool| pool.spec.provider.type_.as_str());
    problem.path.extend(provider.map(PathSegment::from));
    problem
}
