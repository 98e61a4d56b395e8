//! The real operator, killed at random, ends with the same fleet as one that never was.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use kube::Client;
use lattice::operator::control_plane::ControlPlane;
use serde_json::{Value, json};
use support::fleet;

const CHANGES: u32 = 200;
/// One change in so many is cut off by a kill.
const KILL_ONE_IN: u64 = 5;
const SEED: u64 = 0x1a77_1ce5;

/// The same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[derive(Clone, Debug)]
enum Change {
    Apply(Value),
    Remove(String),
}

/// A fleet's life: services come, grow, shrink and go, prices and limits change.
fn changes() -> Vec<Change> {
    let mut dice = Dice(SEED);
    let mut replicas: BTreeMap<String, u32> = BTreeMap::new();
    let mut changes = Vec::new();
    while changes.len() < CHANGES as usize {
        let name = format!("s{}", dice.roll(14));
        let change = match dice.roll(12) {
            0 => {
                let price = 0.19 + dice.roll(8) as f64 / 100.0;
                Change::Apply(fleet::node_class("small", 4, price))
            }
            1 => {
                let nodes = 6 + u32::try_from(dice.roll(12)).unwrap();
                Change::Apply(fleet::pool("east", "us-east-1", nodes))
            }
            2 => Change::Apply(fleet::policy(1 + u32::try_from(dice.roll(2)).unwrap())),
            3 | 4 if replicas.remove(&name).is_some() => Change::Remove(name),
            _ => {
                let wanted = 1 + u32::try_from(dice.roll(5)).unwrap();
                let cores = ["500m", "1", "2"][name.len() % 3];
                replicas.insert(name.clone(), wanted);
                Change::Apply(fleet::service(&name, wanted, cores))
            }
        };
        changes.push(change);
    }
    changes
}

struct Operator {
    kubeconfig: PathBuf,
    log: PathBuf,
    child: Child,
}

impl Operator {
    fn start(kubeconfig: &Path) -> Self {
        let log = kubeconfig.with_file_name("operator.log");
        let child = spawn(kubeconfig, &log);
        Self {
            kubeconfig: kubeconfig.to_owned(),
            log,
            child,
        }
    }

    /// `kill -9`, and another one.
    fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.child = spawn(&self.kubeconfig, &self.log);
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(kubeconfig: &Path, log: &Path) -> Child {
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .unwrap();
    Command::new(env!("CARGO_BIN_EXE_lattice"))
        .args(["operator", "--http", "127.0.0.1:0", "--identity", "crash"])
        .args(["--lease-seconds", "6", "--quiet-ms", "10"])
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .env("RUST_LOG", "info")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

async fn start_fleet(client: &Client) {
    fleet::install_kinds(client).await;
    for document in [
        fleet::node_class("small", 4, 0.19),
        fleet::node_class("large", 8, 0.37),
        fleet::pool("east", "us-east-1", 12),
        fleet::pool("west", "us-west-2", 16),
        fleet::pool("north", "eu-north-1", 16),
        fleet::policy(1),
    ] {
        fleet::apply(client, &document).await;
    }
}

/// The whole fleet after the changes.
async fn live(kills: bool) -> (BTreeMap<String, Value>, u32) {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(support::options(folder.path()))
        .await
        .unwrap();
    let client = plane.client().await.unwrap();
    start_fleet(&client).await;
    let mut operator = Operator::start(&plane.kubeconfig_path());
    let mut dice = Dice(SEED + 1);
    let mut killed = 0;
    for (number, change) in changes().iter().enumerate() {
        match change {
            Change::Apply(document) => fleet::apply(&client, document).await,
            Change::Remove(name) => {
                fleet::delete(&client, "LatticeService", Some("default"), name).await;
            }
        }
        if kills && dice.roll(KILL_ONE_IN) == 0 {
            tokio::time::sleep(Duration::from_millis(dice.roll(250))).await;
            operator.restart();
            killed += 1;
        }
        let what = format!("change {number}: {change:?}");
        fleet::eventually(&what, || fleet::settled(&client)).await;
    }
    let last = settled_for_good(&client).await;
    drop(operator);
    plane.stop().await.unwrap();
    (last, killed)
}

/// The fleet when it has not changed for a while.
async fn settled_for_good(client: &Client) -> BTreeMap<String, Value> {
    let mut before = everything(client).await;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = everything(client).await;
        if now == before {
            return now;
        }
        before = now;
    }
}

/// All objects, without what two runs cannot have in common.
async fn everything(client: &Client) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for kind in lattice::api::kinds()
        .iter()
        .filter(|kind| kind.crd().is_some())
    {
        for object in fleet::list(client, &kind.name).await {
            let meta = &object.metadata;
            let key = format!("{} {}", kind.name, meta.name.clone().unwrap());
            let mut value = json!({
                "labels": meta.labels,
                "finalizers": meta.finalizers,
                "deleted": meta.deletion_timestamp.is_some(),
                "spec": object.data["spec"],
                "status": object.data["status"],
            });
            without_times(&mut value);
            found.insert(key, value);
        }
    }
    found
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| key != "lastTransitionTime" && key != "lastScheduled");
            map.values_mut().for_each(without_times);
        }
        Value::Array(list) => list.iter_mut().for_each(without_times),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_random_moments_change_nothing_of_where_a_fleet_ends() {
    // Each has a control plane of its own, and mostly waits.
    let (calm, killed) = tokio::join!(live(false), live(true));
    let ((calm, none), (killed, kills)) = (calm, killed);
    assert_eq!(none, 0);
    assert!(kills > CHANGES / 10, "{kills} kills");
    assert!(calm.keys().any(|key| key.starts_with("LatticeCluster ")));
    for (key, value) in &calm {
        assert_eq!(Some(value), killed.get(key), "{key}");
    }
    assert_eq!(calm.len(), killed.len());
}
