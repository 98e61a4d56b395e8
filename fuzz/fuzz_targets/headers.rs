//! Whatever headers are sent, a request to a cluster below is made on behalf of its caller and of nobody else.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/wire/mod.rs"]
mod wire;

fuzz_target!(|bytes: &[u8]| wire::headers::sound(bytes));
