//! How large the numbers of a snapshot may be.
//!
//! The solver adds and multiplies plain integers. So that none of that can leave its type, a snapshot is held
//! against these limits before anything is reckoned: each number by itself, and prices and machines together with
//! how many machines any plan can have at most. What is beyond is named; `solve` decides nothing then.

mod excess;

pub use excess::{Excess, Field, Part};

use super::model::{Cluster, ControlPlaneRule, Moving, NodeClass, Origin, Policy, Pool, Service};
use super::model::{ServiceId, Snapshot};
use super::units::Micros;
use std::collections::BTreeMap;

/// Most replicas of all services together; as many may be fixed to clusters.
pub const MOST_REPLICAS: u64 = 1 << 22;
/// Replicas that a fleet may grow by at least while it is kept.
const LEEWAY: u64 = 100_000;
/// Most replicas that clusters hold before a decision.
pub const MOST_HELD: u64 = 1 << 23;
/// Most machines of all clusters together before a decision.
pub const MOST_MACHINES: u64 = 1 << 22;
/// Most of what all machines of a plan have or cost together: milli-cores, MiB or micro-dollars an hour.
pub const MOST_IN_ALL: u64 = 1 << 61;
/// Most milli-cores of a replica and of a machine.
pub const MOST_MILLI_CORES: u64 = 1 << 30;
/// Most MiB of a replica and of a machine, and the most that a limit of a pool may be.
pub const MOST_MIB: u64 = 1 << 40;
/// Most micro-dollars of a budget or of what moving is taken to cost.
pub const MOST_AMOUNT: Micros = 1 << 50;
/// Fewest workers that rules may ask of a cluster at most, and most machines of a control plane.
pub const MOST_OF_A_CLUSTER: u32 = 100_000;
/// Most seconds within which a move must have paid.
pub const MOST_SECONDS: u64 = 1 << 32;
/// Most millionths of interruptions in a month.
pub const MOST_INTERRUPTIONS: u64 = u32::MAX as u64;
/// Most percent that a preference may charge.
pub const MOST_WEIGHT: u32 = 100;
/// Most that a price in a certificate may be, in its units.
pub const MOST_PRICE: i64 = 1 << 61;

const _: () = {
    // Replicas and machines before a decision are counted in 32 bits.
    assert!(MOST_REPLICAS + MOST_MACHINES <= u32::MAX as u64);
    assert!(MOST_REPLICAS + MOST_HELD <= u32::MAX as u64);
    // What is asked for, and what preferences and risks charge beside the price, are counted in 63 bits. One
    // replica's risk is below a dollar an hour.
    assert!((MOST_REPLICAS as u128) * (MOST_MIB as u128) <= i64::MAX as u128);
    assert!((MOST_REPLICAS as u128) * (MOST_MILLI_CORES as u128) <= i64::MAX as u128);
    assert!(2 * MOST_IN_ALL + MOST_REPLICAS * 1_000_000 <= i64::MAX as u64);
    // Shares of a machine, in millionths, are counted in 63 bits.
    assert!((MOST_MIB + MOST_MILLI_CORES) as u128 * 1_000_000 <= i64::MAX as u128);
    // What is saved until a move must have paid, on more machines than a plan can name, is counted in 127 bits.
    assert!((u32::MAX as u128) * (MOST_IN_ALL as u128) <= i128::MAX as u128 / MOST_SECONDS as u128);
    // The proof of the bound, in 127 bits: what all replicas pay, what all machines are worth at most, and what
    // four kinds of limits earn, in as many pools as there may be machines.
    let pays = (MOST_REPLICAS as u128) * ((MOST_MIB + MOST_MILLI_CORES) as u128);
    let worth = 2 * MOST_IN_ALL as u128;
    let earns = 4 * (MOST_IN_ALL as u128 + (MOST_MACHINES as u128) * (MOST_MIB as u128));
    assert!(pays + worth + earns <= (i128::MAX / (MOST_PRICE as i128)) as u128);
};

/// What of a snapshot is beyond the limits, in the order of its parts; nothing for one that can be solved.
pub fn excesses(snapshot: &Snapshot) -> Vec<Excess> {
    excesses_with(snapshot, &Most::of(snapshot, 0))
}

