//! The lock file holds no second cryptographic library beside aws-lc.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

const BANNED: [&str; 4] = ["ring", "openssl", "openssl-sys", "native-tls"];

fn locked() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    fs::read_to_string(file)
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_banned_package_is_locked() {
    let locked = locked();
    let found: Vec<_> = BANNED
        .iter()
        .filter(|name| locked.iter().any(|package| package == *name))
        .collect();
    assert!(
        found.is_empty(),
        "{found:?}: `cargo tree -i NAME` says who asks for it"
    );
}

#[test]
fn the_validated_library_is_locked() {
    let locked = locked();
    for needed in ["aws-lc-rs", "aws-lc-fips-sys", "rustls"] {
        assert!(locked.iter().any(|package| package == needed), "{needed}");
    }
}

#[test]
fn the_same_packages_are_banned_for_cargo_deny() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let rules = fs::read_to_string(file).unwrap();
    for name in BANNED {
        assert!(rules.contains(&format!("\"{name}\"")), "{name}");
    }
}
