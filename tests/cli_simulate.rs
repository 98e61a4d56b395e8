//! `lattice simulate`, over the examples. `UPDATE_GOLDEN=1` writes the goldens anew.

#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::process::Output;

use command::{lattice, root, text};
use lattice::placement::whatif::Simulation;
use serde_json::Value;

fn run(example: &str, arguments: &[&str]) -> Output {
    lattice()
        .arg("simulate")
        .arg(root().join("examples").join(example))
        .args(arguments)
        .output()
        .unwrap()
}

fn hold(name: &str, said: &str) {
    command::hold(&format!("simulate/{name}"), said);
}

/// Holds what is printed against a golden, and the exit code.
fn holds(golden: &str, code: i32, example: &str, arguments: &[&str]) -> String {
    let output = run(example, arguments);
    assert_eq!(text(&output.stderr), "", "{arguments:?}");
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    let said = text(&output.stdout);
    hold(golden, &said);
    said
}

fn as_json(example: &str, arguments: &[&str]) -> Value {
    let output = run(example, &[arguments, &["-o", "json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_region_that_services_require_cannot_be_lost() {
    let said = holds(
        "seed-lose-region.txt",
        2,
        "seed",
        &["--lose", "region=eu-west-1"],
    );
    assert!(said.contains("Required region eu-west"), "{said}");
}

#[test]
fn the_shop_survives_the_loss_of_any_region() {
    let said = holds(
        "boutique-n-1-region.txt",
        0,
        "boutique",
        &["--n-1", "region"],
    );
    assert!(
        said.contains("stays placeable in all 3 scenarios"),
        "{said}"
    );
}

#[test]
fn providers_and_pools_in_turn() {
    for (each, scenarios) in [("provider", 3), ("pool", 9)] {
        let found = as_json("boutique", &["--n-1", each]);
        assert_eq!(found["scenarios"].as_array().unwrap().len(), scenarios);
        assert_eq!(found["base"]["unplaceable"][0], "boutique/fraud-screening");
    }
}

#[test]
fn dearer_machines_cost_what_they_cost_more() {
    holds("seed-price.txt", 0, "seed", &["--price", "aws=+20%"]);
    let report = &as_json("seed", &["--price", "aws=+20%"])["scenarios"][0];
    assert_eq!(report["cost"]["hourlyBefore"], "1.7904");
    assert_eq!(report["cost"]["hourlyAfter"], "2.14848");
    assert_eq!(report["cost"]["monthlyDelta"], "257.8176");
    assert_eq!(report["moves"]["replicas"], 0);
}

#[test]
fn a_budget_that_is_exceeded_is_named() {
    let said = holds("seed-price-budget.txt", 0, "seed", &["--price", "aws=15"]);
    assert!(said.contains("us-east budget"), "{said}");
}

#[test]
fn afresh_is_elsewhere() {
    let stays = as_json("boutique", &["--price", "gcp=3"]);
    let moves = as_json("boutique", &["--price", "gcp=3", "--afresh"]);
    let cost = |document: &Value| -> f64 {
        let cost = &document["scenarios"][0]["cost"]["hourlyAfter"];
        cost.as_str().unwrap().parse().unwrap()
    };
    assert!(cost(&moves) <= cost(&stays));
    let changed = moves["scenarios"][0]["services"].as_array().unwrap();
    assert!(!changed.is_empty());
    assert!(
        changed
            .iter()
            .all(|change| change["namespace"] == "boutique-staging")
    );
}

#[test]
fn what_is_given_together_holds_at_once() {
    let report = as_json(
        "boutique",
        &[
            "--lose",
            "region=asia",
            "--lose",
            "pool=gcp-us",
            "--grow",
            "+50%",
            "-l",
            "env=production",
        ],
    );
    let report = &report["scenarios"][0];
    assert_eq!(
        report["name"],
        "lose region asia, lose pool gcp-us, grow ×1.5 (env=production)"
    );
    assert_eq!(report["changes"].as_array().unwrap().len(), 3);
    let pools = report["headroom"]["pools"].as_array().unwrap();
    assert_eq!(pools.len(), 5);
}

#[test]
fn a_sweep_finds_the_limit_of_growth() {
    let said = holds(
        "seed-sweep.txt",
        2,
        "seed",
        &["--sweep", "--step", "10", "--to", "60"],
    );
    assert!(
        said.contains("everything stays placeable up to ×31, not at ×41"),
        "{said}"
    );
    let under_loss = as_json(
        "boutique",
        &["--sweep", "--step", "1", "--to", "2", "--n-1", "region"],
    );
    assert_eq!(under_loss["growth"].as_array().unwrap().len(), 3);
    assert_eq!(under_loss["scenarios"].as_array().unwrap().len(), 6);
    let said = text(&run("seed", &["--sweep", "--step", "0.5", "--to", "3"]).stdout);
    assert!(said.contains("--all tells of them in full"), "{said}");
    let said = text(&run("seed", &["--sweep", "--step", "0.5", "--to", "3", "--all"]).stdout);
    assert_eq!(said.matches("If: grow").count(), 5, "{said}");
}

#[test]
fn json_and_yaml_say_the_same() {
    let arguments = ["--n-1", "region"];
    let json: Simulation = serde_json::from_value(as_json("seed", &arguments)).unwrap();
    let yaml = run("seed", &[&arguments[..], &["-o", "yaml"]].concat());
    let yaml: Simulation = serde_saphyr::from_str(&text(&yaml.stdout)).unwrap();
    assert_eq!(json, yaml);
    assert_eq!(json.api_version, "simulate.lattice.dev/v1");
    assert!(!json.placeable);
}

#[test]
fn without_a_change_it_is_the_plan() {
    for example in ["seed", "boutique"] {
        let simulated = as_json(example, &[]);
        let plan = lattice()
            .args(["plan", "-o", "json"])
            .arg(root().join("examples").join(example))
            .output()
            .unwrap();
        let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
        assert_eq!(simulated["base"]["summary"], plan["summary"], "{example}");
        let report = &simulated["scenarios"][0];
        assert_eq!(report["cost"]["hourlyDelta"], "0");
        assert_eq!(report["services"].as_array().unwrap().len(), 0);
        assert_eq!(report["clusters"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn against_what_is_it_starts_from_there() {
    let seed = root().join("examples/seed");
    let report = as_json(
        "seed",
        &["--against", seed.to_str().unwrap(), "--grow", "2"],
    );
    assert_eq!(report["base"]["summary"]["hourlyCost"], "1.7904");
    assert_eq!(report["scenarios"][0]["moves"]["started"], 3);
}

#[test]
fn wrong_flags_are_errors_that_say_what_to_write() {
    let mut all = String::new();
    for arguments in [
        &["--lose", "region=eu-wets-1"][..],
        &["--lose", "eu-west"],
        &["--lose", "pool=eu-wets"],
        &["--lose", "provider=aw"],
        &["--price", "aws"],
        &["--price", "awz=+20%"],
        &["--price", "aws=20%"],
        &["--price", "aws=-100%"],
        &["--price", "aws=1001"],
        &["--grow", "0"],
        &["--grow", "-1"],
        &["--grow", "NaN"],
        &["--grow", "1e9"],
        &["--grow", "99999999999999999999999999"],
        &["--grow", "2", "-l", "env=prodction"],
        &["--grow", "2", "-l", "env in (a)"],
        &["--grow", "1000", "--price", "aws=1.0000001"],
        &["--sweep", "--step", "0.000001"],
        &["--sweep", "--step", "0"],
        &["--sweep", "--to", "1"],
        &["--lose", "provider=aws", "--n-1", "pool"],
    ] {
        let output = run("seed", arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        all += &format!("$ {}\n{}", arguments.join(" "), text(&output.stderr));
    }
    hold("wrong-flags.txt", &all);
}

#[test]
fn misuse_is_an_error_and_no_finding() {
    for arguments in [
        &["--nope"][..],
        &["--n-1", "zone"],
        &["--grow", "2", "--sweep"],
        &["-l", "env=production"],
        &["--step", "2"],
    ] {
        let output = run("seed", arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).starts_with("error: "), "{arguments:?}");
    }
    let output = run("nowhere", &[]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn colours_are_for_those_who_ask() {
    let said = text(&run("seed", &["--lose", "pool=us-east", "--color", "always"]).stdout);
    assert!(said.contains("\u{1b}[31m  Becomes unplaceable"), "{said}");
}

/// What a command in a chapter prints: `lattice simulate …`, cut as `head` or `tail` would.
fn printed(command: &str) -> String {
    let mut parts = command.split(" | ");
    let words: Vec<&str> = parts.next().unwrap().split_whitespace().collect();
    assert_eq!(words[..2], ["lattice", "simulate"], "{command}");
    let output = lattice()
        .args(&words[1..])
        .current_dir(root())
        .output()
        .unwrap();
    let said = text(&output.stdout);
    let lines: Vec<&str> = said.lines().collect();
    let kept = match parts.next().map(|cut| cut.split_once(" -").unwrap()) {
        None => &lines[..],
        Some(("head", n)) => &lines[..n.parse().unwrap()],
        Some(("tail", n)) => &lines[lines.len() - n.parse::<usize>().unwrap()..],
        Some((other, _)) => panic!("{other} is not known here"),
    };
    kept.join("\n")
}

#[test]
fn the_chapter_shows_what_is_printed() {
    let path = root().join("docs/what-if.md");
    let chapter = fs::read_to_string(&path).unwrap();
    let mut shown = 0;
    let mut parts: Vec<String> = chapter.split("```").map(str::to_owned).collect();
    for block in parts.iter_mut().skip(1).step_by(2) {
        if let Some(rest) = block.strip_prefix("console\n$ ") {
            let command = rest.lines().next().unwrap().to_owned();
            *block = format!("console\n$ {command}\n{}\n", printed(&command));
            shown += 1;
        }
    }
    assert!(shown >= 3, "{shown}");
    let should = parts.join("```");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &should).unwrap();
    }
    let is = fs::read_to_string(&path).unwrap();
    assert!(
        is == should,
        "docs/what-if.md has drifted (UPDATE_GOLDEN=1 writes it anew)"
    );
}
