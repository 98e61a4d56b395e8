//! Replicas of nodes that were given up, placed anew.

use super::Rework;
use crate::scheduler::bulk::allot::Share;
use crate::scheduler::bulk::fill::Shop;
use crate::scheduler::bulk::pattern::{self, Pattern, Wanting};
use crate::scheduler::bulk::topup::among;
use crate::scheduler::bulk::weight;
use crate::scheduler::constraint::cluster_rules::accepts;
use crate::scheduler::pack;
use crate::scheduler::packing::Limits;
use crate::scheduler::state::State;
use crate::scheduler::units::Micros;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Pools of which the nodes are compared before one is bought.
const POOLS: usize = 8;
/// Sums of fractions are a little off.
const NEARLY: f64 = 1.000_001;

/// Replicas without a place.
struct Homeless {
    share: Share,
    /// The pools where they may be.
    near: Vec<usize>,
    /// What one is worth: the least that any place for it costs by the prices.
    worth: f64,
}

impl Homeless {
    fn worth(&self) -> f64 {
        self.worth * f64::from(self.share.replicas)
    }
}

/// A node to buy: what it costs for a unit of worth, and which of the homeless go on it.
struct Bargain {
    ratio: f64,
    reduced: f64,
    shop: Rc<Shop>,
    class: usize,
    content: Vec<(usize, u32)>,
}

/// A pool where nodes may be bought.
struct Stall {
    row: usize,
    shop: Rc<Shop>,
    /// What its limits leave.
    free: Limits,
    /// The homeless that may be there.
    here: Vec<usize>,
}

