//! The committed schema of the plan is that of the types. `UPDATE_SCHEMA=1` writes it anew.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

#[test]
fn the_committed_schema_is_current() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema/plan.v1.json");
    let schema = lattice::placement::plan::plan_schema();
    let generated = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, &generated).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap();
    assert!(
        committed == generated,
        "docs/schema/plan.v1.json has drifted; run the test with UPDATE_SCHEMA=1"
    );
}
