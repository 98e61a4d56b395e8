//! The whole of a decision: take over what is there and search in a few ways, of which the best is
//! kept; again from the outcome while that still finds something to do; and move what pays.

use super::assign::Search;
use super::bound::{self, certificate::Certificate};
use super::bulk::{self, Guide};
use super::component;
use super::exact;
use super::layout::{self, LaidCluster};
use super::limits;
use super::model::{Cluster, Origin, ServiceId, Snapshot};
use super::moving;
use super::output;
use super::prior;
use super::problem::Problem;
use super::search::{compares_really, is_placed, pairs, run, searches};
use super::solution::{Moves, Solution, Verdict};
use super::state::State;
use super::units::Micros;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Rounds after which the outcome stands even if another round would still change it.
const ROUNDS: usize = 12;
/// Passes over the fleet that move what pays, until one finds nothing.
const PASSES: usize = 32;
/// How much more than the least a plan may cost to be kept without trying other ways.
const NEAR: f64 = 1.005;
/// Most searches that try to do without one of the clusters, and the replica-and-pool pairs that
/// all of them together may look at.
const THINNING_TRIALS: usize = 64;
const THINNING_PAIRS: usize = 240_000;

/// Decides where everything runs. The snapshot may be in any order; the solution does not depend
/// on it. Solving a solution again changes nothing. Of a snapshot beyond the [`limits`] nothing is
/// reckoned: what is there stays, and no service has a place.
pub fn solve(snapshot: &Snapshot) -> Solution {
    decided(snapshot, true)
}

/// The same decision without its certificate, for whoever asks many questions and needs no proof.
pub fn decide(snapshot: &Snapshot) -> Solution {
    decided(snapshot, false)
}

fn decided(snapshot: &Snapshot, certify: bool) -> Solution {
    let mut snapshot = snapshot.clone();
    snapshot.normalise();
    if let Some(excess) = limits::excesses(&snapshot).into_iter().next() {
        return output::undecided(snapshot, &excess);
    }
    let problem = Problem::new(&snapshot);
    let groups = component::groups(&problem);
    let asked = prior::load(&problem, &problem.laid());
    let (first, guide) = round(&asked, &groups);
    let first = gained(&asked, without_halves(&asked, &asked, first));
    let first = to_the_optimum(&problem, first).fleet;
    let (fleet, moves) = calmed(&asked, &groups, settled(&asked, &groups, first));
    let mut solution = finish(&asked, &fleet);
    solution.moves = moves;
    if certify {
        solution.certificate = certificate(&problem, &fleet.unplaced, guide);
    }
    solution
}

/// Clusters with what is on them as a decision of a snapshot, without a certificate.
pub(crate) fn told(
    snapshot: &Snapshot,
    clusters: &[Cluster],
    unplaced: &BTreeSet<ServiceId>,
) -> Solution {
    let problem = Problem::new(snapshot);
    let asked = prior::load(&problem, &problem.laid());
    let fleet = Fleet {
        clusters: layout::read(&problem, clusters),
        unplaced: (unplaced.iter())
            .filter_map(|id| problem.service_named(id))
            .collect(),
    };
    finish(&asked, &fleet)
}

/// Clusters, and the services without a place.
#[derive(Clone)]
struct Fleet {
    clusters: Vec<LaidCluster>,
    unplaced: BTreeSet<usize>,
}

impl Fleet {
    fn of(state: &State<'_>, unplaced: BTreeSet<usize>) -> Self {
        Fleet {
            clusters: output::live(state),
            unplaced,
        }
    }
}

/// What one way of searching came to.
struct Outcome {
    rating: Rating,
    fleet: Fleet,
}

