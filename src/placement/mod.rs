//! API objects to snapshot, solution to decisions, statuses and diffs.
//!
//! Everything here is a pure function: no IO, no clock, no client; the time is passed in.

pub mod conflict;
pub mod decisions;
pub mod diff;
pub(crate) mod facts;
#[cfg(test)]
mod fixtures;
pub mod history;
pub mod inputs;
pub mod labels;
pub mod plan;
pub mod problem;
pub mod record;

pub(crate) mod shortage;
pub mod snapshot;
pub mod text;
pub mod validity;
pub mod whatif;
