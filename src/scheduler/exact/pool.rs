//! One pool: the cheapest clusters and nodes within its limits for given replicas.

use super::fill::Group;
use super::load::Load;
use super::{Spent, Steps};
use crate::scheduler::model::Topology;
use crate::scheduler::problem::Problem;
use crate::scheduler::state::Usage;
use crate::scheduler::topology::SAME_ZONE_MS;
use crate::scheduler::units::{HOURS_PER_MONTH, Micros};
use std::collections::{BTreeMap, BTreeSet};

/// A node that is bought, by the number of its group and of its class among the offers, and what is on it.
#[derive(Clone, Debug)]
pub(crate) struct Bought {
    pub group: usize,
    pub offer: usize,
    pub way: Load,
}

/// What is bought in a pool.
#[derive(Clone, Debug, Default)]
pub(crate) struct Purchase {
    pub usage: Usage,
    pub nodes: Vec<Bought>,
    /// Number of clusters by group.
    pub clusters: Vec<(usize, u32)>,
}

/// Upper limits of a pool.
struct Limits {
    nodes: u64,
    milli_cores: u64,
    mib: u64,
    hourly: Micros,
}

impl Limits {
    fn hold(&self, usage: &Usage) -> bool {
        usage.nodes <= self.nodes
            && usage.size.milli_cores <= self.milli_cores
            && usage.size.mib <= self.mib
            && usage.hourly <= self.hourly
    }
}

pub(crate) struct PoolSearch {
    pub groups: Vec<Group>,
    limits: Limits,
    known: BTreeMap<Load, Option<Micros>>,
}

/// A search for the cheapest nodes within limits, under way.
struct Shopping {
    loads: Vec<Load>,
    /// Clusters, and the nodes so far.
    now: Purchase,
    best: Option<Purchase>,
}

impl Shopping {
    fn is_dearer(&self, hourly: Micros) -> bool {
        self.best.as_ref().is_some_and(|b| b.usage.hourly <= hourly)
    }
}

impl PoolSearch {
    pub fn new(problem: &Problem<'_>, p: usize) -> Self {
        let pool = &problem.snapshot.pools[p];
        let policies: BTreeSet<Option<usize>> =
            problem.demands.iter().map(|d| d.governing).collect();
        let single = |policy: Option<usize>| {
            (0..problem.demands.len())
                .filter(|&s| problem.demands[s].governing == policy)
                .any(|s| knows_clusters(problem, s))
        };
        let groups = policies.into_iter();
        let caps = &pool.caps;
        let budget = pool.monthly_budget.map(|month| month / HOURS_PER_MONTH);
        PoolSearch {
            groups: groups
                .filter_map(|policy| Group::new(problem, p, policy, single(policy)))
                .collect(),
            limits: Limits {
                nodes: caps.max_nodes.unwrap_or(u64::MAX),
                milli_cores: caps.max_milli_cores.unwrap_or(u64::MAX),
                mib: caps.max_mib.unwrap_or(u64::MAX),
                hourly: budget.unwrap_or(Micros::MAX),
            },
            known: BTreeMap::new(),
        }
    }

    /// What the cheapest nodes for this cost; none where the limits do not allow any.
    pub fn cost(&mut self, load: Load, steps: &mut Steps) -> Result<Option<Micros>, Spent> {
        if load.is_empty() {
            return Ok(Some(0));
        }
        steps.take()?;
        if let Some(known) = self.known.get(&load) {
            return Ok(*known);
        }
        let cost = match self.unlimited(load, steps)? {
            Some(hourly) => Some(hourly),
            None => self.shop(load, steps)?.map(|bought| bought.usage.hourly),
        };
        self.known.insert(load, cost);
        Ok(cost)
    }

    /// The cheapest nodes for this.
    pub fn buy(&mut self, load: Load, steps: &mut Steps) -> Result<Option<Purchase>, Spent> {
        self.shop(load, steps)
    }

    /// The cost where no limit is in the way; none where one is.
    fn unlimited(&mut self, load: Load, steps: &mut Steps) -> Result<Option<Micros>, Spent> {
        let mut sum = Usage::default();
        for group in &mut self.groups {
            let load = load.only(group.mask);
            if load.is_empty() {
                continue;
            }
            let workers = group.least(load, group.min, steps)?;
            if workers.nodes > u64::from(group.max) {
                return Ok(None);
            }
            sum.add(workers);
            sum.add(group.overhead(1));
        }
        Ok(self.limits.hold(&sum).then_some(sum.hourly))
    }

