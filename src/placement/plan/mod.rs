//! The plan: what `lattice plan` prints and `lattice explain` reads.

mod build;
mod certificate;
mod document;
mod moves;
mod solution;
mod verify;
mod write;

pub use self::build::{Options, add_rejections, build};
pub(crate) use self::build::{reason, summary};
pub use self::certificate::{PlanCertificate, PlanPrices};
pub use self::document::{
    ConflictSet, Decision, PLAN_API_VERSION, PLAN_KIND, Plan, PlanCluster, PlanConstraint,
    PlanNodes, PlanPlacement, PlanPool, PlanReason, Rejection, Relaxation, Role, Summary,
    Unschedulable, WorkerRange,
};
pub use self::moves::{PlanMove, PlanMoved, PlanMoves};
pub use self::solution::solution;
pub use self::verify::{
    Checked, PlanViolation, VERIFY_API_VERSION, VERIFY_KIND, Verification, verify, verify_schema,
};
pub use self::write::{PlanError, plan_schema, read, write_json, write_yaml};

#[cfg(test)]
mod tests;