fn excesses_with(snapshot: &Snapshot, most: &Most) -> Vec<Excess> {
    let mut found = Found::default();
    found.total(
        Part::Services,
        Field::Replicas,
        most.replicas,
        MOST_REPLICAS,
    );
    found.total(
        Part::Clusters,
        Field::Machines,
        machines(snapshot.clusters.iter()),
        MOST_MACHINES,
    );
    found.total(
        Part::Clusters,
        Field::Held,
        held(snapshot.clusters.iter()),
        MOST_HELD,
    );
    found.total(
        Part::Services,
        Field::Pinned,
        pinned(snapshot),
        MOST_REPLICAS,
    );
    for service in &snapshot.services {
        found.service(service);
    }
    for policy in &snapshot.policies {
        found.policy(policy);
    }
    for cluster in &snapshot.clusters {
        found.cluster(cluster);
    }
    for class in &snapshot.node_classes {
        found.class(class, most);
    }
    for pool in &snapshot.pools {
        found.pool(pool, most);
    }
    found.0
}

/// What of the clusters of a solution is beyond what can be counted.
pub fn excess_of_clusters(clusters: &[&Cluster]) -> Option<Excess> {
    let clusters = || clusters.iter().copied();
    let mut found = Found::default();
    let most = u64::from(u32::MAX);
    found.total(Part::Clusters, Field::Machines, machines(clusters()), most);
    found.total(Part::Clusters, Field::Held, held(clusters()), most);
    found.0.pop()
}

/// How far a fleet may go that is kept while it changes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leeway {
    /// Replicas of all services together.
    replicas: u64,
    /// What a machine may cost.
    price: i128,
}

impl Leeway {
    /// Leaves room for as many replicas again, and some for small fleets.
    pub fn of(snapshot: &Snapshot) -> Result<Self, Excess> {
        let services = snapshot.services.iter();
        let there: u64 = services.map(|s| u64::from(s.replicas)).sum();
        let more = there.max(LEEWAY).min(MOST_REPLICAS.saturating_sub(there));
        let most = Most::of(snapshot, more);
        let excess = excesses_with(snapshot, &most).into_iter().next();
        excess.map_or(Ok(()), Err)?;
        Ok(Leeway {
            replicas: there + more,
            price: most.price,
        })
    }

    /// Holds a service against it that brings all replicas to so many.
    pub fn service(&self, service: &Service, replicas: u64) -> Option<Excess> {
        let mut found = Found::default();
        found.service(service);
        let (field, replicas) = (Field::Replicas, u128::from(replicas));
        found.total(Part::Services, field, replicas, self.replicas);
        found.0.into_iter().next()
    }

    /// Holds the price of a class in a pool against it.
    pub fn price(&self, pool: &str, class: &str, hourly: Micros) -> Option<Excess> {
        let (pool, class) = (pool.to_owned(), class.to_owned());
        let part = || Part::Offer {
            pool: pool.clone(),
            class: class.clone(),
        };
        let mut found = Found::default();
        found.number(part, Field::Price, hourly.into(), self.price);
        found.0.pop()
    }
}

#[derive(Default)]
struct Found(Vec<Excess>);

impl Found {
    fn total(&mut self, part: Part, field: Field, is: u128, most: u64) {
        let is = i128::try_from(is).unwrap_or(i128::MAX);
        self.number(|| part.clone(), field, is, i128::from(most));
    }

    fn number(&mut self, part: impl Fn() -> Part, field: Field, is: i128, most: i128) {
        if !(0..=most).contains(&is) {
            self.0.push(Excess {
                part: part(),
                field,
                is,
                most,
            });
        }
    }

    fn moving(&mut self, part: impl Fn() -> Part, moving: Moving) {
        for amount in [moving.per_replica, moving.margin].into_iter().flatten() {
            self.number(&part, Field::Moving, amount.into(), MOST_AMOUNT.into());
        }
        let horizon = moving.horizon_seconds.unwrap_or(0);
        self.number(&part, Field::Horizon, horizon.into(), MOST_SECONDS.into());
    }

    fn service(&mut self, service: &Service) {
        let part = || Part::Service(service.id.clone());
        let size = service.size;
        let most = MOST_MILLI_CORES.into();
        self.number(part, Field::MilliCores, size.milli_cores.into(), most);
        self.number(part, Field::Mib, size.mib.into(), MOST_MIB.into());
        self.moving(part, service.moving);
    }

