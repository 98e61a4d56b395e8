//! The script by which a new cluster tells its parent of itself, run as it is rendered: with `sh`, `curl` and `openssl`, a webhook
//! over TLS, and a `kubectl` that keeps its cluster in a folder.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use lattice::api::LatticeCluster;
use lattice::clusters::bootstrap::SigningRequest;
use lattice::clusters::render::registration::register_url;
use lattice::clusters::render::{Sources, render};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, Stream};
use serde_json::json;

/// What the parent answers with.
const ANSWER: &str = "kind: Agent\n";

/// Keeps what is applied and made in `$CLUSTER`. Where `$CLUSTER/unwell` is, the next apply fails.
const KUBECTL: &str = r#"#!/bin/sh
case "$*" in
*"get configmap lattice-registered"*) [ -e "$CLUSTER/registered" ] ;;
*"create configmap lattice-registered"*) : >"$CLUSTER/registered" ;;
*"create secret generic lattice-agent-key"*)
    for argument; do case "$argument" in tls.key=*) cat "${argument#tls.key=}" ;; esac; done
    ;;
*apply*/secret)
    for last; do :; done
    cp "$last" "$CLUSTER/key"
    ;;
*apply*)
    rm "$CLUSTER/unwell" 2>/dev/null && exit 1
    for last; do :; done
    cat "$last" >>"$CLUSTER/applied"
    ;;
*) exit 9 ;;
esac
"#;

