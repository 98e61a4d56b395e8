//! The bootstrap webhook on a real API server, called as machines call it: by openssl and curl.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chrono::{TimeDelta, Utc};
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{Api, Client, api::PostParams};
use lattice::{
    clusters::bootstrap::Token,
    operator::{
        bootstrap::{Options, Server, issue, serve},
        decision_log::ensure_namespace,
        install,
    },
};
use serde_json::{Value, json};
use support::fleet;
use tokio_util::sync::CancellationToken;

/// A machine's own folder, with a key and a request to have it certified.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("openssl")
            .args(["req", "-new", "-newkey", "ec", "-pkeyopt"])
            .args(["ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem"])
            .args(["-out", "request.pem", "-subj", &format!("/CN={name}")])
            .current_dir(folder.path())
            .output()
            .expect("openssl");
        assert!(made.status.success(), "{made:?}");
        Machine { folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Status and body of the answer; 0 if no connection was made.
    async fn call(&self, url: &str, authority: &str, token: &Token) -> (u16, String) {
        fs::write(self.path("ca.pem"), authority).unwrap();
        let header = format!("Authorization: Bearer {}", token.reveal());
        let called = tokio::process::Command::new("curl")
            .args([
                "--silent",
                "--show-error",
                "--cacert",
                "ca.pem",
                "--header",
                &header,
            ])
            .args(["--data-binary", "@request.pem", "--output", "answer"])
            .args(["--write-out", "%{http_code}", "--max-time", "20", url])
            .current_dir(self.folder.path())
            .output()
            .await
            .expect("curl");
        let status = String::from_utf8(called.stdout).unwrap().parse().unwrap();
        let body = match status {
            0 => String::from_utf8(called.stderr).unwrap(),
            _ => fs::read_to_string(self.path("answer")).unwrap_or_default(),
        };
        (status, body)
    }
}

fn verifies(folder: &Path, certificate: &str, authority: &str) -> bool {
    fs::write(folder.join("leaf.pem"), certificate).unwrap();
    fs::write(folder.join("ca.pem"), authority).unwrap();
    let verified = Command::new("openssl")
        .args([
            "verify",
            "-purpose",
            "sslclient",
            "-CAfile",
            "ca.pem",
            "leaf.pem",
        ])
        .current_dir(folder)
        .output();
    verified.expect("openssl").status.success()
}

