//! What is there already: clusters with what is on them, as a state.

use super::constraint::{cluster_rules, compliance, selector};
use super::layout::LaidCluster;
use super::model::Origin;
use super::problem::{Offer, Problem};
use super::state::{ClusterState, State};
use super::topology::Place;

/// The state before the search. What cannot be carried over is left out.
pub(crate) fn load<'p>(problem: &'p Problem<'p>, clusters: &[LaidCluster]) -> State<'p> {
    let mut state = State::new(problem);
    for cluster in clusters {
        load_cluster(&mut state, cluster);
    }
    state.commit();
    for cluster in &mut state.clusters {
        cluster.touched = false;
        for node in &mut cluster.nodes {
            node.existed = true;
        }
    }
    state
}

fn load_cluster(state: &mut State<'_>, cluster: &LaidCluster) {
    let problem = state.problem;
    let pool = cluster.pool;
    let policy = match &cluster.origin {
        Origin::Scheduler { policy } => policy.as_ref().and_then(|name| {
            problem
                .snapshot
                .policies
                .iter()
                .position(|p| p.name == *name)
        }),
        Origin::Declared { .. } => None,
    };
    let control = control_plane(problem, cluster, pool, policy);
    let mut made = ClusterState::new(problem, pool, policy, control);
    made.name.clone_from(&cluster.name);
    made.origin = cluster.origin.clone();
    made.existed = true;
    let declared = made.is_declared();
    if let Origin::Declared { resize } = made.origin {
        let workers: u32 = cluster.workers.iter().map(|g| g.count).sum();
        let (min, max) = resize.unwrap_or((workers, workers));
        (made.min, made.soft, made.max) = (min, max, max);
        made.pad = made.pad.filter(|_| resize.is_some());
    }
    let c = state.found(made);
    for group in &cluster.workers {
        let Some(offer) = offer(problem, pool, group.class, declared) else {
            continue;
        };
        if group.tenants.is_empty() && !declared {
            continue;
        }
        for _ in 0..group.count {
            let n = state.restore(c, &offer);
            for &(s, count) in &group.tenants {
                hold(state, c, n, s, count);
            }
            if !declared && state.clusters[c].nodes[n].tenants.is_empty() {
                state.close(c, n);
            }
        }
    }
}

/// A class as the pool sells it. Machines that people declared are used even where the pool does
/// not sell their class; their price is not known then, and counts as nothing.
fn offer(problem: &Problem<'_>, pool: usize, class: usize, declared: bool) -> Option<Offer> {
    let sold = problem.pools[pool].offer_of(class).cloned();
    sold.or_else(|| {
        let node = &problem.snapshot.node_classes[class];
        declared.then(|| Offer::new(class, node, 0))
    })
}

/// Puts back what fits; a service that has grown since is placed anew.
fn hold(state: &mut State<'_>, c: usize, n: usize, s: usize, count: u32) {
    let service = state.problem.service(s);
    for held in 0..count {
        let node = &state.clusters[c].nodes[n];
        let takes = (service.capacity_types).contains(node.offer.capacity_type);
        let fits = service.size.fits(node.free) && !(service.one_per_node && held > 0);
        if fits && takes {
            state.put(c, n, s);
        }
    }
}

fn control_plane(
    problem: &Problem<'_>,
    cluster: &LaidCluster,
    pool: usize,
    policy: Option<usize>,
) -> Option<(Offer, u32)> {
    let existing = cluster.control.and_then(|(class, n)| {
        let offer = problem.pools[pool].offer_of(class)?;
        Some((offer.clone(), n))
    });
    let rule = &problem.cluster_policy(policy).control_plane;
    if matches!(cluster.origin, Origin::Declared { .. }) {
        return existing;
    }
    let unchanged = existing.as_ref().is_some_and(|(offer, n)| {
        let name = &problem.snapshot.node_classes[offer.class].name;
        *n == rule.replicas && rule.class.as_ref().is_none_or(|class| class == name)
    });
    if unchanged {
        return existing;
    }
    match problem.control_plane(pool, rule) {
        Ok(chosen) => chosen,
        Err(_) => existing,
    }
}

/// Takes off what may not be where it is: replicas in pools and zones that no longer pass selector or
/// compliance, and on clusters whose rules are no longer the service's own. The rest of such a service may stay.
pub(crate) fn evict_misplaced(state: &mut State<'_>, s: usize) {
    let problem = state.problem;
    let misplaced: Vec<Place> = state
        .places(s)
        .keys()
        .copied()
        .filter(|place| {
            let pool = &problem.snapshot.pools[place.pool];
            !selector::matches_pool(&problem.service(s).pools, pool)
                || !compliance::holds(&problem.demands[s].compliance, pool)
                || !cluster_rules::accepts(state, place.cluster, s)
                || !problem.may_be_in(s, *place)
        })
        .collect();
    for place in misplaced {
        while state.take_at(s, place) {}
    }
}
