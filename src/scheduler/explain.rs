//! Why not there: all reasons of every pool for a service, and what makes a service impossible.

use super::constraint::{self, latency, min_regions, required_regions, spread};
use super::model::{ServiceId, Snapshot};
use super::pack::{self, Opening, Within};
use super::prior;
use super::problem::Problem;
use super::reason::{Reason, Why};
use super::solution::Solution;
use super::state::State;
use super::topology::{NEW_CLUSTER, Place, is_of_pools};
use std::collections::{BTreeMap, BTreeSet};

/// Takes the reasons why a pool (by name) holds no replica of a service; an error ends the listing.
pub type Emit<'a, E> = dyn FnMut(&ServiceId, &str, Vec<Why>) -> Result<(), E> + 'a;

/// Calls `emit` for each wanted service and each pool that holds none of its replicas, with all
/// reasons, in the order of services and pools. Nothing is kept, so that a fleet of any size can be
/// written out.
pub fn rejections<E>(
    snapshot: &Snapshot,
    solution: &Solution,
    wanted: &dyn Fn(&ServiceId) -> bool,
    emit: &mut Emit<'_, E>,
) -> Result<(), E> {
    let mut after = snapshot.clone();
    after.clusters = solution.live().map(|d| d.cluster.clone()).collect();
    after.normalise();
    let problem = Problem::new(&after);
    let mut state = prior::load(&problem, &problem.laid());
    for (s, service) in after.services.iter().enumerate() {
        if !wanted(&service.id) {
            continue;
        }
        let held: BTreeSet<usize> = state.places(s).keys().map(|place| place.pool).collect();
        for (p, pool) in after.pools.iter().enumerate() {
            if !held.contains(&p) {
                let reasons = not_here(&mut state, s, p);
                emit(&service.id, &pool.name, reasons)?;
            }
        }
    }
    Ok(())
}

/// All reasons why a pool holds none of a service's replicas.
fn not_here(state: &mut State<'_>, s: usize, p: usize) -> Vec<Why> {
    let mut reasons = constraint::of_pool(state.problem, s, p);
    let problem = state.problem;
    let mark = state.mark();
    let before = state.hourly() + state.penalty(s);
    // One replica moves here from where most of them are.
    let from = state
        .places(s)
        .iter()
        .max_by_key(|(place, n)| (*n, *place))
        .map(|(place, _)| place.cluster);
    if let Some(c) = from {
        state.take_one(s, c);
    }
    match put(state, s, p) {
        Err(limits) => reasons.extend(limits),
        Ok(()) if reasons.is_empty() => {
            // Of a service that is to have no replicas, or has not all, nothing more can be said.
            let whole = state.replicas(s) == problem.service(s).replicas;
            reasons.extend(
                constraint::of_service(state, s)
                    .into_iter()
                    .filter(|_| whole),
            );
            if reasons.is_empty() && from.is_some() {
                let added = state.hourly() + state.penalty(s) - before;
                reasons.push(Why::Dearer { added });
            }
        }
        Ok(()) => {}
    }
    state.undo(mark);
    reasons
}

fn put(state: &mut State<'_>, s: usize, p: usize) -> Result<(), Vec<Why>> {
    let anywhere = |_: &State<'_>, _: Place| true;
    let within = Within {
        allowed: &anywhere,
        buy: true,
        opening: Opening::Cheapest,
    };
    pack::place(state, s, p, &within).map(|_| ())
}

/// Why a service has no place: what is wrong as a whole first, then all reasons of every pool.
pub(crate) fn unschedulable(state: &mut State<'_>, s: usize) -> Vec<Reason> {
    let problem = state.problem;
    let per_pool: Vec<Vec<Why>> = (0..problem.pools.len())
        .map(|p| all_here(state, s, p))
        .collect();
    let possible: Vec<usize> = (0..problem.pools.len())
        .filter(|&p| per_pool[p].iter().all(is_partial) || per_pool[p].is_empty())
        .collect();
    let first = |p: usize| match possible.contains(&p) {
        true => None,
        false => per_pool[p].first().cloned(),
    };
    let mut whole = pins(state, s);
    whole.extend(required_regions::impossible(problem, s, &first));
    whole.extend(min_regions::impossible(problem, s, &possible));
    whole.extend(uneven(state, s, &possible));
    whole.extend(unreachable(state, s, &possible));
    if problem.pools.is_empty() {
        whole.push(Why::NoPool);
    }
    if whole.is_empty() && !possible.is_empty() {
        whole.push(Why::NoCombination { steps: state.steps });
    }
    let pools = per_pool.into_iter().enumerate().flat_map(|(p, reasons)| {
        let name = problem.snapshot.pools[p].name.clone();
        reasons
            .into_iter()
            .map(move |why| Reason::of_pool(&name, why))
    });
    whole
        .into_iter()
        .map(Reason::of_service)
        .chain(pools)
        .collect()
}

