//! Doing parts of the fleet over: a few nodes that cost more than what is on them is worth are given
//! up, and their replicas placed anew, in room that others have and on nodes that are bought for all
//! of them together. What is cheaper than before is kept.

mod anew;

use super::Guide;
use super::demand;
use crate::scheduler::packing::Class;
use crate::scheduler::problem::{Offer, Problem};
use crate::scheduler::state::{Node, State};
use crate::scheduler::units::Micros;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Fewest nodes given up at a time, and how many sizes of such sets there are.
const FEWEST: usize = 3;
const SIZES: usize = 9;
/// Most times that every region is gone through.
const PASSES: usize = 6;
/// Trials for a region in each pass, and nodes in it for one more.
const TRIALS: usize = 24;
const NODES: usize = 30;
/// Trials that one which helped gives back.
const BACK: usize = 5;
/// Nodes among which those given up are, the most wasteful ones.
const AMONG: usize = 60;
/// The most wasteful nodes of a region that are known at a time.
const MOST: usize = 512;
/// Pools of a region among which a trial places anew, if it has more.
const WINDOW: usize = 24;
/// Nodes that may be looked at for room, all trials together.
const LOOKS: usize = 500_000_000;
/// What the nodes of a trial must cost more than their content is worth, as a share of the cheapest node:
/// less is hardly ever won.
const WORTH_TRYING: f64 = 0.25;

/// A node by how much more it costs than what is on it is worth.
type Wasteful = (Reverse<Micros>, usize, usize);

/// Does over what pays, and leaves alone whoever depends on a cluster.
pub(crate) fn all(state: &mut State<'_>, groups: &[Vec<usize>], guide: &Guide) {
    let mut regions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &p in &guide.rows.pools {
        regions.entry(guide.rows.region(p)).or_default().push(p);
    }
    let classes = guide.supplies.iter().flat_map(|supply| &supply.classes);
    let mut rework = Rework {
        guide,
        regions: regions.into_values().collect(),
        bound: bound(state.problem, groups),
        least: classes.fold(f64::INFINITY, |least, class| least.min(class.price)),
        state,
        looks: LOOKS,
    };
    for pass in 0..PASSES {
        let mut helped = false;
        for at in 0..rework.regions.len() {
            if guide.prices.nearly_prove(rework.state.objective()) {
                return;
            }
            helped |= rework.region(at, pass);
        }
        if !helped {
            break;
        }
    }
}

struct Rework<'a, 'p> {
    state: &'a mut State<'p>,
    guide: &'a Guide,
    /// Pools by region.
    regions: Vec<Vec<usize>>,
    /// Services that cannot go from one cluster to another of the same pool.
    bound: Vec<bool>,
    /// What the cheapest node costs.
    least: f64,
    /// Nodes that may still be looked at.
    looks: usize,
}

impl Rework<'_, '_> {
    /// Tries sets of a region's nodes, and of those of one other. Says whether one of them helped.
    fn region(&mut self, at: usize, pass: usize) -> bool {
        let (mut helped, mut trial) = (false, 0);
        let region = self.regions[at]
            .iter()
            .flat_map(|&p| &self.state.by_pool[p]);
        let there: usize = region.map(|&c| self.state.clusters[c].nodes.len()).sum();
        let trials = TRIALS + there / NODES;
        let mut draw = Draw((at * PASSES + pass) as u64);
        let mut nodes = self.wasteful(&self.regions[at]);
        while trial < trials && !nodes.is_empty() {
            // Another region each time, for what may be anywhere.
            let other = (at + 1 + trial + pass * trials) % self.regions.len();
            let mut pools = draw.window(&self.regions[at]);
            if other != at {
                pools.extend(draw.window(&self.regions[other]));
            }
            let size = FEWEST + (trial * 5 + pass * 3) % SIZES;
            let picked = match trial % 3 {
                0 => side_by_side(&nodes, trial, size),
                1 => draw.some(&nodes, size),
                // What is short of cores here may go with what is short of memory there.
                _ => draw.some(&self.wasteful(&pools), size),
            };
            let waste: Micros = picked.iter().map(|(waste, ..)| waste.0).sum();
            let picked: Vec<(usize, usize)> = picked.iter().map(|&(_, c, n)| (c, n)).collect();
            pools.extend(picked.iter().map(|&(c, _)| self.state.clusters[c].pool));
            pools.sort_unstable();
            pools.dedup();
            trial += 1;
            if (waste as f64) < self.least * WORTH_TRYING {
                continue;
            }
            if !self.may_look(&pools, &picked) {
                break;
            }
            if self.over(&pools, &picked) {
                nodes = self.wasteful(&self.regions[at]);
                (helped, trial) = (true, trial.saturating_sub(BACK));
            }
        }
        helped
    }

    /// Counts the nodes that are looked at for room.
    fn may_look(&mut self, pools: &[usize], nodes: &[(usize, usize)]) -> bool {
        let clusters = &self.state.clusters;
        let there = pools.iter().flat_map(|&p| &self.state.by_pool[p]);
        let there: usize = there.map(|&c| clusters[c].nodes.len()).sum();
        let tenants = nodes
            .iter()
            .map(|&(c, n)| clusters[c].nodes[n].tenants.len());
        match self.looks.checked_sub(there * tenants.sum::<usize>()) {
            Some(left) => {
                self.looks = left;
                true
            }
            None => false,
        }
    }

