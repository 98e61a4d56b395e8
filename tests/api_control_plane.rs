//! The embedded control plane, with the real etcd and kube-apiserver.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams, WatchParams},
};
use lattice::operator::control_plane::{Binaries, ControlPlane, ControlPlaneError, Options};
use support::options;

const HOLD: &str = "LATTICE_TEST_HOLD_CONTROL_PLANE_IN";

fn note(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("said".to_owned(), name.to_owned())])),
        ..ConfigMap::default()
    }
}

fn notes(client: Client) -> Api<ConfigMap> {
    Api::namespaced(client, "default")
}

fn nobody_listens(ports: [u16; 3]) -> bool {
    ports
        .iter()
        .all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart_and_the_ports_are_free_between() {
    let folder = tempfile::tempdir().unwrap();
    // Durable, as `lattice up` runs it.
    let durable = Options::new(folder.path(), support::binaries());
    let first = ControlPlane::start(durable.clone()).await.unwrap();
    notes(first.client().await.unwrap())
        .create(&PostParams::default(), &note("kept"))
        .await
        .unwrap();
    let (ports, kubeconfig) = (first.ports(), first.kubeconfig_path());

    let refused = ControlPlane::start(durable.clone()).await.unwrap_err();
    assert!(matches!(refused, ControlPlaneError::InUse { .. }));
    let holder = format!("another lattice up (pid {})", std::process::id());
    assert!(refused.to_string().starts_with(&holder), "{refused}");

    first.stop().await.unwrap();
    assert!(nobody_listens(ports));

    // One port is lost to somebody else meanwhile.
    let squatter = TcpListener::bind((Ipv4Addr::LOCALHOST, ports[0])).unwrap();
    let second = ControlPlane::start(durable).await.unwrap();
    assert_ne!(second.ports()[0], ports[0]);
    assert_eq!(second.ports()[1..], ports[1..]);
    assert_eq!(second.kubeconfig_path(), kubeconfig);
    let text = fs::read_to_string(&kubeconfig).unwrap();
    assert!(text.contains(&second.url()), "{text}");
    let found = notes(second.client().await.unwrap())
        .get("kept")
        .await
        .unwrap();
    assert_eq!(found.data.unwrap()["said"], "kept");
    drop(squatter);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn an_open_watch_does_not_hold_up_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let running = ControlPlane::start(options(folder.path())).await.unwrap();
    println!("started after {:?}", begun.elapsed());
    let notes = notes(running.client().await.unwrap());
    let watch = notes
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .for_each(|_| std::future::ready(()));
    let watcher = tokio::spawn(watch);
    let begun = Instant::now();
    running.stop().await.unwrap();
    println!("stopped after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(12));
    watcher.await.unwrap();
}

#[tokio::test]
async fn an_api_server_that_dies_is_noticed_with_the_end_of_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = ControlPlane::start(options(folder.path())).await.unwrap();
    let ports = running.ports();
    end_program("kube-apiserver", running.data_dir());
    let error = tokio::time::timeout(Duration::from_secs(30), running.exited())
        .await
        .unwrap();
    let text = error.to_string();
    assert!(
        text.contains("kube-apiserver ended (signal: 9 (SIGKILL))"),
        "{text}"
    );
    running.stop().await.unwrap();
    assert!(nobody_listens(ports));
}

#[tokio::test]
async fn a_program_that_refuses_its_arguments_fails_the_start_early() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = options(folder.path());
    // etcd does not know a single flag of the API server.
    wrong.binaries.kube_apiserver = wrong.binaries.etcd.clone();
    let begun = Instant::now();
    let error = ControlPlane::start(wrong).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(60));
    let text = error.to_string();
    assert!(text.starts_with("kube-apiserver ended"), "{text}");
    assert!(text.contains("Start an etcd server"), "{text}");
    // Nothing is left over that would be in the way of a right start.
    let right = ControlPlane::start(options(folder.path())).await.unwrap();
    right.stop().await.unwrap();
}

#[tokio::test]
async fn the_store_lets_nobody_in_without_its_own_certificate() {
    let cluster = support::control_plane().await;
    let pki = cluster.kubeconfig.parent().unwrap().join("pki");
    let ports = fs::read_to_string(pki.with_file_name("ports.json")).unwrap();
    let ports: serde_json::Value = serde_json::from_str(&ports).unwrap();
    let port = u16::try_from(ports["store"].as_u64().unwrap()).unwrap();
    // The authority alone makes the server trusted, not the client.
    assert!(!is_let_in(&pki, None, port));
    assert!(!is_let_in(&pki, Some("administrator"), port));
    assert!(is_let_in(&pki, Some("store-client"), port));
}

