//! The committed code of the wire contract is what the contract says. `UPDATE_PROTO=1` writes it anew.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

const CONTRACT: [&str; 4] = [
    "lattice/agent/v1/agent.proto",
    "lattice/agent/v1/ledger.proto",
    "lattice/agent/v1/tree.proto",
    "lattice/agent/v1/tunnel.proto",
];
const GENERATED: &str = "lattice.agent.v1.rs";

/// As a dependency of tests alone the compiler of contracts costs builds nothing.
fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto");
    let files = protox::compile(CONTRACT, [root]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    tonic_prost_build::configure()
        // Its `connect` would share a name with ours.
        .build_transport(false)
        .out_dir(folder.path())
        .compile_fds(files)
        .unwrap();
    fs::read_to_string(folder.path().join(GENERATED)).unwrap()
}

#[test]
fn the_committed_code_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("proto")
        .join(GENERATED);
    let generated = generated();
    if std::env::var_os("UPDATE_PROTO").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == generated,
        "proto/{GENERATED} is not what proto/lattice/agent/v1 says: UPDATE_PROTO=1 cargo test --test proto_drift"
    );
}
