//! The solver by itself.

#![allow(dead_code)]

#[path = "../src/scheduler/mod.rs"]
pub mod scheduler;
