//! Doing parts of the fleet over: a few nodes that cost more than what is on them is worth are given
//! up, and their replicas placed anew, in room that others have and on nodes that are bought for all
//! of them together. What is cheaper than before is kept.

use super::Guide;
use super::allot::Share;
use super::demand;
use super::fill::Shop;
use super::pattern::{self, Wanting};
use super::topup::among;
use super::weight;
use crate::scheduler::constraint::cluster_rules::accepts;
use crate::scheduler::pack;
use crate::scheduler::packing::Class;
use crate::scheduler::problem::{Offer, Problem};
use crate::scheduler::state::State;
use crate::scheduler::units::Micros;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Fewest nodes given up at a time, and how many sizes of such sets there are.
const FEWEST: usize = 3;
const SIZES: usize = 7;
/// Times that every region is gone through.
const PASSES: usize = 2;
/// Trials for a region in each pass after the last one that helped: as many as it has pools, and at least.
const TRIALS: usize = 8;
/// Pools of which the nodes are compared before one is bought.
const POOLS: usize = 12;
/// Nodes that may be looked at for room, all trials together.
const LOOKS: usize = 200_000_000;
/// What the nodes of a trial must cost more than their content is worth, as a share of the cheapest node:
/// less is hardly ever won.
const WORTH_TRYING: f64 = 0.25;

/// Sums of fractions are a little off.
const NEARLY: f64 = 1.000_001;

/// A node by how much more it costs than what is on it is worth.
type Wasteful = (Reverse<Micros>, usize, usize);

/// Replicas without a place, with the pools where they may be.
type Homeless = (Share, Vec<usize>);

/// A node to buy: what it costs for a unit of worth, and which of the homeless go on it.
struct Bargain {
    ratio: f64,
    shop: Rc<Shop>,
    class: usize,
    content: Vec<(usize, u32)>,
}

