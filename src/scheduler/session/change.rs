//! What may change in a session, what became of it, and why not.

use crate::scheduler::limits::Excess;
use crate::scheduler::model::{Service, ServiceId};
use crate::scheduler::reason::{Reason, Why};
use crate::scheduler::solution::ClusterAction;
use crate::scheduler::units::Micros;
use std::collections::BTreeMap;

/// One change of what a fleet is asked for or costs.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A service that was not there.
    Add(Box<Service>),
    /// A service that is no more.
    Remove(ServiceId),
    /// Another number of replicas.
    Scale {
        /// The service.
        service: ServiceId,
        /// How many it is to have.
        replicas: u32,
    },
    /// Another price of a node class in a pool.
    Price {
        /// The pool.
        pool: String,
        /// The node class.
        class: String,
        /// Micro-dollars per hour for one node.
        hourly: Micros,
    },
}

/// What a change came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// Clusters that are other than before, or that something came onto or went off; by name.
    pub clusters: Vec<Touched>,
    /// Cost before the change.
    pub before: Cost,
    /// Cost after it.
    pub after: Cost,
    /// What a pool that became dearer now spends beyond its budget. Nothing moves for it.
    pub over_budget: Option<Why>,
    /// Why solving the whole fleet is worth it now, if it is.
    pub advice: Option<Advice>,
}

/// What a fleet costs, micro-dollars per hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// All nodes.
    pub hourly: Micros,
    /// The same with preferences and the risk of interruptions as money.
    pub objective: Micros,
}

/// What a change did to one cluster. [`Session::cluster`](super::Session::cluster) gives it as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct Touched {
    /// The cluster.
    pub cluster: String,
    /// Its pool.
    pub pool: String,
    /// What is to be done with it.
    pub action: ClusterAction,
    /// Workers of each class more, or fewer, those that only fill a cluster up not counted.
    pub nodes: BTreeMap<String, i64>,
    /// Replicas of each service more, or fewer. What stays in the cluster may have changed its node.
    pub replicas: BTreeMap<ServiceId, i64>,
}

/// Why solving the whole fleet is worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// So many changes were made since it was solved.
    ManyChanges(u64),
    /// The objective has moved away from what the prices of the certificate say by so many parts per million.
    Drift(u64),
    /// A node class costs less than the prices of the certificate say that it is worth.
    Cheaper,
    /// Capacity became free, and so many services wait for a place.
    Waiting(usize),
}

/// Why a change was not made. Everything is as it was before.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// A service to be added is there already.
    #[error("service {0} is there already; scale it, or solve the fleet to change more of it")]
    Known(ServiceId),
    /// A service is not there.
    #[error("service {0} is not in the session; add it first")]
    Unknown(ServiceId),
    /// A number that cannot be reckoned with.
    #[error("{0}; with fewer or smaller numbers it can, or solve the fleet to begin anew")]
    Beyond(Excess),
    /// Latency limits in a circle.
    #[error("service {0} would depend on itself through latency limits; remove one of them")]
    Circle(ServiceId),
    /// A pool does not sell a class.
    #[error("pool {pool} does not sell {class}; to sell another class solve the fleet")]
    NotSold {
        /// The pool.
        pool: String,
        /// The node class.
        class: String,
    },
    /// No place was found for a service without moving others.
    #[error("service {service} finds no place without moving others; solve the fleet to try that")]
    NoPlace {
        /// The service.
        service: ServiceId,
        /// Everything that stands against it.
        reasons: Vec<Reason>,
    },
    /// The change is not one of a session.
    #[error("the fleet must be solved: {0}")]
    Solve(Unfit),
}

/// Why only solving the whole fleet will do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// What preferences charge depends on what is where.
    #[error("policy {0} prefers pools by available capacity, which every change moves")]
    AvailableCapacity(String),
    /// The solution is not one of the snapshot.
    #[error("the solution is not one of this snapshot: {0}")]
    OtherSolution(String),
    /// Something else than services, replicas and prices is different.
    #[error("{0} changed")]
    Different(&'static str),
    /// More of a service is different than its replicas.
    #[error("more of service {0} changed than its replicas")]
    OtherService(ServiceId),
    /// At a new price clusters would be filled up with another class, which a pool's limits do not allow.
    #[error("pool {0} would be over its limits with the nodes that are cheapest now")]
    Limits(String),
    /// A session does not live for ever.
    #[error("{0} changes were asked for since it was solved")]
    TooMany(u64),
}
