//! What a service and the policies over it ask for.

use std::collections::BTreeSet;

use super::{Member, Needs};
use crate::placement::conflict::change::{Change, Larger};
use crate::placement::conflict::words::owners;
use crate::placement::facts::{Facts, cores, gib};
use crate::scheduler::model::{NodeClass, Policy, Pool, Service, Snapshot, Topology};
use crate::scheduler::reason::{Reason, Why};
use crate::scheduler::topology::{OTHER_REGION_MS, SAME_CLUSTER_MS, SAME_REGION_MS, SAME_ZONE_MS};

/// Distances that are tried for one latency limit before it is dropped.
const MOST_DISTANCES: usize = 3;
/// Steps of `maxSkew` that are tried before it is dropped.
const MOST_SKEW: u32 = 3;
/// Numbers of replicas below the wanted one that are tried one by one.
const MOST_FEWER: u32 = 8;
/// Steps of other numbers.
const MOST_STEPS: usize = 4;

/// Regions, labels, selectors, distances and pins.
pub(super) fn of_service(
    facts: &Facts<'_>,
    service: &Service,
    policies: &[&Policy],
) -> Vec<Member> {
    let mut found: Vec<Member> = service
        .required_regions
        .iter()
        .map(|region| {
            let text = format!("requiredRegions: {region}");
            Member::new(Change::Region(region.clone()), text).needing(Needs::OneMore)
        })
        .collect();
    found.extend(compliance(facts.snapshot, service, policies));
    found.extend(selector(service));
    found.extend(latency(facts.snapshot, service));
    found.extend(pins(facts.snapshot, service));
    found.extend(capacity_types(facts.snapshot, service));
    if service.one_per_node && service.replicas > 1 {
        let text = "replicaSpread: each replica on a node of its own".to_owned();
        found.push(Member::new(Change::AnyNode, text));
    }
    found
}

fn compliance(snapshot: &Snapshot, service: &Service, policies: &[&Policy]) -> Vec<Member> {
    let of_policies = policies.iter().flat_map(|policy| &policy.compliance);
    let labels: BTreeSet<&String> = service.compliance.iter().chain(of_policies).collect();
    labels
        .into_iter()
        .map(|label| {
            let own = service.compliance.contains(label);
            let asking = policies.iter().filter(|p| p.compliance.contains(label));
            let asking: Vec<String> = asking.map(|p| p.name.clone()).collect();
            let text = format!("compliance: {label} ({})", owners(own, &asking));
            let lacking = snapshot.pools.iter().filter(|pool| {
                let held = pool.labels.get("compliance");
                !held.is_some_and(|held| held.contains(label))
            });
            let add = Change::Label {
                label: label.clone(),
                pools: lacking.map(|pool| pool.name.clone()).collect(),
            };
            let drop = Change::Compliance {
                label: label.clone(),
                own,
                policies: asking,
            };
            let mut member = Member::new(drop, text);
            member.ways.push(vec![vec![add]]);
            member
        })
        .collect()
}

fn selector(service: &Service) -> Vec<Member> {
    let exact = service.pools.match_labels.iter();
    let mut terms: Vec<(&String, String)> = exact
        .map(|(key, value)| (key, format!("{key}={value}")))
        .collect();
    for term in &service.pools.match_expressions {
        let values: Vec<&str> = term.values.iter().map(String::as_str).collect();
        let text = format!("{} {:?} {}", term.key, term.operator, values.join(", "));
        terms.push((&term.key, text.trim_end().to_owned()));
    }
    let keys: BTreeSet<&String> = terms.iter().map(|(key, _)| *key).collect();
    keys.into_iter()
        .map(|key| {
            let same = terms.iter().filter(|(other, _)| *other == key);
            let words: Vec<&str> = same.map(|(_, text)| text.as_str()).collect();
            let text = format!("pool selector: {}", words.join(" and "));
            Member::new(Change::Selector { key: key.clone() }, text)
        })
        .collect()
}

fn latency(snapshot: &Snapshot, service: &Service) -> Vec<Member> {
    let pairs = snapshot.region_latencies.iter();
    let mut distances: BTreeSet<u32> = pairs.map(|pair| pair.ms).collect();
    distances.extend([
        SAME_CLUSTER_MS,
        SAME_ZONE_MS,
        SAME_REGION_MS,
        OTHER_REGION_MS,
    ]);
    let known = |bound: &&_| {
        let bound: &crate::scheduler::model::LatencyBound = bound;
        let mut others = snapshot.services.iter();
        others.any(|other| other.id == bound.dependency)
    };
    let bounds = service.latency.iter().filter(known);
    bounds
        .map(|bound| {
            let to = |to: Option<u32>| Change::Latency {
                dependency: bound.dependency.clone(),
                from: bound.max_ms,
                to,
            };
            let name = &bound.dependency.name;
            let text = format!("latency: {name} within {} ms", bound.max_ms);
            let beyond = distances.iter().filter(|ms| **ms > bound.max_ms);
            let tried = beyond.take(MOST_DISTANCES).map(|ms| to(Some(*ms)));
            Member::new(to(None), text).steps(tried)
        })
        .collect()
}

