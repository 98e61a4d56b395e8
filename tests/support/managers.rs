//! Cluster API's managers, and where the programs of local machines are.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use lattice::operator::managers::{Managers, Options};
use tokio::task::JoinHandle;

use super::awaited::ANSWER_WITHIN;

/// Running managers. They end when this is dropped.
pub struct Managing(JoinHandle<()>);

impl Drop for Managing {
    fn drop(&mut self) {
        self.0.abort();
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

/// Installs Cluster API in this API server, and runs its managers on this address of the host.
///
/// # Panics
/// If a program is missing, or does not serve.
pub async fn start(client: &Client, kubeconfig: &Path, folder: &Path, host: &str) -> Managing {
    let options = Options {
        kubeconfig: kubeconfig.to_owned(),
        programs: program_folders(),
        folder: folder.join("managers"),
        host: host.parse().unwrap(),
    };
    let managers = Managers::start(client, &options).await;
    let mut managers = managers.unwrap_or_else(|error| panic!("{error}"));
    Managing(tokio::spawn(async move {
        println!("{}", managers.exited().await);
        // The others go on until they are dropped.
        std::future::pending::<()>().await;
    }))
}

/// A client for a cluster, as it is reached from this host, whatever proxy the environment names.
pub async fn reached_by(kubeconfig: &[u8]) -> Client {
    let kubeconfig = Kubeconfig::from_yaml(std::str::from_utf8(kubeconfig).unwrap()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let mut config = config.unwrap();
    config.proxy_url = None;
    config.connect_timeout = Some(ANSWER_WITHIN);
    config.read_timeout = Some(ANSWER_WITHIN);
    Client::try_from(config).unwrap()
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

/// The folder with the next version of Kubernetes, if it was built.
pub fn next_release() -> Option<PathBuf> {
    let folders = program_folders().into_iter();
    let mut releases = folders.map(|folder| folder.join("next"));
    releases.find(|folder| folder.join("kubeadm").is_file())
}

/// The Kubernetes version of local machines, as kubeadm says it.
pub fn version() -> String {
    version_of(&program("kubeadm"))
}

/// The Kubernetes version that a kubeadm is of.
pub fn version_of(kubeadm: &Path) -> String {
    let output = Command::new(kubeadm)
        .args(["version", "-o", "short"])
        .output();
    String::from_utf8(output.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}