    /// New nodes that cost more than what is on them is worth, the most wasteful first.
    fn wasteful(&self, pools: &[usize]) -> Vec<Wasteful> {
        let mut found = Vec::new();
        for &p in pools {
            let price = self.guide.prices.rows[self.guide.rows.of[p]];
            for &c in &self.state.by_pool[p] {
                let cluster = &self.state.clusters[c];
                if cluster.existed || cluster.padding() > 0 {
                    continue;
                }
                for (n, node) in cluster.nodes.iter().enumerate() {
                    let used = node.used();
                    let worth = price.of(used.milli_cores as f64, used.mib as f64);
                    let waste = self.reduced(p, node) - worth;
                    if node.live && !node.tenants.is_empty() && waste >= 1.0 {
                        found.push((Reverse(waste as Micros), c, n));
                    }
                }
            }
        }
        // Trials look at the first ones only.
        if found.len() > MOST {
            found.select_nth_unstable(MOST);
            found.truncate(MOST);
        }
        let free = |c: usize, n: usize| {
            let mut tenants = self.state.clusters[c].nodes[n].tenants.iter();
            tenants.all(|&(s, _)| !self.bound[s])
        };
        found.retain(|&(_, c, n)| free(c, n));
        found.sort_unstable();
        found
    }

    /// A node's price with what it takes of its pool's limits.
    fn reduced(&self, pool: usize, node: &Node) -> f64 {
        let row = self.guide.rows.of[pool];
        let mut classes = self.guide.supplies[row].classes.iter();
        let class = classes.find(|class| is_of(class, &node.offer));
        class.map_or(0.0, |class| self.guide.prices.reduced(row, class))
    }
}

fn bound(problem: &Problem<'_>, groups: &[Vec<usize>]) -> Vec<bool> {
    let mut bound = vec![true; problem.demands.len()];
    for members in groups
        .iter()
        .filter(|members| demand::is_by_pool(problem, members))
    {
        members.iter().for_each(|&s| bound[s] = false);
    }
    bound
}

fn is_of(class: &Class, offer: &Offer) -> bool {
    class.price == offer.hourly as f64
        && class.cpu == offer.allocatable.milli_cores as f64
        && class.mem == offer.allocatable.mib as f64
}

/// A node and some of those after it, one after the other or with gaps.
fn side_by_side(nodes: &[Wasteful], first: usize, count: usize) -> Vec<Wasteful> {
    let first = first % nodes.len().max(1);
    let list = nodes.iter().skip(first).step_by(1 + first % 3);
    list.take(count).copied().collect()
}

/// Numbers without a pattern, the same each time (SplitMix64).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Some of a region's pools, side by side.
    fn window(&mut self, pools: &[usize]) -> Vec<usize> {
        if pools.len() <= WINDOW {
            return pools.to_vec();
        }
        let from = (self.next() % pools.len() as u64) as usize;
        let round = pools.iter().cycle().skip(from);
        round.take(WINDOW).copied().collect()
    }

    /// Some of a list, more of them from its beginning.
    fn some(&mut self, list: &[Wasteful], count: usize) -> Vec<Wasteful> {
        let among = list.len().min(AMONG) as u64;
        let mut drawn = BTreeSet::new();
        for _ in 0..count {
            let (bits, among) = (self.next(), u128::from(among));
            let (low, high) = (bits & 0xffff_ffff, bits >> 32);
            // The product of two parts of a whole is rather small.
            let at = (u128::from(low) * u128::from(high) * among) >> 64;
            drawn.insert(at as usize);
        }
        drawn
            .into_iter()
            .filter_map(|at| list.get(at))
            .copied()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::bound::Effort;
    use crate::scheduler::component;
    use crate::scheduler::fixtures::{fleet, placed};

    /// What four nodes of which each has one replica of one core cost before and after, micro-dollars per hour.
    fn done_over(one_per_node: bool) -> (Micros, Micros) {
        let mut snapshot = fleet(&[("a", "east"), ("b", "west")], &[("web", 4)]);
        snapshot.services[0].one_per_node = one_per_node;
        let problem = Problem::new(&snapshot);
        let mut state = placed(&problem, &[(0, "a-1"), (0, "a-1"), (0, "b-1"), (0, "b-1")]);
        let before = state.hourly();
        let guide = Guide::new(&State::new(&problem), &[0], Effort::Full);
        all(&mut state, &component::groups(&problem), &guide);
        assert_eq!(state.replicas(0), 4);
        (before, state.hourly())
    }

    #[test]
    fn what_fits_on_one_node_is_brought_together() {
        let (before, after) = done_over(false);
        assert!(after < before, "{after} of {before}");
    }

    #[test]
    fn what_is_drawn_is_in_the_list_and_the_same_each_time() {
        let list: Vec<Wasteful> = (0..100)
            .map(|n| (Reverse(1_000 - n as i64), 0, n))
            .collect();
        let drawn = || {
            let mut draw = Draw(7);
            (0..50).map(|_| draw.some(&list, 9)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(), drawn());
        let places: Vec<usize> = drawn().iter().flatten().map(|(_, _, n)| *n).collect();
        assert!(places.iter().all(|n| *n < AMONG));
        let first = places.iter().filter(|n| **n < AMONG / 2).count();
        assert!(first > places.len() / 2, "{first} of {}", places.len());
    }

    #[test]
    fn a_window_is_some_of_a_large_region_and_all_of_a_small_one() {
        let pools: Vec<usize> = (0..100).collect();
        let mut draw = Draw(7);
        for _ in 0..50 {
            let mut window = draw.window(&pools);
            window.sort_unstable();
            window.dedup();
            assert_eq!(window.len(), WINDOW);
        }
        assert_eq!(draw.window(&pools[..WINDOW]), pools[..WINDOW]);
    }

    #[test]
    fn what_must_be_apart_stays_apart() {
        let (before, after) = done_over(true);
        assert_eq!(after, before);
    }
}
