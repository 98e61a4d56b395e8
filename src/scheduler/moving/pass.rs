//! One look at a fleet for moves that pay: nodes in a cheaper class, nodes emptied into room beside them, clusters,
//! nodes and services placed anew.

use super::batch::{Tenant, Tried, attempt};
use super::cheap::Cheap;
use crate::scheduler::assign::{self, Pricing, Search};
use crate::scheduler::component;
use crate::scheduler::improve::{has_room, may_merge, put_into_room, used_ppm};
use crate::scheduler::model::Origin;
use crate::scheduler::pack::Opening;
use crate::scheduler::problem::Offer;
use crate::scheduler::search::{compares_really, is_placed};
use crate::scheduler::solution::Move;
use crate::scheduler::state::{Node, State};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes that may be looked at in one pass: to empty nodes, and to place clusters, nodes and services anew.
const EMPTYING_LOOKS: usize = 2_000_000;
const CLUSTER_LOOKS: usize = 1_000_000;
const NODE_LOOKS: usize = 200_000;
const SERVICE_LOOKS: usize = 200_000;
/// What finding out that something is too large to be looked at counts for.
const REFUSAL: usize = 100;
/// Moves that do not pay which are remembered.
const LEFT: usize = 256;

/// Moves what pays. Returns what was moved, and what would have saved something but was not worth it.
pub(super) fn run(
    state: &mut State<'_>,
    groups: &[Vec<usize>],
    unplaced: &BTreeSet<usize>,
) -> (Vec<Move>, Vec<Move>) {
    let services = 0..state.problem.demands.len();
    let settled = services.map(|s| !unplaced.contains(&s) && is_placed(state, s));
    let mut pass = Pass {
        settled: settled.collect(),
        small: compares_really(state.problem),
        cheap: Cheap::new(state),
        made: Vec::new(),
        left: Vec::new(),
        looks: 0,
        state,
    };
    pass.exchange_nodes();
    pass.empty_nodes();
    pass.place_clusters_anew();
    pass.place_nodes_anew();
    pass.place_services_anew(groups);
    (pass.made, pass.left)
}

struct Pass<'s, 'p> {
    state: &'s mut State<'p>,
    /// Services that have their place; all others stay where they are.
    settled: Vec<bool>,
    small: bool,
    cheap: Cheap,
    made: Vec<Move>,
    left: Vec<Move>,
    looks: usize,
}

