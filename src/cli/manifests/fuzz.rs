//! Bytes to manifests to plan: whatever the bytes, nothing panics, every error has its place, and what becomes a
//! plan passes the checks. What the search of inputs found is kept in `tests/data/fuzz/`.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::files::Source;
use super::reader::Reader;
use crate::placement::{plan, snapshot};
use crate::scheduler::check::check;
use crate::scheduler::limits::excesses;
use crate::scheduler::model::Snapshot;
use crate::scheduler::solve;

/// Numbers about which something ends, and what only looks like a number.
const NUMBERS: [&str; 32] = [
    "0",
    "-0",
    "-1",
    "1",
    "0.5",
    "1e-7",
    "0.0000001",
    "9",
    "10",
    "100",
    "720",
    "721",
    "4294",
    "4295",
    "65536",
    "100000",
    "100001",
    "1000000",
    "1000000000",
    "1000000001",
    "1e9",
    "1e30",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "123456789012345.123456789012345",
    ".nan",
    "-.inf",
    "NaN",
    "1E400",
];

/// Other texts in the place of a word.
const WORDS: [&str; 16] = [
    "null",
    "~",
    "true",
    "\"\"",
    "[]",
    "{}",
    "[[[[[[[[",
    "&a [*a]",
    "*a",
    "!!binary x",
    "|",
    "---",
    "...",
    "\u{0}",
    "\u{feff}",
    "0x10",
];

/// Replicas and machines up to which a test solves.
const SMALL: u64 = 500;

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % n.max(1) as u64) as usize
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| fs::read(path).unwrap())
        .collect()
}

/// A whole fleet, and now and then another manifest, with some of its bytes changed.
fn mutated(seed: u64) -> Vec<u8> {
    let mut rng = Rng(seed);
    let mut bytes = files(&root().join("tests/fixtures/fleet")).join(&b"\n---\n"[..]);
    if rng.below(3) == 0 {
        let more = files(
            &root()
                .join("tests/data/manifests")
                .join(["good", "bad"][rng.below(2)]),
        );
        bytes.extend(b"\n---\n");
        bytes.extend(&more[rng.below(more.len())]);
    }
    for _ in 0..=rng.below(4) {
        mutate(&mut bytes, &mut rng);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".-/\"".contains(byte);
    let at = rng.below(bytes.len());
    // The word at this byte.
    let start = bytes[..at]
        .iter()
        .rposition(|b| !is_part(b))
        .map_or(0, |n| n + 1);
    let length = bytes[start..].iter().take_while(|b| is_part(b)).count();
    match rng.below(8) {
        0..=3 => {
            let next = (bytes[at..].iter())
                .position(u8::is_ascii_digit)
                .unwrap_or(0);
            let start = at + next;
            let length = (bytes[start..].iter())
                .take_while(|b| b.is_ascii_digit())
                .count();
            let number = NUMBERS[rng.below(NUMBERS.len())];
            bytes.splice(start..start + length, number.bytes());
        }
        4 => {
            let word = WORDS[rng.below(WORDS.len())];
            bytes.splice(start..start + length, word.bytes());
        }
        5 => bytes[at] = rng.below(256) as u8,
        6 => {
            let end = (at + rng.below(40)).min(bytes.len());
            bytes.drain(at..end);
        }
        _ => {
            let line = bytes[at..]
                .iter()
                .position(|b| *b == b'\n')
                .map_or(bytes.len(), |n| at + n);
            let from = rng.below(line.max(1));
            let copy = bytes[from..line].to_vec();
            bytes.splice(line..line, copy);
        }
    }
    if bytes.is_empty() {
        bytes.push(b'a');
    }
}

/// Takes bytes through everything that `lattice plan` does with them.
fn through(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    let mut reader = Reader::default();
    reader.file(Source {
        name: "fleet.yaml".to_owned(),
        bytes,
    });
    let manifests = reader.done();
    let built = snapshot::build(&manifests.inputs);
    prop_assert_eq!(excesses(&built.snapshot), []);
    let findings = manifests.examine(&built.problems);
    let rendered = findings.render(false);
    prop_assert_eq!(rendered.find('\u{1b}'), None);
    let told: Vec<serde_json::Value> = serde_json::from_str(&findings.json().unwrap()).unwrap();
    for finding in &told {
        prop_assert!(finding["line"].as_u64() > Some(0), "{finding}");
        prop_assert!(finding["column"].as_u64() > Some(0), "{finding}");
        prop_assert!(
            finding["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }
    if findings.errors() > 0 || !is_small(&built.snapshot) {
        return Ok(());
    }
    let solution = solve(&built.snapshot);
    let broken = check(&built.snapshot, &solution);
    prop_assert!(broken.is_empty(), "{broken:?}");
    let options = plan::Options {
        rejections: true,
        relaxations: false,
    };
    let made = plan::build(&built.snapshot, &solution, &built.problems, options);
    let mut text = Vec::new();
    plan::write_json(&made, &built.snapshot, &solution, &mut text).unwrap();
    let read = plan::read(&String::from_utf8(text).unwrap()).unwrap();
    let read = plan::solution(&read).unwrap();
    prop_assert_eq!(check(&built.snapshot, &read), []);
    Ok(())
}

fn is_small(snapshot: &Snapshot) -> bool {
    let replicas: u64 = snapshot
        .services
        .iter()
        .map(|s| u64::from(s.replicas))
        .sum();
    let groups = snapshot.clusters.iter().flat_map(|c| &c.workers);
    let machines: u64 = groups.map(|group| u64::from(group.count)).sum();
    replicas + machines <= SMALL
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        // The same cases every time; PROPTEST_RNG_SEED and PROPTEST_CASES try others.
        rng_seed: RngSeed::Fixed(20_261_121),
        ..ProptestConfig::default()
    })]

    #[test]
    fn changed_manifests_never_panic(seed in any::<u64>()) {
        through(mutated(seed))?;
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        through(bytes)?;
    }
}

#[test]
fn what_was_found_before_stays_mended() {
    let found = files(&root().join("tests/data/fuzz"));
    assert!(!found.is_empty());
    for bytes in found {
        through(bytes).unwrap();
    }
}
