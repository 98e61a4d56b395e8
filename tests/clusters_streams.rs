//! `kubectl exec`, `attach`, `port-forward` and `logs` through a cell, to a cluster below it and to one further below: real API
//! servers and a real kubectl. What stands in for a node is kwok, with the code of kubelets for these requests; nothing runs in a
//! container.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::Arc,
    time::Duration,
};

use kube::Client;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use serde_json::{Value, json};
use support::{
    callers::{bind, through, token},
    cells::{fleet_of_one, join, operate, port, proxying, serving},
    fleet,
    managers::program,
    pivoting::Place,
    streaming::{self, POD},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    process::Command,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

const ENOUGH: Duration = Duration::from_secs(60);
const USER: &str = "system:serviceaccount:default:ann";
const USER_BELOW: &str = "lattice:cell:system:serviceaccount:default:ann";
/// Larger than what is under way on a stream of its own.
const MUCH: usize = 700_000;

fn kubeconfig(folder: &Path, name: &str, (url, authority, token): (&str, &str, &str)) -> PathBuf {
    let path = folder.join(format!("{name}.yaml"));
    let authority_file = folder.join("cell.pem");
    std::fs::write(&authority_file, authority).unwrap();
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": url, "certificate-authority": authority_file}}],
        "users": [{"name": "it", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
    });
    std::fs::write(&path, config.to_string()).unwrap();
    path
}

fn kubectl(kubeconfig: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program("kubectl"));
    command
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What a command comes to that is given this on its standard input.
async fn run(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feeding = async {
        // Whoever does not want it says so by its end.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let both = async { tokio::join!(feeding, child.wait_with_output()).1 };
    let output = timeout(ENOUGH, both).await;
    output.expect("kubectl comes to an end").unwrap()
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Reads lines until one has this in it.
async fn line_with(reader: impl AsyncRead + Unpin, part: &str) -> String {
    let mut lines = BufReader::new(reader).lines();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(part) {
                return line;
            }
        }
        panic!("no line with {part}");
    };
    timeout(ENOUGH, reading).await.expect(part)
}

/// Says back what is said.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = socket.split();
                // The other side may have gone.
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    port
}

async fn exec_goes_both_ways(config: &Path) {
    let script = format!("head -c {MUCH}; echo problem >&2");
    let command = kubectl(config, &["exec", "-i", POD, "--", "sh", "-c", &script]);
    let input: Vec<u8> = (0..MUCH).map(|at| b'a' + (at % 26) as u8).collect();
    let output = run(command, &input).await;
    let (_, errors) = texts(&output);
    assert!(output.stdout == input, "{errors}");
    assert!(
        output.status.success() && errors.contains("problem"),
        "{errors}"
    );
    let output = run(
        kubectl(config, &["exec", POD, "--", "sh", "-c", "exit 3"]),
        &[],
    )
    .await;
    let (_, errors) = texts(&output);
    assert!(
        !output.status.success() && errors.contains("exit status 3"),
        "{errors}"
    );
}

async fn logs_and_attach_follow(config: &Path, logs: &Path) {
    for arguments in [["logs", "-f", POD], ["attach", "-q", POD]] {
        let mut child = kubectl(config, &arguments).spawn().unwrap();
        let further = format!("said to {}", arguments[0]);
        // Again and again, as nobody says when kubectl listens.
        let speaking = async {
            loop {
                streaming::log(logs, &further);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            line = line_with(child.stdout.take().unwrap(), &further) => drop(line),
            () = speaking => {}
        }
        child.kill().await.unwrap();
    }
}

async fn ports_are_forwarded(config: &Path) {
    let arguments = ["port-forward", POD, ":80", "--address", "127.0.0.1"];
    let mut child = kubectl(config, &arguments).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let line = line_with(&mut stdout, "Forwarding from 127.0.0.1:").await;
    let port: u16 = line
        .trim_start_matches("Forwarding from 127.0.0.1:")
        .split(' ')
        .next()
        .and_then(|port| port.parse().ok())
        .unwrap_or_else(|| panic!("{line}"));
    let one = |byte: u8| async move {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (mut reader, mut writer) = socket.split();
        let said = vec![byte; MUCH];
        let mut heard = vec![0; MUCH];
        let (written, read) = tokio::join!(writer.write_all(&said), reader.read_exact(&mut heard));
        written.unwrap();
        read.unwrap();
        assert!(said == heard, "what came back is another");
    };
    let both = async { tokio::join!(one(1), one(2)) };
    timeout(ENOUGH, both).await.expect("both come back");
    child.kill().await.unwrap();
}

/// A connection to the cell on which the test speaks for itself.
async fn connected(url: &str, authority: &str) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap())
        .unwrap();
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = url.trim_start_matches("https://");
    let address = address.split('/').next().unwrap();
    let socket = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, socket).await.unwrap()
}

