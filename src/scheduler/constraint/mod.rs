//! The hard constraints, one a file.
//!
//! Those about one pool say for a service and a pool what is the matter ([`of_pool`] asks them all,
//! so that nobody sees just the first). Those about the whole of a service look at where its
//! replicas are.

pub(crate) mod budget;
pub(crate) mod caps;
pub(crate) mod closed;
pub(crate) mod cluster_rules;
pub(crate) mod cluster_size;
pub(crate) mod compliance;
pub(crate) mod fit;
pub(crate) mod latency;
pub(crate) mod min_regions;
pub(crate) mod pin;
pub(crate) mod required_regions;
pub(crate) mod selector;
pub(crate) mod spread;

use super::problem::Problem;
use super::reason::Why;
use super::state::State;

/// Everything about a pool that is known before anything is placed.
pub(crate) fn of_pool(problem: &Problem<'_>, s: usize, p: usize) -> Vec<Why> {
    let service = problem.service(s);
    let pool = &problem.snapshot.pools[p];
    let demand = &problem.demands[s];
    let mut found = Vec::new();
    found.extend(closed::check(pool));
    found.extend(selector::check(&service.pools, pool));
    found.extend(compliance::check(&demand.compliance, pool));
    found.extend(fit::check(problem, service, p));
    found.extend(pin::check_pool(problem, s, p));
    found
}

/// Whether nothing is wrong with a service's replicas where they are now.
pub(crate) fn all_kept(state: &State<'_>, s: usize) -> bool {
    plainly_kept(state, s) || of_service(state, s).is_empty()
}

/// The same for what has few rules, found out without a word about it; "no" may be wrong.
fn plainly_kept(state: &State<'_>, s: usize) -> bool {
    let (problem, places) = (state.problem, state.places(s));
    let demand = &problem.demands[s];
    let eligible = problem.eligible(s);
    let plain = demand.pins.is_empty()
        && demand.required.is_empty()
        && demand.spread.is_empty()
        && (demand.min_regions == 0 || min_regions::in_enough(state, s));
    plain
        && places.keys().all(|place| {
            eligible.binary_search(&place.pool).is_ok()
                && problem.may_be_in(s, *place)
                && cluster_rules::accepts(state, place.cluster, s)
                && latency::is_near(state, s, *place)
        })
}

/// Everything that is wrong with a service's replicas where they are now.
pub(crate) fn of_service(state: &State<'_>, s: usize) -> Vec<Why> {
    let problem = state.problem;
    let mut found = Vec::new();
    for place in state.places(s).keys() {
        let pool = &problem.snapshot.pools[place.pool];
        let service = problem.service(s);
        found.extend(selector::check(&service.pools, pool));
        found.extend(selector::check_zone(problem, s, *place));
        found.extend(compliance::check(&problem.demands[s].compliance, pool));
    }
    found.extend(cluster_rules::check(state, s));
    found.extend(pin::check(state, s));
    found.extend(required_regions::check(state, s));
    found.extend(min_regions::check(state, s));
    found.extend(spread::check(state, s));
    found.extend(latency::check(state, s));
    found
}