/// A parent: the first so many calls are refused, the others answered. Keeps the requests.
struct Parent {
    ca: String,
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Parent {
    fn start(refusals: usize) -> Self {
        let (ca, config) = pki();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut socket = stream.unwrap();
                let mut connection = ServerConnection::new(config.clone()).unwrap();
                let mut tls = Stream::new(&mut connection, &mut socket);
                // A caller that does not trust the certificate hangs up.
                let Some(request) = read(&mut tls) else {
                    continue;
                };
                let mut kept = kept.lock().unwrap();
                kept.push(request);
                let (status, body) = match kept.len() > refusals {
                    true => ("200 OK", ANSWER),
                    false => ("503 Service Unavailable", ""),
                };
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                let _ = tls.write_all((head + body).as_bytes());
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
        });
        Self { ca, port, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A CA in PEM, and a server with a certificate of it.
fn pki() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::CommonName, "parent");
    let key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let names = vec!["127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::default_fips_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (ca, Arc::new(config))
}

/// A request with its body.
fn read(tls: impl Read) -> Option<String> {
    let mut reader = BufReader::new(tls);
    let mut request = String::new();
    let mut length = 0;
    loop {
        let start = request.len();
        reader
            .read_line(&mut request)
            .ok()
            .filter(|read| *read > 0)?;
        let line = request[start..].trim_end().to_lowercase();
        if let Some(stated) = line.strip_prefix("content-length: ") {
            length = stated.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(request + &String::from_utf8(body).unwrap())
}

/// A machine of the control plane, in a folder.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// A machine with the files that Cluster API would have put there.
    fn new(ca: &str, url: &str, attempts: u32) -> Self {
        let machine = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, content) in [("ca.crt", ca), ("url", url), ("token", "s3cret")] {
            fs::write(machine.path(name), content).unwrap();
        }
        let script = script()
            .replace(
                "/etc/kubernetes/lattice",
                machine.folder.path().to_str().unwrap(),
            )
            .replace("attempts=40", &format!("attempts={attempts}"));
        fs::write(machine.path("register.sh"), script).unwrap();
        fs::create_dir(machine.path("bin")).unwrap();
        fs::write(machine.path("bin/kubectl"), KUBECTL).unwrap();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(machine.path("bin/kubectl"), executable).unwrap();
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn register(&self, cluster: &Path) -> Output {
        let path = std::env::var("PATH").unwrap();
        Command::new("/bin/sh")
            .arg(self.path("register.sh"))
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("CLUSTER", cluster)
            .output()
            .unwrap()
    }
}

/// The script in a rendered control plane.
fn script() -> String {
    let cluster: LatticeCluster = serde_json::from_value(json!({
        "metadata": {"name": "prod"},
        "spec": {
            "provider": {"type": "docker", "kubernetes": {"version": "1.34.1"}},
            "nodes": {"controlPlane": 3},
        },
    }))
    .unwrap();
    let rendered = render(&Sources {
        cluster: &cluster,
        pools: &[],
        node_classes: &[],
        has_parent: true,
    })
    .unwrap();
    let control = rendered
        .objects
        .iter()
        .find(|m| m.kind() == "KubeadmControlPlane");
    let config = &control.unwrap().object["spec"]["kubeadmConfigSpec"];
    assert_eq!(
        config["postKubeadmCommands"],
        json!(["/bin/sh /etc/kubernetes/lattice/register.sh"])
    );
    let files = config["files"].as_array().unwrap();
    let script = files.iter().find_map(|file| file["content"].as_str());
    script.unwrap().to_owned()
}

/// The digest of a key as the parent sees it.
fn key_digest(name: &str, key: &KeyPair) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let request = params.serialize_request(key).unwrap().pem().unwrap();
    SigningRequest::from_pem(&request).unwrap().key_digest()
}

fn applied(cluster: &Path) -> String {
    fs::read_to_string(cluster.join("applied")).unwrap_or_default()
}

fn url(parent: &Parent) -> String {
    register_url("127.0.0.1", parent.port)
}

#[test]
fn the_answer_is_applied_once_however_often_and_wherever_it_runs() {
    let parent = Parent::start(0);
    let cluster = tempfile::tempdir().unwrap();
    let first = Machine::new(&parent.ca, &url(&parent), 3);
    for _ in 0..2 {
        let output = first.register(cluster.path());
        assert!(output.status.success(), "{output:?}");
    }
    let second = Machine::new(&parent.ca, &url(&parent), 3);
    assert!(second.register(cluster.path()).status.success());
    assert_eq!(applied(cluster.path()), ANSWER);
    let requests = parent.requests();
    assert_eq!(requests.len(), 1);
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("POST /api/clusters/register?cluster=prod HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(head.contains("Authorization: Bearer s3cret"), "{head}");
    let asked = SigningRequest::from_pem(body).unwrap();
    let key = fs::read_to_string(cluster.path().join("key")).unwrap();
    let key = KeyPair::from_pem(&key).unwrap();
    assert_eq!(asked.key_digest(), key_digest("prod", &key));
    for machine in [first, second] {
        for secret in ["token", "headers", "key", "secret"] {
            assert!(!machine.path(secret).exists(), "{secret}");
        }
    }
}

#[test]
fn a_parent_that_is_busy_and_a_cluster_that_is_unwell_are_asked_again() {
    let parent = Parent::start(1);
    let cluster = tempfile::tempdir().unwrap();
    fs::write(cluster.path().join("unwell"), "").unwrap();
    let machine = Machine::new(&parent.ca, &url(&parent), 4);
    let output = machine.register(cluster.path());
    assert!(output.status.success(), "{output:?}");
    let requests = parent.requests();
    assert_eq!(requests.len(), 3);
    // The same key each time, or the parent would take it for another machine.
    assert!(requests.iter().all(|request| *request == requests[0]));
    assert_eq!(applied(cluster.path()), ANSWER);
}

#[test]
fn a_parent_with_another_ca_is_not_told_the_token() {
    let (parent, other) = (Parent::start(0), Parent::start(0));
    let cluster = tempfile::tempdir().unwrap();
    let machine = Machine::new(&other.ca, &url(&parent), 2);
    let output = machine.register(cluster.path());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("gave up registering with https://127.0.0.1:"),
        "{said}"
    );
    assert_eq!(parent.requests(), Vec::<String>::new());
    assert_eq!(applied(cluster.path()), "");
}
