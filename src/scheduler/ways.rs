//! One decision from what is there: the best of several ways.

use super::assign::Search;
use super::bound::Effort;
use super::bulk::{self, Guide};
use super::layout::LaidCluster;
use super::model::Origin;
use super::outcome::{Fleet, Outcome, rate};
use super::room;
use super::search::{
    at_once, compares_really, is_bulk, one_pass, pairs, run, searches, without_place,
};
use super::state::State;
use std::collections::BTreeSet;

/// Most searches that try to do without one of the clusters, and the replica-and-pool pairs that
/// all of them together may look at.
const THINNING_TRIALS: usize = 64;
const THINNING_PAIRS: usize = 240_000;

/// Tries them, and says by which prices if any were sought.
pub(super) fn round(base: &State<'_>, groups: &[Vec<usize>]) -> (Outcome, Option<Guide>) {
    let problem = base.problem;
    let missing = missing(base);
    let (first, others) = searches(problem, missing.len());
    let bulk = first.bulk || others.iter().any(|search| search.bulk);
    let guide = bulk.then(|| Guide::new(base, &missing, Effort::Full));
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

/// One way that takes little time: it places everything, and improves nothing. Also the state that it came to.
pub(super) fn quick<'p>(
    base: &State<'p>,
    groups: &[Vec<usize>],
) -> (Outcome, Option<Guide>, State<'p>) {
    let missing = missing(base);
    let guide =
        is_bulk(base.problem, missing.len()).then(|| Guide::new(base, &missing, Effort::Little));
    let mut state = base.clone();
    if let Some(guide) = &guide {
        bulk::place(&mut state, groups, guide);
    }
    let mut unplaced = one_pass(&mut state, groups, at_once());
    room::make(&mut state, at_once(), &fresh(base), &mut unplaced);
    let unplaced = without_place(&state);
    let outcome = Outcome {
        rating: rate(&state, &unplaced),
        fleet: Fleet::of(&state, unplaced),
    };
    (outcome, guide, state)
}

/// Which services do not run yet.
fn fresh(base: &State<'_>) -> Vec<bool> {
    let services = 0..base.problem.demands.len();
    services.map(|s| base.places(s).is_empty()).collect()
}

/// Services that want a place and have none.
fn missing(base: &State<'_>) -> Vec<usize> {
    let problem = base.problem;
    (0..problem.demands.len())
        .filter(|&s| !problem.hopeless[s] && problem.service(s).replicas > 0)
        .filter(|&s| base.places(s).is_empty())
        .collect()
}

/// Whether what was found from nothing is so near what the prices say it costs at least that no other way is worth
/// the time.
fn cannot_gain(base: &State<'_>, guide: Option<&Guide>, found: &Outcome) -> bool {
    let near = guide.is_some_and(|guide| guide.prices.nearly_prove(found.rating.objective));
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
    let unplaced = run(&mut state, groups, search, &fresh(base));
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
