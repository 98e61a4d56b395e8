//! Room for what has few places to be, on nodes where others have more to choose from.

use super::Guide;
use super::allot::Share;
use super::topup::others;
use crate::scheduler::constraint::cluster_rules::accepts;
use crate::scheduler::state::State;
use crate::scheduler::units::Resources;
use std::collections::BTreeMap;

/// Puts what is left over where something freer is, one replica for as many as it takes. Returns what is
/// left then: what still found nothing, and what had to go.
pub(crate) fn all(state: &mut State<'_>, guide: &Guide, mut left: Vec<Share>) -> Vec<Share> {
    let mut freedoms = Freedoms::default();
    left.sort_by_key(|share| {
        (
            freedoms.of(state, guide, share.service, share.pool),
            share.service,
        )
    });
    let mut gone: BTreeMap<(usize, usize), u32> = BTreeMap::new();
    for share in &mut left {
        let pools = others(state.problem, guide, share);
        while share.replicas > 0 {
            let found = (pools.iter()).any(|&p| {
                one(
                    state,
                    guide,
                    &mut freedoms,
                    share.service,
                    (p, pools.len()),
                    &mut gone,
                )
            });
            if !found {
                break;
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

/// In how many pools a replica that is in one could be instead.
#[derive(Default)]
struct Freedoms(BTreeMap<(usize, usize), usize>);

impl Freedoms {
    fn of(&mut self, state: &State<'_>, guide: &Guide, service: usize, pool: usize) -> usize {
        *self.0.entry((service, pool)).or_insert_with(|| {
            let share = Share {
                pool,
                service,
                replicas: 1,
            };
            others(state.problem, guide, &share).len()
        })
    }
}

/// One replica of `s` onto a new node of pool `p` in place of a freer one.
fn one(
    state: &mut State<'_>,
    guide: &Guide,
    freedoms: &mut Freedoms,
    s: usize,
    (p, freedom): (usize, usize),
    gone: &mut BTreeMap<(usize, usize), u32>,
) -> bool {
    let service = state.problem.service(s);
    for c in state.by_pool[p].clone() {
        if state.clusters[c].existed || !accepts(state, c, s) {
            continue;
        }
        for n in 0..state.clusters[c].nodes.len() {
            let node = &state.clusters[c].nodes[n];
            if !node.live
                || !service.size.fits(node.offer.allocatable)
                || (service.one_per_node && node.holds(s))
            {
                continue;
            }
            let freer: Vec<(usize, u32)> = (node.tenants.iter().copied())
                .filter(|&(t, _)| t != s && freedoms.of(state, guide, t, p) > freedom)
                .collect();
            if let Some(leave) = enough(state, s, node.free, &freer) {
                for t in leave {
                    state.take(c, n, t);
                    *gone.entry((t, p)).or_default() += 1;
                }
                state.put(c, n, s);
                return true;
            }
        }
    }
    false
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
    let weight = |size: Resources| size.milli_cores * 4 + size.mib;
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
