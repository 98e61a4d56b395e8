//! Whatever bytes come over a session or a tunnel, they are read or refused, and both sides keep what they promise.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/wire/mod.rs"]
mod wire;

fuzz_target!(|bytes: &[u8]| wire::frames::sound(bytes));
