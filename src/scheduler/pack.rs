//! Putting one replica into one pool: into room that is there, else onto a new node, else into a
//! new cluster, else into a cluster that is fuller than it would like.

use super::constraint::cluster_rules::accepts;
use super::model::Origin;
use super::problem::Offer;
use super::reason::Why;
use super::score::cost;
use super::state::{ClusterState, Node, State, Usage};
use super::units::{Micros, Resources};
use std::collections::BTreeSet;

/// Which node class is tried first when a node must be bought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// The least price per node that fits.
    Cheapest,
    /// The least price of the replica's share, the largest of equals.
    Efficient,
}

/// Where a replica may go within a pool.
pub(crate) struct Within<'a> {
    /// Says whether a cluster, or a new one, will do.
    pub allowed: &'a dyn Fn(&State<'_>, Option<usize>) -> bool,
    /// Whether nodes may be bought.
    pub buy: bool,
    pub opening: Opening,
}

/// Puts one replica of `s` into `pool`; returns the cluster, or everything that stood against it.
/// On error nothing has changed.
pub(crate) fn place(
    state: &mut State<'_>,
    s: usize,
    pool: usize,
    within: &Within<'_>,
) -> Result<usize, Vec<Why>> {
    state.steps += 1;
    let open: Vec<usize> = state.by_pool[pool]
        .iter()
        .copied()
        .filter(|&c| accepts(state, c, s) && (within.allowed)(state, Some(c)))
        .collect();
    if let Some((c, n)) = best_fit(state, s, open.iter().copied(), left_over) {
        state.put(c, n, s);
        return Ok(c);
    }
    if !within.buy {
        return Err(Vec::new());
    }
    buy(state, s, pool, &open, within)
}

/// Puts a replica onto a new node: in a cluster that may grow, else in a new cluster, else in one
/// that is fuller than it would like.
fn buy(
    state: &mut State<'_>,
    s: usize,
    pool: usize,
    open: &[usize],
    within: &Within<'_>,
) -> Result<usize, Vec<Why>> {
    let mut against = BTreeSet::new();
    let mut offers = ordered(state, s, pool, within.opening);
    let padded = open.iter().any(|&c| state.clusters[c].padding() > 0);
    if !padded {
        // A node costs the same in every cluster then, and what the pool has no room for need not
        // be tried in each of them.
        offers.retain(|offer| {
            let broken = state.limits_against(pool, Usage::of(offer, 1));
            let fine = broken.is_empty();
            against.extend(broken);
            fine
        });
    }
    if offers.is_empty() {
        return Err(against.into_iter().collect());
    }
    for &c in open {
        let cluster = &state.clusters[c];
        if cluster.live_nodes() < cluster.soft && grow(state, c, s, &offers, &mut against) {
            return Ok(c);
        }
    }
    let founding = (pool, state.problem.demands[s].governing);
    if !state.no_founding.contains(&founding) && (within.allowed)(state, None) {
        match found(state, s, pool, &offers) {
            Ok(c) => return Ok(c),
            Err(reasons) => against.extend(reasons),
        }
    }
    for &c in open {
        let cluster = &state.clusters[c];
        let (live, soft, max) = (cluster.live_nodes(), cluster.soft, cluster.max);
        if live >= soft && live < max && grow(state, c, s, &offers, &mut against) {
            return Ok(c);
        }
        if live >= max {
            against.insert(full(&state.clusters[c]));
        }
    }
    Err(against.into_iter().collect())
}

fn full(cluster: &ClusterState) -> Why {
    match cluster.origin {
        Origin::Declared { .. } => Why::ClusterFixed {
            cluster: cluster.name.clone(),
        },
        Origin::Scheduler { .. } => Why::ClustersFull {
            max_nodes: cluster.max,
        },
    }
}

/// The node with the least room left over after taking the replica, by a measure of the node and of
/// the room.
pub(crate) fn best_fit(
    state: &State<'_>,
    s: usize,
    clusters: impl IntoIterator<Item = usize>,
    measure: impl Fn(&Node, Resources) -> u64,
) -> Option<(usize, usize)> {
    let service = state.problem.service(s);
    let mut best: Option<((bool, u64), usize, usize)> = None;
    for c in clusters {
        let cluster = &state.clusters[c];
        if !cluster.may_have_room(service.size) {
            continue;
        }
        let mut fits = false;
        for (n, node) in cluster.nodes.iter().enumerate() {
            let alone = service.one_per_node && node.holds(s);
            let takes = service.capacity_types.contains(node.offer.capacity_type);
            if !node.live || !takes || !service.size.fits(node.free) || alone {
                continue;
            }
            fits = true;
            // What others will ask for is left to them as long as there is room elsewhere.
            let scarce = (node.free.extended).is_more_than_asked(service.size.extended);
            let left = (scarce, measure(node, node.free - service.size));
            if best.is_none_or(|(least, _, _)| left < least) {
                best = Some((left, c, n));
            }
        }
        if !fits {
            cluster.measure_room();
        }
    }
    best.map(|(_, c, n)| (c, n))
}

fn left_over(node: &Node, free: Resources) -> u64 {
    let whole = node.offer.allocatable;
    free.milli_cores * 1_000_000 / whole.milli_cores.max(1)
        + free.mib * 1_000_000 / whole.mib.max(1)
}

fn ordered(state: &State<'_>, s: usize, pool: usize, opening: Opening) -> Vec<Offer> {
    let service = state.problem.service(s);
    let mut offers: Vec<Offer> = state.problem.pools[pool]
        .offers
        .iter()
        .filter(|o| o.holds(service))
        .cloned()
        .collect();
    let key = |o: &Offer| -> (Micros, Micros) {
        match opening {
            Opening::Cheapest => (o.hourly + o.risk, 0),
            Opening::Efficient => (cost::share(o, service.size) + o.risk, -o.hourly),
        }
    };
    offers.sort_by_key(|o| (key(o), o.class));
    offers
}

fn grow(
    state: &mut State<'_>,
    c: usize,
    s: usize,
    offers: &[Offer],
    against: &mut BTreeSet<Why>,
) -> bool {
    let pool = state.clusters[c].pool;
    for offer in offers {
        let (mark, before) = (state.mark(), state.usage[pool]);
        let n = state.open(c, offer);
        state.put(c, n, s);
        let broken = state.broken_limits(pool, &before);
        if broken.is_empty() {
            return true;
        }
        against.extend(broken);
        state.undo(mark);
    }
    false
}

fn found(
    state: &mut State<'_>,
    s: usize,
    pool: usize,
    offers: &[Offer],
) -> Result<usize, BTreeSet<Why>> {
    let problem = state.problem;
    let policy = problem.demands[s].governing;
    let rules = problem.cluster_policy(policy);
    let control = problem
        .control_plane(pool, &rules.control_plane)
        .map_err(|wanted| BTreeSet::from([Why::NoControlPlane { wanted }]))?;
    if offers.is_empty() {
        return Err(BTreeSet::new());
    }
    let mark = state.mark();
    let c = state.found(ClusterState::new(problem, pool, policy, control));
    let mut against = BTreeSet::new();
    if grow(state, c, s, offers, &mut against) {
        return Ok(c);
    }
    state.undo(mark);
    Err(against)
}
