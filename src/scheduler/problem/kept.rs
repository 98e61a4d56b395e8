//! A problem that is kept while its snapshot changes a little: one service more or less, another number of
//! replicas, another price.

use super::{Index, Problem};
use crate::scheduler::component;
use crate::scheduler::demand;
use crate::scheduler::hopeless;
use crate::scheduler::model::{ServiceId, Snapshot};
use crate::scheduler::score;

/// Finds services by their ids.
type Known<'k> = dyn Fn(&ServiceId) -> Option<usize> + 'k;

impl<'a> Problem<'a> {
    /// A snapshot with the index that is known of it.
    pub fn attached(snapshot: &'a Snapshot, index: Index) -> Self {
        Problem { snapshot, index }
    }

    /// The index, to be kept without the snapshot.
    pub fn detached(self) -> Index {
        self.index
    }

    /// Takes up a service that came into a slot; `waiting` are those that have a latency limit to it.
    pub fn admit(&mut self, s: usize, waiting: &[usize], known: &Known<'_>) {
        let service = self.service(s);
        let Index { pools, wishes, .. } = &mut self.index;
        let demand = demand::one(self.snapshot, pools, wishes, service);
        if s == self.demands.len() {
            self.index.demands.push(demand);
            self.index.hopeless.push(false);
        } else {
            self.index.demands[s] = demand;
        }
        self.index.demands[s].penalties = score::penalties(self, s, &[]);
        self.tie(s, known);
        for &other in waiting {
            self.tie(other, known);
        }
        self.rescale(s);
    }

    /// Forgets a service; `known` does not know it any more.
    pub fn dismiss(&mut self, s: usize, known: &Known<'_>) {
        self.untie(s);
        let waiting = std::mem::take(&mut self.index.demands[s]).dependents;
        self.index.hopeless[s] = false;
        for &(other, _) in &waiting {
            self.tie(other, known);
        }
        for (other, _) in waiting {
            self.judge(other);
        }
    }

    /// Follows the number of replicas of a service.
    pub fn rescale(&mut self, s: usize) {
        let service = self.service(s);
        let pins = self.snapshot.pins.iter();
        let pins = pins.filter(|pin| pin.service == service.id);
        self.index.demands[s].pins = demand::fixed(service, pins);
        self.judge(s);
    }

    /// Follows the prices of a pool; `wishing` are the services that have preferences.
    pub fn reprice(&mut self, p: usize, wishing: &[usize]) {
        let Index {
            pools, class_index, ..
        } = &mut self.index;
        pools[p].reprice(self.snapshot, &self.snapshot.pools[p], class_index);
        for &s in wishing {
            if self.demands[s].usable.binary_search(&p).is_ok() {
                self.index.demands[s].penalties = score::penalties(self, s, &[]);
            }
        }
    }

    fn untie(&mut self, s: usize) {
        for (d, _) in std::mem::take(&mut self.index.demands[s].latency) {
            self.index.demands[d]
                .dependents
                .retain(|&(other, _)| other != s);
        }
    }

    fn tie(&mut self, s: usize, known: &Known<'_>) {
        self.untie(s);
        let latency = demand::latency(self.service(s), known);
        for &(d, max_ms) in &latency {
            self.index.demands[d].dependents.push((s, max_ms));
        }
        self.index.demands[s].latency = latency;
    }

    /// Finds out anew which of the services tied to this one are hopeless, and to which zones matter.
    fn judge(&mut self, s: usize) {
        let members = component::tied(self, s);
        let judged = hopeless::among(self, &members);
        for (member, hopeless) in members.into_iter().zip(judged) {
            self.index.hopeless[member] = hopeless;
            let demand = &self.demands[member];
            self.index.demands[member].zonal = self.wishes.is_zonal(&self.pools, demand);
        }
    }
}
