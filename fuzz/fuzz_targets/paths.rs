//! Whatever path is sent, it is passed on as it is or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../tests/wire/mod.rs"]
mod wire;

fuzz_target!(|text: &str| wire::paths::sound(text));
