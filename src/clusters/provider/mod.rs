//! The `local` provider: machines that are processes on one Linux host.

pub mod cloud;
pub mod controller;
pub mod machine;