async fn said(stream: &mut TlsStream<TcpStream>, request: &str) -> (u16, String) {
    stream.write_all(request.as_bytes()).await.unwrap();
    let reading = async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let status = head[9..12].parse().unwrap();
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split('\r').next()?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).await.unwrap();
        (status, head + &String::from_utf8(body).unwrap())
    };
    timeout(ENOUGH, reading).await.expect("an answer")
}

fn path_of(url: &str) -> &str {
    let rest = url.trim_start_matches("https://");
    &rest[rest.find('/').unwrap()..]
}

fn spdy(url: &str, token: &str, pod: &str) -> String {
    let path = path_of(url);
    format!(
        "POST {path}/api/v1/namespaces/default/pods/{pod}/exec?command=cat&stdin=true&stdout=true HTTP/1.1\r\n\
         Host: cell\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\
         X-Stream-Protocol-Version: v4.channel.k8s.io\r\nContent-Length: 0\r\n\r\n"
    )
}

async fn spdy_is_spoken_to_the_kubelet((url, authority, token): (&str, &str, &str)) {
    let mut stream = connected(url, authority).await;
    let (status, answer) = said(&mut stream, &spdy(url, token, POD)).await;
    assert_eq!(status, 101, "{answer}");
    assert!(
        answer.contains("x-stream-protocol-version: v4.channel.k8s.io"),
        "{answer}"
    );
    // A PING, which whoever speaks SPDY says back.
    let ping = [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1];
    stream.write_all(&ping).await.unwrap();
    let mut pong = [0; 12];
    let read = timeout(ENOUGH, stream.read_exact(&mut pong)).await;
    read.expect("a PING comes back").unwrap();
    assert_eq!(pong, ping);
}

/// kubernetes#71411, at the cell: after an upgrade that was refused the connection is one for requests, each let through by itself.
async fn a_refused_upgrade_leaves_no_pipe_behind((url, authority, token): (&str, &str, &str)) {
    let mut stream = connected(url, authority).await;
    let (status, answer) = said(&mut stream, &spdy(url, token, "nobody")).await;
    assert_eq!(status, 404, "{answer}");
    assert!(answer.contains("nobody"), "{answer}");
    let bare = "GET /api/v1/namespaces/lattice-system/secrets HTTP/1.1\r\nHost: cell\r\n\r\n";
    let (status, answer) = said(&mut stream, bare).await;
    assert_eq!(status, 404, "{answer}");
    assert!(
        answer.contains("the path must be /clusters/NAME"),
        "{answer}"
    );
    let whole = "GET /clusters/mid/api/v1/namespaces/default/pods HTTP/1.1\r\nHost: cell\r\n\r\n";
    let (status, answer) = said(&mut stream, whole).await;
    assert_eq!(status, 401, "{answer}");
}