/// What the parent keeps of a token.
async fn kept(client: &Client, cluster: &str) -> Value {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "lattice-system");
    let secret = secrets.get(&format!("bootstrap-{cluster}")).await.unwrap();
    let ByteString(bytes) = secret.data.unwrap().remove("grant").unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn item<'a>(list: &'a Value, kind: &str, name: &str) -> &'a Value {
    let mut items = list["items"].as_array().unwrap().iter();
    let found = items.find(|item| item["kind"] == kind && item["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

async fn with_registry_and_network(client: &Client) {
    let params = PostParams::default();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "lattice-system");
    let secret = json!({
        "metadata": {"name": "pull"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": "{\"auths\":{}}"},
    });
    let secret = serde_json::from_value(secret).unwrap();
    secrets.create(&params, &secret).await.unwrap();
    fleet::apply(
        client,
        &json!({
            "apiVersion": "lattice.dev/v1alpha1",
            "kind": "LatticeImageRegistry",
            "metadata": {"name": "main"},
            "spec": {"url": "registry.example.com", "credentials": {"secretRef": "pull"}},
        }),
    )
    .await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "lattice-system");
    let network = "kind: ConfigMap\napiVersion: v1\nmetadata:\n  name: network\n  namespace: default\n---\nkind: ConfigMap\napiVersion: v1\nmetadata:\n  name: routes\n  namespace: default\n";
    let map = json!({
        "metadata": {"name": "lattice-bootstrap-manifests"},
        "data": {"cni.yaml": network},
    });
    let map = serde_json::from_value(map).unwrap();
    maps.create(&params, &map).await.unwrap();
}

#[tokio::test]
async fn a_token_admits_one_key_of_one_cluster_for_some_time() {
    let control_plane = support::control_plane().await;
    let client = &control_plane.client;
    install::install(client).await.unwrap();
    ensure_namespace(client).await.unwrap();
    with_registry_and_network(client).await;
    let options = Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        hosts: vec!["127.0.0.1".to_owned()],
        endpoint: "root.example.com:8443".to_owned(),
        image: "registry.example.com/lattice:1".to_owned(),
    };
    let stop = CancellationToken::new();
    let binding = Server::bind(client.clone(), options.clone(), &stop);
    let server = binding.await.unwrap();
    let port = server.port();
    let authority = server.authority();
    let serving = tokio::spawn(serve(server, stop.clone()));
    let url =
        |cluster: &str| format!("https://127.0.0.1:{port}/api/clusters/register?cluster={cluster}");

    let east = fleet::cluster(client, "us-east").await;
    let token = issue(client, &east, Utc::now()).await.unwrap();
    assert!(
        !kept(client, "us-east")
            .await
            .to_string()
            .contains(token.reveal())
    );
    let machine = Machine::new("us-east");

    // Nothing but the right token, for the right cluster, gets further; whoever guesses learns nothing.
    let guess = Token::shown("guess");
    for (cluster, token) in [
        ("us-east", &guess),
        ("nowhere", &token),
        ("Bad_Name", &token),
    ] {
        let (status, body) = machine.call(&url(cluster), &authority, token).await;
        assert_eq!(status, 401, "{cluster}: {body}");
        assert!(body.starts_with("no cluster of that name waits"), "{body}");
    }
    let other = Machine::new("us-west");
    let (status, body) = other.call(&url("us-east"), &authority, &token).await;
    assert_eq!(status, 403, "{body}");
    assert!(
        body.contains("`us-west`, but the token is for `us-east`"),
        "{body}"
    );
    assert_eq!(
        kept(client, "us-east").await["refused"]["reason"],
        "WrongName"
    );
    fs::write(
        machine.path("request.pem.good"),
        fs::read(machine.path("request.pem")).unwrap(),
    )
    .unwrap();
    fs::write(machine.path("request.pem"), "hello").unwrap();
    let (status, body) = machine.call(&url("us-east"), &authority, &token).await;
    assert_eq!(status, 400, "{body}");
    fs::rename(
        machine.path("request.pem.good"),
        machine.path("request.pem"),
    )
    .unwrap();

    // A machine that knows another authority doesn't even send the token.
    let foreign = lattice::clusters::bootstrap::Authority::generate("foreign", Utc::now()).unwrap();
    let (status, _) = machine
        .call(&url("us-east"), foreign.certificate(), &token)
        .await;
    assert_eq!(status, 0);

    // Of many at a time with keys of their own, one is admitted.
    let rivals: Vec<Machine> = (0..6).map(|_| Machine::new("us-east")).collect();
    let address = url("us-east");
    let calls = rivals
        .iter()
        .map(|rival| rival.call(&address, &authority, &token));
    let answers = futures::future::join_all(calls).await;
    let mut statuses: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    let first = statuses
        .iter()
        .position(|status| *status == 200)
        .expect("one is admitted");
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409]);

    // Its answer was lost: it asks again, also of a parent that started anew, and gets the same.
    let list: Value = serde_json::from_str(&answers[first].1).unwrap();
    stop.cancel();
    serving.await.unwrap().unwrap();
    let stop = CancellationToken::new();
    let server = Server::bind(client.clone(), options, &stop).await.unwrap();
    assert_eq!(server.authority(), authority);
    let url = format!(
        "https://127.0.0.1:{}/api/clusters/register?cluster=us-east",
        server.port()
    );
    let serving = tokio::spawn(serve(server, stop.clone()));
    let (status, again) = rivals[first].call(&url, &authority, &token).await;
    assert_eq!(
        (status, serde_json::from_str(&again).unwrap()),
        (200, list.clone())
    );

    let certificate = item(&list, "Secret", "lattice-agent-certificate");
    let leaf = certificate["stringData"]["tls.crt"].as_str().unwrap();
    assert!(verifies(machine.folder.path(), leaf, &authority));
    assert!(!verifies(
        machine.folder.path(),
        leaf,
        foreign.certificate()
    ));
    assert_eq!(
        item(&list, "ConfigMap", "lattice-parent")["data"]["endpoint"],
        "root.example.com:8443"
    );
    item(
        &list,
        "CustomResourceDefinition",
        "latticeclusters.lattice.dev",
    );
    item(&list, "ConfigMap", "network");
    item(&list, "ConfigMap", "routes");
    let pull = item(&list, "Secret", "registry-main");
    assert_eq!(pull["data"][".dockerconfigjson"], "eyJhdXRocyI6e319");

    // The API server takes all of it, twice.
    for _ in 0..2 {
        for object in list["items"].as_array().unwrap() {
            fleet::apply(client, object).await;
        }
    }

    // A token that is over, even for the key that it admitted.
    let past = Utc::now() - TimeDelta::days(1);
    let late = issue(client, &east, past).await.unwrap();
    let (status, body) = rivals[first].call(&url, &authority, &late).await;
    assert_eq!(status, 403, "{body}");
    assert!(body.starts_with("the token expired at"), "{body}");
    let (status, _) = rivals[first].call(&url, &authority, &token).await;
    assert_eq!(status, 401, "the older token is no token any more");

    stop.cancel();
    serving.await.unwrap().unwrap();
}
