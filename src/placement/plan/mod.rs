//! The plan: what `lattice plan` prints and `lattice explain` reads.

mod build;
mod document;
mod write;

pub use self::build::{Options, add_rejections, build};
pub(crate) use self::build::{reason, summary};
pub use self::document::{
    ConflictSet, Decision, PLAN_API_VERSION, PLAN_KIND, Plan, PlanCluster, PlanConstraint,
    PlanNodes, PlanPlacement, PlanPool, PlanReason, Rejection, Relaxation, Role, Summary,
    Unschedulable,
};
pub use self::write::{PlanError, plan_schema, read, write_json, write_yaml};

#[cfg(test)]
mod tests;
