//! Services that cannot share clusters: what clusters of their own cost at least.

use super::bound::{Shops, regions, takes};
use super::services::policies;
use super::{View, Violation, say};
use crate::scheduler::model::{
    ClusterPolicy, ControlPlaneRule, NodeClass, Origin, Pool, Service, ServiceId,
};
use crate::scheduler::solution::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// What clusters of services that cannot share any cost: their control planes, and those with the fewest workers.
pub(super) fn costs(
    view: &View<'_>,
    shops: &Shops<'_, '_>,
    found: &mut Vec<Violation>,
) -> (i128, i128) {
    let (mut control, mut whole) = (0i128, 0i128);
    let mut taken: BTreeSet<(Option<&str>, &str)> = BTreeSet::new();
    for id in &view.solution.certificate.separate {
        let Some(service) = view.service(id).filter(|s| needs_cluster(view, s)) else {
            say(
                found,
                "lowerBound",
                &id.to_string(),
                "needs no cluster".into(),
            );
            continue;
        };
        let rules = policies(view, service);
        let governing = rules.iter().find(|p| p.cluster_policy.is_some());
        let name = governing.map(|p| p.name.as_str());
        let pools = shops.of(service);
        if pools.iter().any(|p| !taken.insert((name, p.name.as_str()))) {
            let detail = "shares a pool with another that is counted".to_owned();
            say(found, "lowerBound", &id.to_string(), detail);
        }
        let rule = governing.and_then(|p| p.cluster_policy.clone());
        let prices: Vec<Alone<'_>> = (pools.iter())
            .map(|pool| alone(view, service, pool, &rule.clone().unwrap_or_default()))
            .collect();
        let regions = regions(view, service);
        let planes = in_regions(&prices, regions, &|alone| alone.control);
        let fewest = in_regions(&prices, regions, &|alone| alone.control + alone.workers);
        // With each replica on a node of its own, there are as many nodes.
        let nodes = prices.iter().map(|alone| alone.node).min();
        let each = nodes.filter(|_| service.one_per_node).unwrap_or(0);
        control += planes;
        whole += fewest.max(planes + each * i128::from(service.replicas));
    }
    (control, whole)
}

/// What a cluster costs at least in one pool if there is a replica of a service on it.
struct Alone<'a> {
    region: &'a str,
    control: i128,
    /// The fewest workers of which one holds the replica.
    workers: i128,
    /// The worker that does.
    node: i128,
}

fn alone<'a>(
    view: &View<'_>,
    service: &Service,
    pool: &'a Pool,
    rule: &ClusterPolicy,
) -> Alone<'a> {
    let mut alone = Alone {
        region: &pool.region,
        control: 0,
        workers: 0,
        node: 0,
    };
    let declared = (view.snapshot.clusters.iter())
        .any(|c| c.pool == pool.name && matches!(c.origin, Origin::Declared { .. }));
    if declared {
        return alone;
    }
    let price = |fits: &dyn Fn(&NodeClass) -> bool| {
        let offers = pool.offers.iter();
        let sold = offers.filter(|o| view.class(&o.class).is_some_and(fits));
        sold.map(|o| i128::from(o.hourly)).min().unwrap_or(0)
    };
    alone.control = control_plane(view, pool, &rule.control_plane);
    alone.node = price(&|class| takes(service, class));
    // A cluster that is there may have fewer than its rules by now ask for.
    let mut fewest = rule.min_nodes;
    for cluster in (view.snapshot.clusters.iter()).filter(|c| c.pool == pool.name) {
        fewest = fewest.min(cluster.workers.iter().map(|g| g.count).sum());
    }
    alone.workers = alone.node + price(&|_| true) * i128::from(fewest.max(1) - 1);
    alone
}

/// The sum over the regions where this is least.
fn in_regions(prices: &[Alone<'_>], count: usize, of: &dyn Fn(&Alone<'_>) -> i128) -> i128 {
    let mut least: BTreeMap<&str, i128> = BTreeMap::new();
    for alone in prices {
        let here = least.entry(alone.region).or_insert(of(alone));
        *here = of(alone).min(*here);
    }
    let mut least: Vec<i128> = least.into_values().collect();
    least.sort_unstable();
    least.iter().take(count).sum()
}

fn needs_cluster(view: &View<'_>, service: &Service) -> bool {
    let id: &ServiceId = &service.id;
    let placed = view.outcome(id);
    let placed = placed.is_some_and(|o| matches!(o.verdict, Verdict::Placed | Verdict::Unchanged));
    placed && service.replicas > 0 && view.snapshot.pins.iter().all(|p| p.service != *id)
}

fn control_plane(view: &View<'_>, pool: &Pool, rule: &ControlPlaneRule) -> i128 {
    let mut offers = pool.sold().filter(|offer| {
        let class = view.class(&offer.class);
        class.is_some_and(|class| match &rule.class {
            Some(name) => class.name == *name,
            None => {
                class.spot.is_none()
                    && class.capacity.milli_cores >= 2000
                    && class.capacity.mib >= 4096
            }
        })
    });
    let least = offers.by_ref().map(|offer| i128::from(offer.hourly)).min();
    let new = least.unwrap_or(0) * i128::from(rule.replicas);
    // One that is there may be of a class that a new one would not be of.
    let clusters = view.snapshot.clusters.iter();
    let here = clusters.filter(|cluster| cluster.pool == pool.name);
    let costs = here.map(|cluster| {
        let (class, n) = cluster.control_plane.as_ref()?;
        Some(i128::from(view.price(&pool.name, class)?) * i128::from(*n))
    });
    costs.map(|cost| cost.unwrap_or(0)).fold(new, i128::min)
}
