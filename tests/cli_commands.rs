//! Help, completions, manual pages, schemas and generated reference.

#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::io::Read;
use std::process::{Command as Process, Stdio};

use assert_cmd::cargo::cargo_bin;
use command::{root, run, text};

fn said(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    text(&output.stdout)
}

#[test]
fn every_command_has_help() {
    let help = said(&["--help"]);
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 9, "{commands:?}");
    for name in commands {
        assert!(said(&[name, "--help"]).contains("Usage: lattice"), "{name}");
    }
}

#[test]
fn completions_are_there_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = said(&["completions", shell]);
        assert!(said.contains("validate") && said.contains("n-1"), "{shell}");
    }
}

#[test]
fn manual_pages_are_written() {
    let folder = tempfile::tempdir().unwrap();
    said(&["man", folder.path().to_str().unwrap()]);
    let page = fs::read_to_string(folder.path().join("lattice-plan.1")).unwrap();
    assert!(page.contains(".TH"));
    let page = fs::read_to_string(folder.path().join("lattice-simulate.1")).unwrap();
    assert!(page.contains("sweep"));
    assert!(folder.path().join("lattice.1").exists());
}

#[test]
fn the_version_names_solver_and_cryptography() {
    assert!(said(&["version"]).contains("fips    on"));
    let version: serde_json::Value =
        serde_json::from_str(&said(&["version", "-o", "json"])).unwrap();
    assert_eq!(version["fips"], true);
    assert_eq!(version["api"], "lattice.dev/v1alpha1");
}

#[test]
fn crds_are_printed_written_and_checked() {
    assert_eq!(
        said(&["crds"])
            .matches("kind: CustomResourceDefinition")
            .count(),
        lattice::api::crds().len()
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crds");
    let path = path.to_str().unwrap();
    said(&["crds", path]);
    said(&["crds", path, "--check"]);
    fs::write(folder.path().join("crds/latticepools.yaml"), "other").unwrap();
    fs::write(folder.path().join("crds/more.yaml"), "").unwrap();
    fs::remove_file(folder.path().join("crds/latticeservices.yaml")).unwrap();
    let output = run(&["crds", path, "--check"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8(output.stderr).unwrap();
    for words in [
        "latticepools.yaml: differs",
        "more.yaml: is not generated",
        "latticeservices.yaml: is missing",
    ] {
        assert!(errors.contains(words), "{errors}");
    }
}

#[test]
fn the_schemas_of_documents_are_printed() {
    let schema: serde_json::Value = serde_json::from_str(&said(&["schema", "plan"])).unwrap();
    assert_eq!(
        schema["properties"]["apiVersion"]["const"],
        "plan.lattice.dev/v1"
    );
    let schema: serde_json::Value = serde_json::from_str(&said(&["schema", "simulate"])).unwrap();
    assert_eq!(
        schema["properties"]["apiVersion"]["const"],
        "simulate.lattice.dev/v1"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Process::new(cargo_bin("lattice"))
        .arg("crds")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty());
}

#[test]
fn the_committed_reference_is_current() {
    let path = root().join("docs/reference");
    let path = path.to_str().unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        said(&["reference", path]);
    }
    let output = run(&["reference", path, "--check"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "`make generate` writes it anew: {}",
        String::from_utf8(output.stderr).unwrap()
    );
}

#[test]
fn clusters_are_not_begun_without_what_they_need() {
    for command in ["up", "demo"] {
        let output = run(&[command, "--clusters", "--programs", "/nowhere"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        // Whoever may not make machines is told that first.
        let way_out = ["`make machine-parts` builds it", "run it as root"];
        assert!(way_out.iter().any(|words| said.contains(words)), "{said}");
        assert!(!said.contains("starting"), "{said}");
    }
}
