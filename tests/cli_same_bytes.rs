//! The same objects give the same bytes, however they are spread over files, in whatever order and format, and how
//! often one asks.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// A file of a folder of manifests.
struct File {
    path: String,
    text: String,
}

fn file(path: impl Into<String>, text: impl Into<String>) -> File {
    File {
        path: path.into(),
        text: text.into(),
    }
}

/// The manifests of an example, each as it is written.
fn documents(example: &Path) -> Vec<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(example)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect();
    files.sort();
    let texts = files.iter().map(|path| fs::read_to_string(path).unwrap());
    let split = |text: String| -> Vec<String> {
        let parts = format!("\n{text}");
        let parts = parts.split("\n---\n").map(str::to_owned);
        parts.filter(|part| part.contains("\nkind:")).collect()
    };
    let documents: Vec<String> = texts.flat_map(split).collect();
    assert!(documents.len() >= 5, "{}", example.display());
    documents
}

fn joined<'a>(documents: impl IntoIterator<Item = &'a String>) -> String {
    let documents: Vec<&str> = documents.into_iter().map(String::as_str).collect();
    documents.join("\n---\n")
}

/// Every `step`th of a list, again and again until all are taken: an order that is neither.
fn strewn(documents: &[String], step: usize) -> Vec<String> {
    let of = |first: usize| documents.iter().skip(first).step_by(step).cloned();
    (0..step).rev().flat_map(of).collect()
}

fn json(document: &str) -> String {
    let value: Value = serde_saphyr::from_str(document).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

/// The same documents in other files.
fn ways(documents: &[String]) -> Vec<(&'static str, Vec<File>)> {
    let numbered = |documents: &[String], name: &dyn Fn(usize) -> String| -> Vec<File> {
        let numbered = documents.iter().enumerate();
        numbered.map(|(n, text)| file(name(n), text)).collect()
    };
    let last = documents.len();
    let (front, back) = documents.split_at(last / 3);
    vec![
        ("all in one file", vec![file("all.yaml", joined(documents))]),
        (
            "all in one file, from the last to the first",
            vec![file("all.yaml", joined(documents.iter().rev()))],
        ),
        (
            "all in one file, strewn",
            vec![file("all.yml", joined(&strewn(documents, 5)))],
        ),
        (
            "a file for each",
            numbered(documents, &|n| format!("{n:03}.yaml")),
        ),
        (
            "a file for each, named from the last to the first",
            numbered(documents, &|n| format!("{:03}.yaml", last - n)),
        ),
        (
            "a file for each, in folders of folders",
            numbered(&strewn(documents, 3), &|n| {
                format!("{}/{}/{n}.yaml", n % 4, n % 3)
            }),
        ),
        (
            "two files, the later part first",
            vec![
                file("z.yaml", joined(front)),
                file("a.yaml", joined(&strewn(back, 2))),
            ],
        ),
        (
            "JSON, a file for each",
            numbered(
                &strewn(documents, 7)
                    .iter()
                    .map(|d| json(d))
                    .collect::<Vec<_>>(),
                &|n| format!("{n}.json"),
            ),
        ),
    ]
}

fn planned(folder: &Path, format: &str) -> Vec<u8> {
    let mut command = Command::cargo_bin("lattice").unwrap();
    command.args(["plan", folder.to_str().unwrap(), "-o", format]);
    let output = command.env_remove("RUST_LOG").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    output.stdout
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn the_same(fleet: &Path, formats: &[&str], ways: Vec<(&'static str, Vec<File>)>) {
    let plans = |folder: &Path| -> Vec<Vec<u8>> {
        let plans = formats.iter().map(|format| planned(folder, format));
        plans.collect()
    };
    let expected = plans(fleet);
    for (way, files) in ways {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file.path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file.text).unwrap();
        }
        for (got, expected) in plans(folder.path()).iter().zip(&expected) {
            assert!(
                got == expected,
                "{}, {way}:\n{}\ninstead of\n{}",
                fleet.display(),
                String::from_utf8_lossy(got),
                String::from_utf8_lossy(expected)
            );
        }
    }
}

#[test]
fn the_seed_in_all_ways() {
    let fleet = root().join("examples/seed");
    assert_eq!(planned(&fleet, "json"), planned(&fleet, "json"));
    the_same(&fleet, &["json", "text"], ways(&documents(&fleet)));
}

#[test]
fn the_boutique_in_folders_of_folders_and_as_json() {
    let fleet = root().join("examples/boutique");
    let mut ways = ways(&documents(&fleet));
    ways.retain(|(way, _)| way.contains("folders") || way.contains("JSON"));
    assert_eq!(ways.len(), 2);
    the_same(&fleet, &["json"], ways);
}