/// Looks at a fleet as what is there already. What preferences charge may depend on what is where, and is found
/// again then.
fn standing<R>(
    problem: &Problem<'_>,
    clusters: &[LaidCluster],
    look: impl FnOnce(State<'_>) -> R,
) -> R {
    if !problem.depends_on_clusters() {
        return look(prior::load(problem, clusters));
    }
    let snapshot = Snapshot {
        clusters: layout::written(problem, clusters),
        ..problem.snapshot.clone()
    };
    let problem = Problem::new(&snapshot);
    look(prior::load(&problem, clusters))
}

/// Searches again from the outcome while that finds something to do.
fn settled(asked: &State<'_>, groups: &[Vec<usize>], mut fleet: Fleet) -> Fleet {
    let problem = asked.problem;
    for _ in 1..ROUNDS {
        let hopeless = fleet.unplaced.iter().all(|&s| problem.hopeless[s]);
        let again = standing(problem, &fleet.clusters, |base| {
            // With every service in place that can have one, and no pool over its limits, there is
            // nothing left to do.
            if hopeless && !overfull(&base) {
                return None;
            }
            let (outcome, _) = round(&base, groups);
            // What is taken off makes room that the next round may use, as solving the outcome would.
            Some(gained(&base, without_halves(asked, &base, outcome)).fleet)
        });
        let Some(again) = again else { break };
        let settled = again.clusters == fleet.clusters;
        fleet = again;
        if settled {
            break;
        }
    }
    fleet
}

/// Moves what pays until nothing more does. Where there is no end to it, nothing is moved: what is decided must
/// be what would be decided again.
fn calmed(asked: &State<'_>, groups: &[Vec<usize>], settled_fleet: Fleet) -> (Fleet, Moves) {
    let problem = asked.problem;
    let mut fleet = settled_fleet.clone();
    let mut made = Vec::new();
    for _ in 0..PASSES {
        let passed = standing(problem, &fleet.clusters, |state| {
            moving::pass(state, groups, &fleet.unplaced)
        });
        made.extend(passed.made);
        let Some(clusters) = passed.clusters else {
            let before = &problem.snapshot.clusters;
            return (fleet, moving::told(before, made, passed.left));
        };
        fleet.clusters = clusters;
        fleet = settled(asked, groups, fleet);
    }
    (settled_fleet, Moves::default())
}

/// A better plan in the place of this one, where the fleet is so small that one can be sought among all.
fn to_the_optimum(problem: &Problem<'_>, found: Outcome) -> Outcome {
    let Fleet { clusters, unplaced } = &found.fleet;
    let better = exact::better(problem, clusters, unplaced, found.rating.objective);
    let Some(clusters) = better else { return found };
    let after = prior::load(problem, &clusters);
    let unplaced = without_place(&after);
    let better = Outcome {
        rating: rate(&after, &unplaced),
        fleet: Fleet { clusters, unplaced },
    };
    match better.rating < found.rating {
        true => better,
        false => found,
    }
}

/// What was found, or what was there before: that stays unless something is gained, if nothing is wrong with
/// it but that some services have no place at all.
fn gained(before: &State<'_>, found: Outcome) -> Outcome {
    if found.fleet.unplaced.is_empty() || before.clusters.is_empty() || overfull(before) {
        return found;
    }
    let unplaced = without_place(before);
    let halves = unplaced.iter().any(|&s| !before.places(s).is_empty());
    let rating = rate(before, &unplaced);
    if halves || found.rating < rating {
        return found;
    }
    Outcome {
        rating,
        fleet: Fleet::of(before, unplaced),
    }
}

fn without_place(state: &State<'_>) -> BTreeSet<usize> {
    let services = 0..state.problem.demands.len();
    services.filter(|&s| !is_placed(state, s)).collect()
}

/// The bound for what has a place. Prices that were found for all of it with nothing there before are
/// taken as they are.
fn certificate(
    problem: &Problem<'_>,
    unplaced: &BTreeSet<usize>,
    guide: Option<Guide>,
) -> Certificate {
    let placed: Vec<usize> = (0..problem.demands.len())
        .filter(|s| !unplaced.contains(s))
        .collect();
    let plain = problem.snapshot.clusters.is_empty()
        && problem.demands.iter().all(|d| d.preferences.is_empty());
    let known = guide.as_ref().filter(|_| plain);
    bound::certify(problem, &placed, known.map(|g| (&g.rows, &g.prices)))
}

/// Takes off what services without a place have more than they were asked with, and with it whoever depended on
/// that.
fn without_halves(asked: &State<'_>, base: &State<'_>, found: Outcome) -> Outcome {
    let Fleet { clusters, unplaced } = &found.fleet;
    let nodes = clusters.iter().flat_map(|c| &c.workers);
    let mut tenants = nodes.flat_map(|group| &group.tenants);
    if unplaced.is_empty() || !tenants.any(|(s, _)| unplaced.contains(s)) {
        return found;
    }
    let mut unplaced = unplaced.clone();
    let mut after = prior::load(base.problem, clusters);
    let mut judged = 0;
    while judged < unplaced.len() {
        judged = unplaced.len();
        for &s in unplaced.iter() {
            let places: Vec<_> = after.places(s).keys().map(|place| place.cluster).collect();
            for c in places {
                let was = asked.cluster_named(&after.clusters[c].name);
                let had = was.map_or(0, |c| asked.replicas_in(s, c));
                while after.replicas_in(s, c) > had {
                    after.take_one(s, c);
                }
            }
        }
        unplaced.extend((0..after.problem.demands.len()).filter(|&s| !is_placed(&after, s)));
    }
    Outcome {
        rating: rate(&after, &unplaced),
        fleet: Fleet::of(&after, unplaced),
    }
}

/// One decision from what is there: the best of several ways.
fn round(base: &State<'_>, groups: &[Vec<usize>]) -> (Outcome, Option<Guide>) {
    let problem = base.problem;
    let missing: Vec<usize> = (0..problem.demands.len())
        .filter(|&s| !problem.hopeless[s] && problem.service(s).replicas > 0)
        .filter(|&s| base.places(s).is_empty())
        .collect();
    let (first, others) = searches(problem, missing.len());
    let bulk = first.bulk || others.iter().any(|search| search.bulk);
    let guide = bulk.then(|| Guide::new(base, &missing));
    let ahead = others.iter().find(|search| search.bulk);
    let mut ahead = ahead.map(|&search| attempt(base, groups, search, guide.as_ref()).0);
    if let Some(found) = ahead.take_if(|found| cannot_gain(base, guide.as_ref(), found)) {
        return (found, guide);
    }
    let (mut best, idle) = attempt(base, groups, first, guide.as_ref());
    let mut chosen = first;
    // Where nothing had to be done, another way gives the same.
    for search in others.into_iter().take_while(|_| !idle) {
        let known = ahead.take_if(|_| search.bulk);
        let outcome = known.unwrap_or_else(|| attempt(base, groups, search, guide.as_ref()).0);
        if outcome.rating < best.rating {
            (best, chosen) = (outcome, search);
        }
    }
    if compares_really(problem) {
        let trials = THINNING_PAIRS / pairs(problem).max(1);
        let trials = trials.min(THINNING_TRIALS);
        let way = (chosen, guide.as_ref());
        thin_out(base.clone(), groups, way, trials, &mut best);
    }
    (best, guide)
}

/// Whether what was found from nothing is so near what the prices say it costs at least that no other way is worth
/// the time.
fn cannot_gain(base: &State<'_>, guide: Option<&Guide>, found: &Outcome) -> bool {
    let bound = guide.map_or(0.0, |guide| guide.prices.bound);
    let near = found.rating.objective as f64 <= bound * NEAR;
    near && base.clusters.is_empty() && found.fleet.unplaced.is_empty()
}

/// Searches one way from `base`; also says whether there was nothing to do.
fn attempt(
    base: &State<'_>,
    groups: &[Vec<usize>],
    search: Search,
    guide: Option<&Guide>,
) -> (Outcome, bool) {
    let mut state = base.clone();
    if let Some(guide) = guide.filter(|_| search.bulk) {
        bulk::place(&mut state, groups, guide);
    }
    let fresh: Vec<bool> = (0..base.problem.demands.len())
        .map(|s| base.places(s).is_empty())
        .collect();
    let unplaced = run(&mut state, groups, search, &fresh);
    // Small fleets are compared in ways enough.
    if let Some(guide) = guide.filter(|_| search.bulk && !compares_really(base.problem)) {
        bulk::rework::all(&mut state, groups, guide);
    }
    let outcome = Outcome {
        rating: rate(&state, &unplaced),
        fleet: Fleet::of(&state, unplaced),
    };
    (outcome, state.steps == 0)
}

/// Does without clusters that were only just planned, where that is better as a whole. Services
/// are placed one after the other, and none of them alone sees that a cluster's overhead is saved
/// when all of them go elsewhere.
fn thin_out(
    mut base: State<'_>,
    groups: &[Vec<usize>],
    (search, guide): (Search, Option<&Guide>),
    trials: usize,
    best: &mut Outcome,
) {
    let mut tried: BTreeSet<(usize, Option<usize>)> = BTreeSet::new();
    for _ in 0..trials {
        let planned = planned(&base, &best.fleet.clusters);
        let Some(&without) = planned.iter().find(|p| !tried.contains(*p)) else {
            return;
        };
        tried.insert(without);
        base.no_founding.insert(without);
        let (outcome, _) = attempt(&base, groups, search, guide);
        if outcome.rating < best.rating {
            *best = outcome;
            // What did not help before may help now.
            tried.clear();
        } else {
            base.no_founding.remove(&without);
        }
    }
}

/// Pool and policy of the clusters that are new, those with the fewest workers first.
fn planned(base: &State<'_>, clusters: &[LaidCluster]) -> Vec<(usize, Option<usize>)> {
    let policies = &base.problem.snapshot.policies;
    let there: BTreeSet<&str> = base.clusters.iter().map(|c| c.name.as_str()).collect();
    let mut found: Vec<(u32, (usize, Option<usize>))> = clusters
        .iter()
        .filter(|c| !there.contains(c.name.as_str()))
        .filter_map(|c| {
            let Origin::Scheduler { policy } = &c.origin else {
                return None;
            };
            let policy = policy
                .as_ref()
                .and_then(|name| policies.iter().position(|p| p.name == *name));
            let workers = c.workers.iter().map(|g| g.count).sum();
            Some((workers, (c.pool, policy)))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, place)| place).collect()
}

fn overfull(state: &State<'_>) -> bool {
    let pools = 0..state.problem.pools.len();
    let mut broken = pools.map(|p| state.broken_limits(p, &Default::default()));
    broken.any(|limits| !limits.is_empty())
}

/// Holds the outcome against what was asked about.
fn finish(asked: &State<'_>, fleet: &Fleet) -> Solution {
    let problem = asked.problem;
    let mut after = prior::load(problem, &fleet.clusters);
    let rating = rate(&after, &fleet.unplaced);
    let outcomes = (0..problem.demands.len())
        .map(|s| {
            let verdict = match () {
                () if fleet.unplaced.contains(&s) => Verdict::Unschedulable,
                () if same_places(asked, &after, s) => Verdict::Unchanged,
                () => Verdict::Placed,
            };
            output::outcome(&mut after, s, verdict)
        })
        .collect();
    let clusters = layout::written(problem, &fleet.clusters);
    Solution {
        hourly: after.hourly(),
        objective: rating.objective,
        certificate: Certificate::default(),
        moves: Moves::default(),
        clusters: output::decisions(problem.snapshot, clusters),
        outcomes,
    }
}

fn same_places(before: &State<'_>, after: &State<'_>, s: usize) -> bool {
    let named = |state: &State<'_>| -> BTreeMap<String, u32> {
        let places = state.in_clusters(s).into_iter();
        places
            .map(|((_, c), n)| (state.clusters[c].name.clone(), n))
            .collect()
    };
    named(before) == named(after)
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
