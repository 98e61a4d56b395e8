//! The import table and the other rules of the house, held against the sources; and this test itself,
//! held against sources that break each of them.

#![allow(clippy::unwrap_used)]

#[path = "architecture/checker.rs"]
mod checker;
#[path = "architecture/paths.rs"]
mod paths;
#[path = "architecture/table.rs"]
mod table;

use checker::{check, long, untested};
use std::fs;
use std::path::Path;

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources: Vec<(String, String)> = walkdir::WalkDir::new(root.join("src"))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    sources.sort();
    sources
}

#[test]
fn the_sources_keep_the_rules() {
    let sources = sources();
    for folder in [
        "scheduler",
        "api",
        "placement",
        "clusters",
        "agent",
        "operator",
        "cli",
    ] {
        let prefix = format!("src/{folder}/");
        let there = sources.iter().any(|(file, _)| file.starts_with(&prefix));
        assert!(there, "src/{folder}/ is gone");
    }
    for (file, lines) in long(&sources) {
        eprintln!("warning: {file} has {lines} lines");
    }
    let found: Vec<String> = check(&sources).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn each_constraint_holds_its_tests() {
    let nothing: [&str; 0] = [];
    assert_eq!(untested(&sources()), nothing);
    let source = |file: &str, text: &str| (file.to_owned(), text.to_owned());
    let some = [
        source("src/scheduler/constraint/mod.rs", "mod a;"),
        source("src/scheduler/constraint/a.rs", "fn f() {} mod tests {}"),
        source(
            "src/scheduler/constraint/b.rs",
            "fn f() {} #[cfg(test)] mod tests {}",
        ),
        source("src/scheduler/solve.rs", "fn f() {}"),
    ];
    assert_eq!(untested(&some), ["src/scheduler/constraint/a.rs"]);
}

/// The lines and things named in what is wrong with one file.
fn found_in(file: &str, source: &str) -> Vec<(usize, String)> {
    check(&[(file.to_owned(), source.to_owned())])
        .into_iter()
        .map(|violation| (violation.line, violation.what))
        .collect()
}

fn expect(file: &str, source: &str, wanted: &[(usize, &str)]) {
    let wanted: Vec<(usize, String)> = wanted.iter().map(|(l, w)| (*l, format!("`{w}`"))).collect();
    assert_eq!(found_in(file, source), wanted, "{file}:\n{source}");
}

#[test]
fn a_violation_names_file_line_import_and_rule() {
    let sources = [(
        "src/scheduler/a.rs".to_owned(),
        "\nuse crate::api::Money;".to_owned(),
    )];
    let text = check(&sources)[0].to_string();
    assert!(text.starts_with("src/scheduler/a.rs:2: `crate::api::Money` ("));
    assert!(text.contains("src/scheduler imports nothing of ours"));
}

#[test]
fn forbidden_arrows_are_found_however_they_are_written() {
    for (source, what) in [
        ("use crate::api::Money;", "crate::api::Money"),
        (
            "use crate::{scheduler::model, api::Money};",
            "crate::api::Money",
        ),
        ("use crate::api::*;", "crate::api::*"),
        ("use crate::api as plain;", "crate::api"),
        (
            "fn f() -> crate::placement::Plan { g() }",
            "crate::placement::Plan",
        ),
        ("fn f() { vec![crate::cli::run()]; }", "crate::cli::run"),
        ("use super::super::super::api::Money;", "crate::api::Money"),
        (
            "use super::super::super::{api::Money};",
            "crate::api::Money",
        ),
        (
            "mod inner { use super::super::super::super::api::X; }",
            "crate::api::X",
        ),
        ("use lattice::operator::run;", "crate::operator::run"),
        (
            "macro_rules! m { () => { $crate::api::X } }",
            "crate::api::X",
        ),
        ("use crate::r#api::X;", "crate::api::X"),
        ("pub use crate::newcomer::X;", "crate::newcomer::X"),
        ("use crate::*;", "crate::*"),
        ("use crate as root;", "crate"),
        ("use crate::{self as root};", "crate::self"),
        ("use super::super::super as root;", "super::super::super"),
        (
            "use super::super::super::super::x;",
            "super::super::super::super::x",
        ),
    ] {
        expect("src/scheduler/constraint/a.rs", source, &[(1, what)]);
    }
}

#[test]
fn the_solver_depends_on_nothing_but_its_snapshot() {
    for (source, what) in [
        ("use kube::Client;", "kube::Client"),
        (
            "use k8s_openapi::api::core::v1::Pod;",
            "k8s_openapi::api::core::v1::Pod",
        ),
        ("use tokio::sync::Mutex;", "tokio::sync::Mutex"),
        ("use tokio as t;", "tokio"),
        ("fn f() { tracing::info!(\"x\"); }", "tracing::info"),
        ("use chrono::DateTime;", "chrono::DateTime"),
        ("use std::time::Duration;", "std::time::Duration"),
        ("use std::{fmt, fs::File};", "std::fs::File"),
        ("use std::*;", "std::*"),
        ("use std as s;", "std"),
        ("fn f() { std::env::var(\"A\"); }", "std::env::var"),
        (
            "fn f() { ::std::thread::yield_now(); }",
            "std::thread::yield_now",
        ),
        ("use std::process::Command;", "std::process::Command"),
        ("use std::net::TcpStream;", "std::net::TcpStream"),
        ("use rand::Rng;", "rand::Rng"),
        (
            "use std::collections::HashMap;",
            "std::collections::HashMap",
        ),
        (
            "use std::collections::{BTreeMap, HashSet};",
            "std::collections::HashSet",
        ),
        ("fn f(x: u32) -> u32 { x as f64 as u32 }", "f64"),
        ("const SHARE: Part = 0.5;", "0.5"),
        ("fn f() { println!(\"x\"); }", "println"),
    ] {
        expect("src/scheduler/a.rs", source, &[(1, what)]);
    }
    expect(
        "src/scheduler/bound/a.rs",
        "fn f(x: f64) -> f64 { x * 0.5 }",
        &[],
    );
    let logarithm = "fn f(x: f64) -> f64 { x.ln() }";
    expect("src/scheduler/bound/a.rs", logarithm, &[(1, "ln")]);
}

#[test]
fn who_may_not_touch_the_world_does_not() {
    for source in [
        "use std::fs;",
        "use std::time::Instant;",
        "fn f() { Utc::now(); }",
        "use kube::Client;",
        "use kube::*;",
        "use tokio::spawn;",
    ] {
        for folder in ["api", "placement", "mesh", "agent", "clusters"] {
            let file = format!("src/{folder}/a.rs");
            assert_eq!(found_in(&file, source).len(), 1, "{file}: {source}");
        }
        for file in [
            "src/mesh/apply.rs",
            "src/agent/client.rs",
            "src/cli/plan.rs",
        ] {
            assert_eq!(found_in(file, source), [], "{file}: {source}");
        }
    }
}

#[test]
fn each_folder_has_its_own_arrows() {
    for (file, source) in [
        ("src/api/a.rs", "use crate::scheduler::solve;"),
        ("src/api/a.rs", "use crate::scheduler;"),
        ("src/placement/a.rs", "use crate::operator::X;"),
        ("src/gitops/apply.rs", "use crate::mesh::X;"),
        ("src/gitops/a.rs", "use crate::placement::plan::X;"),
        ("src/agent/server.rs", "use crate::scheduler::X;"),
        ("src/operator/a.rs", "use crate::cli::X;"),
        ("src/newcomer/a.rs", ""),
        ("src/newcomer.rs", ""),
    ] {
        assert_eq!(found_in(file, source).len(), 1, "{file}: {source}");
    }
}

#[test]
fn what_the_table_allows_is_allowed() {
    for (file, source) in [
        (
            "src/scheduler/a.rs",
            "use super::model::Pool; use crate::scheduler::b; use std::fmt;",
        ),
        (
            "src/scheduler/a.rs",
            "pub(crate) fn f(rand: u32, x: &Y) -> u32 { x.tokio + rand }",
        ),
        (
            "src/scheduler/a.rs",
            "fn f(fast: bool) -> u8 { if fast != true { 1 } else { 0 } }",
        ),
        (
            "src/scheduler/constraint/a.rs",
            "use super::super::model::Pool;",
        ),
        (
            "src/api/a.rs",
            "use crate::scheduler::units::Micros; use kube::CustomResource;",
        ),
        (
            "src/placement/a.rs",
            "use crate::{api, scheduler}; use chrono::DateTime;",
        ),
        (
            "src/gitops/a.rs",
            "use crate::placement::decisions::Action;",
        ),
        (
            "src/operator/a.rs",
            "use crate::{agent, api, placement}; use tokio::spawn;",
        ),
        ("src/cli/a.rs", "use crate::operator::run; use std::fs;"),
        ("src/main.rs", "use lattice::cli; use std::env;"),
    ] {
        assert_eq!(found_in(file, source), [], "{file}: {source}");
    }
}

#[test]
fn tests_may_import_more_and_nothing_else_with_them() {
    let source = "#[cfg(test)]\nmod tests { use crate::api::X; }\nuse crate::api::Y;";
    expect("src/scheduler/a.rs", source, &[(3, "crate::api::Y")]);
    let source = "#[cfg(test)]\nuse crate::api::X;\nuse crate::api::Y;";
    expect("src/scheduler/a.rs", source, &[(3, "crate::api::Y")]);
    let source = "#[cfg(not(test))]\nuse crate::api::X;";
    expect("src/scheduler/a.rs", source, &[(2, "crate::api::X")]);
    let whole = "#![cfg(test)]\nuse crate::api::X; fn f() {} use std::fs;";
    expect("src/scheduler/a.rs", whole, &[]);
}

#[test]
fn files_put_elsewhere_are_known_for_what_they_are() {
    let file = |name: &str, source: &str| (name.to_owned(), source.to_owned());
    let tests = file("src/api/a_tests.rs", "use super::super::super::cli::X;");
    let declared = |attribute: &str| {
        let source = format!("{attribute} #[path = \"a_tests.rs\"] mod tests;");
        check(&[file("src/api/a.rs", &source), tests.clone()])
    };
    assert_eq!(declared("#[cfg(test)]"), []);
    let found = declared("");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].what, "`crate::cli::X`");
}

#[test]
fn other_rules_of_the_house_are_kept() {
    let long = "\n".repeat(601);
    assert_eq!(
        found_in("src/cli/a.rs", &long),
        [(601, "601 lines".to_owned())]
    );
    for file in [
        "src/cli/utils.rs",
        "src/common/mod.rs",
        "src/api/helpers/a.rs",
    ] {
        let found = found_in(file, "");
        let named = |(_, what): &(usize, String)| what.starts_with("a module called");
        assert!(found.iter().any(named), "{file}: {found:?}");
    }
    assert_eq!(found_in("src/cli/a.rs", "mod helpers {}").len(), 1);
    for mark in [
        "// TODO: x",
        "fn f() { todo!() }",
        "/* FIXME */",
        "fn f() { unimplemented!() }",
    ] {
        assert_eq!(found_in("src/cli/a.rs", mark).len(), 1, "{mark}");
    }
    assert_eq!(found_in("src/cli/a.rs", "// TODOS are not meant"), []);
    assert_eq!(found_in("src/cli/a.rs", "fn f( {").len(), 1);
}
