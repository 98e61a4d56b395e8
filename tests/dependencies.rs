//! There is no second cryptographic library beside aws-lc.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path, process::Command};

const BANNED: [&str; 4] = ["ring", "openssl", "openssl-sys", "native-tls"];
/// Locked, but not built: rustls-webpki names it for those who choose it, and a lock file lists what
/// could be chosen.
const LOCKED_UNUSED: &str = "ring";

fn project(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// Each package of the lock file with the lines that say what it is and needs.
fn locked() -> Vec<(String, String)> {
    project("Cargo.lock")
        .split("[[package]]")
        .filter_map(|package| {
            let name = package
                .lines()
                .find_map(|line| line.strip_prefix("name = \""))?;
            Some((name.trim_end_matches('"').to_owned(), package.to_owned()))
        })
        .collect()
}

#[test]
fn no_banned_package_is_locked_but_the_unused_one() {
    for (name, _) in locked() {
        assert!(
            name == LOCKED_UNUSED || !BANNED.contains(&name.as_str()),
            "{name}: `cargo tree -i {name}` says who asks for it"
        );
    }
}

#[test]
fn only_rustls_webpki_could_choose_the_unused_one() {
    let needed = format!("\n \"{LOCKED_UNUSED}\"");
    let askers: Vec<String> = locked()
        .into_iter()
        .filter(|(_, package)| package.contains(&needed))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(askers, ["rustls-webpki"]);
}

#[test]
fn no_banned_package_is_in_the_resolved_tree() {
    let arguments = "tree --locked --offline --edges normal,build,dev --prefix none --format {p}";
    let output = Command::new(env!("CARGO"))
        .args(arguments.split(' '))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    for name in BANNED {
        assert!(!names.contains(&name), "{name}");
    }
    for name in ["aws-lc-rs", "aws-lc-fips-sys", "rustls"] {
        assert!(names.contains(&name), "{name}");
    }
}

#[test]
fn the_same_packages_are_banned_for_cargo_deny() {
    let rules = project("deny.toml");
    for name in BANNED {
        assert!(rules.contains(&format!("crate = \"{name}\"")), "{name}");
    }
}