async fn may(client: &Client, user: &str, cluster: &str, verbs: Value) {
    let rule = json!({"apiGroups": ["lattice.dev"], "resources": ["latticeclusters/proxy"], "resourceNames": [cluster], "verbs": verbs});
    bind(client, &format!("{cluster}-proxy"), user, rule).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exec_attach_port_forward_and_logs_go_through_one_cell_and_two() {
    let place = || Place::again(tempfile::tempdir().unwrap());
    let (above, between, below) = tokio::join!(place(), place(), place());
    let (root, mid, leaf) = (&above.client, &between.client, &below.client);
    for client in [root, mid, leaf] {
        fleet::install_kinds(client).await;
    }
    let (agents, further) = (port(), port());
    let stops = [
        operate(root, proxying("root", agents)),
        operate(mid, serving("mid", further)),
        operate(leaf, fleet::options("leaf")),
    ];
    for (client, cluster) in [(root, "mid"), (mid, "leaf")] {
        for object in fleet_of_one(cluster) {
            fleet::apply(client, &object).await;
        }
    }
    join(root, mid, "mid", &format!("127.0.0.1:{agents}")).await;
    join(mid, leaf, "leaf", &format!("127.0.0.1:{further}")).await;
    let folder = tempfile::tempdir().unwrap();
    let forwarded = echo().await;
    let mut kubelets = Vec::new();
    for (place, name) in [(&between, "mid"), (&below, "leaf")] {
        let folder = folder.path().join(name);
        let config = place.kubeconfig();
        let kubelet = streaming::start(&place.client, &config, &folder, port(), forwarded);
        kubelets.push(kubelet.await);
    }
    for client in [mid, leaf] {
        let rule = json!({
            "apiGroups": [""],
            "resources": ["pods", "pods/exec", "pods/attach", "pods/portforward", "pods/log"],
            "verbs": ["get", "list", "watch", "create"],
        });
        bind(client, "ann", USER_BELOW, rule).await;
    }
    let ann = token(root, "ann").await;
    let (_, url, authority) = through(root, "/clusters/mid", &ann).await;
    let one = (url.as_str(), authority.as_str(), ann.as_str());
    let config = kubeconfig(folder.path(), "one", one);

    // Whoever may only read does not get in by a GET that becomes something else.
    may(root, USER, "mid", json!(["get"])).await;
    fleet::eventually("she may read", || async {
        let output = run(kubectl(&config, &["get", "pod", POD]), &[]).await;
        output.status.success().then_some(())
    })
    .await;
    let output = run(kubectl(&config, &["exec", POD, "--", "true"]), &[]).await;
    let (_, errors) = texts(&output);
    assert!(
        errors.contains("may not create latticeclusters/proxy"),
        "{errors}"
    );
    may(root, USER, "mid", json!(["get", "create"])).await;
    fleet::eventually("she may do more", || async {
        let output = run(kubectl(&config, &["exec", POD, "--", "true"]), &[]).await;
        output.status.success().then_some(())
    })
    .await;

    // The cell between knows her by the name that she has there, and decides for itself.
    let url = format!("{url}/clusters/leaf");
    let two = (url.as_str(), authority.as_str(), ann.as_str());
    let further = kubeconfig(folder.path(), "two", two);
    may(mid, USER, "leaf", json!(["get", "create"])).await;
    let mut stream = connected(&url, &authority).await;
    let (path, token) = (path_of(&url), &ann);
    let request = format!(
        "GET {path}/version HTTP/1.1\r\nHost: cell\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let (status, answer) = said(&mut stream, &request).await;
    assert_eq!(status, 403, "{answer}");
    assert!(
        answer.contains(&format!("{USER_BELOW} may not get")),
        "{answer}"
    );
    may(mid, USER_BELOW, "leaf", json!(["get", "create"])).await;
    fleet::eventually("she may go further", || async {
        let output = run(kubectl(&further, &["get", "pod", POD]), &[]).await;
        output.status.success().then_some(())
    })
    .await;

    for (config, to, name) in [(&config, one, "mid"), (&further, two, "leaf")] {
        eprintln!("through to {name}");
        exec_goes_both_ways(config).await;
        logs_and_attach_follow(config, &folder.path().join(name).join("pod.log")).await;
        ports_are_forwarded(config).await;
        spdy_is_spoken_to_the_kubelet(to).await;
    }
    a_refused_upgrade_leaves_no_pipe_behind(one).await;

    drop(kubelets);
    for stop in stops {
        stop.cancel();
    }
    tokio::join!(above.stop(), between.stop(), below.stop());
}
