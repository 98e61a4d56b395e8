//! What `lattice` says of bad manifests, word for word. `UPDATE_GOLDEN=1` writes the words anew.

#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

fn fixtures() -> PathBuf {
    command::root().join("tests/fixtures/bad")
}

fn lattice(folder: &Path) -> Command {
    let mut command = command::lattice();
    command.current_dir(folder);
    command
}

/// Everything that a command says, and how it ended.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    format!(
        "{}{}exit code {}\n",
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        output.status.code().unwrap()
    )
}

fn hold(name: &str, said: &str) {
    command::hold(&format!("bad-input/{name}"), said);
}

#[test]
fn every_bad_folder_is_told_as_written_down() {
    let mut folders: Vec<_> = fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() >= 20);
    for folder in folders {
        let text = said(lattice(&folder).args(["validate", "."]));
        let name = folder.file_name().unwrap().to_str().unwrap();
        let code = if name == "selector-matches-nothing" {
            0
        } else {
            1
        };
        assert!(text.ends_with(&format!("exit code {code}\n")), "{text}");
        hold(&format!("{name}.txt"), &text);
    }
}

#[test]
fn machines_get_the_same_as_a_list() {
    let folder = fixtures().join("several");
    let output = lattice(&folder)
        .args(["validate", ".", "-o", "json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.is_empty());
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(list.as_array().unwrap().len() >= 3);
    for finding in list.as_array().unwrap() {
        for field in ["severity", "file", "line", "column", "path", "message"] {
            assert!(!finding[field].is_null(), "{field} of {finding}");
        }
    }
    hold("several.json", &String::from_utf8(output.stdout).unwrap());
}

#[test]
fn a_plan_of_bad_manifests_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plan.json");
    let output = lattice(&fixtures().join("several"))
        .args(["plan", ".", "-o", "json", "--out"])
        .arg(&out)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    assert!(!out.exists());
    let list: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(!list.as_array().unwrap().is_empty());
}

#[test]
fn nothing_to_read_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["validate", "plan"] {
        let text = said(lattice(folder.path()).args([command, "."]));
        assert_eq!(
            text,
            "error: no Lattice manifests found below .\nexit code 1\n"
        );
        let text = said(lattice(folder.path()).args([command, "nowhere"]));
        assert!(text.starts_with("error: cannot read nowhere\n"), "{text}");
        assert!(text.ends_with("exit code 1\n"), "{text}");
    }
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    fs::write(folder.path().join("map.yaml"), map).unwrap();
    let text = said(lattice(folder.path()).args(["validate", "."]));
    assert!(text.contains("(1 document of another kind was passed over)"));
}

#[test]
fn hidden_files_and_loops_of_links_do_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let class = "apiVersion: lattice.dev/v1alpha1\nkind: LatticeNodeClass\n\
                 metadata: {name: small}\nspec: {resources: {cores: 2, memoryGi: 8}}\n";
    fs::write(folder.path().join("class.yaml"), class).unwrap();
    fs::write(folder.path().join(".hidden.yaml"), "[").unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
    std::os::unix::fs::symlink("class.yaml", folder.path().join("link.yaml")).unwrap();
    let text = said(lattice(folder.path()).args(["validate", "."]));
    assert_eq!(text, "✓ class.yaml (1 object)\nexit code 0\n");
    let text = said(
        lattice(folder.path())
            .args(["validate", "-"])
            .write_stdin(class),
    );
    assert_eq!(text, "✓ <stdin> (1 object)\nexit code 0\n");
}

#[test]
fn a_flood_of_errors_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for n in 0..150 {
        text.push_str(&format!(
            "---\napiVersion: lattice.dev/v1alpha1\nkind: LatticeNodeClass\n\
             metadata: {{name: class-{n}}}\nspec: {{resources: {{cores: 2}}}}\n"
        ));
    }
    fs::write(folder.path().join("classes.yaml"), text).unwrap();
    let text = said(lattice(folder.path()).args(["validate", "."]));
    assert!(text.contains("and 50 more\n150 errors\n"), "{text}");
}