fn pins(snapshot: &Snapshot, service: &Service) -> Vec<Member> {
    let pins = snapshot.pins.iter().filter(|p| p.service == service.id);
    pins.map(|pin| {
        let wanted = pin.replicas.unwrap_or(service.replicas);
        let change = Change::Unpin {
            cluster: pin.cluster.clone(),
        };
        let text = format!("pin: {wanted} on cluster {}", pin.cluster);
        Member::new(change, text).needing(pin.replicas.map_or(Needs::Nothing, Needs::AtLeast))
    })
    .collect()
}

/// Numbers of regions, evenness and the sizes of clusters.
pub(super) fn of_policies(policies: &[&Policy]) -> Vec<Member> {
    let mut found: Vec<Member> = min_regions(policies).into_iter().collect();
    let rules = policies.iter().flat_map(|policy| &policy.spread);
    let topologies: BTreeSet<Topology> = rules.map(|rule| rule.topology).collect();
    found.extend(topologies.into_iter().filter_map(|t| skew(policies, t)));
    let governing = policies.iter().find(|p| p.cluster_policy.is_some());
    found.extend(governing.into_iter().flat_map(|policy| clusters(policy)));
    found
}

fn min_regions(policies: &[&Policy]) -> Option<Member> {
    let from = policies.iter().filter_map(|p| p.min_regions).max()?;
    let asking = |least: u32| -> Vec<String> {
        let over = policies.iter().filter(|p| p.min_regions > Some(least));
        over.map(|p| p.name.clone()).collect()
    };
    let to = |to: u32| Change::MinRegions {
        policies: asking(to),
        from,
        to,
    };
    let text = format!("minRegions: {from} ({})", owners(false, &asking(from - 1)));
    let steps = (2..from).rev().take(MOST_STEPS).map(to);
    let member = Member::new(to(1), text).needing(Needs::AtLeast(from));
    (from > 1).then(|| member.steps(steps))
}

fn skew(policies: &[&Policy], topology: Topology) -> Option<Member> {
    let strictest = |policy: &Policy| {
        let rules = policy.spread.iter().filter(|r| r.topology == topology);
        rules.map(|rule| rule.max_skew).min()
    };
    let from = policies.iter().filter_map(|p| strictest(p)).min()?;
    let asking = |least: Option<u32>| -> Vec<String> {
        let over = policies
            .iter()
            .filter(|p| strictest(p).is_some_and(|skew| least.is_none_or(|least| skew < least)));
        over.map(|p| p.name.clone()).collect()
    };
    let to = |to: Option<u32>| Change::MaxSkew {
        policies: asking(to),
        topology,
        from,
        to,
    };
    let owners = owners(false, &asking(Some(from.saturating_add(1))));
    let text = format!("spreadConstraint: {topology}, maxSkew {from} ({owners})");
    let steps = (1..=MOST_SKEW).map(|more| to(Some(from.saturating_add(more))));
    Some(Member::new(to(None), text).steps(steps))
}

fn clusters(policy: &Policy) -> Vec<Member> {
    let Some(rules) = &policy.cluster_policy else {
        return Vec::new();
    };
    let name = &policy.name;
    let most = rules.max_nodes.map(|from| {
        let change = Change::ClusterSize {
            policy: name.clone(),
            from,
            to: None,
        };
        Member::new(change, format!("clusterPolicy: maxNodes {from} ({name})"))
    });
    let from = rules.min_nodes;
    let to = |to: u32| Change::FewestNodes {
        policy: name.clone(),
        from,
        to,
    };
    let fewest = Member::new(to(0), format!("clusterPolicy: minNodes {from} ({name})"));
    let fewest = (from > 0).then(|| fewest.steps((1..from).rev().take(MOST_STEPS).map(to)));
    let from = rules.control_plane.replicas;
    let to = |to: u32| Change::ControlPlane {
        policy: name.clone(),
        from,
        to,
    };
    let text = format!("clusterPolicy: controlPlane of {from} ({name})");
    let control = (from > 0).then(|| Member::new(to(0), text).steps((1..2.min(from)).map(to)));
    [most, fewest, control].into_iter().flatten().collect()
}

/// The types of capacity, where others are offered.
fn capacity_types(snapshot: &Snapshot, service: &Service) -> Option<Member> {
    let from = service.capacity_types;
    let other = |class: &NodeClass| !from.contains(class.capacity_type());
    let text = format!("capacityTypes: {from}");
    (snapshot.node_classes.iter().any(other))
        .then(|| Member::new(Change::AnyCapacity { from }, text))
}

