//! What a pool's limits say of a state.

use super::{State, Usage};
use crate::scheduler::constraint::{budget, caps};
use crate::scheduler::model::Origin;
use crate::scheduler::reason::Why;

impl State<'_> {
    /// Everything that a pool's limits say against its use growing from `before` to what it is.
    pub fn broken_limits(&self, pool: usize, before: &Usage) -> Vec<Why> {
        self.limits_between(pool, before, &self.usage[pool])
    }

    /// What a pool's limits say against using this much more.
    pub fn limits_against(&self, pool: usize, more: Usage) -> Vec<Why> {
        let before = &self.usage[pool];
        let mut after = *before;
        after.add(more);
        self.limits_between(pool, before, &after)
    }

    fn limits_between(&self, pool: usize, before: &Usage, after: &Usage) -> Vec<Why> {
        let spec = &self.problem.snapshot.pools[pool];
        let mut broken = caps::check(&spec.caps, before, after);
        broken.extend(budget::check(spec, before, after));
        broken
    }

    /// Closes a node without tenants, where the cluster may shrink. It stays where what fills the cluster up to its
    /// fewest workers, which is cheap but may be large, would take more than the pool's limits allow.
    pub fn close_if_empty(&mut self, c: usize, n: usize) {
        let cluster = &self.clusters[c];
        let may_shrink = match &cluster.origin {
            Origin::Scheduler { .. } => true,
            Origin::Declared { resize } => resize.is_some_and(|(min, _)| cluster.live > min),
        };
        if !cluster.nodes[n].live || !cluster.nodes[n].tenants.is_empty() || !may_shrink {
            return;
        }
        if cluster.live > cluster.min {
            return self.close(c, n);
        }
        let (mark, pool) = (self.mark(), cluster.pool);
        let mut before = self.usage[pool];
        before.remove(cluster.usage());
        let mut after = before;
        before.add(cluster.usage_with_replicas());
        self.close(c, n);
        // A cluster that lost its last replica may be given others.
        let cluster = &self.clusters[c];
        after.add(cluster.usage_with_replicas());
        if !self.limits_between(pool, &before, &after).is_empty() {
            self.undo(mark);
        }
    }
}
