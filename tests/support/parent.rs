//! A parent beside its cloud: an API server with Lattice's kinds, Cluster API's managers, and an operator.

use std::time::Duration;

use kube::Client;
use lattice::operator::{control_plane::ControlPlane, install};
use tempfile::TempDir;

use super::{
    awaited::until,
    local_cloud::{Cloud, Place},
    managers::{self, Managing},
};

const PATIENCE: Duration = Duration::from_secs(400);

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
        self.cloud.hand_over(&self.client, credential, name).await;
    }

    /// Waits for it, and says how all stands if it does not come.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
        until(what, PATIENCE, &self.client, &self.cloud, look).await
    }

    pub async fn stop(self) {
        self.control_plane.stop().await.unwrap();
    }
}
