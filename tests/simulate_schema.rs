//! The committed schema of simulations is that of the types, and simulations keep to it. `UPDATE_SCHEMA=1`
//! writes it anew.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use lattice::placement::whatif::simulation_schema;
use serde_json::{Value, json};

#[test]
fn the_committed_schema_is_current() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema/simulate.v1.json");
    let schema = simulation_schema();
    let generated = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&file, &generated).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap();
    assert!(
        committed == generated,
        "docs/schema/simulate.v1.json has drifted; run the test with UPDATE_SCHEMA=1"
    );
}

/// What `lattice simulate` says of an example, as JSON.
fn simulated(example: &str, arguments: &[&str]) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(example);
    let output = Command::cargo_bin("lattice")
        .unwrap()
        .args(["simulate", "-o", "json"])
        .arg(folder)
        .args(arguments)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What the schema has against a document.
fn wrong_with(document: &Value) -> Vec<String> {
    let schema = simulation_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

#[test]
fn simulations_of_the_examples_keep_to_the_schema() {
    for (example, arguments) in [
        ("seed", &["--n-1", "region"][..]),
        (
            "seed",
            &["--price", "aws=15", "--grow", "2", "-l", "env=production"],
        ),
        ("boutique", &["--n-1", "provider"]),
        ("boutique", &["--sweep", "--step", "1", "--to", "3"]),
    ] {
        let document = simulated(example, arguments);
        for list in ["changes", "scenarios"] {
            let found = match list {
                "changes" => &document["scenarios"][0]["changes"],
                _ => &document[list],
            };
            assert!(
                found.as_array().is_some_and(|list| !list.is_empty()),
                "{example}: {list}"
            );
        }
        assert_eq!(wrong_with(&document), [""; 0], "{example} {arguments:?}");
    }
}

#[test]
fn what_is_no_simulation_does_not_keep_to_the_schema() {
    let good = simulated("seed", &[]);
    for (field, value) in [
        ("apiVersion", json!("plan.lattice.dev/v1")),
        ("kind", json!("Plan")),
        ("scenarios", json!({})),
        ("base", json!(null)),
        ("placeable", json!("yes")),
    ] {
        let mut document = good.clone();
        document[field] = value;
        let wrong = wrong_with(&document);
        assert!(!wrong.is_empty(), "{field}");
        assert!(wrong[0].starts_with(&format!("/{field}")), "{wrong:?}");
    }
}
