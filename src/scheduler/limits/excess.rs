//! What is told of a number beyond its limit.

use crate::scheduler::model::ServiceId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A number that is beyond its limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Excess {
    /// What it is a number of.
    pub part: Part,
    /// Which of its numbers.
    pub field: Field,
    /// What it is.
    pub is: i128,
    /// The most that it may be.
    pub most: i128,
}

/// What a number belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Part {
    /// All services together.
    Services,
    /// All clusters together.
    Clusters,
    /// One service.
    Service(ServiceId),
    /// One cluster.
    Cluster(String),
    /// A node class.
    NodeClass(String),
    /// A policy.
    Policy(String),
    /// A pool.
    Pool(String),
    /// A node class as a pool sells it.
    Offer {
        /// The pool.
        pool: String,
        /// The node class.
        class: String,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Services => f.write_str("all services"),
            Part::Clusters => f.write_str("all clusters"),
            Part::Service(id) => write!(f, "service {id}"),
            Part::Cluster(name) => write!(f, "cluster {name}"),
            Part::NodeClass(name) => write!(f, "node class {name}"),
            Part::Policy(name) => write!(f, "policy {name}"),
            Part::Pool(name) => write!(f, "pool {name}"),
            Part::Offer { pool, class } => write!(f, "node class {class} in pool {pool}"),
        }
    }
}

/// Which number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Field {
    /// Replicas.
    Replicas,
    /// Replicas that a cluster holds.
    Held,
    /// Replicas that are fixed to clusters.
    Pinned,
    /// Machines.
    Machines,
    /// The fewest workers of a cluster.
    FewestWorkers,
    /// Machines of a control plane.
    ControlPlane,
    /// Milli-cores.
    MilliCores,
    /// MiB.
    Mib,
    /// Micro-dollars an hour.
    Price,
    /// Micro-dollars a month.
    Budget,
    /// Micro-dollars of moving.
    Moving,
    /// Seconds within which a move must have paid.
    Horizon,
    /// Millionths of interruptions in a month.
    Interruptions,
    /// Percent of a preference.
    Weight,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Field::Replicas => "replicas",
            Field::Held => "replicas on clusters",
            Field::Pinned => "replicas fixed to clusters",
            Field::Machines => "machines",
            Field::FewestWorkers => "fewest workers",
            Field::ControlPlane => "control-plane machines",
            Field::MilliCores => "milli-cores",
            Field::Mib => "MiB",
            Field::Price => "millionths an hour",
            Field::Budget => "millionths a month",
            Field::Moving => "millionths for moving",
            Field::Horizon => "seconds of horizon",
            Field::Interruptions => "millionths of interruptions a month",
            Field::Weight => "percent",
        })
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Excess {
            part,
            field,
            is,
            most,
        } = self;
        write!(
            f,
            "{part}: {is} {field} cannot be reckoned with, only 0 to {most}"
        )
    }
}
