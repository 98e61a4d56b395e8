//! `lattice verify`: good plans are verified, tampered ones are not. `UPDATE_GOLDEN=1` writes the goldens anew,
//! `UPDATE_SCHEMA=1` the schema.

#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use command::{root, run, text};
use lattice::placement::plan;
use serde_json::{Value, json};

fn example(name: &str) -> String {
    root().join("examples").join(name).display().to_string()
}

fn hold(name: &str, said: &str) {
    command::hold(&format!("verify/{name}"), said);
}

/// A plan of an example, as a file and as a document.
struct Planned {
    folder: tempfile::TempDir,
    example: String,
    good: Value,
}

impl Planned {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        let example = example(name);
        let output = run(&["plan", &example, "--out", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2));
        let good = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        Self {
            folder,
            example,
            good,
        }
    }

    fn verify(&self, document: &Value) -> Output {
        let file = self.folder.path().join("tampered.json");
        fs::write(&file, document.to_string()).unwrap();
        run(&["verify", file.to_str().unwrap(), "--against", &self.example])
    }

    /// Tampers with the plan; it must be refused by this rule.
    fn refused(&self, rule: &str, tamper: impl FnOnce(&mut Value)) {
        let mut document = self.good.clone();
        tamper(&mut document);
        assert_ne!(document, self.good, "{rule}: nothing was tampered with");
        let output = self.verify(&document);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{rule}: {said}");
        let line = format!("  {rule}: ");
        assert!(said.lines().any(|l| l.starts_with(&line)), "{rule}: {said}");
        assert!(said.contains("\nnot verified: "), "{rule}: {said}");
    }
}

/// A decimal, times a factor.
fn times(amount: &Value, factor: f64) -> Value {
    let amount: f64 = amount.as_str().unwrap().parse().unwrap();
    json!(format!("{:.6}", amount * factor))
}

#[test]
fn plans_of_the_examples_are_verified() {
    for name in ["seed", "boutique"] {
        let planned = Planned::of(name);
        let output = planned.verify(&planned.good);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
        hold(&format!("{name}.txt"), &text(&output.stdout));
        if name == "seed" {
            let page = fs::read_to_string(root().join("docs/concepts/proof.md")).unwrap();
            assert!(
                page.contains(&text(&output.stdout)),
                "docs/concepts/proof.md"
            );
        }
    }
}

