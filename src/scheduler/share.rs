//! Who pays for what: a worker's price is shared by the services on it in proportion to their
//! dominant resource, its idle part included; workers without a tenant and control planes are the
//! cluster's overhead. The parts add up to the whole to the last micro-dollar (largest remainder).

use super::model::{Cluster, NodeGroup, ServiceId, Snapshot};
use super::units::{Micros, Resources};
use std::collections::BTreeMap;

/// What one cluster costs, and who pays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterCost {
    /// Micro-dollars per hour of each service on each node class.
    pub services: BTreeMap<(ServiceId, String), Micros>,
    /// Micro-dollars per hour of control plane and workers without a tenant.
    pub overhead: Micros,
    /// The whole.
    pub total: Micros,
}

/// Prices and sizes of a snapshot, for sharing the cost of clusters.
pub struct Prices<'a> {
    offers: BTreeMap<(&'a str, &'a str), Micros>,
    rooms: BTreeMap<&'a str, Resources>,
    sizes: BTreeMap<&'a ServiceId, Resources>,
}

impl<'a> Prices<'a> {
    /// Reads the prices of a snapshot.
    pub fn new(snapshot: &'a Snapshot) -> Self {
        let offers = snapshot.pools.iter().flat_map(|pool| {
            pool.offers
                .iter()
                .map(|o| ((pool.name.as_str(), o.class.as_str()), o.hourly))
        });
        Prices {
            offers: offers.collect(),
            rooms: snapshot
                .node_classes
                .iter()
                .map(|c| (c.name.as_str(), c.allocatable()))
                .collect(),
            sizes: snapshot.services.iter().map(|s| (&s.id, s.size)).collect(),
        }
    }

    /// Price of one node, micro-dollars per hour; nothing where the pool does not sell the class.
    pub fn node(&self, pool: &str, class: &str) -> Micros {
        self.offers.get(&(pool, class)).copied().unwrap_or(0)
    }

    /// Shares the cost of one cluster.
    pub fn cluster(&self, cluster: &Cluster) -> ClusterCost {
        let mut cost = ClusterCost::default();
        if let Some((class, n)) = &cluster.control_plane {
            cost.overhead += self.node(&cluster.pool, class) * i64::from(*n);
        }
        for group in &cluster.workers {
            let price = self.node(&cluster.pool, &group.class);
            let weights = self.weights(group);
            if weights.is_empty() {
                cost.overhead += price * i64::from(group.count);
                continue;
            }
            let shares = largest_remainder(price, &weights);
            for (service, share) in group.services.keys().zip(shares) {
                *cost
                    .services
                    .entry((service.clone(), group.class.clone()))
                    .or_default() += share * i64::from(group.count);
            }
        }
        cost.total = cost.overhead + cost.services.values().sum::<Micros>();
        cost
    }

    /// Dominant shares of a node, in parts so small that they are as good as exact.
    fn weights(&self, group: &NodeGroup) -> Vec<u128> {
        let room = self.rooms.get(group.class.as_str());
        let room = room.copied().unwrap_or_default();
        group
            .services
            .iter()
            .map(|(service, n)| {
                let size = self.sizes.get(service).copied().unwrap_or_default();
                // What has outgrown its node counts as all of it.
                let part = |asked: u64, room: u64| {
                    ((u128::from(asked) << 40) / u128::from(room.max(1))).min(1 << 40)
                };
                let plain = part(size.milli_cores, room.milli_cores).max(part(size.mib, room.mib));
                let extended = size.extended.iter();
                let dominant = extended
                    .map(|(place, asked)| part(asked, room.extended.get(place)))
                    .fold(plain, u128::max);
                // A service that asks for nothing still pays the least part there is.
                (dominant * u128::from(*n)).max(1)
            })
            .collect()
    }
}

/// Divides a whole in proportion to weights so that the parts add up exactly: the parts with the
/// largest remainders get the units left over, earlier ones first among equals.
pub(crate) fn largest_remainder(whole: Micros, weights: &[u128]) -> Vec<Micros> {
    let total: u128 = weights.iter().sum();
    if total == 0 {
        return vec![0; weights.len()];
    }
    let whole = u128::from(whole.unsigned_abs());
    // The remainder is below the total, so dividing first keeps the product small enough.
    let parts: Vec<(u128, u128)> = weights
        .iter()
        .map(|w| ((whole * w) / total, (whole * w) % total))
        .collect();
    let mut left = whole - parts.iter().map(|(part, _)| part).sum::<u128>();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(|&a, &b| parts[b].1.cmp(&parts[a].1).then(a.cmp(&b)));
    let mut shares: Vec<Micros> = parts.iter().map(|(part, _)| *part as Micros).collect();
    for i in order {
        if left == 0 {
            break;
        }
        shares[i] += 1;
        left -= 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_whole() {
        assert_eq!(largest_remainder(10, &[1, 1, 1]), [4, 3, 3]);
        assert_eq!(largest_remainder(192_000, &[5]), [192_000]);
        assert_eq!(largest_remainder(7, &[3, 1]), [5, 2]);
        assert_eq!(largest_remainder(0, &[3, 1]), [0, 0]);
        assert_eq!(largest_remainder(5, &[0, 0]), [0, 0]);
    }
}
