//! `lattice replay`, `lattice log` and `lattice explain --at` over an exported log. `UPDATE_GOLDEN=1` writes the
//! goldens anew, `UPDATE_SCHEMA=1` the schema.

#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use command::{root, run, text};
use lattice::api::{self, Timestamp};
use lattice::operator::decision_log::{Entry, blob};
use lattice::placement::history::replay_schema;
use lattice::placement::inputs::Inputs;
use lattice::placement::record::DecisionRecord;
use lattice::placement::snapshot;
use lattice::scheduler::model::{Cluster, Snapshot};
use lattice::scheduler::solution::SOLVER_VERSION;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn hold(name: &str, said: &str) {
    command::hold(&format!("replay/{name}"), said);
}

/// The snapshot of an example, with this many replicas more of every service, and these clusters.
fn example(name: &str, more: u32, clusters: Vec<Cluster>) -> Snapshot {
    let mut documents = Vec::new();
    for entry in fs::read_dir(root().join("examples").join(name)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let found: Vec<Value> =
                serde_saphyr::from_multiple(&fs::read_to_string(path).unwrap()).unwrap();
            documents.extend(found);
        }
    }
    documents.iter_mut().for_each(api::apply_defaults);
    let inputs = Inputs {
        pools: of_kind(&documents, "LatticePool"),
        node_classes: of_kind(&documents, "LatticeNodeClass"),
        policies: of_kind(&documents, "LatticePlacementPolicy"),
        services: of_kind(&documents, "LatticeService"),
        ..Inputs::default()
    };
    let mut snapshot = snapshot::build(&inputs).snapshot;
    for service in &mut snapshot.services {
        service.replicas += more;
    }
    snapshot.clusters = clusters;
    snapshot
}

fn of_kind<T: DeserializeOwned>(documents: &[Value], kind: &str) -> Vec<T> {
    let of_kind = documents.iter().filter(|d| d["kind"] == kind);
    let read = |document: &Value| serde_json::from_value(document.clone()).unwrap();
    of_kind.map(read).collect()
}

fn at(hours: i64) -> Timestamp {
    let time = 1_705_312_800 + hours * 3600;
    chrono::DateTime::from_timestamp(time, 0).unwrap().into()
}

/// A log of three decisions on the seed example, the second on more replicas, as it would have been exported
/// after 30 hours.
fn log() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut clusters = Vec::new();
    let mut entries = Vec::new();
    for (id, (hours, more)) in (5..).zip([(0, 0), (4, 3), (24, 0)]) {
        let snapshot = example("seed", more, clusters);
        let solution = lattice::scheduler::solve(&snapshot);
        clusters = solution.live().map(|d| d.cluster.clone()).collect();
        let record = DecisionRecord::new(&snapshot, solution, at(hours)).unwrap();
        entries.push(store(folder.path(), id, &record));
    }
    list(folder.path(), &entries);
    folder
}

fn store(folder: &Path, id: u64, record: &DecisionRecord) -> Entry {
    let packed = record.encode().unwrap();
    fs::write(folder.join(format!("decision-{id}.json.gz")), &packed).unwrap();
    Entry {
        id,
        time: record.time.to_string(),
        snapshot_digest: record.digest.clone(),
        solution_digest: String::new(),
        solver_version: record.solver_version.clone(),
        holder: "lattice-0".into(),
        epoch: 1,
        blob: blob::cut(&packed).unwrap().reference,
    }
}

fn list(folder: &Path, entries: &[Entry]) {
    let index = json!({
        "apiVersion": "log.lattice.dev/v1",
        "kind": "DecisionLog",
        "exported": at(30),
        "entries": entries,
    });
    fs::write(folder.join("log.json"), index.to_string()).unwrap();
}

/// The seed's policy with one control-plane node a cluster instead of three, and one more policy.
fn policies(folder: &Path) -> String {
    let path = folder.join("new-policies.yaml");
    let seed = fs::read_to_string(root().join("examples/seed/policy.yaml")).unwrap();
    let rule = "clusterPolicy:\n    controlPlane: {replicas: 1}\n";
    let changed = seed.replacen("clusterPolicy:\n", rule, 1);
    assert_ne!(changed, seed);
    let other = "---\napiVersion: lattice.dev/v1alpha1\nkind: LatticePlacementPolicy\n\
                 metadata: {name: staging}\nspec: {selector: {matchLabels: {env: staging}}}\n";
    fs::write(&path, changed + other).unwrap();
    path.display().to_string()
}

