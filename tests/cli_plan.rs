//! `lattice plan` and `lattice explain`, without a cluster. `UPDATE_GOLDEN=1` writes the goldens anew.

#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::{Path, PathBuf};

use command::{root, run, text};
use lattice::placement::plan;

fn fleet() -> PathBuf {
    root().join("tests/fixtures/fleet")
}

fn hold(name: &str, said: &str) {
    command::hold(&format!("plan/{name}"), said);
}

/// Copies the fleet with one text in it replaced.
fn changed(folder: &Path, from: &str, to: &str) {
    for name in ["capacity.yaml", "services.yaml"] {
        let content = fs::read_to_string(fleet().join(name)).unwrap();
        fs::write(folder.join(name), content.replace(from, to)).unwrap();
    }
}

#[test]
fn a_plan_from_nothing_has_changes() {
    let fleet = fleet();
    let output = run(&["plan", fleet.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    hold("from-nothing.txt", &text(&output.stdout));
}

#[test]
fn against_itself_there_is_nothing_to_do() {
    let fleet = fleet();
    let fleet = fleet.to_str().unwrap();
    let output = run(&["plan", fleet, "--against", fleet]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    hold("nothing-to-do.txt", &text(&output.stdout));
}

#[test]
fn a_change_is_held_against_what_is() {
    let folder = tempfile::tempdir().unwrap();
    changed(folder.path(), "{min: 2}", "{min: 4}");
    let fleet = fleet();
    let output = run(&[
        "plan",
        folder.path().to_str().unwrap(),
        "--against",
        fleet.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    hold("scaled.txt", &text(&output.stdout));
}

#[test]
fn a_service_that_goes_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    changed(folder.path(), "name: worker", "name: labourer");
    let fleet = fleet();
    let output = run(&[
        "plan",
        folder.path().to_str().unwrap(),
        "--against",
        fleet.to_str().unwrap(),
        "--color",
        "always",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stdout);
    assert!(said.contains("- remove\u{1b}[0m shop/worker"), "{said}");
    assert!(said.contains("+ place \u{1b}[0m shop/labourer"), "{said}");
}

#[test]
fn json_and_yaml_say_the_same_as_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = fleet();
    let fleet = fleet.to_str().unwrap();
    let json = folder.path().join("plan.json");
    let yaml = folder.path().join("plan.yaml");
    let printed = run(&["plan", fleet, "-o", "json", "--out", json.to_str().unwrap()]);
    assert_eq!(printed.status.code(), Some(2));
    let printed_yaml = run(&["plan", fleet, "-o", "yaml", "--out", yaml.to_str().unwrap()]);
    assert_eq!(text(&printed.stdout), fs::read_to_string(&json).unwrap());
    assert_eq!(
        text(&printed_yaml.stdout),
        fs::read_to_string(&yaml).unwrap()
    );
    let plan = plan::read(&text(&printed.stdout)).unwrap();
    assert_eq!(plan, plan::read(&text(&printed_yaml.stdout)).unwrap());
    assert_eq!(plan.summary.services, 3);
    assert!(!plan.rejections.is_empty());
}

#[test]
fn explains_from_a_plan_file_and_from_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let (file, fleet) = (file.to_str().unwrap(), fleet());
    let fleet = fleet.to_str().unwrap();
    run(&["plan", fleet, "--out", file]);
    for (kind, name) in [
        ("service", "api"),
        ("service", "vault"),
        ("pool", "us-east"),
    ] {
        let from_file = run(&["explain", kind, name, "--plan", file]);
        assert_eq!(
            from_file.status.code(),
            Some(0),
            "{}",
            text(&from_file.stderr)
        );
        let from_folder = run(&["explain", kind, name, "--dir", fleet]);
        assert_eq!(text(&from_file.stdout), text(&from_folder.stdout));
        hold(
            &format!("explain-{kind}-{name}.txt"),
            &text(&from_file.stdout),
        );
    }
    let plan = plan::read(&fs::read_to_string(file).unwrap()).unwrap();
    let cluster = run(&["explain", "cluster", &plan.clusters[0].name, "--plan", file]);
    assert!(text(&cluster.stdout).starts_with(&format!("Cluster {}", plan.clusters[0].name)));
    let qualified = run(&["explain", "svc", "shop/api", "--plan", file]);
    assert_eq!(qualified.status.code(), Some(0));
}

#[test]
fn what_constraints_cost_is_told_of_what_is_placed() {
    let fleet = fleet();
    let fleet = fleet.to_str().unwrap();
    let costs = |kind: &str, name: &str| run(&["explain", kind, name, "--dir", fleet, "--costs"]);
    let placed = costs("service", "shop/api");
    assert_eq!(placed.status.code(), Some(0), "{}", text(&placed.stderr));
    hold("explain-service-api-costs.txt", &text(&placed.stdout));
    let stuck = text(&costs("service", "vault").stdout);
    assert!(
        stuck.ends_with("would be placed anew, has costs\n"),
        "{stuck}"
    );
    let pool = costs("pool", "us-east");
    assert_eq!(pool.status.code(), Some(1));
    assert_eq!(
        text(&pool.stderr),
        "error: --costs is about a service: `lattice explain service NAME --costs`\n"
    );
}

#[test]
fn the_boutique_says_what_is_in_the_way_of_fraud_screening() {
    let folder = root().join("examples/boutique");
    let folder = folder.to_str().unwrap();
    let said = run(&[
        "explain",
        "service",
        "boutique/fraud-screening",
        "--dir",
        folder,
    ]);
    hold("explain-service-fraud-screening.txt", &text(&said.stdout));
    let plan = text(&run(&["plan", folder]).stdout);
    let told: Vec<&str> = plan
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("in the way") || line.starts_with("would help"))
        .collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert_eq!(told[0], "in the way: compliance: fedramp (the service)");
    assert!(told[1].starts_with("in the way: node classes: a replica of 64 cores / 512 Gi"));
    assert!(told[2].starts_with("would help: the service: drop compliance fedramp + gcp-eu"));
}

#[test]
fn an_unknown_name_is_answered_with_what_there_is() {
    let fleet = fleet();
    let fleet = fleet.to_str().unwrap();
    for (kind, name, golden) in [
        ("service", "apy", "unknown-service.txt"),
        ("pool", "us-eats", "unknown-pool.txt"),
        ("cluster", "zzz", "unknown-cluster.txt"),
    ] {
        let output = run(&["explain", kind, name, "--dir", fleet]);
        assert_eq!(output.status.code(), Some(1));
        hold(golden, &text(&output.stderr));
    }
}

#[test]
fn what_is_no_plan_is_refused() {
    let capacity = fleet().join("capacity.yaml");
    let output = run(&["explain", "pool", "a", "--plan", capacity.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("is not a plan"));
    let output = run(&["explain", "pool", "a", "--plan", "nowhere.json"]);
    assert!(text(&output.stderr).starts_with("error: cannot read nowhere.json\n"));
}

#[test]
fn no_api_server_is_said_plainly() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let output = run(&[
        "explain",
        "pool",
        "a",
        "--kubeconfig",
        kubeconfig.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("error: no usable kubeconfig"));
    let content = "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
        contexts: [{name: a, context: {cluster: a, user: a}}]\n\
        clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n\
        users: [{name: a, user: {}}]\n";
    fs::write(&kubeconfig, content).unwrap();
    let fleet = fleet();
    let output = run(&[
        "plan",
        fleet.to_str().unwrap(),
        "--against",
        kubeconfig.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.starts_with("error: the API server cannot be read"),
        "{said}"
    );
}