/// Does over what pays, and leaves alone whoever depends on a cluster.
pub(crate) fn all(state: &mut State<'_>, groups: &[Vec<usize>], guide: &Guide) {
    let mut regions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &p in &guide.rows.pools {
        regions.entry(guide.rows.region(p)).or_default().push(p);
    }
    let mut rework = Rework {
        guide,
        regions: regions.into_values().collect(),
        bound: bound(state.problem, groups),
        state,
        looks: LOOKS,
    };
    for pass in 0..PASSES {
        let mut helped = false;
        for at in 0..rework.regions.len() {
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
    /// Nodes that may still be looked at.
    looks: usize,
}

impl Rework<'_, '_> {
    /// Tries sets of a region's nodes, the most wasteful first. Says whether one of them helped.
    fn region(&mut self, at: usize, pass: usize) -> bool {
        let (mut nodes, least) = self.wasteful(&self.regions[at]);
        let (mut helped, mut trial) = (false, 0);
        let trials = TRIALS.max(self.regions[at].len());
        while trial < trials.min(nodes.len()) {
            let picked = picked(&nodes, trial, FEWEST + (trial * 5 + pass * 3) % SIZES);
            let waste: Micros = picked.iter().map(|(waste, ..)| waste.0).sum();
            if (waste as f64) < least * WORTH_TRYING {
                break;
            }
            // Another region each time, for what may be anywhere.
            let other = (at + 1 + trial + pass * trials) % self.regions.len();
            let mut pools = self.regions[at].clone();
            if other != at {
                pools.extend(&self.regions[other]);
                pools.sort_unstable();
            }
            let picked: Vec<(usize, usize)> = picked.iter().map(|&(_, c, n)| (c, n)).collect();
            if !self.may_look(&pools, &picked) {
                break;
            }
            if self.over(&pools, &picked) {
                nodes = self.wasteful(&self.regions[at]).0;
                (helped, trial) = (true, 0);
            } else {
                trial += 1;
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

    /// New nodes that cost more than what is on them is worth, the most wasteful first; and what the cheapest
    /// node costs.
    fn wasteful(&self, pools: &[usize]) -> (Vec<Wasteful>, f64) {
        let (mut found, mut least) = (Vec::new(), f64::INFINITY);
        for &p in pools {
            let row = self.guide.rows.of[p];
            let price = self.guide.prices.rows[row];
            let classes = &self.guide.supplies[row].classes;
            least = classes.iter().fold(least, |least, k| least.min(k.price));
            for &c in &self.state.by_pool[p] {
                let cluster = &self.state.clusters[c];
                if cluster.existed || cluster.padding() > 0 {
                    continue;
                }
                for (n, node) in cluster.nodes.iter().enumerate() {
                    if node.tenants.iter().any(|&(s, _)| self.bound[s]) {
                        continue;
                    }
                    let used = node.used();
                    let class = classes.iter().find(|k| is_of(k, &node.offer));
                    let cost = class.map_or(0.0, |k| self.guide.prices.reduced(row, k));
                    let waste = cost - price.of(used.milli_cores as f64, used.mib as f64);
                    if node.live && !node.tenants.is_empty() && waste >= 1.0 {
                        found.push((Reverse(waste as Micros), c, n));
                    }
                }
            }
        }
        found.sort_unstable();
        (found, least)
    }

    /// Gives up nodes and places what was on them anew among some pools; takes it back unless that is cheaper.
    fn over(&mut self, pools: &[usize], nodes: &[(usize, usize)]) -> bool {
        let mark = self.state.mark();
        let all: Vec<usize> = nodes
            .iter()
            .flat_map(|&(c, n)| &self.state.clusters[c].nodes[n].tenants)
            .map(|&(s, _)| s)
            .collect();
        let cost = |state: &State<'_>| -> Micros {
            state.hourly() + all.iter().map(|&s| state.penalty(s)).sum::<Micros>()
        };
        let before = cost(self.state);
        let given_up = self.given_up(nodes);
        let homeless = self.housed(given_up, pools);
        if self.bought(homeless, before) && cost(self.state) < before {
            return true;
        }
        self.state.undo(mark);
        false
    }

    /// Empties and closes nodes; what was on them, the largest first.
    fn given_up(&mut self, nodes: &[(usize, usize)]) -> Vec<Share> {
        let problem = self.state.problem;
        let mut shares = Vec::new();
        for &(c, n) in nodes {
            let pool = self.state.clusters[c].pool;
            for (service, replicas) in self.state.clusters[c].nodes[n].tenants.clone() {
                self.state.take_many(c, n, service, replicas);
                shares.push(Share {
                    pool,
                    service,
                    replicas,
                });
            }
            self.state.close_if_empty(c, n);
        }
        shares.sort_by_key(|x| {
            let size = problem.service(x.service).size;
            (Reverse(weight(size)), x.service, x.pool)
        });
        shares
    }

    /// Puts replicas into the tightest room there is; returns those that found none.
    fn housed(&mut self, shares: Vec<Share>, pools: &[usize]) -> Vec<Homeless> {
        let mut homeless = Vec::new();
        for mut share in shares {
            let near = among(self.state.problem, self.guide, &share, pools);
            let s = share.service;
            while share.replicas > 0 {
                let state = &mut *self.state;
                let open = (near.iter().flat_map(|&p| &state.by_pool[p]).copied())
                    .filter(|&c| accepts(state, c, s));
                let Some((c, n)) = pack::best_fit(state, s, open, |_, left| weight(left)) else {
                    break;
                };
                state.put(c, n, s);
                share.replicas -= 1;
            }
            if share.replicas > 0 {
                homeless.push((share, near));
            }
        }
        homeless
    }

    /// Buys nodes for replicas without a place, each time the one that costs the least for what goes on it; no
    /// where it would come to more than `most`, or a limit is in the way.
    fn bought(&mut self, mut homeless: Vec<Homeless>, most: Micros) -> bool {
        while let Some((first, _)) = homeless.first() {
            if self.state.hourly() >= most {
                return false;
            }
            let policy = self.state.problem.demands[first.service].governing;
            let Some(node) = self.best_node(&homeless, policy) else {
                return false;
            };
            let tenants: Vec<(usize, u32)> = (node.content.iter())
                .map(|&(at, n)| (homeless[at].0.service, n))
                .collect();
            if !node.shop.buy(self.state, node.class, &tenants) {
                return false;
            }
            for (at, n) in node.content {
                homeless[at].0.replicas -= n;
            }
            homeless.retain(|(share, _)| share.replicas > 0);
        }
        true
    }

    /// The node that costs the least, by the prices, for what goes on it.
    fn best_node(&self, homeless: &[Homeless], policy: Option<usize>) -> Option<Bargain> {
        let problem = self.state.problem;
        let mut best: Option<Bargain> = None;
        let all: Vec<Wanting> = homeless.iter().map(|one| self.wanting(one)).collect();
        for p in self.promising(homeless, policy) {
            let row = self.guide.rows.of[p];
            let Some(shop) = Shop::of(problem, p, policy).map(Rc::new) else {
                continue;
            };
            let free = shop.space(self.state, self.guide);
            let here = self.welcome(homeless, p, policy);
            let wanting: Vec<Wanting> = here.iter().map(|&i| all[i]).collect();
            let classes = self.guide.supplies[row].classes.iter().enumerate();
            for (k, class) in classes.filter(|(_, class)| free.holds(&class.takes)) {
                let reduced = self.guide.prices.reduced(row, class);
                // What is on a node is worth no more than the node would be if it were full.
                let full = self.guide.prices.rows[row].of(class.cpu, class.mem);
                if best
                    .as_ref()
                    .is_some_and(|found| reduced > found.ratio * full * NEARLY)
                {
                    continue;
                }
                let pattern = pattern::best(class, &wanting);
                let ratio = reduced / pattern.worth;
                let better = best.as_ref().is_none_or(|found| ratio < found.ratio);
                if pattern.worth > 0.0 && better {
                    let content = pattern.content.iter().map(|&(i, n)| (here[i], n));
                    best = Some(Bargain {
                        ratio,
                        shop: Rc::clone(&shop),
                        class: k,
                        content: content.collect(),
                    });
                }
            }
        }
        best
    }

    /// The homeless that may be in a pool; of a service whose replicas must be on different nodes, the first.
    fn welcome(&self, homeless: &[Homeless], p: usize, policy: Option<usize>) -> Vec<usize> {
        let problem = self.state.problem;
        let mut seen = BTreeSet::new();
        let mut fits = |(share, near): &Homeless| {
            near.binary_search(&p).is_ok()
                && problem.demands[share.service].governing == policy
                && (!problem.service(share.service).one_per_node || seen.insert(share.service))
        };
        (0..homeless.len())
            .filter(|&i| fits(&homeless[i]))
            .collect()
    }

    /// A replica by its size, worth the least that any place for it costs.
    fn wanting(&self, (share, near): &Homeless) -> Wanting {
        let service = self.state.problem.service(share.service);
        let (cpu, mem) = (service.size.milli_cores as f64, service.size.mib as f64);
        let worth = near
            .iter()
            .map(|&p| self.guide.prices.rows[self.guide.rows.of[p]].of(cpu, mem))
            .fold(f64::INFINITY, f64::min);
        Wanting {
            cpu,
            mem,
            count: share.replicas,
            apart: service.one_per_node,
            worth,
        }
    }

    /// The pools in which nodes for the homeless look cheapest.
    fn promising(&self, homeless: &[Homeless], policy: Option<usize>) -> Vec<usize> {
        let problem = self.state.problem;
        // By pool: how much could be there, and what it would be worth.
        let mut could: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for (share, near) in homeless {
            if problem.demands[share.service].governing != policy {
                continue;
            }
            let (size, n) = (
                problem.service(share.service).size,
                f64::from(share.replicas),
            );
            for &p in near {
                let price = self.guide.prices.rows[self.guide.rows.of[p]];
                let (amount, worth) = could.entry(p).or_default();
                *amount += n * weight(size) as f64;
                *worth += n * price.of(size.milli_cores as f64, size.mib as f64);
            }
        }
        let mut order: Vec<(f64, usize)> = (could.into_iter())
            .map(|(p, (amount, worth))| (worth / amount.max(1.0), p))
            .collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        order.into_iter().take(POOLS).map(|(_, p)| p).collect()
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

/// A node and some of those after it, side by side or with gaps.
fn picked(nodes: &[Wasteful], first: usize, count: usize) -> Vec<Wasteful> {
    let list = nodes.iter().skip(first).step_by(1 + first % 3);
    list.take(count).copied().collect()
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
    fn what_must_be_apart_stays_apart() {
        let (before, after) = done_over(true);
        assert_eq!(after, before);
    }
}
