//! Placing services over the tree of cells: a service that finds no place at home goes up, and a place comes down.
//!
//! Only the cell that has capacity gives it away ([`Bookings`]), and every place is held for one attempt of one service until
//! the service's own cell confirms it, or for a minute. So nothing is booked twice whatever messages are lost, doubled or
//! late, and cells in between have nothing to remember: a deal carries the way between its two ends.

mod bookings;
mod broker;
mod message;
mod origin;
mod passed;
mod relay;
mod summary;
mod wire;

#[cfg(test)]
mod tests;

pub use bookings::{Asked, Booking, Bookings, HOLD, MEMORY};
pub use broker::{Broker, Ledger};
pub use message::{CellName, Deal, Labels, Message, Need, Request, Send, Step, Summary, WayOut};
pub use origin::{AGAIN, Because, Entry, HOPS, LONGEST_PAUSE, SHORTEST_PAUSE, Status, WINDOW};
pub use passed::MOST_PASSED;
pub use relay::MOST_RELAYED;
pub use summary::{MOST_LOTS, MOST_STEPS};
pub use wire::{heard, told};
