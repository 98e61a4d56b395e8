//! The nodes of the clusters that one pool has under one policy: what they cost at least for given replicas.

use super::load::Load;
use super::{Spent, Steps};
use crate::scheduler::constraint::cluster_size;
use crate::scheduler::problem::{Offer, Problem};
use crate::scheduler::state::Usage;
use crate::scheduler::units::{Micros, Resources};
use std::collections::BTreeMap;

struct Item {
    s: usize,
    size: Resources,
    one_per_node: bool,
}

/// The clusters of one pool under one policy.
pub(crate) struct Group {
    pub policy: Option<usize>,
    pub control: Option<(Offer, u32)>,
    pub offers: Vec<Offer>,
    /// Its services.
    pub mask: Load,
    pub min: u32,
    /// Workers from which on there is another cluster; more are for the general search to allow.
    pub max: u32,
    /// What its services have to be even over or near to is one cluster.
    pub single: bool,
    /// Large ones first.
    items: Vec<Item>,
    known: BTreeMap<(Load, u32), Usage>,
}

impl Group {
    pub fn new(
        problem: &Problem<'_>,
        p: usize,
        policy: Option<usize>,
        single: bool,
    ) -> Option<Self> {
        let rules = problem.cluster_policy(policy);
        let control = problem.control_plane(p, policy).ok()?;
        let governed = |s: &usize| problem.demands[*s].governing == policy;
        let here = |s: &usize| problem.demands[*s].usable.contains(&p);
        let mut items: Vec<Item> = (0..problem.demands.len())
            .filter(|s| governed(s) && here(s))
            .map(|s| Item {
                s,
                size: problem.service(s).size,
                one_per_node: problem.service(s).one_per_node,
            })
            .collect();
        items.sort_by_key(|i| std::cmp::Reverse((i.size.milli_cores.max(i.size.mib / 4), i.s)));
        let mask = items
            .iter()
            .fold(Load::default(), |m, i| m.plus(Load::mask(i.s)));
        (!items.is_empty()).then(|| Group {
            policy,
            control,
            offers: problem.pools[p].offers.clone(),
            mask,
            min: rules.min_nodes,
            max: cluster_size::soft_limit(rules),
            single,
            items,
            known: BTreeMap::new(),
        })
    }

    /// What the control planes of so many clusters use.
    pub fn overhead(&self, clusters: u32) -> Usage {
        let control = self.control.as_ref();
        control.map_or(Usage::default(), |(offer, n)| {
            Usage::of(offer, u64::from(*n) * u64::from(clusters))
        })
    }

    /// So many nodes that nothing needs.
    pub fn padding(&self, count: u32) -> Usage {
        Usage::of(&self.offers[0], u64::from(count))
    }

    /// The cheapest nodes that hold this, at least `due` of them; of equals the fewest and smallest.
    pub fn least(&mut self, load: Load, due: u32, steps: &mut Steps) -> Result<Usage, Spent> {
        if load.is_empty() {
            return Ok(self.padding(due));
        }
        if let Some(known) = self.known.get(&(load, due)) {
            return Ok(*known);
        }
        let mut best: Option<Usage> = None;
        for (offer, way) in self.ways(load) {
            steps.take()?;
            let mut usage = Usage::of(&self.offers[offer], 1);
            let rest = load.less(way);
            let at_least = usage.hourly + self.fluid(rest);
            if best.is_some_and(|b| b.hourly < at_least) {
                continue;
            }
            usage.add(self.least(rest, due.saturating_sub(1), steps)?);
            if best.is_none_or(|b| order(&usage) < order(&b)) {
                best = Some(usage);
            }
        }
        // Each of its services fits some class, or it would not be usable here.
        let best = best.ok_or(Spent)?;
        self.known.insert((load, due), best);
        Ok(best)
    }

    /// Less than what any nodes for this cost, quickly.
    fn fluid(&self, load: Load) -> Micros {
        let mut sum = Resources::default();
        for item in &self.items {
            sum += item.size.times(u64::from(load.replicas(item.s)));
        }
        let least = |part: &dyn Fn(Resources) -> u64| {
            let each = self.offers.iter().map(|o| {
                let room = i128::from(part(o.allocatable).max(1));
                (i128::from(o.hourly) * i128::from(part(sum)) / room) as Micros
            });
            each.min().unwrap_or(0)
        };
        least(&|r| r.milli_cores).max(least(&|r| r.mib))
    }

    /// All ways to fill a node of each class with the first of what is left and whatever else goes on it. What
    /// could have more on it is no way of its own: emptier nodes elsewhere never cost more.
    pub fn ways(&self, load: Load) -> Vec<(usize, Load)> {
        let mut found = Vec::new();
        let Some(first) = self.items.iter().position(|i| load.replicas(i.s) > 0) else {
            return found;
        };
        for (at, offer) in self.offers.iter().enumerate() {
            let before = found.len();
            if self.items[first].size.fits(offer.allocatable) {
                let mut filling = Filling {
                    items: &self.items,
                    load,
                    first,
                    ways: Vec::new(),
                };
                filling.extend(first, offer.allocatable, Load::default());
                found.extend(filling.ways.into_iter().map(|way| (at, way)));
            }
            // A cheaper class that holds the same is as good.
            let (cheaper, mine) = found.split_at(before);
            let new: Vec<(usize, Load)> = mine
                .iter()
                .filter(|(_, way)| {
                    !cheaper
                        .iter()
                        .any(|(c, w)| w == way && self.no_larger(*c, at))
                })
                .copied()
                .collect();
            found.truncate(before);
            found.extend(new);
        }
        found
    }

    /// Whether one class takes no more of any limit than another; classes come in the order of price.
    fn no_larger(&self, one: usize, other: usize) -> bool {
        self.offers[one].capacity.fits(self.offers[other].capacity)
    }

    /// What the replicas need of each resource.
    pub fn size(&self, load: Load) -> Resources {
        let sum = self
            .items
            .iter()
            .map(|i| i.size.times(u64::from(load.replicas(i.s))));
        sum.fold(Resources::default(), |sum, size| sum + size)
    }
}

fn order(usage: &Usage) -> (Micros, u64, Resources) {
    (usage.hourly, usage.nodes, usage.size)
}

/// The ways to fill one node.
struct Filling<'i> {
    items: &'i [Item],
    load: Load,
    first: usize,
    ways: Vec<Load>,
}

impl Filling<'_> {
    fn most(&self, item: &Item) -> u32 {
        let left = self.load.replicas(item.s);
        if item.one_per_node { left.min(1) } else { left }
    }

    fn extend(&mut self, at: usize, room: Resources, way: Load) {
        let items = self.items;
        let Some(item) = items.get(at) else {
            let more = |i: &Item| way.replicas(i.s) < self.most(i) && i.size.fits(room);
            if !items[self.first..].iter().any(more) {
                self.ways.push(way);
            }
            return;
        };
        let (mut n, mut left) = (0, room);
        let most = self.most(item);
        while n < most && item.size.fits(left) {
            n += 1;
            left -= item.size;
        }
        // Fullest first: good ways early cut off more.
        loop {
            if n > 0 || at != self.first {
                self.extend(at + 1, left, way.plus(Load::of(item.s, n)));
            }
            if n == 0 {
                return;
            }
            n -= 1;
            left += item.size;
        }
    }
}
