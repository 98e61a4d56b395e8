//! The commands as processes, against the control plane that `lattice up` starts.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn lattice(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lattice"));
    command
        .args(arguments)
        .env(
            "LATTICE_CONTROL_PLANE_BIN",
            support::binaries().etcd.parent().unwrap(),
        )
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    command
}

fn told(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    told(&lattice(arguments).output().unwrap())
}

fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "waited for {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// `lattice up` in a folder.
struct Up {
    child: Child,
    http: SocketAddr,
    kubeconfig: PathBuf,
}

impl Up {
    fn start(folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let http = free.local_addr().unwrap();
        drop(free);
        let log = fs::File::create(folder.with_extension("log")).unwrap();
        let address = http.to_string();
        let child = lattice(&["up", "--http", &address, "--data"])
            .arg(folder)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let up = Self {
            child,
            http,
            kubeconfig: folder.join("kubeconfig"),
        };
        eventually("the operator to be ready", || {
            let (status, _) = up.page("/readyz")?;
            (status == 200).then_some(())
        });
        up
    }

    fn page(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.http).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: lattice\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer))
    }

    fn figure(&self, name: &str) -> Option<f64> {
        let (_, text) = self.page("/metrics")?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    }

    fn kubeconfig(&self) -> &str {
        self.kubeconfig.to_str().unwrap()
    }

    fn kubectl(&self, arguments: &[&str]) -> String {
        let output = Command::new(support::binaries().etcd.with_file_name("kubectl"))
            .args(["--kubeconfig", self.kubeconfig()])
            .args(arguments)
            .output()
            .unwrap();
        let (code, out, err) = told(&output);
        assert_eq!(code, Some(0), "kubectl {arguments:?}: {out}{err}");
        out
    }

    /// SIGTERM, and what came of it.
    fn stop(mut self) {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(10));
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Programs that were started with this folder in their arguments.
fn programs(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(folder))
        .collect()
}

#[test]
fn a_fleet_is_decided_explained_replayed_and_outlives_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("data");
    let up = Up::start(&folder);
    a_second_start_is_refused(&folder);
    up.kubectl(&["apply", "-f", "examples/seed"]);
    eventually("a decision on the service", || {
        let phase = up.kubectl(&[
            "get",
            "latticeservices",
            "-A",
            "-o",
            "jsonpath={..status.phase}",
        ]);
        (phase == "Scheduled").then_some(())
    });
    let listed = up.kubectl(&["get", "lattice", "-A"]);
    assert!(
        listed.contains("latticepool.lattice.dev/us-east"),
        "{listed}"
    );
    the_same_manifests_change_nothing(&up);
    what_is_committed_is_explained(&up);
    the_pages_have_content(&up);
    a_decision_is_replayed(&up, root.path());
    let before = objects(&up);
    let (_, first, _) = run(&["replay", "--kubeconfig", up.kubeconfig()]);
    up.stop();
    assert_eq!(programs(&folder), Vec::<String>::new());
    let up = Up::start(&folder);
    assert_eq!(objects(&up), before);
    let (_, second, _) = run(&["replay", "--kubeconfig", up.kubeconfig()]);
    assert_eq!(second, first);
    up.stop();
    assert_eq!(programs(&folder), Vec::<String>::new());
}

/// Services and clusters as they are.
fn objects(up: &Up) -> String {
    up.kubectl(&[
        "get",
        "latticeservices,latticeclusters,latticepools",
        "-A",
        "-o",
        "yaml",
    ])
}

fn a_second_start_is_refused(folder: &Path) {
    let (code, _, err) = run(&["up", "--data", folder.to_str().unwrap()]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains(folder.to_str().unwrap()), "{err}");
    assert!(err.contains("another lattice up (pid "), "{err}");
}

fn the_same_manifests_change_nothing(up: &Up) {
    let (code, out, err) = run(&["plan", "examples/seed", "--against", up.kubeconfig()]);
    assert_eq!(code, Some(0), "{out}{err}");
}

fn what_is_committed_is_explained(up: &Up) {
    let (code, out, err) = run(&[
        "explain",
        "service",
        "api-gateway",
        "--kubeconfig",
        up.kubeconfig(),
    ]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}{err}");
    let status = up.kubectl(&[
        "get",
        "latticeservices",
        "-A",
        "-o",
        "jsonpath={..placements[*].cluster}",
    ]);
    assert!(!status.is_empty());
    for cluster in status.split_whitespace() {
        assert!(out.contains(cluster), "{out}");
    }
    assert!(out.contains("No GDPR compliance label"), "{out}");
}

