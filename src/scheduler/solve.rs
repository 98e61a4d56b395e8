//! The whole of a decision: take over what is there, mend what is wrong, place what is missing,
//! improve what was touched; in a few ways, of which the best is kept.

use super::assign::{Pricing, Search};
use super::component;
use super::constraint::{self, latency};
use super::explain;
use super::improve;
use super::model::{Cluster, NodeGroup, Origin, Snapshot, merged};
use super::pack::Opening;
use super::prior;
use super::problem::Problem;
use super::solution::{ClusterAction, ClusterDecision, Outcome, Solution, Unenforced, Verdict};
use super::state::{ClusterState, State};
use super::units::Micros;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Replica-and-pool pairs up to which pools are compared by what they really add to the bill.
const MARGINAL_LIMIT: usize = 60_000;
/// Rounds in which services that later placements disturbed are placed anew.
const MEND_ROUNDS: usize = 3;

/// Decides where everything runs. The snapshot may be in any order; the solution does not depend
/// on it.
pub fn solve(snapshot: &Snapshot) -> Solution {
    let mut snapshot = snapshot.clone();
    snapshot.normalise();
    let problem = Problem::new(&snapshot);
    let groups = component::groups(&problem);
    let base = prior::load(&problem);
    let before: Vec<_> = (0..snapshot.services.len())
        .map(|s| base.places(s).clone())
        .collect();
    let mut best: Option<(Rating, State<'_>, BTreeSet<usize>)> = None;
    for search in searches(&problem) {
        let mut state = base.clone();
        let unplaced = run(&mut state, &groups, search);
        let rating = rate(&state, &unplaced);
        if best.as_ref().is_none_or(|(least, ..)| rating < *least) {
            best = Some((rating, state, unplaced));
        }
        // Where nothing had to be done, another way gives the same.
        if best.as_ref().is_some_and(|(_, state, _)| state.steps == 0) {
            break;
        }
    }
    let Some((rating, state, unplaced)) = best else {
        return Solution::default();
    };
    let clusters = clusters(&state);
    let outcomes = (0..snapshot.services.len())
        .map(|s| {
            let verdict = match () {
                () if unplaced.contains(&s) => Verdict::Unschedulable,
                () if same_places(&state, &before[s], s) => Verdict::Unchanged,
                () => Verdict::Placed,
            };
            outcome(&state, s, verdict)
        })
        .collect();
    Solution {
        clusters,
        outcomes,
        hourly: state.hourly(),
        objective: rating.objective,
    }
}

fn searches(problem: &Problem<'_>) -> Vec<Search> {
    let replicas: usize = problem
        .snapshot
        .services
        .iter()
        .map(|s| s.replicas as usize)
        .sum();
    let pairs = replicas.saturating_mul(problem.pools.len());
    let mut ways = Vec::new();
    for pricing in [Pricing::Marginal, Pricing::Share] {
        for opening in [Opening::Cheapest, Opening::Efficient] {
            if pricing == Pricing::Share || pairs <= MARGINAL_LIMIT {
                ways.push(Search { pricing, opening });
            }
        }
    }
    ways
}

/// What makes one way better than another: fewer services without a place, the more important
/// first; then the objective.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rating {
    unplaced: Vec<(Reverse<i64>, usize)>,
    objective: Micros,
}

fn rate(state: &State<'_>, unplaced: &BTreeSet<usize>) -> Rating {
    let services = &state.problem.snapshot.services;
    let mut counts: BTreeMap<Reverse<i64>, usize> =
        services.iter().map(|s| (Reverse(s.priority), 0)).collect();
    for &s in unplaced {
        *counts.entry(Reverse(services[s].priority)).or_default() += 1;
    }
    let penalties: Micros = (0..services.len()).map(|s| state.penalty(s)).sum();
    Rating {
        unplaced: counts.into_iter().collect(),
        objective: state.hourly() + penalties,
    }
}

