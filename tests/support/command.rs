//! The command `lattice` as tests call it, and the goldens of what it says.

// Each test binary uses what it needs of it.
#![allow(dead_code, clippy::unwrap_used)]

use std::{fs, path::PathBuf, process::Output};

use assert_cmd::Command;

/// The folder of the project.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The command, with nothing logged.
pub fn lattice() -> Command {
    let mut command = Command::cargo_bin("lattice").unwrap();
    command.env_remove("RUST_LOG");
    command
}

/// What comes of it with these arguments.
pub fn run(arguments: &[&str]) -> Output {
    lattice().args(arguments).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Holds what is said against a file below `tests/golden`.
pub fn hold(golden: &str, said: &str) {
    let path = root().join("tests/golden").join(golden);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, said).unwrap();
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == said,
        "{} has drifted (UPDATE_GOLDEN=1 writes it anew):\n{said}",
        path.display()
    );
}