/// A pool that has room for some replicas is possible.
fn is_partial(why: &Why) -> bool {
    matches!(why, Why::RoomFor { fits, .. } if *fits > 0)
}

/// What is the matter with a pool for all replicas of a service: what is known beforehand, and
/// where the pool's limits are reached.
fn all_here(state: &mut State<'_>, s: usize, p: usize) -> Vec<Why> {
    let mut reasons = constraint::of_pool(state.problem, s, p);
    let mark = state.mark();
    let replicas = state.problem.service(s).replicas;
    state.take_all(s);
    let mut fits = 0;
    let mut limits = Vec::new();
    while fits < replicas && limits.is_empty() {
        match put(state, s, p) {
            Ok(()) => fits += 1,
            Err(why) if why.is_empty() => break,
            Err(why) => limits = why,
        }
    }
    state.undo(mark);
    if fits > 0 && fits < replicas && reasons.is_empty() {
        reasons.push(Why::RoomFor { fits, replicas });
    } else {
        reasons.extend(limits);
    }
    reasons
}

fn pins(state: &State<'_>, s: usize) -> Vec<Why> {
    // Fixed replicas are judged as if none were placed: what is there does not excuse the rest.
    constraint::pin::check(state, s)
}

/// Spread rules that cannot be met because a domain takes nothing while others would take too much.
fn uneven(state: &State<'_>, s: usize, possible: &[usize]) -> Vec<Why> {
    let problem = state.problem;
    let replicas = problem.service(s).replicas;
    let mut found = Vec::new();
    for rule in &problem.demands[s].spread {
        if !is_of_pools(rule.topology) {
            continue;
        }
        let mut open: BTreeMap<usize, bool> = BTreeMap::new();
        for &p in problem.eligible(s) {
            for domain in spread::in_pool(problem, s, p, rule.topology) {
                *open.entry(domain).or_default() |= possible.contains(&p);
            }
        }
        let taking = open.values().filter(|open| **open).count() as u32;
        let (Some(shut), Some(open)) = (
            open.iter().find(|(_, open)| !**open).map(|(d, _)| *d),
            open.iter().find(|(_, open)| **open).map(|(d, _)| *d),
        ) else {
            continue;
        };
        if replicas > taking.saturating_mul(rule.max_skew) {
            let names = problem.domain_names.get(&rule.topology);
            let name = |d: usize| names.and_then(|n| n.get(d)).cloned().unwrap_or_default();
            found.push(Why::Skew {
                topology: rule.topology,
                max_skew: rule.max_skew,
                fewest: (name(shut), 0),
                most: (name(open), replicas.div_ceil(taking.max(1))),
            });
        }
    }
    found
}

/// Latency limits that no possible pool meets.
fn unreachable(state: &State<'_>, s: usize, possible: &[usize]) -> Vec<Why> {
    let problem = state.problem;
    let mut found = Vec::new();
    for &(d, max_ms) in &problem.demands[s].latency {
        let nearest = possible
            .iter()
            .flat_map(|&pool| problem.zones(s, pool).iter().map(move |&zone| (pool, zone)))
            .filter_map(|(pool, zone)| {
                let place = Place {
                    pool,
                    cluster: NEW_CLUSTER,
                    zone,
                };
                latency::nearest(state, place, d)
            })
            .min();
        let placed = !state.places(d).is_empty();
        if !placed || nearest.is_some_and(|ms| ms > max_ms) {
            found.push(Why::TooFar {
                dependency: problem.service(d).id.clone(),
                max_ms,
                nearest_ms: nearest,
            });
        }
    }
    found
}
