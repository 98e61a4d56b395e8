//! A state that is kept while its problem changes a little: taking it apart and together, what changed, prices.

use super::{Change, ClusterState, Contents, Places, State, Usage};
use crate::scheduler::model::Origin;
use crate::scheduler::problem::Problem;
use std::collections::{BTreeMap, BTreeSet};

/// What became of a cluster since the state was last settled.
#[derive(Debug, Default)]
pub(crate) struct Net {
    /// More or fewer workers of each class.
    pub nodes: BTreeMap<usize, i64>,
    /// More or fewer replicas of each service.
    pub replicas: BTreeMap<usize, i64>,
}

impl Contents {
    /// Makes room for one more service.
    pub fn admit(&mut self) {
        self.places.push(Places::default());
        self.risks.push(0);
    }

    /// What became of each cluster since the state was last settled.
    pub fn changed(&self) -> BTreeMap<usize, Net> {
        let mut changed: BTreeMap<usize, Net> = BTreeMap::new();
        let mut opened: BTreeMap<usize, usize> = BTreeMap::new();
        for (change, _) in &self.log {
            let Some(c) = change.cluster() else { continue };
            let net = changed.entry(c).or_default();
            match *change {
                Change::Found => {}
                Change::Opened { .. } => *opened.entry(c).or_default() += 1,
                Change::Closed { n, .. } => {
                    let class = self.clusters[c].nodes[n].offer.class;
                    *net.nodes.entry(class).or_default() -= 1;
                }
                Change::Put { s, count, .. } => {
                    *net.replicas.entry(s).or_default() += i64::from(count);
                }
                Change::Taken { s, count, .. } => {
                    *net.replicas.entry(s).or_default() -= i64::from(count);
                }
            }
        }
        for (c, count) in opened {
            // Nodes are only ever added at the end.
            let net = changed.entry(c).or_default();
            for node in self.clusters[c].nodes.iter().rev().take(count) {
                *net.nodes.entry(node.offer.class).or_default() += 1;
            }
        }
        for net in changed.values_mut() {
            net.nodes.retain(|_, n| *n != 0);
            net.replicas.retain(|_, n| *n != 0);
        }
        changed
    }

    /// Nodes of the scheduler's own clusters that something was taken off since the state was last settled.
    pub fn freed(&self) -> BTreeSet<(usize, usize)> {
        let taken = self.log.iter().filter_map(|(change, _)| match *change {
            Change::Taken { c, n, .. } => Some((c, n)),
            _ => None,
        });
        taken
            .filter(|&(c, n)| {
                let cluster = &self.clusters[c];
                cluster.nodes[n].live && matches!(cluster.origin, Origin::Scheduler { .. })
            })
            .collect()
    }

    /// Takes what is for what was there before, and forgets how it came about, closed nodes and these clusters
    /// that nobody wants any more.
    pub fn settle<'c>(&mut self, changed: impl Iterator<Item = &'c usize>) {
        self.commit();
        for &c in changed {
            let cluster = &mut self.clusters[c];
            cluster.forget_closed();
            for node in &mut cluster.nodes {
                node.existed = true;
            }
            cluster.touched = false;
            cluster.existed = true;
            if !cluster.is_wanted() {
                // Its number stays its own, so that nothing else need be renumbered.
                cluster.name = String::new();
                self.by_pool[cluster.pool].retain(|&other| other != c);
            }
        }
    }
}

impl<'p> State<'p> {
    /// A state of a problem with these contents.
    pub fn attached(problem: &'p Problem<'p>, contents: Contents) -> Self {
        State { problem, contents }
    }

    /// The contents, to be kept without the problem.
    pub fn detached(self) -> Contents {
        self.contents
    }

    /// Follows the prices of a pool.
    pub fn reprice(&mut self, pool: usize) {
        let view = &self.problem.pools[pool];
        let mut usage = Usage::default();
        for &c in &self.contents.by_pool[pool] {
            let cluster = &mut self.contents.clusters[c];
            cluster.workers = Usage::default();
            let control = cluster.control.iter_mut().map(|(offer, _)| offer);
            let nodes = cluster.nodes.iter_mut().map(|node| &mut node.offer);
            for offer in control.chain(nodes) {
                if let Some(sold) = view.offer_of(offer.class) {
                    offer.hourly = sold.hourly;
                }
            }
            for node in cluster.nodes.iter().filter(|node| node.live) {
                cluster.workers.add(Usage::of(&node.offer, 1));
            }
            if cluster.pad.is_some() {
                cluster.pad = ClusterState::padding_of(self.problem, pool);
            }
            usage.add(cluster.usage());
        }
        self.contents.usage[pool] = usage;
    }
}
