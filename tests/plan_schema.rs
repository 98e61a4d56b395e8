//! The committed schema of the plan is that of the types, and plans keep to it. `UPDATE_SCHEMA=1`
//! writes it anew.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::{Value, json};

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

/// What `lattice plan` says of an example, as JSON.
fn plan_of(example: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(example);
    let output = Command::cargo_bin("lattice")
        .unwrap()
        .args(["plan", "-o", "json"])
        .arg(folder)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the schema has against a document.
fn wrong_with(document: &Value) -> Vec<String> {
    let schema = lattice::placement::plan::plan_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn plans_of_the_examples_keep_to_the_schema() {
    for example in ["seed", "boutique"] {
        let plan = plan_of(example);
        for list in ["decisions", "placements", "clusters", "pools", "rejections"] {
            assert!(
                plan[list].as_array().is_some_and(|list| !list.is_empty()),
                "{example}: {list}"
            );
        }
        assert_eq!(wrong_with(&plan), [""; 0], "{example}");
    }
}

#[test]
fn what_is_no_plan_does_not_keep_to_the_schema() {
    let good = plan_of("seed");
    for (field, value) in [
        ("apiVersion", json!("plan.lattice.dev/v2")),
        ("kind", json!("LatticePool")),
        ("decisions", json!({})),
        ("summary", json!(null)),
    ] {
        let mut plan = good.clone();
        plan[field] = value;
        let wrong = wrong_with(&plan);
        assert!(!wrong.is_empty(), "{field}");
        assert!(wrong[0].starts_with(&format!("/{field}")), "{wrong:?}");
    }
}
