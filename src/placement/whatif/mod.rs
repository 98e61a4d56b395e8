//! What if: a fleet as it is planned, a change of what there is or is asked for, and what would follow.
//!
//! The road is a [`Request`] in words, [`Scenario`]s of it, each applied to the planned fleet's snapshot and
//! solved, and a [`Simulation`] that tells them all.

mod binding;
mod document;
mod error;
mod evaluate;
mod factor;
mod headroom;
mod moves;
mod request;
mod scenario;
mod schema;
mod selector;
mod series;

pub use self::document::{
    Base, Binding, Change, Cost, Growth, Headroom, LabelHeadroom, Limit, Moves, PoolHeadroom,
    Report, Room, SIMULATION_API_VERSION, SIMULATION_KIND, Simulation, Unplaceable,
};
pub use self::error::WhatIfError;
pub use self::factor::Factor;
pub(crate) use self::moves::moves;
pub use self::request::{Loss, PriceChange, Request, Scope, Sweep};
pub use self::scenario::Scenario;
pub use self::schema::simulation_schema;
pub use self::selector::parse as parse_selector;
pub use self::series::{MOST_SCENARIOS, simulate};

#[cfg(test)]
mod tests;
