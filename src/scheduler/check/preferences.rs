//! What preferences charge: each replica in the worst pool its weight in percent of the reference price, in
//! the best nothing, in others in proportion.

use super::services::{passes, policies};
use super::{View, Violation, say};
use crate::scheduler::capacity::INTERRUPTION;
use crate::scheduler::model::{Policy, Pool, Preference, Service, SortBy};
use std::collections::BTreeMap;

/// One million: all of something.
const ALL: i128 = 1_000_000;

/// The objective is the bill and what preferences charge, neither more nor less.
pub(super) fn check(view: &View<'_>, found: &mut Vec<Violation>) {
    let free: BTreeMap<&str, i128> = (view.snapshot.pools.iter())
        .map(|pool| (pool.name.as_str(), free(view, pool)))
        .collect();
    let mut charged = 0i128;
    for (&(id, name), &n) in &view.after {
        let cluster = view.cluster(name);
        let pool = cluster.and_then(|cluster| view.pool(&cluster.pool));
        if let (Some(service), Some(pool)) = (view.service(id), pool) {
            charged += charge(view, service, pool, &free) * i128::from(n);
        }
    }
    let due = i128::from(view.solution.hourly) + charged + risk(view);
    if i128::from(view.solution.objective) != due {
        let detail = format!("{} is claimed, {due} is due", view.solution.objective);
        say(found, "objective", "the fleet", detail);
    }
}

/// What interruptions are charged: for each replica on spot capacity, the price of one as often as there are
/// some in an hour, rounded up.
fn risk(view: &View<'_>) -> i128 {
    let mut sum = 0i128;
    for group in view.live.iter().flat_map(|cluster| &cluster.workers) {
        let often = view.class(&group.class).and_then(|class| class.spot);
        let monthly = i128::from(often.unwrap_or(0)) * i128::from(INTERRUPTION);
        let each = (monthly + ALL * 720 - 1) / (ALL * 720);
        let replicas: u64 = group.services.values().map(|n| u64::from(*n)).sum();
        sum += each * i128::from(replicas) * i128::from(group.count);
    }
    sum
}

/// What one replica of a service is charged in a pool.
fn charge(view: &View<'_>, service: &Service, pool: &Pool, free: &BTreeMap<&str, i128>) -> i128 {
    let rules = policies(view, service);
    let Some(wishes) = rules.iter().map(|p| &p.preferences).find(|p| !p.is_empty()) else {
        return 0;
    };
    let prices = prices(view, service, &rules);
    let (Some(least), Some(most)) = (prices.values().min(), prices.values().max()) else {
        return 0;
    };
    let one = |wish: &Preference| {
        let rank = match wish.sort_by {
            SortBy::AvailableCapacity => free[pool.name.as_str()],
            SortBy::Cost if most > least => {
                let price = prices.get(pool.name.as_str()).unwrap_or(least);
                (price - least) * ALL / (most - least)
            }
            SortBy::Cost => 0,
        };
        let badness = if wish.descending { ALL - rank } else { rank };
        least * i128::from(wish.weight) * badness / (100 * ALL)
    };
    wishes.iter().map(one).sum()
}

/// What a replica's share of the cheapest class costs, in each open pool that will do.
fn prices<'a>(view: &View<'a>, service: &Service, rules: &[&Policy]) -> BTreeMap<&'a str, i128> {
    let pools = view.snapshot.pools.iter();
    pools
        .filter(|pool| pool.closed.is_none() && passes(service, rules, pool))
        .filter_map(|pool| {
            let shares = pool.sold().filter_map(|offer| {
                let class = view.class(&offer.class)?;
                let types = service.capacity_types;
                let takes = if class.spot.is_some() {
                    types.spot
                } else {
                    types.on_demand
                };
                let room = class.allocatable();
                let part = |used: u64, room: u64| {
                    let (whole, room) = (i128::from(offer.hourly), i128::from(room.max(1)));
                    (whole * i128::from(used) + room - 1) / room
                };
                let cores = part(service.size.milli_cores, room.milli_cores);
                let memory = part(service.size.mib, room.mib);
                let extended = service.size.extended.iter();
                let others = extended.map(|(at, asked)| part(asked, room.extended.get(at)));
                let dominant = others.fold(cores.max(memory), i128::max);
                (takes && service.size.fits(room)).then_some(dominant)
            });
            Some((pool.name.as_str(), shares.min()?))
        })
        .collect()
}

/// The free share of a pool's scarcest limit before the decision.
fn free(view: &View<'_>, pool: &Pool) -> i128 {
    let (mut nodes, mut cores, mut mib) = (0i128, 0i128, 0i128);
    let clusters = view.snapshot.clusters.iter();
    for cluster in clusters.filter(|c| c.pool == pool.name) {
        let workers = cluster.workers.iter().map(|g| (&g.class, g.count));
        let control = cluster.control_plane.iter().map(|(class, n)| (class, *n));
        for (class, n) in workers.chain(control) {
            if let Some(class) = view.class(class) {
                nodes += i128::from(n);
                cores += i128::from(class.capacity.milli_cores) * i128::from(n);
                mib += i128::from(class.capacity.mib) * i128::from(n);
            }
        }
    }
    let limits = [
        (pool.caps.max_nodes, nodes),
        (pool.caps.max_milli_cores, cores),
        (pool.caps.max_mib, mib),
    ];
    let shares = limits.into_iter().filter_map(|(limit, used)| {
        let limit = i128::from(limit?.max(1));
        Some((limit - used).max(0) * ALL / limit)
    });
    shares.min().unwrap_or(ALL)
}
