//! The examples are valid, solve as their READMEs say, and the seeds' figures come out as printed.

#![allow(clippy::unwrap_used)]

use lattice::api;
use lattice::placement::decisions;
use lattice::placement::inputs::Inputs;
use lattice::placement::snapshot;
use lattice::scheduler::model::{ServiceId, Snapshot};
use lattice::scheduler::share::Prices;
use lattice::scheduler::solution::{Solution, Verdict};
use lattice::scheduler::units::{HOURS_PER_MONTH, Micros, decimal};
use lattice::scheduler::{check, explain, solve};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(name)
}

/// Every document below a folder, in the order of files, with the file it is from.
fn documents(folder: &Path) -> Vec<(String, Value)> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(folder)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap();
        let found: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        let name = path.display().to_string();
        found.into_iter().map(move |value| (name.clone(), value))
    };
    files.into_iter().flat_map(read).collect()
}

fn of_kind<T: DeserializeOwned>(documents: &[Value], kind: &str) -> Vec<T> {
    documents
        .iter()
        .filter(|document| document["kind"] == kind)
        .map(|document| serde_json::from_value(document.clone()).unwrap())
        .collect()
}

fn inputs(name: &str) -> Inputs {
    let mut documents: Vec<Value> = documents(&folder(name))
        .into_iter()
        .map(|(_, d)| d)
        .collect();
    documents.iter_mut().for_each(api::apply_defaults);
    Inputs {
        pools: of_kind(&documents, "LatticePool"),
        node_classes: of_kind(&documents, "LatticeNodeClass"),
        policies: of_kind(&documents, "LatticePlacementPolicy"),
        services: of_kind(&documents, "LatticeService"),
        ..Inputs::default()
    }
}

fn solved(name: &str) -> (Snapshot, Solution) {
    let built = snapshot::build(&inputs(name));
    assert!(!built.has_errors(), "{:#?}", built.problems);
    let solution = solve(&built.snapshot);
    assert_eq!(check::check(&built.snapshot, &solution), []);
    (built.snapshot, solution)
}

fn outcome<'a>(
    solution: &'a Solution,
    service: &ServiceId,
) -> &'a lattice::scheduler::solution::Outcome {
    let found = solution.outcomes.iter().find(|o| o.service == *service);
    found.unwrap()
}

/// What a service costs per hour in each pool.
fn costs(
    snapshot: &Snapshot,
    solution: &Solution,
    service: &ServiceId,
) -> BTreeMap<String, Micros> {
    let prices = Prices::new(snapshot);
    let mut costs = BTreeMap::new();
    for decision in solution.live() {
        for ((id, _), hourly) in prices.cluster(&decision.cluster).services {
            if id == *service {
                *costs.entry(decision.cluster.pool.clone()).or_default() += hourly;
            }
        }
    }
    costs
}

#[test]
fn every_manifest_is_valid() {
    let documents = documents(&folder(""));
    assert!(documents.len() > 30);
    for (file, document) in documents {
        let found = api::validate_object(&document);
        assert!(found.is_empty(), "{file}: {found:#?}");
    }
}

#[test]
fn the_seed_comes_out_as_printed() {
    let (snapshot, solution) = solved("seed");
    let gateway = ServiceId::new("default", "api-gateway");
    assert_eq!(outcome(&solution, &gateway).verdict, Verdict::Placed);

    let placements = &solution.placements()[&gateway];
    let written: Vec<(&str, &str, u32)> = placements
        .iter()
        .map(|p| (p.pool.as_str(), p.class.as_str(), p.replicas))
        .collect();
    assert_eq!(
        written,
        [("eu-west", "medium", 1), ("us-east", "medium", 2)]
    );

    let costs = costs(&snapshot, &solution, &gateway);
    let hourly: Micros = costs.values().sum();
    assert_eq!(decimal(i128::from(costs["us-east"])), "0.384");
    assert_eq!(decimal(i128::from(costs["eu-west"])), "0.192");
    assert_eq!(decimal(i128::from(hourly)), "0.576");
    assert_eq!(decimal(i128::from(hourly * HOURS_PER_MONTH)), "414.72");

    let mut rejected = Vec::new();
    let wanted = |_: &ServiceId| true;
    let mut keep = |_: &ServiceId, pool: &str, whys: Vec<lattice::scheduler::reason::Why>| {
        let texts: Vec<String> = whys.iter().map(ToString::to_string).collect();
        rejected.push((pool.to_owned(), texts));
        Ok::<(), ()>(())
    };
    explain::rejections(&snapshot, &solution, &wanted, &mut keep).unwrap();
    let expected = (
        "ap-south".to_owned(),
        vec!["No GDPR compliance label".to_owned()],
    );
    assert_eq!(rejected, [expected]);
}