    fn shop(&mut self, load: Load, steps: &mut Steps) -> Result<Option<Purchase>, Spent> {
        let mut shopping = Shopping {
            loads: self.groups.iter().map(|g| load.only(g.mask)).collect(),
            now: Purchase::default(),
            best: None,
        };
        self.clusters(0, &mut shopping, steps)?;
        Ok(shopping.best)
    }

    /// What groups from here on cost at least.
    fn later(&mut self, at: usize, loads: &[Load], steps: &mut Steps) -> Result<Micros, Spent> {
        let mut sum = 0;
        for (group, &load) in self.groups.iter_mut().zip(loads).skip(at) {
            if !load.is_empty() {
                sum += group.least(load, group.min, steps)?.hourly + group.overhead(1).hourly;
            }
        }
        Ok(sum)
    }

    /// Chooses how many clusters a group has.
    fn clusters(&mut self, at: usize, shop: &mut Shopping, steps: &mut Steps) -> Result<(), Spent> {
        let Some(&load) = shop.loads.get(at) else {
            if !shop.is_dearer(shop.now.usage.hourly) {
                shop.best = Some(shop.now.clone());
            }
            return Ok(());
        };
        if load.is_empty() {
            return self.clusters(at + 1, shop, steps);
        }
        let group = &self.groups[at];
        let (single, min, max) = (group.single || group.max == u32::MAX, group.min, group.max);
        let replicas: u32 = (0..super::SERVICES).map(|s| load.replicas(s)).sum();
        let most = if single { 1 } else { replicas };
        let before = shop.now.usage;
        for count in 1..=most {
            steps.take()?;
            let group = &mut self.groups[at];
            let due = min.saturating_mul(count);
            let mut usage = before;
            usage.add(group.overhead(count));
            let workers = group.least(load, due, steps)?.hourly;
            let later = self.later(at + 1, &shop.loads, steps)?;
            let least = usage.hourly + workers + later;
            if shop.is_dearer(least) || least > self.limits.hourly {
                break;
            }
            shop.now.usage = usage;
            shop.now.clusters.push((at, count));
            let left = max.saturating_mul(count);
            let nodes = Nodes {
                at,
                load,
                due,
                left,
                later,
            };
            self.nodes(nodes, shop, steps)?;
            shop.now.clusters.pop();
        }
        shop.now.usage = before;
        Ok(())
    }

    /// Chooses a group's nodes, one after the other.
    fn nodes(&mut self, nodes: Nodes, shop: &mut Shopping, steps: &mut Steps) -> Result<(), Spent> {
        steps.take()?;
        let before = shop.now.usage;
        let group = &mut self.groups[nodes.at];
        if nodes.load.is_empty() {
            if nodes.due <= nodes.left {
                shop.now.usage.add(group.padding(nodes.due));
                if self.limits.hold(&shop.now.usage) {
                    self.clusters(nodes.at + 1, shop, steps)?;
                }
                shop.now.usage = before;
            }
            return Ok(());
        }
        let least = group.least(nodes.load, nodes.due, steps)?.hourly + before.hourly + nodes.later;
        let mut needed = before;
        needed.size += group.size(nodes.load);
        needed.nodes += 1;
        needed.hourly = least;
        if nodes.left == 0 || shop.is_dearer(least) || !self.limits.hold(&needed) {
            return Ok(());
        }
        for (offer, way) in group.ways(nodes.load) {
            let usage = Usage::of(&self.groups[nodes.at].offers[offer], 1);
            shop.now.usage.add(usage);
            if self.limits.hold(&shop.now.usage) {
                shop.now.nodes.push(Bought {
                    group: nodes.at,
                    offer,
                    way,
                });
                let rest = Nodes {
                    load: nodes.load.less(way),
                    due: nodes.due.saturating_sub(1),
                    left: nodes.left - 1,
                    ..nodes
                };
                self.nodes(rest, shop, steps)?;
                shop.now.nodes.pop();
            }
            shop.now.usage = before;
        }
        Ok(())
    }
}

/// Nodes that are still to be chosen.
#[derive(Clone, Copy)]
struct Nodes {
    at: usize,
    load: Load,
    /// Fewest and most.
    due: u32,
    left: u32,
    /// What all groups after this one cost at least.
    later: Micros,
}

/// Whether it matters to a service in which of a pool's clusters it is.
fn knows_clusters(problem: &Problem<'_>, s: usize) -> bool {
    let demand = &problem.demands[s];
    let mut bounds = demand.latency.iter().chain(&demand.dependents);
    demand
        .spread
        .iter()
        .any(|r| r.topology == Topology::Cluster)
        || bounds.any(|(_, ms)| *ms < SAME_ZONE_MS)
}
