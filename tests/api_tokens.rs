//! Ten thousand tries with tokens that were used, are over or are somebody else's, on a real API server.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use chrono::{TimeDelta, Utc};
use lattice::{
    clusters::bootstrap::Token,
    operator::{
        bootstrap::{Options, Server, issue, serve},
        decision_log::ensure_namespace,
        install,
    },
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use support::fleet;
use tokio_util::sync::CancellationToken;

/// Tries in all, and how many machines make them at a time, each over one connection.
const TRIES: usize = 10_000;
const MACHINES: usize = 5;
/// How long a token lasts, and how much of it is left of the one that comes to its end.
const LIFE: TimeDelta = TimeDelta::hours(2);
const LEFT: Duration = Duration::from_secs(5);

/// A request with a key of its own, in a file.
fn request(folder: &Path, number: usize, cluster: &str) {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, cluster.to_owned());
    let key = KeyPair::generate().unwrap();
    let request = params.serialize_request(&key).unwrap().pem().unwrap();
    fs::write(folder.join(number.to_string()), request).unwrap();
}

/// The webhook, and a folder for what machines send.
struct Webhook {
    folder: tempfile::TempDir,
    port: u16,
}

impl Webhook {
    /// Statuses of tries to have the cluster's name certified, each with its token and a key of its own, all at a time.
    async fn tries(&self, cluster: &str, tokens: &[&Token]) -> Vec<u16> {
        let folder = self.folder.path();
        for number in 0..tokens.len() {
            request(folder, number, cluster);
        }
        let share = tokens.len().div_ceil(MACHINES);
        let machines = tokens.chunks(share).enumerate().map(|(machine, tokens)| {
            let first = machine * share;
            let config = folder.join(format!("machine-{machine}"));
            fs::write(&config, self.config(cluster, first, tokens)).unwrap();
            tokio::process::Command::new("curl")
                .arg("--config")
                .arg(config)
                .current_dir(folder)
                .output()
        });
        let answers = futures::future::join_all(machines).await;
        let statuses = answers.into_iter().flat_map(|answer| {
            let answer = answer.expect("curl");
            assert!(
                answer.status.success(),
                "{}",
                String::from_utf8_lossy(&answer.stderr)
            );
            let text = String::from_utf8(answer.stdout).unwrap();
            let statuses: Vec<u16> = text.lines().map(|line| line.parse().unwrap()).collect();
            statuses
        });
        let statuses: Vec<u16> = statuses.collect();
        assert_eq!(statuses.len(), tokens.len());
        statuses
    }

    fn config(&self, cluster: &str, first: usize, tokens: &[&Token]) -> String {
        let mut text = String::new();
        for (at, token) in tokens.iter().enumerate() {
            let number = first + at;
            write!(
                text,
                "{next}silent\nshow-error\ncacert = \"ca.pem\"\nurl = \"https://127.0.0.1:{port}/api/clusters/register?cluster={cluster}\"\nheader = \"Authorization: Bearer {token}\"\ndata-binary = \"@{number}\"\noutput = \"/dev/null\"\nwrite-out = \"%{{http_code}}\\n\"\n",
                next = if at > 0 { "next\n" } else { "" },
                port = self.port,
                token = token.reveal(),
            )
            .unwrap();
        }
        text
    }
}

/// How many of the statuses are this one.
fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|found| **found == status).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_tries_each_token_is_accepted_once() {
    let control_plane = support::control_plane().await;
    let client = &control_plane.client;
    install::install(client).await.unwrap();
    ensure_namespace(client).await.unwrap();
    let options = Options {
        listen: "127.0.0.1:0".parse().unwrap(),
        hosts: vec!["127.0.0.1".to_owned()],
        endpoint: "root.example.com:8443".to_owned(),
        image: "registry.example.com/lattice:1".to_owned(),
    };
    let stop = CancellationToken::new();
    let server = Server::bind(client.clone(), options, &stop).await.unwrap();
    let webhook = Webhook {
        folder: tempfile::tempdir().unwrap(),
        port: server.port(),
    };
    let authority = server.authority();
    fs::write(webhook.folder.path().join("ca.pem"), authority).unwrap();
    let serving = tokio::spawn(serve(server, stop.clone()));
    let some = TRIES / 4;

    // One token, sent again and again with other keys.
    let replayed = fleet::cluster(client, "replayed").await;
    let token = issue(client, &replayed, Utc::now()).await.unwrap();
    let statuses = webhook.tries("replayed", &vec![&token; 2 * some]).await;
    assert_eq!(
        (count(&statuses, 200), count(&statuses, 409)),
        (1, 2 * some - 1)
    );

    // Tokens of others: guesses, and one that is good for another cluster. The right one is among them.
    let (coveted, other) = (
        fleet::cluster(client, "coveted").await,
        fleet::cluster(client, "other").await,
    );
    let right = issue(client, &coveted, Utc::now()).await.unwrap();
    let elsewhere = issue(client, &other, Utc::now()).await.unwrap();
    let guesses: Vec<Token> = (0..some)
        .map(|n| Token::shown(&format!("{n:064x}")))
        .collect();
    let mut tokens: Vec<&Token> = guesses.iter().collect();
    tokens
        .iter_mut()
        .step_by(2)
        .for_each(|token| *token = &elsewhere);
    tokens[some / 3] = &right;
    let statuses = webhook.tries("coveted", &tokens).await;
    assert_eq!(
        (count(&statuses, 200), count(&statuses, 401)),
        (1, some - 1)
    );
    assert_eq!(statuses[some / 3], 200);

    // A token that was good once, and then is over, for whatever key.
    let over = fleet::cluster(client, "over").await;
    let issued = Utc::now() - LIFE + TimeDelta::from_std(LEFT).unwrap();
    let ending = issue(client, &over, issued).await.unwrap();
    assert_eq!(webhook.tries("over", &[&ending]).await, [200]);
    tokio::time::sleep(LEFT).await;
    let statuses = webhook.tries("over", &vec![&ending; some - 1]).await;
    assert_eq!(count(&statuses, 403), some - 1);

    stop.cancel();
    serving.await.unwrap().unwrap();
}