#[test]
fn a_quick_plan_is_verified_as_well() {
    for name in ["seed", "boutique"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plan.json");
        let file = file.to_str().unwrap();
        let output = run(&["plan", &example(name), "--quick", "--out", file]);
        assert_eq!(output.status.code(), Some(2));
        let output = run(&["verify", file, "--against", &example(name)]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    }
}

#[test]
fn what_is_near_is_told_as_the_pages_show_it() {
    let output = run(&["plan", &example("seed")]);
    let said = text(&output.stdout);
    let last = said.lines().last().unwrap();
    assert!(
        last.starts_with("No plan that places these services costs less than "),
        "{last}"
    );
    for page in ["README.md", "docs/concepts/proof.md"] {
        let page_text = fs::read_to_string(root().join(page)).unwrap();
        assert!(page_text.contains(last), "{page}: {last}");
    }
}

#[test]
fn tampered_plans_are_refused() {
    for name in ["seed", "boutique"] {
        let planned = Planned::of(name);
        match name {
            "seed" => planned.refused("fit", move_onto_a_full_node),
            _ => planned.refused("replicaSpread", move_beside_its_like),
        }
        planned.refused("cost", |plan| {
            plan["summary"]["hourlyCost"] = times(&plan["summary"]["hourlyCost"], 0.9);
        });
        planned.refused("objective", |plan| {
            plan["summary"]["objective"] = times(&plan["summary"]["objective"], 1.1);
        });
        planned.refused("lowerBound", |plan| {
            plan["summary"]["lowerBound"] = times(&plan["summary"]["lowerBound"], 1.01);
        });
        for field in ["milliCore", "mebibyte"] {
            planned.refused("lowerBound", |plan| {
                for pool in plan["certificate"]["prices"].as_array_mut().unwrap() {
                    pool[field] = json!("7");
                }
            });
        }
        planned.refused("lowerBound", |plan| {
            plan["certificate"]["prices"].as_array_mut().unwrap().pop();
        });
        planned.refused("lowerBound", |plan| {
            plan["certificate"]["separate"] = json!([]);
        });
        planned.refused("figures", |plan| {
            plan["summary"]["gap"] = json!("0.000001");
        });
        planned.refused("figures", |plan| {
            plan["pools"][0]["hourlyCost"] = json!("123");
        });
        planned.refused("figures", |plan| {
            plan["placements"][0]["replicas"] = json!(77);
        });
        planned.refused("figures", |plan| {
            plan["changes"]["services"].as_array_mut().unwrap().pop();
        });
        planned.refused("control plane", |plan| {
            let nodes = plan["clusters"][0]["nodes"].as_array_mut().unwrap();
            nodes.retain(|group| group["role"] != "control-plane");
        });
        planned.refused("origin", |plan| {
            plan["clusters"][0]["declared"] = json!(true);
            plan["clusters"][0]["policy"] = json!(null);
        });
        planned.refused("action", |plan| {
            plan["clusters"][0]["action"] = json!("keep")
        });
        planned.refused("outcome", |plan| {
            plan["decisions"].as_array_mut().unwrap().pop();
        });
        planned.refused("outcome", |plan| {
            plan["decisions"][0]["verdict"] = json!("Unschedulable");
        });
        planned.refused("replicas", |plan| {
            for group in plan["clusters"][0]["nodes"].as_array_mut().unwrap() {
                group["services"] = json!({});
            }
        });
    }
}

/// Workers of a plan by their pool and class, those with services or without.
fn workers<'a>(plan: &'a mut Value, pool: &str, class: &str, used: bool) -> &'a mut Value {
    let clusters = plan["clusters"].as_array_mut().unwrap();
    let of_pool = clusters.iter_mut().find(|c| c["pool"] == pool).unwrap();
    let nodes = of_pool["nodes"].as_array_mut().unwrap();
    let wanted = |group: &&mut Value| {
        let services = group["services"].as_object().unwrap();
        group["role"] == "worker" && group["class"] == class && services.is_empty() != used
    };
    nodes.iter_mut().find(wanted).unwrap()
}

/// Takes one replica off its node and puts it onto one that has no room for it.
fn move_onto_a_full_node(plan: &mut Value) {
    let id = "default/api-gateway";
    let from = workers(plan, "eu-west", "medium", true);
    assert!(
        from["services"]
            .as_object_mut()
            .unwrap()
            .remove(id)
            .is_some()
    );
    let to = workers(plan, "eu-west", "small", false);
    to["services"][id] = json!(1);
    to["count"] = json!(1);
    let mut rest = to.clone();
    rest["services"] = json!({});
    let clusters = plan["clusters"].as_array_mut().unwrap();
    let cluster = clusters
        .iter_mut()
        .find(|c| c["pool"] == "eu-west")
        .unwrap();
    cluster["nodes"].as_array_mut().unwrap().push(rest);
}

/// Takes one replica off its node and puts it onto one that has one of the same service already.
fn move_beside_its_like(plan: &mut Value) {
    let id = "boutique/adservice";
    let from = workers(plan, "aws-eu", "small", true);
    assert!(
        from["services"]
            .as_object_mut()
            .unwrap()
            .remove(id)
            .is_some()
    );
    let to = workers(plan, "aws-us", "small", true);
    assert_eq!(to["services"][id], 1);
    to["services"][id] = json!(2);
}

#[test]
fn a_replica_moved_onto_a_full_node_is_told_with_its_facts() {
    let planned = Planned::of("seed");
    let mut plan = planned.good.clone();
    move_onto_a_full_node(&mut plan);
    let output = planned.verify(&plan);
    assert_eq!(output.status.code(), Some(1));
    hold("seed-moved.txt", &text(&output.stdout));
}