/// The size of the machines, where some pools have none that is large enough.
pub(super) fn size(facts: &Facts<'_>, service: &Service) -> Option<Member> {
    let snapshot = facts.snapshot;
    let pools = snapshot.pools.iter();
    let larger: Vec<Larger> = pools
        .filter_map(|pool| grown(snapshot, pool, service))
        .collect();
    let named = |name: &str| snapshot.node_classes.iter().find(move |c| c.name == name);
    let largest = larger
        .iter()
        .filter_map(|one| named(&one.base))
        .max_by_key(|class| (class.allocatable().milli_cores, class.allocatable().mib))?;
    let room = largest.allocatable();
    let text = format!(
        "node classes: a replica of {} cores / {} Gi, {} leaves {} cores / {} Gi",
        cores(service.size.milli_cores),
        gib(service.size.mib),
        largest.name,
        cores(room.milli_cores),
        gib(room.mib)
    );
    Some(Member::new(Change::Machine(larger), text))
}

/// The extended resources that a replica asks for: as many as some machine has, or none.
pub(super) fn extended(snapshot: &Snapshot, service: &Service) -> Vec<Member> {
    let names: Vec<&String> = snapshot.extended.iter().collect();
    let asked = service.size.extended.iter();
    asked
        .filter_map(|(place, from)| {
            let resource = names.get(place)?;
            let to = |to: u64| Change::Extended {
                resource: (*resource).clone(),
                from,
                to,
            };
            let classes = snapshot.node_classes.iter();
            let most = classes.map(|class| class.allocatable().extended.get(place));
            let most = most.max().filter(|most| (1..from).contains(most));
            let text = format!("containers: {from} {resource} a replica");
            Some(Member::new(to(0), text).steps(most.into_iter().map(to)))
        })
        .collect()
}

/// The largest machine of a pool that has some of each extended resource that is asked for, as often as it
/// takes to hold a replica, at as many times its price; none where a machine that is offered will do.
fn grown(snapshot: &Snapshot, pool: &Pool, service: &Service) -> Option<Larger> {
    let classes = pool.offers.iter().filter_map(|offer| {
        let mut classes = snapshot.node_classes.iter();
        let class: &NodeClass = classes.find(|c| c.name == offer.class)?;
        let takes = service.capacity_types.contains(class.capacity_type());
        // What is sold in several zones is looked at once.
        let takes = takes && class.zone.is_none();
        takes.then_some((class, offer.hourly))
    });
    let room = |class: &NodeClass| class.allocatable();
    if classes.clone().any(|(c, _)| service.size.fits(room(c))) {
        return None;
    }
    let has_some = |class: &NodeClass| {
        let mut asked = service.size.extended.iter();
        asked.all(|(place, _)| room(class).extended.get(place) > 0)
    };
    let classes = classes.filter(|(class, _)| has_some(class));
    let (class, hourly) =
        classes.max_by_key(|(c, _)| (room(c).milli_cores, room(c).mib, &c.name))?;
    let needed = service.size + class.reserved;
    let capacity = class.capacity;
    if capacity.milli_cores == 0 || capacity.mib == 0 {
        return None;
    }
    let of_cores = needed.milli_cores.div_ceil(capacity.milli_cores);
    let of_memory = needed.mib.div_ceil(capacity.mib);
    let of_extended = (needed.extended.iter())
        .map(|(place, asked)| asked.div_ceil(capacity.extended.get(place).max(1)));
    let times = of_extended.fold(of_cores.max(of_memory), u64::max);
    Some(Larger {
        pool: pool.name.clone(),
        base: class.name.clone(),
        times,
        capacity: capacity.times(times),
        reserved: class.reserved,
        spot: class.spot,
        hourly: hourly.checked_mul(i64::try_from(times).ok()?)?,
    })
}

/// The number of replicas: fewer, or as many as other constraints need.
pub(super) fn replicas(service: &Service, reasons: &[Reason]) -> Option<Member> {
    let from = service.replicas;
    let to = |to: u32| Change::Replicas { from, to };
    let mut room = 0u32;
    let mut more: BTreeSet<u32> = BTreeSet::new();
    for reason in reasons {
        match &reason.why {
            Why::TooFewReplicas { needed, .. } => more.extend((*needed > from).then_some(*needed)),
            Why::RoomFor { fits, .. } => room = room.saturating_add(*fits),
            _ => {}
        }
    }
    let mut fewer: BTreeSet<u32> = (from.saturating_sub(MOST_FEWER)..from).collect();
    fewer.extend([1, from / 2, room]);
    let fewer = fewer.into_iter().rev().filter(|n| (1..from).contains(n));
    let text = format!("replicas.min: {from}");
    let mut member = Member::new(to(1), text);
    member.ways = [
        fewer.map(|n| vec![to(n)]).collect::<Vec<_>>(),
        more.into_iter().map(|n| vec![to(n)]).collect(),
    ]
    .into_iter()
    .filter(|way| !way.is_empty())
    .collect();
    (from > 0).then_some(member)
}