impl<'p> Pass<'_, 'p> {
    /// Tries a move; says whether it was made.
    fn try_move(&mut self, tenants: &[Tenant], place: impl Fn(&mut State<'_>) -> bool) -> bool {
        if tenants.is_empty() || !tenants.iter().all(|t| self.settled[t.s]) {
            return false;
        }
        match attempt(self.state, tenants, place) {
            Tried::Nothing => false,
            Tried::Left(found) => {
                if self.left.len() < LEFT {
                    self.left.push(found);
                }
                false
            }
            Tried::Made(found) => {
                self.made.push(found);
                true
            }
        }
    }

    /// Whether so many nodes may still be looked at.
    fn may_look(&mut self, nodes: usize) -> bool {
        let fine = nodes <= self.looks;
        let spent = if fine { nodes } else { REFUSAL };
        self.looks = self.looks.saturating_sub(spent);
        fine
    }

    /// Clusters of which the scheduler may change the nodes.
    fn own_clusters(&self) -> Vec<usize> {
        let clusters = &self.state.clusters;
        let own = |c: &usize| matches!(clusters[*c].origin, Origin::Scheduler { .. });
        (0..clusters.len()).filter(own).collect()
    }

    fn tenants(&self, c: usize, n: usize) -> Vec<Tenant> {
        let tenants = self.state.clusters[c].nodes[n].tenants.iter();
        tenants
            .map(|&(s, count)| Tenant { c, n, s, count })
            .collect()
    }

    fn live_nodes(&self, c: usize) -> impl Iterator<Item = (usize, &Node)> {
        let nodes = self.state.clusters[c].nodes.iter().enumerate();
        nodes.filter(|(_, node)| node.live)
    }

    /// Exchanges nodes for a cheaper class in the same zone that holds what is on them, all of a cluster at once or else one by one.
    fn exchange_nodes(&mut self) {
        for c in self.own_clusters() {
            let problem = self.state.problem;
            let pool = &problem.pools[self.state.clusters[c].pool];
            let takes = |offer: &Offer, node: &Node| {
                let mut tenants = node.tenants.iter();
                node.used().fits(offer.allocatable)
                    && tenants.all(|t| offer.holds(problem.service(t.0)))
            };
            let cheaper = |node: &Node| {
                let mut offers = pool.offers.iter();
                let found = offers.find(|o| o.hourly < node.offer.hourly && takes(o, node));
                found.and_then(|offer| pool.beside(offer, &node.offer))
            };
            let all: Vec<(usize, Offer)> = (self.live_nodes(c))
                .filter_map(|(n, node)| Some((n, cheaper(node)?)))
                .collect();
            if all.len() < 2 || !self.exchange(c, &all) {
                for one in &all {
                    self.exchange(c, std::slice::from_ref(one));
                }
            }
        }
    }

    fn exchange(&mut self, c: usize, nodes: &[(usize, Offer)]) -> bool {
        let tenants: Vec<Tenant> = nodes
            .iter()
            .flat_map(|(n, _)| self.tenants(c, *n))
            .collect();
        let before = self.state.usage[self.state.clusters[c].pool];
        self.try_move(&tenants, |state| {
            for (n, offer) in nodes {
                let new = state.open(c, offer);
                for tenant in tenants.iter().filter(|t| t.n == *n) {
                    state.put_many(c, new, tenant.s, tenant.count);
                }
            }
            state
                .broken_limits(state.clusters[c].pool, &before)
                .is_empty()
        })
    }

    /// Empties nodes into room that others of the pool have, the least used first.
    fn empty_nodes(&mut self) {
        self.looks = EMPTYING_LOOKS;
        let mut nodes: Vec<(usize, u64, usize, usize)> = Vec::new();
        for c in self.own_clusters() {
            if self.state.clusters[c].padding() > 0 {
                continue;
            }
            let pool = self.state.clusters[c].pool;
            let found = self.live_nodes(c).map(|(n, node)| {
                let used = used_ppm(node.used(), node.offer.allocatable);
                (pool, used, c, n)
            });
            nodes.extend(found);
        }
        nodes.sort_unstable();
        for (pool, _, c, n) in nodes {
            let tenants = self.tenants(c, n);
            let replicas: usize = tenants.iter().map(|t| t.count as usize).sum();
            let size = self.cheap.nodes[pool];
            if !self.may_look(size * (replicas + 1)) || !has_room(self.state, pool, c, n) {
                continue;
            }
            self.try_move(&tenants, |state| {
                let mut replicas = tenants.iter();
                replicas.all(|t| put_into_room(state, t.s, t.count, pool, Opening::Efficient))
            });
        }
    }

    /// Places everything on a cluster anew: in other pools, and in its own where its policy has clusters merged.
    fn place_clusters_anew(&mut self) {
        self.looks = CLUSTER_LOOKS;
        let mut clusters: Vec<_> = (self.own_clusters().into_iter())
            .filter(|&c| self.state.clusters[c].replicas() > 0)
            .map(|c| {
                let whole = self.state.clusters[c].usage().hourly;
                let nodes = self.live_nodes(c).map(|(_, node)| node);
                (Reverse(self.cheap.might_save(self.state, whole, nodes)), c)
            })
            .collect();
        clusters.sort_unstable();
        for (Reverse(might), c) in clusters {
            if might <= 0 || self.looks == 0 {
                break;
            }
            let nodes: Vec<usize> = self.live_nodes(c).map(|(n, _)| n).collect();
            let tenants: Vec<Tenant> = nodes.iter().flat_map(|&n| self.tenants(c, n)).collect();
            let own = Some(self.state.clusters[c].pool).filter(|_| !may_merge(self.state, c));
            self.place_anew(&tenants, own);
        }
    }

    /// Places what is on one node anew.
    fn place_nodes_anew(&mut self) {
        self.looks = NODE_LOOKS;
        let mut nodes = Vec::new();
        for c in self.own_clusters() {
            for (n, node) in self.live_nodes(c) {
                let one = std::iter::once(node);
                let might = self.cheap.might_save(self.state, node.offer.hourly, one);
                if might > 0 {
                    nodes.push((Reverse(might), c, n));
                }
            }
        }
        nodes.sort_unstable();
        for (_, c, n) in nodes {
            if self.looks == 0 {
                break;
            }
            if self.state.clusters[c].nodes[n].live {
                let tenants = self.tenants(c, n);
                self.place_anew(&tenants, None);
            }
        }
    }

    /// Places all replicas of a service anew; in small fleets with those that latency limits tie to it.
    fn place_services_anew(&mut self, groups: &[Vec<usize>]) {
        self.looks = SERVICE_LOOKS;
        // In large fleets only what has a node for itself is worth a look: others leave no node behind.
        let mut looked_at = vec![self.small; self.settled.len()];
        let mut of: BTreeMap<usize, Vec<Tenant>> = BTreeMap::new();
        for c in 0..self.state.clusters.len() {
            for (_, node) in self.live_nodes(c) {
                if let [(s, _)] = node.tenants[..] {
                    looked_at[s] = true;
                }
            }
        }
        for c in 0..self.state.clusters.len() {
            for (n, _) in self.live_nodes(c) {
                for tenant in self.tenants(c, n).into_iter().filter(|t| looked_at[t.s]) {
                    of.entry(tenant.s).or_default().push(tenant);
                }
            }
        }
        let mut list = Vec::new();
        for members in groups
            .iter()
            .filter(|members| self.small || (members.len() == 1 && looked_at[members[0]]))
        {
            let tenants: Vec<Tenant> = (members.iter())
                .flat_map(|s| of.get(s).into_iter().flatten().copied())
                .collect();
            let alone = (tenants.iter()).map(|t| &self.state.clusters[t.c].nodes[t.n]);
            let alone: Vec<&Node> = alone.filter(|node| node.tenants.len() == 1).collect();
            let whole = alone.iter().map(|node| node.offer.hourly).sum();
            let might = self.cheap.might_save(self.state, whole, alone.into_iter());
            if self.small || might > 0 {
                list.push((Reverse(might), members, tenants));
            }
        }
        list.sort();
        for (_, members, tenants) in list {
            match self.small {
                true => self.group_anew(members, &tenants),
                false => self.place_anew(&tenants, None),
            }
        }
    }

    fn group_anew(&mut self, members: &[usize], tenants: &[Tenant]) {
        // Placing the others would place the one that has no place, too.
        if !members.iter().all(|&s| self.settled[s]) {
            return;
        }
        for search in ways() {
            if self.try_move(tenants, |state| component::place(state, members, search)) {
                return;
            }
        }
    }

    /// Places replicas anew, service by service, in the cheapest pools that have space. `without` is a pool that
    /// they may not be in afterwards.
    fn place_anew(&mut self, tenants: &[Tenant], without: Option<usize>) {
        let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
        for tenant in tenants {
            *counts.entry(tenant.s).or_default() += tenant.count;
        }
        let problem = self.state.problem;
        let mut services: Vec<(usize, BTreeSet<usize>)> = Vec::new();
        let mut looks = 0;
        for (&s, &count) in &counts {
            let mut pools = match self.small {
                true => problem.demands[s].usable.iter().copied().collect(),
                false => self.cheap.pools(problem, s),
            };
            pools.retain(|&p| Some(p) != without);
            let nodes: usize = pools.iter().map(|&p| self.cheap.nodes[p] + 1).sum();
            looks += nodes * count as usize;
            services.push((s, pools));
        }
        if !self.may_look(looks) {
            return;
        }
        // What is large goes first: what is small finds room beside it.
        services.sort_by_key(|&(s, _)| (Reverse(problem.service(s).size), s));
        let most = self.state.hourly();
        let place = |state: &mut State<'_>, search| {
            // Once it costs as much as before, it saves nothing: every further replica can only cost more.
            let may_save = |state: &State<'_>| problem.sells_spot || state.hourly() < most;
            let mut services = services.iter();
            services.all(|(s, pools)| {
                may_save(state) && assign::place_service(state, *s, search, Some(pools)).is_ok()
            })
        };
        for search in ways() {
            if self.try_move(tenants, |state| place(state, search)) {
                return;
            }
        }
    }
}

/// The ways of placing anew, the first of which usually is the better one.
fn ways() -> impl Iterator<Item = Search> {
    let openings = [Opening::Efficient, Opening::Cheapest].into_iter();
    openings.map(|opening| Search {
        pricing: Pricing::Marginal,
        opening,
        bulk: false,
    })
}
