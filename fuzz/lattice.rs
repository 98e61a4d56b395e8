//! The solver by itself, and what cells and agents make of what they hear.

#![allow(dead_code)]

pub mod agent;
#[path = "../src/scheduler/mod.rs"]
pub mod scheduler;