#[test]
fn the_seed_is_told_as_printed() {
    let inputs = inputs("seed");
    let built = snapshot::build(&inputs);
    let now = serde_json::from_value(json!("2024-01-15T10:30:00Z")).unwrap();
    let solution = solve(&built.snapshot);
    let alternatives = decisions::alternatives(&built.snapshot, &solution, &|_| true);
    let decided = decisions::decide(&inputs, &built, &solution, &alternatives, now);
    let gateway = &decided.services[&ServiceId::new("default", "api-gateway")];
    let status = serde_json::to_value(gateway).unwrap();
    let place = |pool: &str, replicas: u32, hourly: f64| {
        let cluster = gateway.placements.iter().find(|p| p.pool == pool);
        let cluster = &cluster.unwrap().cluster;
        json!({"pool": pool, "cluster": cluster, "replicas": replicas, "node": "medium", "cost": {"hourly": hourly}})
    };
    let expected = json!({
        "placements": [place("us-east", 2, 0.384), place("eu-west", 1, 0.192)],
        "totalCost": {"hourly": 0.576, "projected30Day": 414.72},
        "lastScheduled": "2024-01-15T10:30:00Z",
        "schedulerDecision": {
            "reason": "Placed in us-east and eu-west per requiredRegions constraint",
            "alternatives": [{"pool": "ap-south", "rejected": "No GDPR compliance label"}],
        },
    });
    for (field, wanted) in expected.as_object().unwrap() {
        assert_eq!(status[field], *wanted, "{field}");
    }
    // Nobody runs anything yet, and the status does not say otherwise.
    assert_eq!(status["phase"], "Scheduled");
    assert_eq!(status["health"], json!({"available": 0, "ready": 0}));
}

#[test]
fn the_boutique_is_placed_but_for_one() {
    let (snapshot, solution) = solved("boutique");
    let fraud = ServiceId::new("boutique", "fraud-screening");
    for outcome in &solution.outcomes {
        let expected = match outcome.service == fraud {
            true => Verdict::Unschedulable,
            false => Verdict::Placed,
        };
        assert_eq!(outcome.verdict, expected, "{outcome:#?}");
    }
    let constraints: BTreeSet<&str> = outcome(&solution, &fraud)
        .reasons
        .iter()
        .map(|reason| reason.why.constraint().name())
        .collect();
    for expected in ["compliance", "fit", "requiredRegions", "minRegions"] {
        assert!(constraints.contains(expected), "{constraints:?}");
    }
    assert_eq!(snapshot.services.len(), solution.outcomes.len());
}

#[test]
fn payment_stays_where_cards_may_be_handled() {
    let (snapshot, solution) = solved("boutique");
    let payment = ServiceId::new("boutique", "paymentservice");
    for pool in costs(&snapshot, &solution, &payment).keys() {
        assert!(!pool.starts_with("gcp-"), "{pool} is not labelled pci-dss");
    }
}

#[test]
fn the_cluster_of_this_host_is_of_the_version_that_is_built() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/control-plane/go.mod");
    let pinned = fs::read_to_string(path).unwrap();
    let wanted = inputs("local").policies[0].spec.cluster_policy.clone();
    let version = wanted.unwrap().kubernetes_version.unwrap();
    let line = format!("k8s.io/kubernetes {version} ");
    assert!(pinned.contains(&line), "{line}");
    let (_, solution) = solved("local");
    assert_eq!(solution.outcomes[0].verdict, Verdict::Placed);
    assert_eq!(solution.live().count(), 1);
}
