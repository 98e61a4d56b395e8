//! An admission webhook that sees every write of a move before it is done, and kills whoever moves at one of them.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{Arc, Mutex},
};

use axum::{Json, Router, extract::State, routing::post};
use axum_server::tls_rustls::RustlsConfig;
use k8s_openapi::{ByteString, api::admissionregistration::v1::ValidatingWebhookConfiguration};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use lattice::clusters::pivot::FIELD_MANAGER;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::task::{AbortHandle, JoinHandle};

const NAME: &str = "executioner";

/// Whoever moves.
pub enum Victim {
    /// A program.
    Process(u32),
    /// A part of this one.
    Task(AbortHandle),
}

impl Victim {
    fn kill(&self) {
        match self {
            Self::Process(pid) => {
                let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
                kill_process(pid, Signal::KILL).unwrap();
            }
            Self::Task(task) => task.abort(),
        }
    }
}

#[derive(Default)]
struct Watch {
    /// What was written since it was last asked, in words.
    written: Vec<String>,
    /// Whom to kill, and after how many writes.
    sentence: Option<(usize, Victim)>,
}

/// Serves until it is dropped.
pub struct Executioner {
    watch: Arc<Mutex<Watch>>,
    port: u16,
    certificate: String,
    serving: JoinHandle<()>,
}

impl Drop for Executioner {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Executioner {
    /// Serves on all addresses of this host, and is known by these.
    pub fn start(hosts: &[Ipv4Addr]) -> Self {
        let names: Vec<String> = hosts.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let tls = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.unwrap())
            .unwrap();
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let listener = TcpListener::bind(any).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let watch = Arc::new(Mutex::new(Watch::default()));
        let router = Router::new()
            .route("/", post(review))
            .with_state(Arc::clone(&watch));
        let tls = RustlsConfig::from_config(Arc::new(tls));
        let server = axum_server::from_tcp_rustls(listener, tls).unwrap();
        let serving = async move { server.serve(router.into_make_service()).await.unwrap() };
        Self {
            watch,
            port,
            certificate: made.cert.pem(),
            serving: tokio::spawn(serving),
        }
    }

    /// Has this API server, which reaches this host by this address, ask before it writes into a namespace.
    pub async fn preside(&self, client: &Client, host: Ipv4Addr, namespace: &str) {
        let rule = json!({
            "apiGroups": ["*"],
            "apiVersions": ["*"],
            "operations": ["CREATE", "UPDATE", "DELETE"],
            "resources": ["*/*"],
            "scope": "Namespaced",
        });
        let webhook = json!({
            "name": "executioner.lattice.dev",
            "clientConfig": {
                "url": format!("https://{host}:{}/", self.port),
                "caBundle": ByteString(self.certificate.clone().into_bytes()),
            },
            "rules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "failurePolicy": "Fail",
            "sideEffects": "NoneOnDryRun",
            "admissionReviewVersions": ["v1"],
        });
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": NAME},
            "webhooks": [webhook],
        });
        let all: Api<ValidatingWebhookConfiguration> = Api::all(client.clone());
        let params = PatchParams::apply("tests").force();
        all.patch(NAME, &params, &Patch::Apply(&configuration))
            .await
            .unwrap();
    }

    /// Lets one do so many writes, and kills it at the next, which is not done.
    pub fn sentence(&self, writes: usize, victim: Victim) {
        let mut watch = self.watch.lock().unwrap();
        watch.written.clear();
        watch.sentence = Some((writes, victim));
    }

    /// Whether somebody waits to be killed.
    pub fn is_waiting(&self) -> bool {
        self.watch.lock().unwrap().sentence.is_some()
    }

    /// The writes that were done since this was asked, or somebody sentenced.
    pub fn written(&self) -> Vec<String> {
        std::mem::take(&mut self.watch.lock().unwrap().written)
    }
}

async fn review(State(watch): State<Arc<Mutex<Watch>>>, Json(review): Json<Value>) -> Json<Value> {
    let request = &review["request"];
    let allowed = !is_of_a_move(request) || watch.lock().unwrap().admit(request);
    Json(json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": request["uid"], "allowed": allowed},
    }))
}

impl Watch {
    /// Writes come one after the other, so that what has come before is done.
    fn admit(&mut self, request: &Value) -> bool {
        if let Some((writes, victim)) = self.sentence.take() {
            if writes == self.written.len() {
                victim.kill();
                return false;
            }
            self.sentence = Some((writes, victim));
        }
        let text = |field: &str| request[field].as_str().unwrap_or_default();
        let kind = request["kind"]["kind"].as_str().unwrap_or_default();
        let (operation, part) = (text("operation"), text("subResource"));
        self.written
            .push(format!("{operation} {kind} {} {part}", text("name")));
        true
    }
}

/// A mover names itself when it writes, and says of what it deletes exactly which it means.
fn is_of_a_move(request: &Value) -> bool {
    let options = &request["options"];
    if request["operation"] == "DELETE" {
        let which = &options["preconditions"];
        return which["uid"].is_string() && which["resourceVersion"].is_string();
    }
    options["fieldManager"] == FIELD_MANAGER
}