    fn policy(&mut self, policy: &Policy) {
        let part = || Part::Policy(policy.name.clone());
        if let Some(rules) = &policy.cluster_policy {
            let (fewest, control) = (rules.min_nodes, rules.control_plane.replicas);
            let most = MOST_OF_A_CLUSTER.into();
            self.number(part, Field::FewestWorkers, fewest.into(), most);
            self.number(part, Field::ControlPlane, control.into(), most);
        }
        for wish in &policy.preferences {
            self.number(part, Field::Weight, wish.weight.into(), MOST_WEIGHT.into());
        }
        self.moving(part, policy.moving.unwrap_or_default());
    }

    fn cluster(&mut self, cluster: &Cluster) {
        if let Origin::Declared {
            resize: Some((fewest, _)),
        } = cluster.origin
        {
            let part = || Part::Cluster(cluster.name.clone());
            let most = MOST_OF_A_CLUSTER.into();
            self.number(part, Field::FewestWorkers, fewest.into(), most);
        }
    }

    fn class(&mut self, class: &NodeClass, most: &Most) {
        let part = || Part::NodeClass(class.name.clone());
        let size = class.capacity;
        let milli_cores = most.size.min(MOST_MILLI_CORES.into());
        let mib = most.size.min(MOST_MIB.into());
        self.number(
            part,
            Field::MilliCores,
            size.milli_cores.into(),
            milli_cores,
        );
        self.number(part, Field::Mib, size.mib.into(), mib);
        let often = class.spot.unwrap_or(0);
        let most = MOST_INTERRUPTIONS.into();
        self.number(part, Field::Interruptions, often.into(), most);
    }

    fn pool(&mut self, pool: &Pool, most: &Most) {
        let part = || Part::Pool(pool.name.clone());
        let caps = [
            (Field::Machines, pool.caps.max_nodes, MOST_MIB),
            (Field::MilliCores, pool.caps.max_milli_cores, MOST_MIB),
            (Field::Mib, pool.caps.max_mib, MOST_MIB),
        ];
        for (field, cap, most) in caps {
            self.number(part, field, cap.unwrap_or(0).into(), most.into());
        }
        let budget = pool.monthly_budget.unwrap_or(0);
        self.number(part, Field::Budget, budget.into(), MOST_AMOUNT.into());
        for offer in &pool.offers {
            let part = || Part::Offer {
                pool: pool.name.clone(),
                class: offer.class.clone(),
            };
            self.number(part, Field::Price, offer.hourly.into(), most.price);
        }
    }
}

/// The most that one machine may have and cost, so that all of a plan can be added up.
struct Most {
    replicas: u128,
    size: i128,
    price: i128,
}

impl Most {
    /// For a snapshot, and so many more replicas.
    fn of(snapshot: &Snapshot, more: u64) -> Self {
        let services = snapshot.services.iter();
        let replicas: u128 = services.map(|s| u128::from(s.replicas)).sum();
        let replicas = replicas + u128::from(more);
        let rules = snapshot
            .policies
            .iter()
            .filter_map(|p| p.cluster_policy.as_ref());
        let plain = ControlPlaneRule::default().replicas;
        let overhead = rules
            .map(|rule| u128::from(rule.min_nodes) + u128::from(rule.control_plane.replicas))
            .chain([plain.into()]);
        // Every replica may need a machine, and a cluster around it.
        let each = 1 + overhead.max().unwrap_or(0);
        let founded = (replicas + snapshot.clusters.len() as u128).saturating_mul(each);
        let machines = machines(snapshot.clusters.iter())
            .saturating_add(founded)
            .max(1);
        let weights = snapshot.policies.iter().map(|policy| {
            let weights = policy.preferences.iter().map(|p| u128::from(p.weight));
            weights.sum::<u128>().div_ceil(u128::from(MOST_WEIGHT))
        });
        // What preferences charge is of the order of prices.
        let charged = replicas.saturating_mul(weights.max().unwrap_or(0));
        let within = |times: u128| (u128::from(MOST_IN_ALL) / times) as i128;
        Most {
            replicas,
            size: within(machines),
            price: within(machines.saturating_add(charged)),
        }
    }
}

/// The machines that clusters have, and those that they would be filled up to.
fn machines<'a>(clusters: impl Iterator<Item = &'a Cluster>) -> u128 {
    let of = |cluster: &Cluster| {
        let workers = cluster.workers.iter().map(|group| u128::from(group.count));
        let control = cluster.control_plane.as_ref().map_or(0, |(_, n)| *n);
        let fewest = match cluster.origin {
            Origin::Declared {
                resize: Some((fewest, _)),
            } => fewest,
            _ => 0,
        };
        workers.sum::<u128>().max(fewest.into()) + u128::from(control)
    };
    clusters.map(of).sum()
}

