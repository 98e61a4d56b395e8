//! A parent beside its cloud: an API server with Lattice's kinds, Cluster API's managers, and an operator.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{Client, ResourceExt};
use lattice::operator::{control_plane::ControlPlane, decision_log::ensure_namespace, install};
use tempfile::TempDir;

use super::{
    awaited::awaited,
    fleet,
    local_cloud::{Cloud, Place},
    managers::{self, Managing},
};

const PATIENCE: Duration = Duration::from_secs(400);
const NAMESPACE: &str = "lattice-system";

pub struct Parent {
    pub client: Client,
    pub cloud: Cloud,
    control_plane: ControlPlane,
    _managing: Managing,
    _folder: TempDir,
}

impl Parent {
    /// All of it, with an operator already at work.
    pub async fn start(place: Place) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control_plane = ControlPlane::start(super::options(folder.path()))
            .await
            .unwrap();
        let client = control_plane.client().await.unwrap();
        install::install(&client).await.unwrap();
        ensure_namespace(&client).await.unwrap();
        let mut cloud = Cloud::start(place);
        let kubeconfig = control_plane.kubeconfig_path();
        let managing = managers::start(&client, &kubeconfig, folder.path(), place.host).await;
        let kubeconfig = kubeconfig.display().to_string();
        let words = [
            "operator",
            "--kubeconfig",
            &kubeconfig,
            "--http",
            "127.0.0.1:0",
        ];
        cloud.run("operator", &words.map(str::to_owned));
        Self {
            client,
            cloud,
            control_plane,
            _managing: managing,
            _folder: folder,
        }
    }

    /// Puts a credential of the cloud's where a pool that names this Secret finds it.
    pub async fn hand_over(&self, credential: &str, name: &str) {
        let words = ["secret", "--namespace", NAMESPACE, "--name", name];
        let words = [&words[..], &["--credential", credential]].concat();
        let secret: Secret = serde_saphyr::from_str(&self.cloud.told(&words)).unwrap();
        fleet::apply(&self.client, &serde_json::to_value(secret).unwrap()).await;
    }

    /// Waits for it, and says how all stands if it does not come.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        let progress = async || fleet::progress(&self.client).await;
        if let Some(found) = awaited(what, PATIENCE, look, progress).await {
            return found;
        }
        for kind in ["LatticeCluster", "LatticePool", "LatticeService"] {
            for object in fleet::list(&self.client, kind).await.items {
                println!("{kind} {}: {}", object.name_any(), object.data);
            }
        }
        println!("{}", self.cloud.findings());
        panic!("not within {} s: {what}", PATIENCE.as_secs());
    }

    pub async fn stop(self) {
        self.control_plane.stop().await.unwrap();
    }
}
