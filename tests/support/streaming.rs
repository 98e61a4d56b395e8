//! A node that runs nothing, whose kubelet answers exec, attach, port-forward and logs with programs and files of this machine:
//! kwok, with the code that real kubelets have for it.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Command, Stdio},
};

use kube::Client;
use serde_json::json;

use super::{fleet, managers::program};

/// As on the machines of the `local` provider.
const STAGES: &str = include_str!("../../src/clusters/provider/machine/kubelet/kwok.yaml");
/// An API server looks for a kubelet under its node's name.
const NODE: &str = "localhost";
/// As container runtimes write it.
const STAMP: &str = "2026-11-22T00:00:00.000000000Z stdout F";
/// The pod on it.
pub const POD: &str = "played";

/// The kubelet, until it is let go of.
pub struct Kubelet(Child);

impl Drop for Kubelet {
    fn drop(&mut self) {
        // It may have ended by itself, which tests have seen by then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What exec, attach, port-forward and logs lead to: a shell on this machine, a file, and this port.
fn configuration(logs: &Path, forwarded: u16) -> String {
    let logs = logs.display();
    format!(
        "{stages}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterExec
metadata: {{name: all}}
spec:
  execs:
  - local: {{workDir: /}}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterAttach
metadata: {{name: all}}
spec:
  attaches:
  - logsFile: {logs}
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterLogs
metadata: {{name: all}}
spec:
  logs:
  - logsFile: {logs}
    follow: true
---
apiVersion: kwok.x-k8s.io/v1alpha1
kind: ClusterPortForward
metadata: {{name: all}}
spec:
  forwards:
  - target: {{port: {forwarded}, address: 127.0.0.1}}
",
        stages = STAGES.replace("KNOWN_IMAGES", "'-'"),
    )
}

/// Adds a line to what the pod has said.
pub fn log(logs: &Path, line: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(logs).unwrap();
    writeln!(file, "{STAMP} {line}").unwrap();
}

/// Starts the node's kubelet on this port, and has the pod run on it.
pub async fn start(
    client: &Client,
    kubeconfig: &Path,
    folder: &Path,
    port: u16,
    forwarded: u16,
) -> Kubelet {
    fs::create_dir_all(folder).unwrap();
    let (config, logs) = (folder.join("kwok.yaml"), folder.join("pod.log"));
    fs::write(&logs, "").unwrap();
    log(&logs, "first line");
    fs::write(&config, configuration(&logs, forwarded)).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("kubelet.crt"), folder.join("kubelet.key"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let child = Command::new(program("kwok"))
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .arg(format!("--config={}", config.display()))
        .arg(format!("--manage-single-node={NODE}"))
        .arg(format!("--node-name={NODE}"))
        .arg("--node-ip=127.0.0.1")
        .arg(format!("--node-port={port}"))
        .arg(format!("--tls-cert-file={}", certificate.display()))
        .arg(format!("--tls-private-key-file={}", key.display()))
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.join("kwok.log")).unwrap())
        .spawn()
        .unwrap();
    let kubelet = Kubelet(child);
    fleet::apply(
        client,
        &json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}}),
    )
    .await;
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "namespace": "default"},
        "spec": {
            "nodeName": NODE,
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": "main", "image": "example.com/app:1"}],
        },
    });
    fleet::apply(client, &pod).await;
    fleet::eventually("the pod runs", || async {
        let pods: kube::Api<k8s_openapi::api::core::v1::Pod> =
            kube::Api::namespaced(client.clone(), "default");
        let phase = pods.get(POD).await.ok()?.status?.phase?;
        (phase == "Running").then_some(())
    })
    .await;
    kubelet
}
