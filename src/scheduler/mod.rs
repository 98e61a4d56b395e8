//! The solver: snapshot in, solution out.
//!
//! Pure: integers, ordered maps, no clock, no IO, no randomness; the same snapshot gives the same
//! solution on every machine. Enter at [`solve`]; [`check`] verifies a solution and shares no code
//! with the search; [`explain`] says for any service and pool why not.

mod assign;
mod bound;
mod bulk;
pub mod capacity;
pub mod check;
mod component;
mod constraint;
mod demand;
mod domains;
mod exact;
pub mod explain;
pub mod extended;
#[cfg(test)]
mod fixtures;
mod hopeless;
mod improve;
mod layout;
pub mod limits;
pub mod model;
mod moving;
mod naming;
mod offer;
mod outcome;
mod output;
mod pack;
mod packing;
mod prior;
mod problem;
pub mod reason;
mod room;
mod score;
mod search;
pub mod session;
pub mod share;
pub mod solution;
mod solve;
mod state;
pub mod topology;
pub mod units;
mod ways;
pub mod zones;

pub use component::latency_cycles;
pub use solve::{decide, first, solve};

pub use bound::certificate::{Certificate, PRICE_UNITS, PoolPrices, SpotPrices};
