//! Whether a decision stands under other limits and prices, so that none has to be made.

use super::trial::{fleet, unplaced};
use crate::placement::facts::{Facts, Usage, monthly};
use crate::scheduler::PoolPrices;
use crate::scheduler::model::{Pool, Snapshot};
use crate::scheduler::solution::Solution;

/// Whether a decision that was made on `before` stands for `now`: it is still all that there is to say, to the
/// last figure. `now` is to hold the clusters that the decision leaves.
///
/// Only limits and prices of what nobody runs on may differ; every service has its place, and no limit is below
/// what is used; deciding again comes to the same at the same cost; and the certificate proves the same bound,
/// for it gives no worth to a limit that rose, and what has become dearer could only raise it.
pub fn stands(before: &Snapshot, solution: &Solution, now: &Snapshot) -> bool {
    if !unplaced(solution).is_empty() || !is_drift(before, solution, now) {
        return false;
    }
    let again = crate::scheduler::decide(now);
    let cost = |s: &Solution| (s.hourly, s.objective);
    cost(&again) == cost(solution)
        && unplaced(&again).is_empty()
        && fleet(&again) == fleet(solution)
}

/// Whether nothing differs but what may.
fn is_drift(before: &Snapshot, solution: &Solution, now: &Snapshot) -> bool {
    // Every part is named, so that a new one is not forgotten here.
    let Snapshot {
        pools,
        node_classes,
        policies,
        services,
        clusters: _,
        pins,
        region_latencies,
        reserved_names: _,
        extended,
    } = before;
    pools.len() == now.pools.len()
        && *extended == now.extended
        && *node_classes == now.node_classes
        && *policies == now.policies
        && *pins == now.pins
        && *region_latencies == now.region_latencies
        && *services == now.services
        && pools_drift(before, solution, &now.pools)
}

fn pools_drift(before: &Snapshot, solution: &Solution, now: &[Pool]) -> bool {
    let prices = &solution.certificate.prices;
    let facts = Facts::new(before, solution);
    before.pools.iter().zip(now).all(|(was, is)| {
        let within = || {
            let used = used(facts.usage(&is.name)).into_iter();
            used.zip(limits(is)).all(|(used, limit)| used <= limit)
        };
        let priced = prices.iter().find(|prices| prices.pool == was.name);
        was == is || (within() && pool_drifts(was, is, solution, priced))
    })
}

fn pool_drifts(was: &Pool, is: &Pool, solution: &Solution, priced: Option<&PoolPrices>) -> bool {
    let rest = |pool: &Pool| Pool {
        caps: Default::default(),
        monthly_budget: None,
        offers: Vec::new(),
        ..pool.clone()
    };
    let worths = priced.map(|p| [p.node_limit, p.core_limit, p.memory_limit, p.budget]);
    let mut pairs = limits(was).into_iter().zip(limits(is)).enumerate();
    let limits_fine = pairs.all(|(kind, (was, is))| {
        let worthless = worths.is_some_and(|worths| worths[kind] == 0);
        is <= was || worthless
    });
    let offers_fine = was.offers.len() == is.offers.len()
        && was.offers.iter().zip(&is.offers).all(|(was, other)| {
            was == other
                || (was.class == other.class
                    && was.hourly < other.hourly
                    && !runs_on(solution, &is.name, &was.class))
        });
    rest(was) == rest(is) && limits_fine && offers_fine
}

/// The limits in the order of their prices in a certificate. What is not limited is limited by all there could be.
fn limits(pool: &Pool) -> [i128; 4] {
    let of = |limit: Option<u64>| limit.map_or(i128::MAX, i128::from);
    [
        of(pool.caps.max_nodes),
        of(pool.caps.max_milli_cores),
        of(pool.caps.max_mib),
        pool.monthly_budget.map_or(i128::MAX, i128::from),
    ]
}

/// What is used of them.
pub(super) fn used(usage: Usage) -> [i128; 4] {
    [
        i128::from(usage.nodes),
        i128::from(usage.capacity.milli_cores),
        i128::from(usage.capacity.mib),
        monthly(usage.hourly),
    ]
}

fn runs_on(solution: &Solution, pool: &str, class: &str) -> bool {
    let mut clusters = solution.live().map(|d| &d.cluster);
    clusters.any(|cluster| {
        let workers = cluster.workers.iter().map(|group| &group.class);
        let control = cluster.control_plane.iter().map(|(class, _)| class);
        cluster.pool == pool && workers.chain(control).any(|other| other == class)
    })
}
