//! The words: of decisions in statuses and Events, and of `lattice explain`.

mod cluster;
mod conflict;
mod pool;
mod reason;
mod service;
mod validity;
mod writing;

pub use self::cluster::explain_cluster;
pub use self::conflict::{NO_COSTS, conflict_lines, explain_costs, way_out};
pub use self::pool::explain_pool;
pub(crate) use self::reason::{constraints, rejected};
pub(crate) use self::reason::{reason, wait};
pub use self::service::explain_service;
pub use self::validity::explain_validity;
pub(crate) use self::writing::listed;

/// Why there is nothing to explain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// The plan has nothing of this name.
    #[error("the plan has no {kind} `{name}`{}", hint(.suggestion))]
    Unknown {
        /// What was asked for.
        kind: &'static str,
        /// The name as given.
        name: String,
        /// What may have been meant.
        suggestion: Option<String>,
    },
    /// Several services have this name.
    #[error("there are several services `{name}`: {}; say which", .choices.join(", "))]
    Ambiguous {
        /// The name as given.
        name: String,
        /// The services, as namespace/name.
        choices: Vec<String>,
    },
}

fn hint(suggestion: &Option<String>) -> String {
    suggestion
        .as_ref()
        .map_or(String::new(), |name| format!("; did you mean `{name}`?"))
}

#[cfg(test)]
mod tests;
