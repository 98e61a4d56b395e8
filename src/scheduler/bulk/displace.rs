//! Room for what has few places to be, on nodes where others have more to choose from.

use super::Guide;
use super::allot::Share;
use super::demand::{self, Freedom};
use super::topup::others;
use super::weight;
use crate::scheduler::constraint::cluster_rules::accepts;
use crate::scheduler::problem::Problem;
use crate::scheduler::state::State;
use crate::scheduler::units::Resources;
use std::collections::BTreeMap;

/// Most nodes that are looked at in one go.
const LOOKS: usize = 2_000_000;

/// Puts what is left over where something freer is, one replica for as many as it takes. Returns what is
/// left then: what still found nothing, and what had to go.
pub(crate) fn all(state: &mut State<'_>, guide: &Guide, mut left: Vec<Share>) -> Vec<Share> {
    let problem = state.problem;
    let mut freedoms = Freedoms::new(guide);
    left.sort_by_cached_key(|x| (freedoms.of(problem, guide, x.service, x.pool), x.service));
    let mut gone: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    for share in &mut left {
        let freedom = freedoms.of(problem, guide, share.service, share.pool);
        // Nothing is freer than what may be anywhere.
        if freedom >= guide.rows.pools.len() {
            continue;
        }
        let pools = others(problem, guide, share);
        while share.replicas > 0 {
            let found = pools.iter().find_map(|&p| {
                one(state, guide, &mut freedoms, share.service, (p, freedom)).map(|gone| (p, gone))
            });
            let Some((p, leave)) = found else {
                break;
            };
            for t in leave {
                *gone.entry((t, p)).or_default() += 1;
            }
            share.replicas -= 1;
        }
    }
    left.retain(|share| share.replicas > 0);
    left.extend(gone.into_iter().map(|((service, pool), replicas)| Share {
        pool,
        service,
        replicas,
    }));
    left
}

/// In how many pools a replica that is in one could be instead, about.
struct Freedoms {
    /// By set of pools: how many there are in each region.
    regions: Vec<BTreeMap<usize, usize>>,
    /// By set of pools: how many there are.
    whole: Vec<usize>,
    /// Nodes that may still be looked at.
    looks: usize,
}

impl Freedoms {
    fn new(guide: &Guide) -> Self {
        let mut freedoms = Freedoms {
            regions: Vec::new(),
            whole: Vec::new(),
            looks: LOOKS,
        };
        for set in &guide.groups.sets {
            let mut regions: BTreeMap<usize, usize> = BTreeMap::new();
            for row in guide.groups.rows_of(set) {
                let region = guide.rows.region(guide.rows.pools[row]);
                *regions.entry(region).or_default() += 1;
            }
            freedoms.whole.push(regions.values().sum());
            freedoms.regions.push(regions);
        }
        freedoms
    }

    fn of(&self, problem: &Problem<'_>, guide: &Guide, service: usize, pool: usize) -> usize {
        let Some(cell) = guide.groups.of[service] else {
            return 1;
        };
        let set = guide.groups.cells[cell].set;
        match demand::freedom(problem, service) {
            Freedom::Here => 1,
            Freedom::Region => {
                let here = self.regions[set].get(&guide.rows.region(pool));
                here.copied().unwrap_or(1)
            }
            Freedom::Anywhere => self.whole[set],
        }
    }
}

/// One replica of `s` onto a new node of pool `p` in place of freer ones, which are returned.
fn one(
    state: &mut State<'_>,
    guide: &Guide,
    freedoms: &mut Freedoms,
    s: usize,
    (p, freedom): (usize, usize),
) -> Option<Vec<usize>> {
    let service = state.problem.service(s);
    for c in state.by_pool[p].clone() {
        if state.clusters[c].existed || !accepts(state, c, s) {
            continue;
        }
        for n in 0..state.clusters[c].nodes.len() {
            let node = &state.clusters[c].nodes[n];
            if !node.live || !node.offer.holds(service) || (service.one_per_node && node.holds(s)) {
                continue;
            }
            freedoms.looks = freedoms.looks.checked_sub(1)?;
            let freer: Vec<(usize, u32)> = (node.tenants.iter().copied())
                .filter(|&(t, _)| t != s && freedoms.of(state.problem, guide, t, p) > freedom)
                .collect();
            if let Some(leave) = enough(state, s, node.free, &freer) {
                leave.iter().for_each(|&t| state.take(c, n, t));
                state.put(c, n, s);
                return Some(leave);
            }
        }
    }
    None
}

/// Replicas that must go, of those that are freer, so that one of `s` fits.
fn enough(
    state: &State<'_>,
    s: usize,
    mut free: Resources,
    freer: &[(usize, u32)],
) -> Option<Vec<usize>> {
    let wanted = state.problem.service(s).size;
    let size = |t: usize| state.problem.service(t).size;
    let mut rest: Vec<usize> = (freer.iter())
        .flat_map(|&(t, count)| std::iter::repeat_n(t, count as usize))
        .collect();
    let most = rest.iter().fold(free, |sum, &t| sum + size(t));
    if !wanted.fits(most) {
        return None;
    }
    rest.sort_by_key(|&t| (weight(size(t)), t));
    let mut leave = Vec::new();
    while !wanted.fits(free) {
        // The smallest that is enough alone, else the largest.
        let at = (rest.iter()).position(|&t| wanted.fits(free + size(t)));
        let t = rest.remove(at.unwrap_or(rest.len().checked_sub(1)?));
        free += size(t);
        leave.push(t);
    }
    Some(leave)
}
