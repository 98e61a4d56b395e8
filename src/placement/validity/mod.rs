//! How far prices and limits may drift before a decision changes.
//!
//! What the solver would do is found by asking it, never guessed: a decision stands where deciding again, from
//! the fleet as it leaves it, comes to the same.

mod drift;
mod standing;
#[cfg(test)]
mod tests;
mod trial;

pub use self::drift::{End, LimitKind, LimitRange, PoolValidity, of_pool};
pub use self::standing::stands;
