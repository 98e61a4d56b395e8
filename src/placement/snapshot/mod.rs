//! API objects to the snapshot that the solver works on.
//!
//! What is wrong with one object is reported and that object left out or closed; everything else goes on.

mod classes;
mod clusters;
mod currency;
mod extended;
mod limits;
mod names;
mod nodes;
mod packing;
mod pins;
mod policies;
mod pools;
mod selectors;
mod services;

use crate::scheduler::model::{ServiceId, Snapshot};

pub(crate) use self::names::service_id;
pub(crate) use self::policies::one as policy;
pub(crate) use self::selectors::{policy_selects, selects};
pub use super::inputs::Inputs;
pub use super::problem::{Problem, Severity};

/// A snapshot, and what of the input is wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Built {
    /// What the solver works on, in canonical order.
    pub snapshot: Snapshot,
    /// What is wrong, errors first, in a fixed order.
    pub problems: Vec<Problem>,
}

impl Built {
    /// Whether part of the input could not be used.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|p| p.severity == Severity::Error)
    }

    /// What is wrong with one service.
    pub(crate) fn of_service<'a>(&'a self, id: &'a ServiceId) -> impl Iterator<Item = &'a Problem> {
        self.of("LatticeService", &id.name)
            .filter(|p| p.namespace.as_deref() == Some(&id.namespace))
    }

    /// What is wrong with one object.
    pub(crate) fn of<'a>(
        &'a self,
        kind: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Problem> {
        self.problems
            .iter()
            .filter(move |p| p.kind == kind && p.name == name)
    }
}

/// Makes the snapshot of a set of objects.
pub fn build(inputs: &Inputs) -> Built {
    let mut problems = Vec::new();
    let names = names::Unique::new(inputs, &mut problems);
    let money = currency::agree(&names, &mut problems);
    let extended = extended::names(&names, &mut problems);
    let node_classes = classes::build(&names, &extended);
    let pools = pools::build(&names, &money, &mut problems);
    let region_latencies = pools::latencies(&names, &pools, &mut problems);
    let policies = policies::build(&names, &mut problems);
    let services = services::build(&names, &pools, &extended, &mut problems);
    let mut snapshot = Snapshot {
        pools,
        node_classes,
        policies,
        services,
        region_latencies,
        extended,
        ..Snapshot::default()
    };
    snapshot.sell_in_zones();
    services::leave_out_cycles(&names, &mut snapshot, &mut problems);
    limits::leave_out_replicas(&names, &mut snapshot, &mut problems);
    clusters::add(&names, &mut snapshot, &mut problems);
    snapshot.pins = pins::build(&names, &snapshot, &mut problems);
    limits::leave_out(&names, &mut snapshot, &mut problems);
    snapshot.normalise();
    problems.sort();
    problems.dedup();
    Built { snapshot, problems }
}

#[cfg(test)]
mod tests;
