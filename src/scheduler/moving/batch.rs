//! One move: replicas that are taken off together, put elsewhere, and left there only if that pays.

use super::terms::Charge;
use crate::scheduler::constraint::{budget, latency};
use crate::scheduler::improve::may_merge;
use crate::scheduler::search::is_placed;
use crate::scheduler::solution::{Move, Moved};
use crate::scheduler::state::{State, Usage};
use crate::scheduler::units::Micros;
use std::collections::{BTreeMap, BTreeSet};

/// Percent of a pool's budget up to which a move for savings may use it: what a move fills to the brim, the next
/// change of a price would empty again.
const BUDGET_PERCENT: i128 = 95;

/// Replicas of a service on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tenant {
    pub c: usize,
    pub n: usize,
    pub s: usize,
    pub count: u32,
}

/// What came of trying a move.
pub(super) enum Tried {
    /// It is not possible, or saves nothing; all is as it was.
    Nothing,
    /// It would save something, but does not pay; all is as it was.
    Left(Move),
    /// It pays, and is made.
    Made(Move),
}

/// Takes `tenants` off and has `place` put them elsewhere. That stays so if it keeps all rules and pays.
pub(super) fn attempt(
    state: &mut State<'_>,
    tenants: &[Tenant],
    place: impl Fn(&mut State<'_>) -> bool,
) -> Tried {
    if !may_save(state, tenants) {
        return Tried::Nothing;
    }
    // Hardly any move makes the bill smaller, and only of those that do it matters what was before.
    let (mark, hourly) = (state.mark(), state.hourly());
    take_off(state, tenants);
    let cheaper = place(state) && state.hourly() < hourly;
    state.undo(mark);
    if !cheaper {
        return Tried::Nothing;
    }
    let before = Before::new(state, tenants);
    take_off(state, tenants);
    let fine = place(state) && before.keeps_rules(state);
    let saved = if fine { before.saved(state) } else { 0 };
    if saved <= 0 {
        state.undo(mark);
        return Tried::Nothing;
    }
    let found = before.told(state, saved);
    if found.held_by.is_none() && found.pays() {
        state.commit();
        return Tried::Made(found);
    }
    state.undo(mark);
    Tried::Left(found)
}

fn take_off(state: &mut State<'_>, tenants: &[Tenant]) {
    for tenant in tenants {
        state.take_many(tenant.c, tenant.n, tenant.s, tenant.count);
        state.close_if_empty(tenant.c, tenant.n);
    }
}

/// Whether less could be paid without these: only where a node is emptied by it. What fills a cluster up to its fewest
/// nodes costs the least of what is on demand, so that putting replicas anywhere saves nothing by itself.
fn may_save(state: &State<'_>, tenants: &[Tenant]) -> bool {
    let mut off: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    for tenant in tenants {
        *off.entry((tenant.c, tenant.n)).or_default() += tenant.count;
    }
    let emptied = |(&(c, n), &off): (&(usize, usize), &u32)| {
        let on = state.clusters[c].nodes[n].tenants.iter();
        on.map(|(_, count)| count).sum::<u32>() == off
    };
    state.problem.sells_spot || off.iter().any(emptied)
}

/// Replicas by pool and cluster.
type Places = BTreeMap<(usize, usize), u32>;

/// What there was before a move.
struct Before {
    charge: Charge,
    hourly: Micros,
    usage: Vec<Usage>,
    /// Replicas of each service by pool and cluster.
    places: BTreeMap<usize, Places>,
    penalties: Micros,
    /// Replicas that are taken off, by service and cluster.
    off: BTreeMap<(usize, usize), u32>,
    /// Clusters that they leave and that may not be merged into others.
    unmerged: BTreeSet<usize>,
}

impl Before {
    fn new(state: &State<'_>, tenants: &[Tenant]) -> Self {
        let mut off: BTreeMap<(usize, usize), u32> = BTreeMap::new();
        for tenant in tenants {
            *off.entry((tenant.s, tenant.c)).or_default() += tenant.count;
        }
        let places: BTreeMap<_, _> = (tenants.iter())
            .map(|t| (t.s, state.in_clusters(t.s)))
            .collect();
        let left: BTreeSet<usize> = tenants.iter().map(|t| t.c).collect();
        Before {
            charge: Charge::of(state.problem, off.iter().map(|(&(s, _), &n)| (s, n))),
            hourly: state.hourly(),
            usage: state.usage.clone(),
            penalties: places.keys().map(|&s| state.penalty(s)).sum(),
            places,
            off,
            unmerged: left.into_iter().filter(|&c| !may_merge(state, c)).collect(),
        }
    }

    fn keeps_rules(&self, state: &State<'_>) -> bool {
        let mut services = self.places.keys();
        services.all(|&s| is_placed(state, s) && latency::unserved(state, s).is_none())
            && !self.unmerged.iter().any(|&c| self.merged_away(state, c))
            && self.keeps_limits(state)
    }

    /// Where a cluster's nodes all change, what fills it up to its fewest may be of another class too.
    fn keeps_limits(&self, state: &State<'_>) -> bool {
        let mut pools = self.usage.iter().enumerate();
        pools.all(|(p, before)| {
            state.usage[p] == *before || state.broken_limits(p, before).is_empty()
        })
    }

    /// Whether a cluster has lost everything, some of it to another one that was there in its pool.
    fn merged_away(&self, state: &State<'_>, c: usize) -> bool {
        let pool = state.clusters[c].pool;
        state.clusters[c].replicas() == 0
            && state.by_pool[pool].iter().any(|&other| {
                let gained = |(&s, places): (&usize, &Places)| {
                    let had = places.get(&(pool, other));
                    state.replicas_in(s, other) > had.copied().unwrap_or(0)
                };
                other != c && state.clusters[other].existed && self.places.iter().any(gained)
            })
    }

    /// Micro-dollars per hour that the bill is less, as far as preferences do not charge for it. A preference alone
    /// moves nothing: what it wants may depend on where things are, and would then be another thing afterwards.
    fn saved(&self, state: &State<'_>) -> Micros {
        let bill = self.hourly - state.hourly();
        let penalties: Micros = self.places.keys().map(|&s| state.penalty(s)).sum();
        bill.min(bill + self.penalties - penalties)
    }

    fn told(&self, state: &State<'_>, saved: Micros) -> Move {
        let replicas = self.places.keys().flat_map(|&s| self.moved(state, s));
        Move {
            replicas: replicas.collect(),
            saved,
            price: self.charge.price,
            horizon_seconds: self.charge.horizon_seconds,
            margin: self.charge.margin,
            held_by: self.over_budget(state),
        }
    }

    /// A pool whose budget would be nearly used up.
    fn over_budget(&self, state: &State<'_>) -> Option<String> {
        let pools = state.problem.snapshot.pools.iter().enumerate();
        pools
            .filter(|&(p, _)| state.usage[p].hourly > self.usage[p].hourly)
            .find(|&(p, pool)| {
                let projected = budget::month(state.usage[p].hourly);
                let full = |limit| projected * 100 > i128::from(limit) * BUDGET_PERCENT;
                pool.monthly_budget.is_some_and(full)
            })
            .map(|(_, pool)| pool.name.clone())
    }

    /// From where to where replicas of a service go: those that are taken off somewhere go where there are more than
    /// before, and those for which there is no such place only to other nodes.
    fn moved(&self, state: &State<'_>, s: usize) -> Vec<Moved> {
        let problem = state.problem;
        let now = state.in_clusters(s);
        let mut arrived: Vec<((usize, usize), u32)> = now
            .iter()
            .map(|(place, n)| (*place, n.saturating_sub(self.had(s, *place))))
            .collect();
        let mut found = Vec::new();
        for (&(_, c), &off) in self.off.range((s, 0)..(s + 1, 0)) {
            let pool = state.clusters[c].pool;
            let here = (pool, c);
            let mut gone =
                (self.had(s, here) - state.replicas_in(s, c).min(self.had(s, here))).min(off);
            let within = off - gone;
            let mut tell = |to: (usize, usize), replicas: u32| {
                let name = &state.clusters[to.1].name;
                found.push(Moved {
                    service: problem.service(s).id.clone(),
                    replicas,
                    from_pool: problem.snapshot.pools[pool].name.clone(),
                    from_cluster: state.clusters[c].name.clone(),
                    to_pool: problem.snapshot.pools[to.0].name.clone(),
                    to_cluster: Some(name.clone()).filter(|name| !name.is_empty()),
                });
            };
            for (place, n) in &mut arrived {
                let some = gone.min(*n);
                if some > 0 {
                    tell(*place, some);
                    (*n, gone) = (*n - some, gone - some);
                }
            }
            if within > 0 {
                tell(here, within);
            }
        }
        found
    }

    fn had(&self, s: usize, place: (usize, usize)) -> u32 {
        let places = self.places.get(&s);
        places.and_then(|p| p.get(&place)).copied().unwrap_or(0)
    }
}
