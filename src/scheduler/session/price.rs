//! Prices that move. Nothing moves for them: what pays is for the next whole solve to find.

use super::Session;
use super::change::{Changed, Refused, Touched, Unfit};
use crate::scheduler::constraint::{budget, caps};
use crate::scheduler::solution::ClusterAction;
use crate::scheduler::units::Micros;
use crate::scheduler::zones::zone_of;
use std::collections::BTreeMap;

impl Session {
    pub(super) fn price(
        &mut self,
        pool: &str,
        class: &str,
        hourly: Micros,
    ) -> Result<Changed, Refused> {
        if let Some(excess) = self.leeway.price(pool, class, hourly) {
            return Err(Refused::Beyond(excess));
        }
        let (p, at) = (self.offer(pool, class)).ok_or_else(|| Refused::NotSold {
            pool: pool.to_owned(),
            class: class.to_owned(),
        })?;
        let (before, used) = (self.cost(), self.contents.usage[p]);
        let padding = self.padding(p);
        let was = self.reprice(p, at, hourly);
        let (spec, now) = (&self.snapshot.pools[p], &self.contents.usage[p]);
        if !caps::check(&spec.caps, &used, now).is_empty() {
            self.reprice(p, at, was);
            return Err(Refused::Solve(Unfit::Limits(pool.to_owned())));
        }
        let over_budget = budget::check(spec, &used, now);
        self.recharge();
        self.drift.reprice(&self.index, p, self.index.class(class));
        let clusters = self.refilled(p, &padding);
        let mut changed = self.settle(before);
        changed.over_budget = over_budget;
        changed.clusters = clusters;
        Ok(changed)
    }

    /// A pool by index, and where among its offers a class is.
    fn offer(&self, pool: &str, class: &str) -> Option<(usize, usize)> {
        let p = self.index.pool(pool)?;
        let offers = &self.snapshot.pools[p].offers;
        let at = offers.iter().position(|offer| offer.class == class)?;
        // In each zone it is sold at the same price, which has no price of its own.
        zone_of(class).1.is_none().then_some((p, at))
    }

    /// Sets a price everywhere; returns what it was.
    fn reprice(&mut self, p: usize, at: usize, hourly: Micros) -> Micros {
        let offers = &mut self.snapshot.pools[p].offers;
        let (class, was) = (offers[at].class.clone(), offers[at].hourly);
        let in_zones = offers.iter_mut().filter(|o| zone_of(&o.class).0 == class);
        in_zones.for_each(|offer| offer.hourly = hourly);
        let wishing: Vec<usize> = self.wishing.iter().copied().collect();
        self.reindex(|problem, _| problem.reprice(p, &wishing));
        self.with(|state| state.reprice(p));
        was
    }

    /// Finds out anew what preferences charge.
    fn recharge(&mut self) {
        let wishing = self.wishing.clone();
        let charges = self.with(|state| {
            let charges = wishing.into_iter().map(|s| (s, state.penalty(s)));
            charges.collect::<Vec<_>>()
        });
        for (s, charge) in charges {
            self.charge(s, charge);
        }
    }

    /// The class that each cluster of a pool is filled up with, of those that are.
    fn padding(&self, p: usize) -> BTreeMap<usize, usize> {
        let clusters = self.contents.by_pool[p].iter();
        let padded = clusters.filter_map(|&c| {
            let cluster = &self.contents.clusters[c];
            let pad = cluster.pad.as_ref().filter(|_| cluster.padding() > 0)?;
            Some((c, pad.class))
        });
        padded.collect()
    }

    /// Clusters that are filled up with another class than before.
    fn refilled(&self, p: usize, before: &BTreeMap<usize, usize>) -> Vec<Touched> {
        let now = self.padding(p).into_iter();
        let mut clusters: Vec<Touched> = now
            .filter(|(c, class)| before.get(c) != Some(class))
            .map(|(c, _)| Touched {
                cluster: self.contents.clusters[c].name.clone(),
                pool: self.snapshot.pools[p].name.clone(),
                action: ClusterAction::Resize,
                nodes: BTreeMap::new(),
                replicas: BTreeMap::new(),
            })
            .collect();
        clusters.sort_by(|a, b| a.cluster.cmp(&b.cluster));
        clusters
    }
}