/// Searches one way; returns the services that have no place.
fn run(state: &mut State<'_>, groups: &[Vec<usize>], search: Search) -> BTreeSet<usize> {
    let mut unplaced = BTreeSet::new();
    relieve_full_pools(state, search);
    let mut order: Vec<&Vec<usize>> = groups.iter().collect();
    order.sort_by_cached_key(|members| urgency(state.problem, members));
    for members in &order {
        place_group(state, members, search, &mut unplaced);
    }
    for _ in 0..MEND_ROUNDS {
        let mut mended = false;
        for members in &order {
            let disturbed = members
                .iter()
                .any(|&s| !unplaced.contains(&s) && !is_placed(state, s));
            if disturbed {
                unplaced.retain(|s| !members.contains(s));
                place_group(state, members, search, &mut unplaced);
                mended = true;
            }
        }
        if !mended {
            break;
        }
    }
    improve::improve(state, search);
    for s in 0..state.problem.demands.len() {
        if !is_placed(state, s) {
            unplaced.insert(s);
        }
    }
    unplaced
}

/// The order in which groups are placed: by priority, then those with the fewest pools, then the
/// largest, then by name.
fn urgency(problem: &Problem<'_>, members: &[usize]) -> impl Ord + use<> {
    let services = members.iter().map(|&s| problem.service(s));
    let priority = services.clone().map(|s| s.priority).max().unwrap_or(0);
    let choices = members
        .iter()
        .map(|&s| problem.demands[s].usable.len())
        .min()
        .unwrap_or(0);
    let size = services
        .map(|s| s.size.milli_cores.max(s.size.mib / 4))
        .max()
        .unwrap_or(0);
    (Reverse(priority), choices, Reverse(size), members.to_vec())
}

/// Whether a service has exactly its replicas, all where they may be.
fn is_placed(state: &State<'_>, s: usize) -> bool {
    state.replicas(s) == state.problem.service(s).replicas
        && constraint::of_service(state, s).is_empty()
}

fn place_group(
    state: &mut State<'_>,
    members: &[usize],
    search: Search,
    unplaced: &mut BTreeSet<usize>,
) {
    if members.iter().all(|&s| is_placed(state, s)) {
        return;
    }
    let mark = state.mark();
    for &s in members {
        prior::evict_misplaced(state, s);
        shrink(state, s);
    }
    let missing = component::place(state, members, search);
    if missing.is_empty() {
        return;
    }
    // A service that cannot have its minimum keeps what it has: with all of the group as it was,
    // those that can be placed are placed again, one by one.
    state.undo(mark);
    for &s in members {
        let mark = state.mark();
        prior::evict_misplaced(state, s);
        shrink(state, s);
        let fine = is_placed(state, s) || component::place(state, &[s], search).is_empty();
        if !fine {
            state.undo(mark);
            unplaced.insert(s);
        }
    }
}

/// Takes off replicas that the service no longer wants, the dearest first, as far as the rest
/// stays where it may be.
fn shrink(state: &mut State<'_>, s: usize) {
    let wanted = state.problem.service(s).replicas;
    while state.replicas(s) > wanted {
        let clusters: Vec<usize> = state.places(s).keys().map(|place| place.cluster).collect();
        let mut best: Option<(bool, Micros, usize)> = None;
        for c in clusters {
            let mark = state.mark();
            state.take_one(s, c);
            let harm = !constraint::of_service(state, s).is_empty()
                || state.problem.demands[s]
                    .dependents
                    .iter()
                    .any(|&(d, _)| !latency::check(state, d).is_empty());
            let cost = state.hourly() + state.penalty(s);
            state.undo(mark);
            if best.is_none_or(|least| (harm, cost, c) < least) {
                best = Some((harm, cost, c));
            }
        }
        let Some((_, _, c)) = best else { return };
        state.take_one(s, c);
    }
}

/// Moves services out of pools whose limits were lowered below what is in use, the least important
/// first. What has nowhere to go stays.
fn relieve_full_pools(state: &mut State<'_>, search: Search) {
    let problem = state.problem;
    let nothing = super::state::Usage::default();
    for p in 0..problem.pools.len() {
        if state.broken_limits(p, &nothing).is_empty() {
            continue;
        }
        let mut tenants: Vec<usize> = (0..problem.demands.len())
            .filter(|&s| state.places(s).keys().any(|place| place.pool == p))
            .collect();
        tenants.sort_by_key(|&s| (problem.service(s).priority, Reverse(s)));
        let elsewhere: BTreeSet<usize> = (0..problem.pools.len()).filter(|&q| q != p).collect();
        for s in tenants {
            if state.broken_limits(p, &nothing).is_empty() {
                break;
            }
            let mark = state.mark();
            let here: Vec<usize> = state
                .places(s)
                .keys()
                .filter(|place| place.pool == p)
                .map(|place| place.cluster)
                .collect();
            for c in here {
                while state.take_one(s, c) {}
            }
            let moved = super::assign::place_service(state, s, search, Some(&elsewhere)).is_ok();
            if !moved || !is_placed(state, s) {
                state.undo(mark);
            }
        }
    }
}

