//! The decision log solved again: whether the same comes out, and what other policies would have done.
//!
//! Decisions go in one after the other, oldest first, for a log may be larger than memory; a [`Replay`] comes
//! out at the end.

mod document;
mod policies;
mod replayer;
mod rerun;
mod schema;
#[cfg(test)]
mod tests;

pub use self::document::{
    Figures, PolicyUse, REPLAY_API_VERSION, REPLAY_KIND, Replay, ReplayedDecision, Totals, Verdict,
};
pub use self::policies::{Policies, PolicyError};
pub use self::replayer::Replayer;
pub use self::schema::replay_schema;
