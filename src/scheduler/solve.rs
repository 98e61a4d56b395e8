//! The whole of a decision: take over what is there and search in a few ways, of which the best is
//! kept; again from the outcome while that still finds something to do; and move what pays.

use super::bound::{self, Effort, certificate::Certificate};
use super::bulk::Guide;
use super::component;
use super::exact;
use super::layout::{self, LaidCluster};
use super::limits;
use super::model::{Cluster, ServiceId, Snapshot};
use super::moving;
use super::outcome::{Fleet, Outcome, rate};
use super::output;
use super::prior;
use super::problem::Problem;
use super::search::{compares_really, is_placed, without_place};
use super::solution::{Moves, Solution, Verdict};
use super::state::State;
use super::ways::{quick, round};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Rounds after which the outcome stands even if another round would still change it.
const ROUNDS: usize = 12;
/// Passes over the fleet that move what pays, until one finds nothing.
const PASSES: usize = 128;

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

/// A first plan, in a fraction of the time: it keeps all constraints, but nothing in it is improved or moved, and its
/// bound is a weaker one. Of a small fleet, for which all of it takes a moment, it is what [`solve`] decides.
pub fn first(snapshot: &Snapshot) -> Solution {
    asked(snapshot, |asked, groups| {
        if compares_really(asked.problem) {
            return whole(asked, groups, true);
        }
        let (found, guide, state) = quick(asked, groups);
        let fleet = gained(asked, without_halves(asked, asked, found)).fleet;
        // Of what was there before, loading may leave something out.
        let after = match fleet.unplaced.is_empty() && asked.clusters.is_empty() {
            true => state,
            false => prior::load(asked.problem, &fleet.clusters),
        };
        let mut solution = finish(asked, &fleet, after);
        solution.certificate = certificate(asked.problem, &fleet.unplaced, guide, Effort::Little);
        solution
    })
}

fn decided(snapshot: &Snapshot, certify: bool) -> Solution {
    asked(snapshot, |asked, groups| whole(asked, groups, certify))
}

fn whole(asked: &State<'_>, groups: &[Vec<usize>], certify: bool) -> Solution {
    let problem = asked.problem;
    let (first, guide) = round(asked, groups);
    let first = gained(asked, without_halves(asked, asked, first));
    let first = to_the_optimum(problem, first).fleet;
    let settled = settled(asked, groups, first);
    let (fleet, moves) = calmed(asked, groups, settled);
    let after = prior::load(problem, &fleet.clusters);
    let mut solution = finish(asked, &fleet, after);
    solution.moves = moves;
    if certify {
        solution.certificate = certificate(problem, &fleet.unplaced, guide, Effort::Full);
    }
    solution
}

/// What is decided of what is there, if it is within the limits.
fn asked(
    snapshot: &Snapshot,
    decide: impl FnOnce(&State<'_>, &[Vec<usize>]) -> Solution,
) -> Solution {
    let excess = limits::excesses(snapshot).into_iter().next();
    let snapshot = snapshot.normalised();
    if let Some(excess) = excess {
        return output::undecided(snapshot.into_owned(), &excess);
    }
    let problem = Problem::new(&snapshot);
    let groups = component::groups(&problem);
    let asked = prior::load(&problem, &problem.laid());
    decide(&asked, &groups)
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
    let after = prior::load(&problem, &fleet.clusters);
    finish(&asked, &fleet, after)
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

/// Moves what pays until nothing more does. Where there is no end to it, as where one move is the reason for another that
/// takes it back, nothing is moved: what is decided must be what would be decided again.
fn calmed(asked: &State<'_>, groups: &[Vec<usize>], settled_fleet: Fleet) -> (Fleet, Moves) {
    let problem = asked.problem;
    let mut fleet = settled_fleet.clone();
    let mut made = Vec::new();
    let mut seen = BTreeSet::from([digest(&fleet)]);
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
        if !seen.insert(digest(&fleet)) {
            break;
        }
    }
    (settled_fleet, Moves::default())
}

/// What tells fleets apart, the same on every machine.
fn digest(fleet: &Fleet) -> u64 {
    // Its keys are always the same.
    let mut hasher = DefaultHasher::new();
    (&fleet.clusters, &fleet.unplaced).hash(&mut hasher);
    hasher.finish()
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
/// it but that some services have no place at all, or one that nothing was done about.
fn gained(before: &State<'_>, found: Outcome) -> Outcome {
    if found.fleet.unplaced.is_empty() || before.clusters.is_empty() || overfull(before) {
        return found;
    }
    let unplaced = without_place(before);
    let mut halves = unplaced.iter().filter(|&&s| !before.places(s).is_empty());
    let mended = halves.any(|&s| !stays(before, s, &found.fleet));
    let rating = rate(before, &unplaced);
    if mended || found.rating < rating {
        return found;
    }
    Outcome {
        rating,
        fleet: Fleet::of(before, unplaced),
    }
}

/// Whether a service has as many replicas in each cluster as before.
fn stays(before: &State<'_>, s: usize, fleet: &Fleet) -> bool {
    let mut here: BTreeMap<&str, u32> = BTreeMap::new();
    for cluster in &fleet.clusters {
        for group in &cluster.workers {
            let at = group.tenants.binary_search_by_key(&s, |tenant| tenant.0);
            if let Ok(at) = at {
                *here.entry(&cluster.name).or_default() += group.tenants[at].1 * group.count;
            }
        }
    }
    here == replicas_by_name(before, s)
}

/// The bound for what has a place. Prices that were found for all of it with nothing there before are
/// taken as they are.
fn certificate(
    problem: &Problem<'_>,
    unplaced: &BTreeSet<usize>,
    guide: Option<Guide>,
    effort: Effort,
) -> Certificate {
    let placed: Vec<usize> = (0..problem.demands.len())
        .filter(|s| !unplaced.contains(s))
        .collect();
    let plain = problem.snapshot.clusters.is_empty()
        && problem.demands.iter().all(|d| d.preferences.is_empty());
    let known = guide.as_ref().filter(|_| plain);
    bound::certify(
        problem,
        &placed,
        known.map(|g| (&g.rows, &g.prices)),
        effort,
    )
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

fn overfull(state: &State<'_>) -> bool {
    let pools = 0..state.problem.pools.len();
    let mut broken = pools.map(|p| state.broken_limits(p, &Default::default()));
    broken.any(|limits| !limits.is_empty())
}

/// Holds the outcome, which `after` is the state of, against what was asked about.
fn finish(asked: &State<'_>, fleet: &Fleet, mut after: State<'_>) -> Solution {
    let problem = asked.problem;
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
    if before.places(s).is_empty() || after.places(s).is_empty() {
        return before.places(s).is_empty() && after.places(s).is_empty();
    }
    replicas_by_name(before, s) == replicas_by_name(after, s)
}

/// Replicas of a service in each cluster, by its name.
fn replicas_by_name<'s>(state: &'s State<'_>, s: usize) -> BTreeMap<&'s str, u32> {
    let places = state.in_clusters(s).into_iter();
    places
        .map(|((_, c), n)| (state.clusters[c].name.as_str(), n))
        .collect()
}
