//! Cluster API's own managers as processes, with their webhooks.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
    },
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};

use super::cluster_api::module_folder;

/// The managers: where in the module their webhooks are, and the program.
const MANAGERS: [(&str, &str); 3] = [
    ("config/webhook", "cluster-api-controller"),
    (
        "bootstrap/kubeadm/config/webhook",
        "kubeadm-bootstrap-controller",
    ),
    (
        "controlplane/kubeadm/config/webhook",
        "kubeadm-control-plane-controller",
    ),
];

/// Running managers. They end when this is dropped.
pub struct Managers {
    children: Vec<Child>,
}

impl Drop for Managers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Where the programs of local machines, Cluster API's managers among them, are looked for.
pub fn program_folders() -> Vec<PathBuf> {
    let given = [
        "LATTICE_MACHINE_PARTS",
        "KUBEBUILDER_ASSETS",
        "LATTICE_CONTROL_PLANE_BIN",
    ]
    .into_iter()
    .filter_map(std::env::var_os)
    .map(PathBuf::from);
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(".lattice/bin");
    given.chain([ours]).collect()
}

/// Starts the managers against this API server and waits until their webhooks answer.
///
/// # Panics
/// If a program is missing, or does not serve.
pub async fn start(client: &Client, kubeconfig: &Path, folder: &Path) -> Managers {
    let certificate = certificate(folder);
    let module = module_folder("cluster-api", "sigs.k8s.io/cluster-api");
    let mut children = Vec::new();
    let mut ports = Vec::new();
    for (webhooks, name) in MANAGERS {
        let [webhook, health] = free_ports();
        let log = fs::File::create(folder.join(format!("{name}.log"))).unwrap();
        let child = Command::new(program(name))
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg("--leader-elect=false")
            .arg(format!("--webhook-port={webhook}"))
            .arg(format!("--webhook-cert-dir={}", folder.display()))
            .arg(format!("--health-addr=127.0.0.1:{health}"))
            .arg("--diagnostics-address=127.0.0.1:0")
            .arg("--insecure-diagnostics=true")
            .env("POD_NAMESPACE", "capi-system")
            .env("POD_NAME", name)
            .env("POD_UID", "00000000-0000-0000-0000-000000000000")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        children.push(child);
        ports.push((module.join(webhooks).join("manifests.yaml"), name, webhook));
    }
    let managers = Managers { children };
    for (_, name, port) in &ports {
        await_port(name, *port).await;
    }
    for (manifests, name, port) in ports {
        install_webhooks(client, &manifests, name, port, &certificate).await;
    }
    managers
}

/// The program of this name.
///
/// # Panics
/// If it is missing.
pub fn program(name: &str) -> PathBuf {
    program_folders()
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{name} is missing; `make machine-parts` builds it"))
}

fn certificate(folder: &Path) -> ByteString {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.join("tls.crt"), made.cert.pem()).unwrap();
    fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    ByteString(made.cert.pem().into_bytes())
}

fn free_ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

async fn await_port(name: &str, port: u16) {
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_ok()
        {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the webhooks of {name} are not served");
}

async fn install_webhooks(
    client: &Client,
    manifests: &Path,
    name: &str,
    port: u16,
    certificate: &ByteString,
) {
    let aim = |config: &mut WebhookClientConfig| {
        let service = config.service.take().expect("a service");
        let path = service.path.unwrap_or_default();
        config.url = Some(format!("https://127.0.0.1:{port}{path}"));
        config.ca_bundle = Some(certificate.clone());
    };
    let text = fs::read_to_string(manifests).unwrap();
    for document in text
        .split("\n---\n")
        .filter(|text| text.contains("webhooks:"))
    {
        if document.contains("kind: Mutating") {
            let mut hooks: MutatingWebhookConfiguration = serde_saphyr::from_str(document).unwrap();
            let all = hooks.webhooks.iter_mut().flatten();
            all.for_each(|hook| aim(&mut hook.client_config));
            hooks.metadata.name = Some(format!("{name}-mutating"));
            apply(client, &hooks).await;
        } else {
            let mut hooks: ValidatingWebhookConfiguration =
                serde_saphyr::from_str(document).unwrap();
            let all = hooks.webhooks.iter_mut().flatten();
            all.for_each(|hook| aim(&mut hook.client_config));
            hooks.metadata.name = Some(format!("{name}-validating"));
            apply(client, &hooks).await;
        }
    }
}

async fn apply<K>(client: &Client, object: &K)
where
    K: Resource<Scope = kube::core::ClusterResourceScope, DynamicType = ()>
        + Clone
        + Serialize
        + DeserializeOwned
        + std::fmt::Debug,
{
    let parameters = PatchParams::apply("test").force();
    Api::<K>::all(client.clone())
        .patch(&object.name_any(), &parameters, &Patch::Apply(object))
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", object.name_any()));
}