impl Rework<'_, '_> {
    /// Gives up nodes and places what was on them anew among some pools; takes it back unless that is cheaper.
    pub(super) fn over(&mut self, pools: &[usize], nodes: &[(usize, usize)]) -> bool {
        let mark = self.state.mark();
        let clusters = &self.state.clusters;
        let all: Vec<usize> = (nodes.iter())
            .flat_map(|&(c, n)| &clusters[c].nodes[n].tenants)
            .map(|&(s, _)| s)
            .collect();
        let reduced = |c: usize, n: usize| self.reduced(clusters[c].pool, &clusters[c].nodes[n]);
        let most: f64 = nodes.iter().map(|&(c, n)| reduced(c, n)).sum();
        let cost = |state: &State<'_>| -> Micros {
            state.hourly() + all.iter().map(|&s| state.penalty(s)).sum::<Micros>()
        };
        let before = cost(self.state);
        let given_up = self.given_up(nodes);
        let homeless = self.housed(given_up, pools);
        if self.bought(homeless, most) && cost(self.state) < before {
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
                let size = self.state.problem.service(s).size;
                let (cpu, mem) = (size.milli_cores as f64, size.mib as f64);
                let rows = near.iter().map(|&p| self.guide.rows.of[p]);
                let worth = rows
                    .map(|row| self.guide.prices.rows[row].of(cpu, mem))
                    .fold(f64::INFINITY, f64::min);
                homeless.push(Homeless { share, near, worth });
            }
        }
        homeless
    }

    /// Buys nodes for replicas without a place, each time the one that costs the least for what goes on it; no
    /// where it would come to more than `most` by the prices, or a limit is in the way.
    fn bought(&mut self, mut homeless: Vec<Homeless>, mut most: f64) -> bool {
        while let Some(first) = homeless.first() {
            // No node costs less than what is on it is worth, so this much may be wasted.
            let spare = most - homeless.iter().map(Homeless::worth).sum::<f64>();
            let policy = self.state.problem.demands[first.share.service].governing;
            let Some(node) = self.best_node(&homeless, policy, spare) else {
                return false;
            };
            most -= node.reduced;
            let tenants: Vec<(usize, u32)> = (node.content.iter())
                .map(|&(at, n)| (homeless[at].share.service, n))
                .collect();
            if !node.shop.buy(self.state, node.class, &tenants) {
                return false;
            }
            for (at, n) in node.content {
                homeless[at].share.replicas -= n;
            }
            homeless.retain(|one| one.share.replicas > 0);
        }
        true
    }

    /// The node that costs the least, by the prices, for what goes on it, and no more than `spare` above what that is
    /// worth.
    fn best_node(
        &self,
        homeless: &[Homeless],
        policy: Option<usize>,
        spare: f64,
    ) -> Option<Bargain> {
        let all: Vec<Wanting> = homeless.iter().map(|one| self.wanting(one)).collect();
        let stalls = self.stalls(homeless, policy);
        let mut best: Option<Bargain> = None;
        // What goes on a node of a size, of those that may be there.
        let mut known: Vec<((f64, f64), &[usize], Pattern)> = Vec::new();
        for (least, at, k) in self.candidates(homeless, &stalls, spare) {
            if best.as_ref().is_some_and(|found| least > found.ratio) {
                break;
            }
            let Stall {
                row, shop, here, ..
            } = &stalls[at];
            let class = &self.guide.supplies[*row].classes[k];
            let reduced = self.guide.prices.reduced(*row, class);
            let size = (class.cpu, class.mem);
            let same = (known.iter()).position(|known| known.0 == size && known.1 == here);
            let same = same.unwrap_or_else(|| {
                let wanting: Vec<Wanting> = here.iter().map(|&i| all[i]).collect();
                known.push((size, here, pattern::best(class, &wanting)));
                known.len() - 1
            });
            let pattern = &known[same].2;
            let ratio = reduced / pattern.worth;
            let better = best.as_ref().is_none_or(|found| ratio < found.ratio);
            if better && pattern.worth > 0.0 && reduced - pattern.worth < spare {
                let content = pattern.content.iter().map(|&(i, n)| (here[i], n));
                best = Some(Bargain {
                    ratio,
                    reduced,
                    shop: Rc::clone(shop),
                    class: k,
                    content: content.collect(),
                });
            }
        }
        best
    }

    /// Where nodes for the homeless look cheapest.
    fn stalls(&self, homeless: &[Homeless], policy: Option<usize>) -> Vec<Stall> {
        let stall = |p: usize| {
            let shop = Shop::of(self.state.problem, p, policy)?;
            Some(Stall {
                row: self.guide.rows.of[p],
                free: shop.space(self.state, self.guide),
                here: self.welcome(homeless, p, policy),
                shop: Rc::new(shop),
            })
        };
        let pools = self.promising(homeless, policy).into_iter();
        pools.filter_map(stall).collect()
    }

    /// The nodes that may be bought, as places in the list of stalls and of classes there, with what each costs at
    /// least for what goes on it, the least first.
    fn candidates(
        &self,
        homeless: &[Homeless],
        stalls: &[Stall],
        spare: f64,
    ) -> Vec<(f64, usize, usize)> {
        let mut found = Vec::new();
        for (at, stall) in stalls.iter().enumerate() {
            let all: f64 = stall.here.iter().map(|&i| homeless[i].worth()).sum();
            let price = self.guide.prices.rows[stall.row];
            for (k, class) in self.guide.supplies[stall.row].classes.iter().enumerate() {
                let reduced = self.guide.prices.reduced(stall.row, class);
                // What is on a node is worth no more than the node would be if it were full.
                let most = price.of(class.cpu, class.mem).min(all) * NEARLY;
                if stall.free.holds(&class.takes) && reduced - most < spare {
                    found.push((reduced / most, at, k));
                }
            }
        }
        found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        found
    }

    /// The homeless that may be in a pool; of a service whose replicas must be on different nodes, the first.
    fn welcome(&self, homeless: &[Homeless], p: usize, policy: Option<usize>) -> Vec<usize> {
        let problem = self.state.problem;
        let mut seen = BTreeSet::new();
        let mut fits = |one: &Homeless| {
            let s = one.share.service;
            one.near.binary_search(&p).is_ok()
                && problem.demands[s].governing == policy
                && (!problem.service(s).one_per_node || seen.insert(s))
        };
        (0..homeless.len())
            .filter(|&i| fits(&homeless[i]))
            .collect()
    }

    fn wanting(&self, one: &Homeless) -> Wanting {
        let service = self.state.problem.service(one.share.service);
        Wanting {
            cpu: service.size.milli_cores as f64,
            mem: service.size.mib as f64,
            count: one.share.replicas,
            apart: service.one_per_node,
            worth: one.worth,
        }
    }

    /// The pools in which nodes for the homeless look cheapest.
    fn promising(&self, homeless: &[Homeless], policy: Option<usize>) -> Vec<usize> {
        let problem = self.state.problem;
        // By pool: how much could be there, and what it would be worth.
        let mut could: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for Homeless { share, near, .. } in homeless {
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
