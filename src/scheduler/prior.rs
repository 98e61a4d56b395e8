//! What is there already: clusters with what is on them, as a state.

use super::constraint::{cluster_rules, compliance, selector};
use super::layout::LaidCluster;
use super::model::Origin;
use super::problem::{Offer, Problem};
use super::state::{ClusterState, State, Usage};
use super::topology::Place;

/// The state before the search. What cannot be carried over is left out.
pub(crate) fn load<'p>(problem: &'p Problem<'p>, clusters: &[LaidCluster]) -> State<'p> {
    let mut state = State::new(problem);
    for cluster in clusters {
        load_cluster(&mut state, cluster);
        // There is no way back, and no memory is to be spent on one.
        state.commit();
    }
    stay_within_limits(&mut state, clusters);
    for cluster in &mut state.clusters {
        cluster.touched = false;
        for node in &mut cluster.nodes {
            node.existed = true;
        }
    }
    state
}

/// Rules that changed may ask for more workers, or another control plane, than a pool's limits have space for. Its
/// clusters stay as they were then. `clusters` are those of the state, in the same order.
fn stay_within_limits(state: &mut State<'_>, clusters: &[LaidCluster]) {
    for pool in 0..state.problem.pools.len() {
        if state.broken_limits(pool, &Usage::default()).is_empty() {
            continue;
        }
        let mut was = Usage::default();
        for cluster in clusters.iter().filter(|c| c.pool == pool) {
            was.add(used(state.problem, cluster));
        }
        if state.broken_limits(pool, &was).is_empty() {
            continue;
        }
        for c in state.by_pool[pool].clone() {
            stay(state, c, &clusters[c]);
        }
    }
}

fn stay(state: &mut State<'_>, c: usize, was: &LaidCluster) {
    let workers = was.workers.iter().map(|group| group.count).sum();
    let control = existing_control_plane(state.problem, was);
    state.stay(c, control, workers);
    let offers = &state.problem.pools[was.pool];
    if state.clusters[c].is_declared() {
        return;
    }
    for group in was.workers.iter().filter(|group| group.tenants.is_empty()) {
        let Some(offer) = offers.offer_of(group.class) else {
            continue;
        };
        for _ in 0..group.count {
            state.restore(c, offer);
        }
    }
}

/// What a cluster uses, as the pool sells it today.
fn used(problem: &Problem<'_>, cluster: &LaidCluster) -> Usage {
    let workers = cluster.workers.iter().map(|g| (g.class, g.count));
    let mut usage = Usage::default();
    for (class, count) in workers.chain(cluster.control) {
        if let Some(offer) = offer(problem, cluster.pool, class, true) {
            usage.add(Usage::of(&offer, u64::from(count)));
        }
    }
    usage
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
    if !declared {
        made.spare = spare(problem, cluster);
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

/// Workers without replicas of which there are no more to be had: what else would be bought instead.
fn spare(problem: &Problem<'_>, cluster: &LaidCluster) -> Option<(Offer, u32)> {
    let pool = &problem.pools[cluster.pool];
    let idle = cluster
        .workers
        .iter()
        .filter(|group| group.tenants.is_empty());
    let kept = idle.filter_map(|group| Some((pool.kept(group.class)?.clone(), group.count)));
    kept.max_by_key(|(offer, count)| (*count, offer.class))
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
    let node = &state.clusters[c].nodes[n];
    if !(service.capacity_types).contains(node.offer.capacity_type) {
        return;
    }
    let most = if service.one_per_node {
        count.min(1)
    } else {
        count
    };
    let fits = |n: u32| service.size.times(u64::from(n)).fits(node.free);
    let mut held = 0;
    for bit in (0..u32::BITS).rev().map(|bit| 1 << bit) {
        if held + bit <= most && fits(held + bit) {
            held += bit;
        }
    }
    if held > 0 {
        state.put_many(c, n, s, held);
    }
}

/// The control plane that is there, if the pool still sells its class.
fn existing_control_plane(problem: &Problem<'_>, cluster: &LaidCluster) -> Option<(Offer, u32)> {
    let (class, n) = cluster.control?;
    let offer = problem.pools[cluster.pool].offer_of(class)?;
    Some((offer.clone(), n))
}

fn control_plane(
    problem: &Problem<'_>,
    cluster: &LaidCluster,
    pool: usize,
    policy: Option<usize>,
) -> Option<(Offer, u32)> {
    let existing = existing_control_plane(problem, cluster);
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
    match problem.control_plane(pool, policy) {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::scheduler::check::check;
    use crate::scheduler::fixtures::{CLASS, fleet, ruled, workers};
    use crate::scheduler::model::{NodeGroup, Offer, Snapshot};
    use crate::scheduler::solve;
    use crate::scheduler::units::Resources;

    /// One worker where the rules by now ask for four, in a pool for so many nodes.
    fn rules_ask_for_four(max_nodes: u64) -> Snapshot {
        let mut snapshot = fleet(&[("a", "east")], &[("web", 1)]);
        snapshot.pools[0].caps.max_nodes = Some(max_nodes);
        ruled(&mut snapshot, 4, vec![workers(1, 1)]);
        snapshot
    }

    fn workers_of(snapshot: &Snapshot) -> u32 {
        let solution = solve(snapshot);
        assert_eq!(check(snapshot, &solution), []);
        let clusters = solution.live().flat_map(|d| &d.cluster.workers);
        clusters.map(|group| group.count).sum()
    }

    #[test]
    fn a_cluster_grows_to_what_its_rules_ask_for_where_the_pool_has_space() {
        assert_eq!(workers_of(&rules_ask_for_four(4)), 4);
    }

    #[test]
    fn a_cluster_stays_as_it_was_where_its_rules_ask_for_more_than_the_pool_may_have() {
        assert_eq!(workers_of(&rules_ask_for_four(3)), 1);
    }

    #[test]
    fn a_worker_of_which_no_use_is_left_stays_where_another_would_take_more_of_a_full_pool() {
        let mut snapshot = rules_ask_for_four(4);
        let mut class = snapshot.node_classes[0].clone();
        class.name = "tiny".into();
        class.capacity = Resources::new(1, 1);
        snapshot.node_classes.push(class);
        snapshot.pools[0].offers.push(Offer {
            class: "tiny".into(),
            hourly: 200_000,
        });
        snapshot.services[0].replicas = 2;
        let workers = &mut snapshot.clusters[0].workers;
        let tiny = NodeGroup {
            class: "tiny".into(),
            ..workers[0].clone()
        };
        workers.push(tiny);
        let rules = snapshot.policies[0].cluster_policy.as_mut().unwrap();
        rules.min_nodes = 2;
        // More is in use, and no more may be bought.
        snapshot.pools[0].caps.max_milli_cores = Some(1);
        let solution = solve(&snapshot);
        assert_eq!(check(&snapshot, &solution), []);
        let left: Vec<_> = solution.live().flat_map(|d| &d.cluster.workers).collect();
        let left: Vec<_> = left.iter().map(|g| (g.class.as_str(), g.count)).collect();
        assert_eq!(left, [(CLASS, 1), ("tiny", 1)]);
        snapshot.clusters = solution.live().map(|d| d.cluster.clone()).collect();
        let again = solve(&snapshot);
        let again: Vec<_> = again.live().map(|d| d.cluster.clone()).collect();
        assert_eq!(again, snapshot.clusters);
    }
}