fn same_places(
    state: &State<'_>,
    before: &BTreeMap<super::topology::Place, u32>,
    s: usize,
) -> bool {
    state.places(s) == before
}

fn outcome(state: &State<'_>, s: usize, verdict: Verdict) -> Outcome {
    let service = state.problem.service(s);
    let known = &state.problem.snapshot.services;
    let unenforced = service
        .latency
        .iter()
        .filter(|bound| {
            known
                .binary_search_by(|s| s.id.cmp(&bound.dependency))
                .is_err()
        })
        .map(|bound| Unenforced::UnknownDependency {
            dependency: bound.dependency.clone(),
        })
        .collect();
    let reasons = match verdict {
        Verdict::Unschedulable => explain::unschedulable(&mut state.clone(), s),
        _ => Vec::new(),
    };
    Outcome {
        service: service.id.clone(),
        verdict,
        reasons,
        unenforced,
    }
}

fn clusters(state: &State<'_>) -> Vec<ClusterDecision> {
    let snapshot = state.problem.snapshot;
    let mut decisions: Vec<ClusterDecision> = state
        .clusters
        .iter()
        .filter(|c| c.is_wanted())
        .map(|c| decision(state, c))
        .collect();
    let named: BTreeSet<String> = decisions.iter().map(|d| d.cluster.name.clone()).collect();
    for gone in snapshot
        .clusters
        .iter()
        .filter(|c| !named.contains(&c.name))
    {
        // A cluster that people declared in a pool that is not known is left alone.
        if matches!(gone.origin, Origin::Scheduler { .. }) {
            decisions.push(ClusterDecision {
                cluster: Cluster {
                    control_plane: None,
                    workers: Vec::new(),
                    ..gone.clone()
                },
                action: ClusterAction::Delete,
            });
        }
    }
    decisions.sort_by(|a, b| a.cluster.name.cmp(&b.cluster.name));
    decisions
}

fn decision(state: &State<'_>, c: &ClusterState) -> ClusterDecision {
    let snapshot = state.problem.snapshot;
    let class_name = |class: usize| snapshot.node_classes[class].name.clone();
    let mut groups: Vec<NodeGroup> = c
        .nodes
        .iter()
        .filter(|node| node.live)
        .map(|node| NodeGroup {
            class: class_name(node.offer.class),
            count: 1,
            services: node
                .tenants
                .iter()
                .map(|(s, n)| (state.problem.service(*s).id.clone(), *n))
                .collect(),
        })
        .collect();
    if let Some(pad) = c.pad.as_ref().filter(|_| c.padding() > 0) {
        groups.push(NodeGroup {
            class: class_name(pad.class),
            count: c.padding(),
            services: BTreeMap::new(),
        });
    }
    let cluster = Cluster {
        name: c.name.clone(),
        pool: snapshot.pools[c.pool].name.clone(),
        origin: c.origin.clone(),
        control_plane: c
            .control
            .as_ref()
            .map(|(offer, n)| (class_name(offer.class), *n)),
        workers: merged(groups),
    };
    let old = snapshot
        .clusters
        .binary_search_by(|old| old.name.cmp(&c.name));
    let action = match old {
        Err(_) => ClusterAction::Create,
        Ok(i) if machines(&snapshot.clusters[i]) == machines(&cluster) => ClusterAction::Keep,
        Ok(_) => ClusterAction::Resize,
    };
    ClusterDecision { cluster, action }
}

fn machines(cluster: &Cluster) -> (BTreeMap<&str, u32>, Option<&(String, u32)>) {
    let mut workers = BTreeMap::new();
    for group in &cluster.workers {
        *workers.entry(group.class.as_str()).or_default() += group.count;
    }
    (workers, cluster.control_plane.as_ref())
}
