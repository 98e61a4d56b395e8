//! A session between a cluster's agent and its cell, as two machines without IO.
//!
//! The machines are told what happened and when, and say what is to be done. Nothing in them knows of clocks, sockets or
//! randomness, so the same machines run in the operator and, thousands of times a second, in simulation.
//!
//! A stream may break at any time and either side may start anew. What holds the session together is kept: the
//! [`Outbox`] has commands, numbered from 1 within an epoch, until they are answered; the [`Inbox`] has the number of the
//! last one applied, written together with what it did, and the answers that the cell may not have heard. So every
//! command is applied once, in order, whatever is lost, doubled or late.

mod child;
mod inbox;
pub mod limits;
mod outbox;
mod pace;
mod parent;
mod redial;
mod state;
mod version;

#[cfg(test)]
mod tests;

pub use child::{Act as ChildAct, Child, CommandId, Identity, News};
pub use inbox::Inbox;
pub use outbox::{Full, Outbox};
pub use parent::{Act as ParentAct, Event, Parent, end};
pub use redial::pause;
pub use state::{Facts, state};
pub use version::{NEWEST, NoVersion, OLDEST, agreed};