#[test]
fn other_manifests_than_those_of_the_plan_are_noticed() {
    let planned = Planned::of("seed");
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(&planned.example).unwrap() {
        let path = entry.unwrap().path();
        let content = fs::read_to_string(&path).unwrap();
        let content = content.replace("- gdpr", "- soc2");
        fs::write(folder.path().join(path.file_name().unwrap()), content).unwrap();
    }
    let file = planned.folder.path().join("plan.json");
    let (file, against) = (file.to_str().unwrap(), folder.path().to_str().unwrap());
    let output = run(&["verify", file, "--against", against]);
    let same = run(&["verify", file, "--against", &planned.example]);
    assert_eq!(same.status.code(), Some(0));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
}

#[test]
fn a_plan_from_what_runs_is_verified_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = root().join("tests/fixtures/fleet");
    let wanted = folder.path().join("wanted");
    fs::create_dir(&wanted).unwrap();
    for name in ["capacity.yaml", "services.yaml"] {
        let content = fs::read_to_string(fleet.join(name)).unwrap();
        fs::write(wanted.join(name), content.replace("{min: 2}", "{min: 4}")).unwrap();
    }
    let file = folder.path().join("plan.yaml");
    let (file, fleet) = (file.to_str().unwrap(), fleet.to_str().unwrap());
    let wanted = wanted.to_str().unwrap();
    let planned = run(&["plan", wanted, "--against", fleet, "--out", file]);
    assert_eq!(planned.status.code(), Some(2));
    let verified = run(&["verify", file, "--against", wanted, "--from", fleet]);
    assert_eq!(
        verified.status.code(),
        Some(0),
        "{}",
        text(&verified.stdout)
    );
    let from_nothing = run(&["verify", file, "--against", wanted]);
    assert_eq!(from_nothing.status.code(), Some(1));
    assert!(text(&from_nothing.stdout).contains("  action: "));
}

#[test]
fn what_is_no_plan_is_refused_by_name() {
    let planned = Planned::of("seed");
    let mut plan = planned.good.clone();
    plan["certificate"]["prices"][1]["milliCore"] = json!("much");
    let output = planned.verify(&plan);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(
        said.contains("certificate.prices[1].milliCore: `much` is not"),
        "{said}"
    );
    let file = planned.folder.path().join("plan.json");
    let missing = run(&["verify", file.to_str().unwrap(), "--against", "nowhere"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("nowhere"));
}

fn schema() -> PathBuf {
    root().join("docs/schema/verify.v1.json")
}

#[test]
fn the_committed_schema_is_current() {
    let generated = serde_json::to_string_pretty(&plan::verify_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(schema(), &generated).unwrap();
    }
    let committed = fs::read_to_string(schema()).unwrap_or_default();
    assert!(
        committed == generated,
        "{} has drifted; run the test with UPDATE_SCHEMA=1",
        schema().display()
    );
    assert_eq!(text(&run(&["schema", "verify"]).stdout), generated);
}

#[test]
fn json_and_yaml_keep_to_the_schema() {
    let planned = Planned::of("boutique");
    let file = planned.folder.path().join("plan.json");
    let verify = |path: &Path, format| {
        let path = path.to_str().unwrap();
        run(&["verify", path, "--against", &planned.example, "-o", format])
    };
    let json: Value = serde_json::from_slice(&verify(&file, "json").stdout).unwrap();
    let yaml: Value = serde_saphyr::from_str(&text(&verify(&file, "yaml").stdout)).unwrap();
    assert_eq!(json, yaml);
    assert_eq!(json["verified"], true);
    assert_eq!(json["checked"]["unplaced"], 1);
    let mut plan = planned.good.clone();
    plan["summary"]["hourlyCost"] = json!("0");
    let tampered = planned.folder.path().join("tampered.json");
    fs::write(&tampered, plan.to_string()).unwrap();
    let refused: Value = serde_json::from_slice(&verify(&tampered, "json").stdout).unwrap();
    assert_eq!(refused["violations"][0]["rule"], "cost");
    let validator = jsonschema::validator_for(&plan::verify_schema()).unwrap();
    for document in [json, refused] {
        let wrong: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(wrong, [""; 0]);
    }
}
