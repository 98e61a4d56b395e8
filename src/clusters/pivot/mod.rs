//! Moving the care for a cluster from one API server to another.
//!
//! Cluster API acts on a cluster from wherever its objects are. A pivot moves them from the *source* to the
//! *target*; moving them back is the same with the sides swapped. It goes on in rounds: [`observe`] what both
//! sides hold, [`decide`] what comes next, and [`act`]. Nothing is remembered between rounds, so a process that
//! starts anew goes on where another was cut off. Which side may act is said by one object, the [`deed`], and
//! changes hands in one write.
//!
//! Everything here is pure but [`apply`]: each side is a [`Port`] that answers requests, be it an API server or
//! a stream to somebody who has one.

pub mod act;
pub mod apply;
pub mod canonical;
mod compare;
pub mod copy;
pub mod decide;
pub mod deed;
pub mod error;
pub mod graph;
pub mod kind;
pub mod object;
pub mod pause;
pub mod port;
mod references;
mod undo;
pub mod view;
mod wind_up;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use act::round;
pub use decide::{Intent, Step, decide};
pub use deed::owner;
pub use error::PivotError;
pub use port::{Port, Refusal, Request, Response};
pub use view::{Observed, View, observe};

/// Field manager of every write of a move.
pub const FIELD_MANAGER: &str = "lattice.dev/pivot";

/// Most objects that one cluster may consist of: the deed names all of them, and is one object.
pub const MOST_OBJECTS: usize = 5_000;

/// One of the two API servers of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Where the objects are when the move begins.
    Source,
    /// Where they are going.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

/// Which cluster is moved: where its `Cluster` object is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterName {
    /// Namespace of the `Cluster`.
    pub namespace: String,
    /// Name of the `Cluster`.
    pub name: String,
}

impl ClusterName {
    /// A cluster by namespace and name.
    #[must_use]
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