fn the_pages_have_content(up: &Up) {
    assert_eq!(up.page("/healthz").unwrap().0, 200);
    assert_eq!(up.page("/nothing").unwrap().0, 404);
    let (status, text) = up.page("/metrics").unwrap();
    assert_eq!(status, 200);
    for line in [
        "lattice_is_leader 1",
        "lattice_services{phase=\"Scheduled\"} 1",
        "lattice_hourly_cost ",
        "lattice_lower_bound ",
        "lattice_gap_ratio ",
        "lattice_pool_nodes{pool=\"us-east\"} ",
        "lattice_services_to_explain 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    // A status that somebody else writes over is set right, and computing everything anew is not needed.
    let full = up.figure("lattice_full_passes_total").unwrap();
    let passes = up.figure("lattice_passes_total").unwrap();
    let patch = r#"{"status":{"phase":"Degraded"}}"#;
    up.kubectl(&[
        "patch",
        "latticepool",
        "us-east",
        "--subresource=status",
        "--type=merge",
        "-p",
        patch,
    ]);
    eventually("the status to be set right", || {
        let phase = up.kubectl(&[
            "get",
            "latticepool",
            "us-east",
            "-o",
            "jsonpath={.status.phase}",
        ]);
        (phase == "Ready").then_some(())
    });
    assert!(up.figure("lattice_passes_total").unwrap() > passes);
    assert_eq!(up.figure("lattice_full_passes_total").unwrap(), full);
}

fn a_decision_is_replayed(up: &Up, root: &Path) {
    let folder = root.join("log");
    let log = folder.to_str().unwrap();
    let (code, live, err) = run(&["replay", "--kubeconfig", up.kubeconfig()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(live.contains("same, bit for bit"), "{live}");
    let (code, told, err) = run(&["log", "export", log, "--kubeconfig", up.kubeconfig()]);
    assert_eq!(code, Some(0), "{err}");
    assert!(told.starts_with(log), "{told}");
    let (code, again, _) = run(&["replay", log]);
    assert_eq!(code, Some(0), "{again}");
    assert_eq!(again, live);
    let (code, listed, _) = run(&["log", "--kubeconfig", up.kubeconfig()]);
    assert_eq!(
        (code, listed.lines().count()),
        (Some(0), live.lines().count() - 2)
    );
    what_was_decided_is_explained(up, &listed);
    other_policies_are_tried(up, root);
    let (code, _, err) = run(&["replay", "--kubeconfig", up.kubeconfig(), "--id", "999999"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("there is no decision 999999"), "{err}");

    let mut text = String::new();
    let last = live.lines().rev().nth(2).unwrap();
    let last = last.split_whitespace().next().unwrap();
    let packed = fs::File::open(folder.join(format!("decision-{last}.json.gz"))).unwrap();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let changed = text.replacen("\"replicas\":3", "\"replicas\":2", 1);
    assert_ne!(changed, text);
    let tampered = root.join("tampered.json.gz");
    let mut packer = GzEncoder::new(fs::File::create(&tampered).unwrap(), Compression::default());
    packer.write_all(changed.as_bytes()).unwrap();
    packer.finish().unwrap();
    let (code, out, err) = run(&["replay", tampered.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(
        out.contains("different: the snapshot has the digest"),
        "{out}"
    );
    fs::write(&tampered, "nonsense").unwrap();
    let (code, _, err) = run(&["replay", tampered.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(err.contains("not readable"), "{err}");
}

/// The log tells what was decided then, and says so where it does not reach.
fn what_was_decided_is_explained(up: &Up, listed: &str) {
    let first = listed.lines().nth(1).unwrap();
    let time = first.split_whitespace().nth(1).unwrap();
    let explain = |time: &str| {
        let service = ["explain", "service", "api-gateway", "--at", time];
        run(&[&service[..], &["--kubeconfig", up.kubeconfig()]].concat())
    };
    let (code, _, err) = explain("2h ago");
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains(&format!("its oldest is decision 1 of {time}")),
        "{err}"
    );
    let (code, out, err) = explain("0s ago");
    assert_eq!(code, Some(0), "{err}");
    assert!(err.starts_with("This is decision "), "{err}");
    assert!(out.contains("requiredRegions"), "{out}");
}

/// What smaller control planes would have cost.
fn other_policies_are_tried(up: &Up, root: &Path) {
    let seed = fs::read_to_string("examples/seed/policy.yaml").unwrap();
    let rule = "clusterPolicy:\n    controlPlane: {replicas: 1}\n";
    let policy = root.join("policy.yaml");
    fs::write(&policy, seed.replacen("clusterPolicy:\n", rule, 1)).unwrap();
    let policy = policy.to_str().unwrap();
    let (code, out, err) = run(&[
        "replay",
        "--kubeconfig",
        up.kubeconfig(),
        "--policy",
        policy,
    ]);
    assert_eq!(code, Some(2), "{out}{err}");
    assert!(out.contains("policy production-policy: replaced"), "{out}");
    assert!(out.contains(" as decided, "), "{out}");
}

#[test]
fn the_demonstration_shows_a_fleet_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let output = lattice(&["demo", "--dir", "examples/boutique"])
        .env("TMPDIR", root.path())
        .output()
        .unwrap();
    let (code, out, err) = told(&output);
    assert_eq!(code, Some(0), "{out}{err}");
    for shown in [
        "POOL ",
        "SERVICE ",
        "gcp-us",
        "boutique/frontend ",
        "Unschedulable",
        "Where it is",
        "What would give it a place",
        "No FEDRAMP compliance label",
    ] {
        assert!(out.contains(shown), "{shown}: {out}");
    }
    // All but the one that cannot have a place, however the operator came to see the objects.
    let scheduled = out
        .lines()
        .filter(|line| line.contains(" Scheduled "))
        .count();
    assert_eq!(scheduled, 18, "{out}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    assert_eq!(programs(root.path()), Vec::<String>::new());
}

#[test]
fn a_demonstration_of_wrong_manifests_starts_nothing() {
    let root = tempfile::tempdir().unwrap();
    let text = "apiVersion: lattice.dev/v1alpha1\nkind: LatticePool\nmetadata: {name: us}\nspec: {prvider: {}}\n";
    fs::write(root.path().join("pool.yaml"), text).unwrap();
    let (code, _, err) = run(&["demo", "--dir", root.path().to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(
        err.contains("prvider") && err.contains("pool.yaml:4"),
        "{err}"
    );
}
