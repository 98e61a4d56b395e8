//! The wire contract, generated from `proto/lattice/agent/v1` and committed; `tests/proto_drift.rs` writes it.

#![allow(missing_docs, clippy::all)]

include!("../../proto/lattice.agent.v1.rs");
