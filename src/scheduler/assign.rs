//! Placing the replicas of one service: first those that a requirement asks for somewhere (with
//! bounded backtracking), then the rest where it costs least.

use super::constraint::spread::Evenness;
use super::constraint::{self, latency, min_regions, required_regions};
use super::model::Topology;
use super::pack::{self, Opening, Within};
use super::problem::Problem;
use super::score::cost;
use super::state::State;
use super::topology::Place;
use super::units::Micros;
use std::collections::BTreeSet;

/// Most pools tried for required places of one service before giving up.
const SEED_STEPS: u64 = 64;
/// Nodes over which a cluster's overhead is reckoned when pools are compared.
const OVERHEAD_NODES: u32 = 20;

/// How pools are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pricing {
    /// By what one more replica really adds to the bill now.
    Marginal,
    /// By the replica's share of a node and of a cluster's overhead.
    Share,
    /// The same, those pools first that have room on the nodes that they have.
    Room,
}

/// One way to search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    pub pricing: Pricing,
    pub opening: Opening,
    /// Whether services without a place are first placed all at once.
    pub bulk: bool,
}

/// No place was found; nothing has changed.
#[derive(Debug)]
pub(crate) struct NoPlace;

/// A place that some requirement still asks for.
enum Need {
    Region(usize),
    Serve(Place, u32),
    NewRegion(BTreeSet<usize>),
}

/// Places what is missing of a service, leaving what is placed. `only` limits the pools.
pub(crate) fn place_service(
    state: &mut State<'_>,
    s: usize,
    search: Search,
    only: Option<&BTreeSet<usize>>,
) -> Result<(), NoPlace> {
    let mark = state.mark();
    let ranked = ranked(state.problem, s, only);
    let mut task = Task {
        s,
        search,
        ranked,
        steps: 0,
    };
    let done = task.pins(state).and_then(|()| task.seeds(state));
    if done.is_err() {
        state.undo(mark);
    }
    done
}