/// The replicas that clusters hold.
fn held<'a>(clusters: impl Iterator<Item = &'a Cluster>) -> u128 {
    let groups = clusters.flat_map(|cluster| &cluster.workers);
    let of = groups.flat_map(|group| {
        let each = group.services.values();
        each.map(|n| u128::from(*n) * u128::from(group.count.max(1)))
    });
    of.sum()
}

/// The replicas that are fixed to clusters.
fn pinned(snapshot: &Snapshot) -> u128 {
    if snapshot.pins.is_empty() {
        return 0;
    }
    let services = snapshot.services.iter().map(|s| (&s.id, s.replicas));
    let replicas: BTreeMap<&ServiceId, u32> = services.collect();
    let of = snapshot.pins.iter().map(|pin| {
        let all = replicas.get(&pin.service).copied();
        u128::from(pin.replicas.or(all).unwrap_or(0))
    });
    of.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::fixtures::fleet;
    use crate::scheduler::solution::Verdict;
    use crate::scheduler::{check, solve};

    fn named(change: impl FnOnce(&mut Snapshot)) -> Vec<(Part, Field)> {
        let mut snapshot = fleet(&[("a", "eu")], &[("web", 2)]);
        change(&mut snapshot);
        let found = excesses(&snapshot).into_iter();
        found.map(|excess| (excess.part, excess.field)).collect()
    }

    #[test]
    fn what_is_beyond_is_named() {
        assert_eq!(named(|_| {}), []);
        let service = |s: &Snapshot| Part::Service(s.services[0].id.clone());
        let plain = fleet(&[("a", "eu")], &[("web", 2)]);
        assert_eq!(
            named(|s| s.services[0].size.mib = u64::MAX),
            [(service(&plain), Field::Mib)]
        );
        assert_eq!(
            named(|s| s.services[0].moving.margin = Some(-1)),
            [(service(&plain), Field::Moving)]
        );
        let class = plain.pools[0].offers[0].class.clone();
        let pool = plain.pools[0].name.clone();
        assert_eq!(
            named(|s| s.pools[0].offers[0].hourly = i64::MIN),
            [(Part::Offer { pool, class }, Field::Price)]
        );
        assert_eq!(
            named(|s| s.services[0].replicas = u32::MAX),
            [(Part::Services, Field::Replicas)]
        );
    }

    #[test]
    fn the_more_machines_there_may_be_the_less_one_may_cost() {
        let dear = |replicas| {
            named(|s| {
                s.services[0].replicas = replicas;
                s.pools[0].offers[0].hourly = 1_000_000_000_000_000;
            })
        };
        assert_eq!(dear(2), []);
        assert_eq!(dear(100_000).len(), 1);
    }

    #[test]
    fn nothing_is_decided_beyond_the_limits() {
        let mut snapshot = fleet(&[("a", "eu")], &[("web", 2)]);
        snapshot.clusters = solve(&snapshot).live().map(|d| d.cluster.clone()).collect();
        snapshot.pools[0].offers[0].hourly = i64::MAX;
        let solution = solve(&snapshot);
        let kept: Vec<_> = solution.live().map(|d| d.cluster.clone()).collect();
        assert_eq!(kept, snapshot.clusters);
        assert_eq!(solution.outcomes[0].verdict, Verdict::Unschedulable);
        let why = solution.outcomes[0].reasons[0].why.to_string();
        assert!(why.starts_with("Nothing is decided: node class "), "{why}");
        assert_eq!(check::check(&snapshot, &solution)[0].rule, "limits");
    }

    #[test]
    fn what_is_beyond_counts_where_there_is_none_of_it() {
        let mut snapshot = fleet(&[("a", "eu")], &[("web", 2)]);
        snapshot.clusters = solve(&snapshot).live().map(|d| d.cluster.clone()).collect();
        let workers = &mut snapshot.clusters[0].workers;
        let mut none = workers[0].clone();
        (none.count, none.services) = (0, [(snapshot.services[0].id.clone(), u32::MAX)].into());
        workers.push(none);
        assert_eq!(excesses(&snapshot)[0].field, Field::Held);
        assert_eq!(solve(&snapshot).outcomes[0].verdict, Verdict::Unschedulable);
    }
}
