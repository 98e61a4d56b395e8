//! LatticeService to what is to be placed.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::Problem;
use super::extended;
use super::names::Unique;
use super::policies::moving;
use super::selectors::{convert, meant};
use crate::api::capacity::CapacityType;
use crate::api::selector::LabelValues;
use crate::api::service::{Placement, ReplicaSpread};
use crate::api::{LatticeService, PathSegment};
use crate::placement::problem::nearest;
use crate::scheduler::capacity::CapacityTypes;
use crate::scheduler::latency_cycles;
use crate::scheduler::model::{LatencyBound, Pool, Service, ServiceId, Snapshot};
use crate::scheduler::units::Resources;

pub(super) const SERVICE: &str = "LatticeService";

pub(super) fn build(
    names: &Unique<'_>,
    pools: &[Pool],
    extended: &BTreeSet<String>,
    problems: &mut Vec<Problem>,
) -> Vec<Service> {
    let places = Places::new(pools);
    let mut services = Vec::new();
    for (id, service) in &names.services {
        let Some(size) = size(id, service, problems) else {
            continue;
        };
        let asked = service.spec.extended();
        if !extended::check(id, &asked, extended, names, problems) && !runs(service) {
            continue;
        }
        let size = size.with(extended::amounts(extended, asked));
        let placement = service.spec.placement.clone().unwrap_or_default();
        places.check(id, &placement, problems);
        services.push(Service {
            id: id.clone(),
            labels: service.labels().clone(),
            priority: i64::from(placement.priority.unwrap_or(0)),
            replicas: service.spec.replicas.min,
            size,
            pools: placement.pools.as_ref().map(convert).unwrap_or_default(),
            required_regions: placement.required_regions.clone(),
            compliance: placement.compliance.iter().cloned().collect(),
            one_per_node: placement.replica_spread == ReplicaSpread::Node,
            latency: latency(id, service, &placement, names, problems),
            capacity_types: capacity_types(&placement),
            moving: placement.moving.as_ref().map(moving).unwrap_or_default(),
        });
    }
    services
}

fn capacity_types(placement: &Placement) -> CapacityTypes {
    let named = |one: CapacityType| placement.capacity_types.contains(&one);
    match placement.capacity_types.is_empty() {
        true => CapacityTypes::default(),
        false => CapacityTypes {
            on_demand: named(CapacityType::OnDemand),
            spot: named(CapacityType::Spot),
        },
    }
}

/// Whether replicas of a service are somewhere.
pub(super) fn runs(service: &LatticeService) -> bool {
    let status = service.status.as_ref();
    status.is_some_and(|status| !status.placements.is_empty())
}

/// The size of a replica. A service without a readable one is left out, unless it already runs: then it is
/// kept with what can be read, for a mistake in its spec is no reason to take it down.
fn size(
    id: &ServiceId,
    service: &LatticeService,
    problems: &mut Vec<Problem>,
) -> Option<Resources> {
    match service.replica_size() {
        Ok((milli_cores, mib)) => Some(Resources::new(milli_cores, mib)),
        Err(error) => {
            problems.push(unreadable_size(id, service, &error.to_string()));
            let readable = service.spec.containers.values().filter_map(|container| {
                let (cores, memory) = container.resources.as_ref()?.requested().ok()?;
                Some(Resources::new(cores.millis(), memory.mib()))
            });
            runs(service).then(|| readable.fold(Resources::default(), |sum, part| sum + part))
        }
    }
}

fn unreadable_size(id: &ServiceId, service: &LatticeService, message: &str) -> Problem {
    let guilty = service.spec.containers.iter().find(|(_, container)| {
        let resources = container.resources.as_ref();
        resources.is_some_and(|resources| resources.requested().is_err())
    });
    let mut problem = Problem::error(
        SERVICE,
        &id.name,
        &["spec", "containers"],
        message.to_owned(),
    )
    .within(&id.namespace);
    if let Some((name, _)) = guilty {
        problem.path.push(PathSegment::from(name.as_str()));
        problem.path.push(PathSegment::from("resources"));
    }
    problem
}

/// What services can name of the pools.
struct Places<'a> {
    pools: Vec<BTreeMap<String, LabelValues>>,
    known: BTreeMap<&'a str, BTreeSet<&'a str>>,
    regions: BTreeSet<&'a str>,
}

