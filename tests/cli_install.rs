//! What `lattice install` says before it does anything.

#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::{fs, path::Path, process::Output};

use command::{lattice, text};

fn install(arguments: &[&str], folder: &Path) -> Output {
    let mut command = lattice();
    command.arg("install").args(arguments);
    command.current_dir(folder).output().unwrap()
}

fn example() -> String {
    format!("{}/examples/root", env!("CARGO_MANIFEST_DIR"))
}

fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    text(&output.stderr)
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = install(&[&example(), "--dry-run"], folder.path());
    assert!(output.status.success(), "{output:?}");
    let said = text(&output.stdout);
    for expected in [
        "root: Kubernetes v1.36.3, pool here",
        "control plane  1 × small",
        "workers        1 × small",
        "root.kubeconfig",
        "1 cluster, 1 pool, 1 node class, 1 service",
        "Nothing was done.",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_installed_is_said_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = fs::read_to_string(format!("{}/cluster.yaml", example())).unwrap();
    let fleet = fs::read_to_string(format!("{}/fleet.yaml", example())).unwrap();
    let path = folder.path().join("fleet.yaml");
    let attempt = |text: String, more: &[&str]| {
        fs::write(&path, text).unwrap();
        let arguments = [&["fleet.yaml"], more].concat();
        complaint(&install(&arguments, folder.path()))
    };
    let both = format!("{cluster}---\n{fleet}");
    let typo = attempt(both.replace("controlPlane:", "controlPlanes:"), &[]);
    assert!(
        typo.contains("fleet.yaml:") && typo.contains("controlPlane"),
        "{typo}"
    );
    let none = attempt(fleet.clone(), &[]);
    assert!(none.contains("no LatticeCluster in fleet.yaml"), "{none}");
    let other = attempt(both.clone(), &["--root", "us"]);
    assert!(
        other.contains("`us`") && other.contains("there are root"),
        "{other}"
    );
    let two = format!(
        "{both}---\n{}",
        cluster.replace("name: root", "name: other")
    );
    let two = attempt(two, &[]);
    assert!(two.contains("other, root have no `cellRef`"), "{two}");
    let credentials = "    credentials:\n      secretRef: local-credentials\n";
    let without = attempt(both.replace(credentials, ""), &[]);
    assert!(
        without.contains("provider.credentials.secretRef"),
        "{without}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_was_installed_is_not_installed_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("root.kubeconfig"), "").unwrap();
    let said = complaint(&install(&[&example()], folder.path()));
    assert!(
        said.contains("root.kubeconfig is there") && said.contains("--kubeconfig"),
        "{said}"
    );
}
