//! One real control plane per test binary.
//!
//! The first test that asks starts it; it is stopped, and its folder removed, when the test process ends,
//! however that ends. Tests share it, so each works in a namespace of its own.

// Each test binary includes this file and uses what it needs of it.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod apart;
pub mod awaited;
pub mod callers;
pub mod cells;
pub mod cluster_api;
pub mod cluster_graph;
pub mod fleet;
pub mod local_cloud;
pub mod managers;
pub mod parent;
pub mod pivoting;
pub mod streaming;
pub mod tree;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use lattice::operator::control_plane::{self, Binaries, ControlPlane, Options};

/// What a test gets to work with.
pub struct TestCluster {
    /// An administrator's client that belongs to the runtime of the test.
    pub client: Client,
    /// The same as a file, for commands.
    pub kubeconfig: PathBuf,
}

/// The control plane that the tests of this binary share.
///
/// # Panics
/// If it cannot be started; the message then says what is missing and how to get it.
pub async fn control_plane() -> TestCluster {
    static KUBECONFIG: OnceLock<PathBuf> = OnceLock::new();
    // Blocks the other tests too, which have to wait for it anyway.
    let kubeconfig = tokio::task::spawn_blocking(|| KUBECONFIG.get_or_init(start_shared).clone())
        .await
        .expect("the control plane starts");
    let client = control_plane::client_for(&kubeconfig)
        .await
        .expect("a client for the control plane");
    TestCluster { client, kubeconfig }
}

/// A fresh namespace with this prefix.
pub async fn namespace(client: &Client, prefix: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{prefix}-{number}");
    let metadata = ObjectMeta {
        name: Some(name.clone()),
        ..ObjectMeta::default()
    };
    let namespace = Namespace {
        metadata,
        ..Namespace::default()
    };
    Api::<Namespace>::all(client.clone())
        .create(&PostParams::default(), &namespace)
        .await
        .expect("a namespace");
    name
}

/// The programs of a control plane.
///
/// # Panics
/// If they are not there: a test that needs them fails, it is not skipped.
pub fn binaries() -> Binaries {
    Binaries::find().unwrap_or_else(|error| panic!("{error}"))
}

/// What to start in this folder for a test.
pub fn options(folder: &Path) -> Options {
    Options {
        fsync: false,
        ..Options::new(folder, binaries())
    }
}

fn start_shared() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("control-plane-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the control plane");
    remove_when_we_are_gone(&folder);
    let options = options(&folder);
    let (sender, receiver) = mpsc::channel();
    // A thread of its own, with a runtime that no test's end takes away.
    thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let started = ControlPlane::start(options).await;
            let mut running = match started {
                Ok(running) => running,
                Err(error) => return sender.send(Err(error.to_string())).unwrap(),
            };
            sender.send(Ok(running.kubeconfig_path())).unwrap();
            eprintln!("{}", running.exited().await);
        });
    });
    receiver
        .recv()
        .expect("an answer from the control plane's thread")
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Test binaries have no hook for their end, but the kernel closes the pipe. The control plane stops by
/// the same means.
fn remove_when_we_are_gone(folder: &Path) {
    let script = r#"cat >/dev/null; for _ in 1 2 3 4 5 6 7 8 9 10; do
        sleep 2; rm -rf -- "$1"; [ -e "$1" ] || exit 0; done"#;
    let cleaner = Command::new("/bin/sh")
        .args(["-c", script, "cleaner"])
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    // Its standard input stays open until this process ends.
    std::mem::forget(cleaner);
}
