//! Whatever the numbers, solving and checking neither panic nor wrap: a fleet by seed, in which any number is
//! replaced by what the fuzzer finds.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/fleet/mod.rs"]
mod fleet;
#[path = "../../tests/fleet/sound.rs"]
mod sound;

/// Most edits of one fleet.
const MOST: usize = 12;

#[derive(Arbitrary, Debug)]
struct Input {
    seed: u64,
    edits: Vec<fleet::edits::Edit>,
}

fuzz_target!(|input: Input| {
    let edits = &input.edits[..input.edits.len().min(MOST)];
    if let Err(what) = sound::sound(&fleet::edits::edited(input.seed, edits)) {
        panic!("{what}");
    }
});
