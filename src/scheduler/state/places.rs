//! Where a service's replicas are: few places, in order.

use crate::scheduler::topology::Place;

/// Places with how many replicas there are in each, by place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Vec<(Place, u32)>);

impl Places {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn keys(&self) -> impl Iterator<Item = &Place> {
        self.0.iter().map(|(place, _)| place)
    }

    pub fn iter(&self) -> impl Iterator<Item = &(Place, u32)> {
        self.0.iter()
    }

    /// Replicas in all places.
    pub fn total(&self) -> u32 {
        self.0.iter().map(|(_, n)| n).sum()
    }

    /// Replicas in a cluster, in whatever zone.
    pub fn in_cluster(&self, pool: usize, cluster: usize) -> u32 {
        let from = (self.0).partition_point(|(at, _)| (at.pool, at.cluster) < (pool, cluster));
        let here = self.0[from..].iter();
        let here = here.take_while(|(at, _)| (at.pool, at.cluster) == (pool, cluster));
        here.map(|(_, n)| n).sum()
    }

    pub(super) fn add(&mut self, place: Place, n: u32) {
        match self.0.binary_search_by_key(&place, |(at, _)| *at) {
            Ok(at) => self.0[at].1 += n,
            Err(at) => {
                // Most services are in one or two places.
                if self.0.capacity() == 0 {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (place, n));
            }
        }
    }

    pub(super) fn remove(&mut self, place: Place, n: u32) {
        if let Ok(at) = self.0.binary_search_by_key(&place, |(at, _)| *at) {
            self.0[at].1 -= n;
            if self.0[at].1 == 0 {
                self.0.remove(at);
            }
        }
    }
}

impl<'a> IntoIterator for &'a Places {
    type Item = &'a (Place, u32);
    type IntoIter = std::slice::Iter<'a, (Place, u32)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
