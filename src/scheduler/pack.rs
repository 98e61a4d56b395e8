//! Putting one replica into one pool: into room that is there, else onto a new node, else into a
//! new cluster, else into a cluster that is fuller than it would like.

use super::constraint::cluster_rules::accepts;
use super::model::{Origin, Service};
use super::problem::Offer;
use super::reason::Why;
use super::score::cost;
use super::state::{ClusterState, Node, State, Usage};
use super::topology::{NEW_CLUSTER, Place};
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
    /// Says whether a cluster, or a new one, will do in a zone.
    pub allowed: &'a dyn Fn(&State<'_>, Place) -> bool,
    /// Whether nodes may be bought.
    pub buy: bool,
    pub opening: Opening,
}

/// A cluster that may take a replica, or a new one.
struct Open {
    c: usize,
    /// The zones where it may, if the pool has several.
    zones: Option<Vec<usize>>,
}

impl Open {
    /// None if no zone will do.
    fn of(state: &State<'_>, s: usize, pool: usize, c: usize, within: &Within<'_>) -> Option<Open> {
        let zones = &state.problem.pools[pool].zones;
        let fine = |&zone: &usize| {
            let place = Place {
                pool,
                cluster: c,
                zone,
            };
            state.problem.may_be_in(s, place) && (within.allowed)(state, place)
        };
        if !zones.are_several() {
            return (zones.domains.iter().all(fine)).then_some(Open { c, zones: None });
        }
        let found: Vec<usize> = zones.all().filter(fine).collect();
        (!found.is_empty()).then_some(Open {
            c,
            zones: Some(found),
        })
    }

    fn has(&self, zone: usize) -> bool {
        self.zones
            .as_ref()
            .is_none_or(|zones| zones.contains(&zone))
    }
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
    let open: Vec<Open> = state.by_pool[pool]
        .iter()
        .filter(|&&c| accepts(state, c, s))
        .filter_map(|&c| Open::of(state, s, pool, c, within))
        .collect();
    if let Some((c, n)) = fit(state, s, &open, left_over) {
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
    open: &[Open],
    within: &Within<'_>,
) -> Result<usize, Vec<Why>> {
    let mut against = BTreeSet::new();
    let mut offers = ordered(state, s, pool, within.opening);
    let padded = open.iter().any(|o| state.clusters[o.c].padding() > 0);
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
    for open in open {
        let cluster = &state.clusters[open.c];
        if cluster.live_nodes() < cluster.soft && grow(state, open, s, &offers, &mut against) {
            return Ok(open.c);
        }
    }
    let founding = (pool, state.problem.demands[s].governing);
    let new = Open::of(state, s, pool, NEW_CLUSTER, within);
    if let Some(new) = new.filter(|_| !state.no_founding.contains(&founding)) {
        match found(state, s, pool, new, &offers) {
            Ok(c) => return Ok(c),
            Err(reasons) => against.extend(reasons),
        }
    }
    for open in open {
        let cluster = &state.clusters[open.c];
        let (live, soft, max) = (cluster.live_nodes(), cluster.soft, cluster.max);
        if live >= soft && live < max && grow(state, open, s, &offers, &mut against) {
            return Ok(open.c);
        }
        if live >= max {
            against.insert(full(&state.clusters[open.c]));
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
/// the room, for services that may be in any zone.
pub(crate) fn best_fit(
    state: &State<'_>,
    s: usize,
    clusters: impl IntoIterator<Item = usize>,
    measure: impl Fn(&Node, Resources) -> u64,
) -> Option<(usize, usize)> {
    let open = clusters.into_iter().map(|c| Open { c, zones: None });
    let open: Vec<Open> = open.collect();
    fit(state, s, &open, measure)
}

fn fit(
    state: &State<'_>,
    s: usize,
    open: &[Open],
    measure: impl Fn(&Node, Resources) -> u64,
) -> Option<(usize, usize)> {
    let service = state.problem.service(s);
    let mut best: Option<((bool, u64), usize, usize)> = None;
    for open in open {
        let c = open.c;
        let cluster = &state.clusters[c];
        let zones = &state.problem.pools[cluster.pool].zones;
        if !cluster.may_have_room(service.size) {
            continue;
        }
        let mut fits = false;
        for (n, node) in cluster.roomy(service.size) {
            if !takes(service, s, node) {
                continue;
            }
            fits = true;
            if !open.has(zones.domain(node.offer.zone)) {
                continue;
            }
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

/// Whether a node takes a replica of a service.
pub(crate) fn takes(service: &Service, s: usize, node: &Node) -> bool {
    node.live
        && service.size.fits(node.free)
        && service.capacity_types.contains(node.offer.capacity_type)
        && !(service.one_per_node && node.holds(s))
}

/// Whether a pool has room for a replica of a service on the nodes that it has.
pub(crate) fn has_room(state: &State<'_>, s: usize, pool: usize) -> bool {
    let service = state.problem.service(s);
    state.by_pool[pool].iter().any(|&c| {
        let cluster = &state.clusters[c];
        if !cluster.may_have_room(service.size) || !accepts(state, c, s) {
            return false;
        }
        let mut roomy = cluster.roomy(service.size);
        let found = roomy.any(|(_, node)| takes(service, s, node));
        if !found {
            cluster.measure_room();
        }
        found
    })
}

/// Whether a pool's limits leave room for one more node that takes a replica of a service.
pub(crate) fn may_buy(state: &State<'_>, s: usize, pool: usize) -> bool {
    let service = state.problem.service(s);
    let mut offers = state.problem.pools[pool].offers.iter();
    offers.any(|offer| {
        offer.holds(service) && state.limits_against(pool, Usage::of(offer, 1)).is_empty()
    })
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
    open: &Open,
    s: usize,
    offers: &[Offer],
    against: &mut BTreeSet<Why>,
) -> bool {
    let c = open.c;
    let pool = state.clusters[c].pool;
    let view = &state.problem.pools[pool];
    let several = view.zones.are_several();
    for offer in offers {
        let zone = state.clusters[c].emptiest_zone(|zone| open.has(view.zones.domains[zone]));
        let there = zone.and_then(|zone| view.in_zone(offer, zone));
        let Some(offer) = there.or(Some(offer).filter(|_| !several)) else {
            return false;
        };
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
    open: Open,
    offers: &[Offer],
) -> Result<usize, BTreeSet<Why>> {
    let problem = state.problem;
    let policy = problem.demands[s].governing;
    let control = problem
        .control_plane(pool, policy)
        .map_err(|wanted| BTreeSet::from([Why::NoControlPlane { wanted }]))?;
    if offers.is_empty() {
        return Err(BTreeSet::new());
    }
    let mark = state.mark();
    let c = state.found(ClusterState::new(problem, pool, policy, control));
    let mut against = BTreeSet::new();
    if grow(state, &Open { c, ..open }, s, offers, &mut against) {
        return Ok(c);
    }
    state.undo(mark);
    Err(against)
}