#[test]
fn a_log_comes_out_as_it_was() {
    let log = log();
    let output = run(&["replay", log.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    hold("same.txt", &text(&output.stdout));
    let one = run(&["replay", log.path().to_str().unwrap(), "--id", "6"]);
    assert!(text(&one.stdout).ends_with("\n1 decision: 1 the same\n"));
    let file = log.path().join("decision-7.json.gz");
    let one = run(&["replay", file.to_str().unwrap()]);
    assert_eq!(one.status.code(), Some(0));
    let listed = run(&["log", log.path().to_str().unwrap()]);
    let listed = text(&listed.stdout);
    let columns = |line: &str| {
        line.split_whitespace()
            .take(5)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        listed.lines().map(columns).collect::<Vec<_>>()[..3],
        [
            "DECISION TIME STOOD SOLVER BY",
            &format!("5 2024-01-15T10:00:00Z 4h {SOLVER_VERSION} lattice-0"),
            &format!("6 2024-01-15T14:00:00Z 20h {SOLVER_VERSION} lattice-0"),
        ]
    );
    assert!(
        listed.lines().last().unwrap().contains("sha256:"),
        "{listed}"
    );
}

#[test]
fn what_differs_or_cannot_be_compared_is_told() {
    let log = log();
    let path = |id: u64| log.path().join(format!("decision-{id}.json.gz"));
    let mut records: Vec<DecisionRecord> = [5, 6, 7]
        .iter()
        .map(|id| DecisionRecord::decode(&fs::read(path(*id)).unwrap()).unwrap())
        .collect();
    records[0].solver_version = "0".into();
    records[1].solution.hourly += 1;
    let ids = [5, 6, 7].iter().zip(&records);
    let entries: Vec<Entry> = ids.map(|(id, r)| store(log.path(), *id, r)).collect();
    list(log.path(), &entries);
    let folder = log.path().to_str().unwrap();
    let output = run(&["replay", folder]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    for words in [
        "not compared: solver version 0 made this decision",
        "different: solving again gives another decision, from byte ",
        "same, bit for bit",
        "3 decisions: 1 the same, 1 different, 1 not compared",
        "note: 1 of 3 decisions were made by another version of the solver",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let output = run(&["replay", folder, "--id", "7"]);
    assert_eq!(output.status.code(), Some(0));
    fs::write(path(7), "nonsense").unwrap();
    let output = run(&["replay", folder]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("its digest is another"));
}

#[test]
fn other_policies_are_tried_over_the_log() {
    let log = log();
    let folder = log.path().to_str().unwrap();
    let policies = policies(log.path());
    let tried = |more: &[&str]| run(&[&["replay", folder, "--policy", &policies], more].concat());
    let output = tried(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    hold("policy.txt", &said);
    let page = fs::read_to_string(root().join("docs/history.md")).unwrap();
    assert!(page.contains(&said), "docs/history.md: {said}");

    let json: Value = serde_json::from_slice(&tried(&["-o", "json"]).stdout).unwrap();
    let yaml: Value = serde_saphyr::from_str(&text(&tried(&["-o", "yaml"]).stdout)).unwrap();
    assert_eq!(json, yaml);
    assert_eq!(json["totals"]["seconds"], 30 * 3600);
    let since: Value =
        serde_json::from_slice(&tried(&["-o", "json", "--since", "2024-01-15T16:00:00Z"]).stdout)
            .unwrap();
    assert_eq!(since["decisions"][0]["id"], 6);
    assert_eq!(since["totals"]["seconds"], 24 * 3600);
    let plain: Value =
        serde_json::from_slice(&run(&["replay", folder, "-o", "json"]).stdout).unwrap();
    let schema = replay_schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for document in [json, since, plain] {
        let wrong: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(wrong, [""; 0]);
    }
}

#[test]
fn policies_that_are_none_are_refused() {
    let log = log();
    let folder = log.path().to_str().unwrap();
    let pools = root().join("examples/seed/pools.yaml");
    let output = run(&["replay", folder, "--policy", pools.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("no LatticePlacementPolicy to try"), "{said}");
    let nowhere = run(&["replay", "nowhere"]);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(text(&nowhere.stderr).contains("nowhere"));
}

#[test]
fn the_decision_of_a_time_is_explained() {
    let log = log();
    let folder = log.path().to_str().unwrap();
    let explain = |time: &str| {
        run(&[
            "explain",
            "service",
            "api-gateway",
            "--at",
            time,
            "--log",
            folder,
        ])
    };
    let then = explain("2024-01-15T15:00:00Z");
    assert_eq!(then.status.code(), Some(0), "{}", text(&then.stderr));
    assert_eq!(
        text(&then.stderr),
        "This is decision 6 of 2024-01-15T14:00:00Z, in force until 2024-01-16T10:00:00Z.\n"
    );
    hold("explain-at.txt", &text(&then.stdout));
    let before = explain("2024-01-15T12:00:00+01:00");
    assert_ne!(text(&before.stdout), text(&then.stdout));
    for (time, words) in [
        (
            "2024-01-15T09:59:59Z",
            "its oldest is decision 5 of 2024-01-15T10:00:00Z",
        ),
        ("2024-01-16T16:00:01Z", "is later than the log tells of"),
        ("yesterday", "--at: `yesterday` is not a time"),
    ] {
        let output = explain(time);
        assert_eq!(output.status.code(), Some(1), "{time}");
        let said = text(&output.stderr);
        assert!(said.contains(words), "{time}: {said}");
    }
    let unknown = run(&[
        "explain",
        "pool",
        "us-esat",
        "--at",
        "2024-01-15T15:00:00Z",
        "--log",
        folder,
    ]);
    assert!(text(&unknown.stderr).contains("did you mean `us-east`?"));
}

#[test]
fn how_far_a_pool_may_drift_is_told_as_the_page_shows_it() {
    let seed = root().join("examples/seed");
    let seed = seed.to_str().unwrap();
    let output = run(&["explain", "pool", "us-east", "--dir", seed, "--drift"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    let drift = &said[said.find("How far it may drift").unwrap()..];
    let page = fs::read_to_string(root().join("docs/concepts/decisions.md")).unwrap();
    assert!(page.contains(drift), "docs/concepts/decisions.md: {drift}");
    let output = run(&["explain", "service", "x", "--dir", seed, "--drift"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--drift is about a pool"));
}

#[test]
fn the_committed_schema_is_current() {
    let file = root().join("docs/schema/replay.v1.json");
    let generated = serde_json::to_string_pretty(&replay_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&file, &generated).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == generated,
        "{} has drifted; run the test with UPDATE_SCHEMA=1",
        file.display()
    );
    assert_eq!(text(&run(&["schema", "replay"]).stdout), generated);
}