impl<'a> Places<'a> {
    fn new(pools: &'a [Pool]) -> Self {
        let mut known: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (key, values) in pools.iter().flat_map(|pool| &pool.labels) {
            let entry = known.entry(key).or_default();
            entry.extend(values.iter().map(String::as_str));
        }
        let labels = |pool: &Pool| {
            pool.labels
                .iter()
                .map(|(key, values)| {
                    let values = LabelValues::Several(values.iter().cloned().collect());
                    (key.clone(), values)
                })
                .collect()
        };
        Self {
            known,
            pools: pools.iter().map(labels).collect(),
            regions: pools
                .iter()
                .flat_map(|pool| [pool.region.as_str(), pool.name.as_str()])
                .collect(),
        }
    }

    /// Warns of what names nothing; the solver has the last word.
    fn check(&self, id: &ServiceId, placement: &Placement, problems: &mut Vec<Problem>) {
        if let Some(selector) = &placement.pools
            && !self.pools.iter().any(|pool| selector.matches_pool(pool))
        {
            let message = "the selector matches no LatticePool".to_owned();
            let path = ["spec", "placement", "pools"];
            problems.push(
                Problem::warning(SERVICE, &id.name, &path, message)
                    .within(&id.namespace)
                    .suggest(meant(selector, &self.known)),
            );
        }
        for (index, region) in placement.required_regions.iter().enumerate() {
            if !self.regions.contains(region.as_str()) {
                let message = format!("no pool has the region or the name `{region}`");
                let path = ["spec", "placement", "requiredRegions"];
                problems.push(
                    Problem::warning(SERVICE, &id.name, &path, message)
                        .within(&id.namespace)
                        .at(index)
                        .suggest(nearest(region, self.regions.iter().copied())),
                );
            }
        }
    }
}

/// The service that a dependency's name stands for.
fn dependency(id: &ServiceId, service: &LatticeService, name: &str) -> ServiceId {
    let resource = service.spec.resources.get(name);
    let namespace = resource.and_then(|r| r.namespace.as_deref());
    let named = resource.and_then(|r| r.id.as_deref());
    ServiceId::new(namespace.unwrap_or(&id.namespace), named.unwrap_or(name))
}

fn latency(
    id: &ServiceId,
    service: &LatticeService,
    placement: &Placement,
    names: &Unique<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<LatencyBound> {
    let mut bounds = Vec::new();
    for (name, bound) in &placement.latency {
        let target = dependency(id, service, name);
        let resource = service.spec.resources.get(name);
        let external = names.external_services.contains_key(&target)
            || resource.is_some_and(|r| r.type_ == "ExternalService");
        if external && !names.services.contains_key(&target) {
            let message = format!(
                "latency to {} is not enforced: Lattice does not place external services",
                target.name
            );
            let path = ["spec", "placement", "latency", name];
            problems
                .push(Problem::warning(SERVICE, &id.name, &path, message).within(&id.namespace));
            continue;
        }
        bounds.push(LatencyBound {
            dependency: target,
            max_ms: bound.max_ms,
        });
    }
    bounds
}

/// Services whose latency limits form a cycle cannot be placed one after another. They are left out;
/// those that already run are kept, without the limits that form the cycle.
pub(super) fn leave_out_cycles(
    names: &Unique<'_>,
    snapshot: &mut Snapshot,
    problems: &mut Vec<Problem>,
) {
    for cycle in latency_cycles(snapshot) {
        for id in &cycle {
            problems.push(on_cycle(id, &cycle, names));
        }
        let kept = |id: &ServiceId| names.services.get(id).is_some_and(|s| runs(s));
        snapshot
            .services
            .retain(|service| !cycle.contains(&service.id) || kept(&service.id));
        for service in &mut snapshot.services {
            if cycle.contains(&service.id) {
                service.latency.retain(|b| !cycle.contains(&b.dependency));
            }
        }
    }
}

fn on_cycle(id: &ServiceId, cycle: &[ServiceId], names: &Unique<'_>) -> Problem {
    let others: Vec<String> = cycle.iter().map(ToString::to_string).collect();
    let message = match others.len() {
        1 => "a service cannot have a latency limit to itself".to_owned(),
        _ => format!(
            "latency limits form a cycle: {}; drop the limit of one of them",
            others.join(", ")
        ),
    };
    let mut problem = Problem::error(
        SERVICE,
        &id.name,
        &["spec", "placement", "latency"],
        message,
    )
    .within(&id.namespace);
    let written = names.services.get(id).and_then(|service| {
        let placement = service.spec.placement.as_ref()?;
        let mut keys = placement.latency.keys();
        keys.find(|name| cycle.contains(&dependency(id, service, name)))
    });
    problem
        .path
        .extend(written.map(|name| PathSegment::from(name.as_str())));
    problem
}