/// The pools where a service may run, the best first.
pub(crate) fn ranked(
    problem: &Problem<'_>,
    s: usize,
    only: Option<&BTreeSet<usize>>,
) -> Vec<(Micros, usize)> {
    let required = &problem.demands[s].required;
    let mut ranked: Vec<(Micros, usize, usize)> = problem.demands[s]
        .usable
        .iter()
        .filter(|p| only.is_none_or(|only| only.contains(p)))
        .map(|&p| {
            // Of equals, the region written first comes first.
            let written = required
                .iter()
                .position(|region| problem.names_pool(*region, p))
                .unwrap_or(usize::MAX);
            (share_score(problem, s, p), written, p)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(score, _, p)| (score, p)).collect()
}

/// Price of one replica in a pool: its share of a node and of a cluster's overhead, and what the
/// preferences charge.
pub(crate) fn share_score(problem: &Problem<'_>, s: usize, p: usize) -> Micros {
    let service = problem.service(s);
    let rules = problem.cluster_policy(problem.demands[s].governing);
    let best = problem.pools[p]
        .offers
        .iter()
        .filter(|o| o.holds(service))
        .map(|o| (cost::share(o, service.size) + o.risk, o.hourly))
        .min();
    let Some((unit, hourly)) = best else {
        return Micros::MAX;
    };
    let control = problem.control_plane(p, problem.demands[s].governing);
    let overhead = match control {
        Ok(Some((offer, n))) => offer.hourly * i64::from(n),
        _ => 0,
    };
    let nodes = rules
        .max_nodes
        .unwrap_or(OVERHEAD_NODES)
        .min(OVERHEAD_NODES);
    let spread = i128::from(hourly.max(1)) * i128::from(nodes.max(1));
    let amortised = (i128::from(unit) * i128::from(overhead) / spread) as Micros;
    unit + amortised + problem.penalty(s, p)
}

struct Task {
    s: usize,
    search: Search,
    ranked: Vec<(Micros, usize)>,
    steps: u64,
}

impl Task {
    /// Replicas that people fixed to clusters.
    fn pins(&self, state: &mut State<'_>) -> Result<(), NoPlace> {
        let problem = state.problem;
        for (name, &wanted) in &problem.demands[self.s].pins {
            let c = state.cluster_named(name).ok_or(NoPlace)?;
            let pool = state.clusters[c].pool;
            while state.replicas_in(self.s, c) < wanted {
                if state.replicas(self.s) >= problem.service(self.s).replicas {
                    return Err(NoPlace);
                }
                let allowed = |_: &State<'_>, place: Place| place.cluster == c;
                self.put(state, pool, &allowed).ok_or(NoPlace)?;
            }
        }
        Ok(())
    }

    /// Replicas that a requirement asks for; then all others.
    fn seeds(&mut self, state: &mut State<'_>) -> Result<(), NoPlace> {
        let Some(need) = next_need(state, self.s) else {
            return self.rest(state);
        };
        if state.replicas(self.s) >= state.problem.service(self.s).replicas {
            return Err(NoPlace);
        }
        for p in self.candidates(state, &need) {
            self.steps += 1;
            if self.steps > SEED_STEPS {
                return Err(NoPlace);
            }
            let mark = state.mark();
            if self.seed(state, p, &need).is_some() && self.seeds(state).is_ok() {
                return Ok(());
            }
            state.undo(mark);
        }
        Err(NoPlace)
    }

    /// Puts a replica where a need is met; of several zones, in one that keeps the spread even if there is one.
    fn seed(&self, state: &mut State<'_>, p: usize, need: &Need) -> Option<()> {
        let s = self.s;
        let meets = |state: &State<'_>, place: Place| {
            let near = match need {
                Need::Serve(from, ms) => state.problem.distances.places(*from, place) <= *ms,
                _ => true,
            };
            near && latency::reaches(state, s, place)
        };
        if state.problem.pools[p].zones.are_several() {
            let rules = Evenness::of(state, s);
            let even = |state: &State<'_>, place: Place| {
                let allow = |rule: &Evenness| rule.allows_place(state.problem, place);
                rules.iter().all(allow) && meets(state, place)
            };
            if self.put(state, p, &even).is_some() {
                return Some(());
            }
        }
        self.put(state, p, &meets)
    }

    /// Pools that meet a need, those that keep the spread even first, then the cheapest.
    fn candidates(&self, state: &mut State<'_>, need: &Need) -> Vec<usize> {
        let problem = state.problem;
        let meets = |p: usize| match need {
            Need::Region(region) => problem.names_pool(*region, p),
            Need::Serve(place, ms) => {
                place.pool == p || problem.distances.pools(place.pool, p) <= *ms
            }
            Need::NewRegion(used) => problem
                .domain(p, Topology::Region)
                .is_some_and(|region| !used.contains(&region)),
        };
        let pools: Vec<(Micros, usize)> = self
            .ranked
            .iter()
            .copied()
            .filter(|&(_, p)| meets(p))
            .collect();
        let rules = Evenness::of(state, self.s);
        let even: BTreeSet<usize> = pools
            .iter()
            .map(|&(_, p)| p)
            .filter(|&p| rules.iter().all(|rule| rule.allows_pool(problem, p)))
            .collect();
        let mut list = self.by_price(state, pools, &[]);
        list.sort_by_key(|p| !even.contains(p));
        list
    }

    /// All replicas that nothing asks for in a particular place.
    fn rest(&mut self, state: &mut State<'_>) -> Result<(), NoPlace> {
        let wanted = state.problem.service(self.s).replicas;
        // A pool that takes no replica takes none later: it only gets fuller. Evenness over
        // clusters and zones may change from one replica to the next, though.
        let mut full = BTreeSet::new();
        let demand = &state.problem.demands[self.s];
        let steady =
            !demand.zonal && !(demand.spread.iter()).any(|rule| rule.topology == Topology::Cluster);
        while state.replicas(self.s) < wanted {
            let rules = Evenness::of(state, self.s);
            let problem = state.problem;
            let even: Vec<(Micros, usize)> = self
                .ranked
                .iter()
                .copied()
                .filter(|(_, p)| !full.contains(p))
                .filter(|&(_, p)| rules.iter().all(|rule| rule.allows_pool(problem, p)))
                .collect();
            let s = self.s;
            let placed = self.by_price(state, even, &rules).into_iter().any(|p| {
                let allowed = |state: &State<'_>, place: Place| {
                    latency::reaches(state, s, place)
                        && rules.iter().all(|rule| rule.allows_place(problem, place))
                };
                let placed = self.put(state, p, &allowed).is_some();
                if !placed && steady {
                    full.insert(p);
                }
                placed
            });
            if !placed {
                return Err(NoPlace);
            }
        }
        let fine = constraint::all_kept(state, self.s)
            || constraint::of_service(state, self.s)
                .iter()
                .all(|why| waits_for_others(state, self.s, why));
        fine.then_some(()).ok_or(NoPlace)
    }

    /// The pools in order of what one more replica costs there.
    fn by_price(
        &self,
        state: &mut State<'_>,
        pools: Vec<(Micros, usize)>,
        rules: &[Evenness],
    ) -> Vec<usize> {
        if self.search.pricing != Pricing::Marginal {
            let mut pools: Vec<usize> = pools.into_iter().map(|(_, p)| p).collect();
            if self.search.pricing == Pricing::Room {
                pools.sort_by_cached_key(|&p| !pack::has_room(state, self.s, p));
            }
            return pools;
        }
        if let [(_, only)] = pools.as_slice() {
            return vec![*only];
        }
        let mut priced: Vec<(Micros, usize, usize)> = Vec::with_capacity(pools.len());
        for (at, (_, p)) in pools.into_iter().enumerate() {
            let s = self.s;
            let (mark, before) = (state.mark(), state.usage[p].hourly + state.penalty(s));
            let allowed = |state: &State<'_>, place: Place| {
                let mut rules = rules.iter().filter(|rule| rule.is_over_zones());
                latency::reaches(state, s, place)
                    && rules.all(|rule| rule.allows_place(state.problem, place))
            };
            let added = match self.put(state, p, &allowed) {
                Some(()) => state.usage[p].hourly + state.penalty(s) - before,
                None => Micros::MAX,
            };
            state.undo(mark);
            priced.push((added, at, p));
        }
        priced.sort_unstable();
        priced.into_iter().map(|(_, _, p)| p).collect()
    }

    fn put(
        &self,
        state: &mut State<'_>,
        pool: usize,
        allowed: &dyn Fn(&State<'_>, Place) -> bool,
    ) -> Option<()> {
        let within = Within {
            allowed,
            buy: true,
            opening: self.search.opening,
        };
        pack::place(state, self.s, pool, &within).ok().map(|_| ())
    }
}

/// A dependency that has no place yet is judged when the whole group is placed.
fn waits_for_others(state: &State<'_>, s: usize, why: &super::reason::Why) -> bool {
    matches!(why, super::reason::Why::TooFar { .. })
        && state.problem.demands[s]
            .latency
            .iter()
            .any(|&(d, _)| state.places(d).is_empty())
}

fn next_need(state: &State<'_>, s: usize) -> Option<Need> {
    if let Some(region) = required_regions::missing(state, s).next() {
        return Some(Need::Region(region));
    }
    if let Some((place, ms)) = latency::unserved(state, s) {
        return Some(Need::Serve(place, ms));
    }
    let used = min_regions::used(state, s);
    ((used.len() as u32) < state.problem.demands[s].min_regions).then_some(Need::NewRegion(used))
}