#[tokio::test]
async fn tests_share_one_control_plane_in_namespaces_of_their_own() {
    let (one, other) = tokio::join!(support::control_plane(), support::control_plane());
    assert_eq!(one.kubeconfig, other.kubeconfig);
    let namespace = support::namespace(&one.client, "shared").await;
    let notes: Api<ConfigMap> = Api::namespaced(other.client, &namespace);
    notes
        .create(&PostParams::default(), &note("mine"))
        .await
        .unwrap();
}

#[test]
fn a_missing_program_is_named_with_what_was_searched_and_how_to_build_it() {
    let empty = tempfile::tempdir().unwrap();
    let folders = [empty.path().to_owned()];
    let text = Binaries::find_in(&folders).unwrap_err().to_string();
    assert!(text.contains(empty.path().to_str().unwrap()), "{text}");
    assert!(text.contains("`make control-plane`"), "{text}");
}

/// Runs this test binary a second time, kills it without warning, and looks for what it leaves behind.
#[tokio::test]
async fn a_killed_parent_leaves_no_child_and_a_usable_folder() {
    let folder = tempfile::tempdir().unwrap();
    let mut parent = Command::new(env::current_exe().unwrap())
        .args(["--exact", "holds_a_control_plane_if_asked", "--nocapture"])
        .env(HOLD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(parent.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("holding")));
    let root = folder.path().canonicalize().unwrap();
    assert_eq!(programs_in(&root).len(), 2);
    parent.kill().unwrap();
    parent.wait().unwrap();

    // Started at once, in the middle of the guard's work.
    let again = ControlPlane::start(options(folder.path())).await.unwrap();
    notes(again.client().await.unwrap())
        .get("held")
        .await
        .unwrap();
    again.stop().await.unwrap();
    assert!(programs_in(&root).is_empty());
}

/// The guard's part alone: nobody starts anything in the folder afterwards.
#[tokio::test]
async fn a_killed_parents_children_end_on_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut parent = Command::new(env::current_exe().unwrap())
        .args(["--exact", "holds_a_control_plane_if_asked", "--nocapture"])
        .env(HOLD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(parent.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("holding")));
    parent.kill().unwrap();
    parent.wait().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let deadline = Instant::now() + Duration::from_secs(40);
    while !programs_in(&root).is_empty() {
        assert!(Instant::now() < deadline, "{:?}", programs_in(&root));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The other half of the tests above: it does nothing unless they run it.
#[tokio::test]
async fn holds_a_control_plane_if_asked() {
    let Some(folder) = env::var_os(HOLD) else {
        return;
    };
    let mut running = ControlPlane::start(options(Path::new(&folder)))
        .await
        .unwrap();
    notes(running.client().await.unwrap())
        .create(&PostParams::default(), &note("held"))
        .await
        .unwrap();
    println!("holding");
    running.exited().await;
}

/// The process numbers of etcd and kube-apiserver that have an argument in this folder.
fn programs_in(root: &Path) -> Vec<(i32, String)> {
    let needle = format!("={}/", root.display());
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
            let program = line.split('\0').next()?.rsplit('/').next()?.to_owned();
            let is_ours = line.contains(&needle) && ["etcd", "kube-apiserver"].contains(&&*program);
            is_ours.then_some((pid, program))
        })
        .collect()
}

fn end_program(name: &str, root: &Path) {
    let (pid, _) = programs_in(root)
        .into_iter()
        .find(|(_, program)| program == name)
        .unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Whether etcd answers a client that shows this certificate.
fn is_let_in(pki: &Path, certificate: Option<&str>, port: u16) -> bool {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    use std::io::{Read, Write};

    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(pki.join("store-ca.crt")).unwrap())
        .unwrap();
    let builder = rustls::ClientConfig::builder().with_root_certificates(roots);
    let config = match certificate {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let file = |kind: &str| pki.join(format!("{name}.{kind}"));
            let chain = vec![CertificateDer::from_pem_file(file("crt")).unwrap()];
            let key = PrivateKeyDer::from_pem_file(file("key")).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    let name = "localhost".try_into().unwrap();
    let mut session = rustls::ClientConnection::new(config.into(), name).unwrap();
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut stream = rustls::Stream::new(&mut session, &mut socket);
    let asked =
        stream.write_all(b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    asked.is_ok() && (read.is_ok() || !answer.is_empty()) && answer.starts_with("HTTP/1.1 200")
}
