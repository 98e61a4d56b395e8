//! Finding a place for one service: in the pools that promise most, else in any, else together with those that
//! latency limits tie to it.

use crate::scheduler::assign::{self, Pricing, Search};
use crate::scheduler::component::{self, attempt, cheapest};
use crate::scheduler::constraint::latency;
use crate::scheduler::model::Topology;
use crate::scheduler::pack::{self, Opening};
use crate::scheduler::search::{is_placed, mended};
use crate::scheduler::state::State;
use crate::scheduler::units::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// Pools with room, and pools where nodes can be bought, that promise most.
const WITH_ROOM: usize = 6;
const TO_BUY: usize = 3;

/// One way to place a service.
enum Way<'w> {
    Promising(Search, &'w BTreeSet<usize>),
    Anywhere(Search),
}

/// Brings a service to where it should be. Returns those that now are, or nothing, and then nothing has changed.
/// In a small fleet all `ways` are compared.
pub(super) fn service(
    state: &mut State<'_>,
    s: usize,
    ways: &[Search],
    unplaced: &BTreeSet<usize>,
) -> Option<Vec<usize>> {
    if state.problem.hopeless[s] {
        return None;
    }
    let small = ways.iter().any(|way| way.pricing == Pricing::Marginal);
    let promising = promising(state, s);
    let mut list: Vec<Way<'_>> = Vec::new();
    if let Some(pools) = &promising {
        let openings = [Opening::Efficient, Opening::Cheapest];
        let searches = openings.map(|opening| Search {
            pricing: Pricing::Room,
            opening,
            bulk: false,
        });
        list.extend(searches.map(|search| Way::Promising(search, pools)));
    }
    let anywhere = ways.iter().map(|&search| Way::Anywhere(search));
    let found = match small {
        true => {
            list.extend(anywhere);
            alone(state, s, &list)
        }
        false => alone(state, s, &list) || alone(state, s, &anywhere.collect::<Vec<_>>()),
    };
    match found {
        true => Some(vec![s]),
        false => together(state, s, ways, unplaced),
    }
}

fn alone(state: &mut State<'_>, s: usize, ways: &[Way<'_>]) -> bool {
    cheapest(state, ways, |state, way| match way {
        Way::Promising(search, pools) => attempt(state, &[s], *search, Some(pools)),
        Way::Anywhere(search) => {
            let fine = mended(state, &[s], *search) && latency::unserved(state, s).is_none();
            fine.then(|| bill(state, s))
        }
    })
}

fn bill(state: &State<'_>, s: usize) -> Micros {
    state.hourly() + state.penalty(s)
}

/// Places all that are tied to a service, those that had no place before only if they find one now.
fn together(
    state: &mut State<'_>,
    s: usize,
    ways: &[Search],
    unplaced: &BTreeSet<usize>,
) -> Option<Vec<usize>> {
    let tied = component::tied(state.problem, s);
    if tied.len() < 2 {
        return None;
    }
    let mut members = component::dependencies_first(state.problem, tied);
    members.retain(|&member| !state.problem.hopeless[member]);
    let placed = |member: &usize| *member == s || !unplaced.contains(member);
    let before: Vec<usize> = members.iter().copied().filter(placed).collect();
    for members in [members, before] {
        let mark = state.mark();
        if ways.iter().any(|&way| mended(state, &members, way))
            && members.iter().all(|&member| is_placed(state, member))
        {
            return Some(members);
        }
        state.undo(mark);
    }
    None
}

/// The pools that promise most for what is missing of a service: of those that are near enough to what it is tied
/// to, the cheapest with room and the cheapest where nodes can be bought, in as many regions as it needs. Nothing
/// for services that need more than that.
fn promising(state: &State<'_>, s: usize) -> Option<BTreeSet<usize>> {
    let problem = state.problem;
    let demand = &problem.demands[s];
    let plain = demand.spread.is_empty() && demand.pins.is_empty();
    if !plain || state.replicas(s) >= problem.service(s).replicas {
        return None;
    }
    let regions = demand.min_regions.max(1) as usize;
    let mut found = BTreeSet::new();
    let mut missing: Vec<usize> = demand.required.clone();
    let (mut room, mut buy) = (Quota::new(WITH_ROOM, regions), Quota::new(TO_BUY, regions));
    for (_, p) in assign::ranked(problem, s, None) {
        if room.is_used_up() && buy.is_used_up() && missing.is_empty() {
            break;
        }
        let region = problem.domain(p, Topology::Region);
        let asked = missing.iter().any(|&r| problem.names_pool(r, p));
        let (roomy, may) = (room.is_open(region), buy.is_open(region));
        if !(asked || roomy || may) || !is_near(state, s, p) {
            continue;
        }
        let has_room = (asked || roomy) && pack::has_room(state, s, p);
        let can_buy = (asked || may) && pack::may_buy(state, s, p);
        if !(has_room || can_buy) {
            continue;
        }
        found.insert(p);
        missing.retain(|&r| !problem.names_pool(r, p));
        if has_room {
            room.take(region);
        }
        if can_buy {
            buy.take(region);
        }
    }
    Some(found)
}

/// So many pools, in at least so many regions.
struct Quota {
    left: usize,
    each: usize,
    regions: usize,
    taken: BTreeMap<Option<usize>, usize>,
}

impl Quota {
    fn new(pools: usize, regions: usize) -> Self {
        Quota {
            left: pools.max(regions),
            each: pools.div_ceil(regions),
            regions,
            taken: BTreeMap::new(),
        }
    }

    fn is_open(&self, region: Option<usize>) -> bool {
        let here = self.taken.get(&region).copied().unwrap_or(0);
        !self.is_used_up() && here < self.each
    }

    fn is_used_up(&self) -> bool {
        self.left == 0 && self.taken.len() >= self.regions
    }

    fn take(&mut self, region: Option<usize>) {
        self.left = self.left.saturating_sub(1);
        *self.taken.entry(region).or_default() += 1;
    }
}

/// Whether a pool is near enough to some replica of each service that this one is tied to.
fn is_near(state: &State<'_>, s: usize, pool: usize) -> bool {
    let demand = &state.problem.demands[s];
    let mut tied = demand.latency.iter().chain(&demand.dependents);
    tied.all(|&(other, max_ms)| {
        let places = state.places(other);
        let mut pools = places.keys().map(|place| place.pool);
        let near = |p: usize| p == pool || state.problem.distances.pools(pool, p) <= max_ms;
        places.is_empty() || pools.any(near)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what is open of these regions; returns how many of each were taken.
    fn taken(pools: usize, regions: usize, offered: &[usize]) -> Vec<usize> {
        let mut quota = Quota::new(pools, regions);
        for &region in offered {
            if quota.is_open(Some(region)) {
                quota.take(Some(region));
            }
        }
        quota.taken.into_values().collect()
    }

    #[test]
    fn a_quota_is_spread_over_as_many_regions_as_are_needed() {
        assert_eq!(taken(3, 1, &[0, 0, 0, 0, 1]), [3]);
        assert_eq!(taken(6, 2, &[0, 0, 0, 0, 1, 1]), [3, 2]);
        assert_eq!(taken(3, 2, &[0, 0, 0, 1, 1, 1]), [2, 1]);
        assert_eq!(taken(3, 5, &[0, 0, 1, 2, 3, 4, 5]), [1; 5]);
    }
}
