//! The administrator's kubeconfig, complete in one file.

use std::{fs, path::Path};

use k8s_openapi::ByteString;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::{
    ControlPlaneError,
    layout::{Layout, write_private},
};

/// Writes the kubeconfig for the API server on this port.
pub(crate) fn write(layout: &Layout, port: u16) -> Result<(), ControlPlaneError> {
    let administrator = layout.administrator();
    let text = render(
        port,
        &embedded(&layout.cluster_authority())?,
        &embedded(&administrator.certificate)?,
        &embedded(&administrator.key)?,
    );
    write_private(&layout.kubeconfig(), text.as_bytes())
}

/// A client for what this kubeconfig of ours names.
pub(crate) async fn client(path: &Path) -> Result<kube::Client, ControlPlaneError> {
    let options = KubeConfigOptions::default();
    let kubeconfig = Kubeconfig::read_from(path)?;
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    // Taken from HTTPS_PROXY, which says nothing about the loopback interface.
    config.proxy_url = None;
    Ok(kube::Client::try_from(config)?)
}

fn render(port: u16, authority: &str, certificate: &str, key: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: lattice
clusters:
- name: lattice
  cluster:
    server: https://127.0.0.1:{port}
    certificate-authority-data: {authority}
users:
- name: lattice-administrator
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
contexts:
- name: lattice
  context:
    cluster: lattice
    user: lattice-administrator
    namespace: default
"
    )
}

/// The file in base64, which JSON puts between quotes.
fn embedded(path: &Path) -> Result<String, ControlPlaneError> {
    let content = fs::read(path).map_err(ControlPlaneError::file("read", path))?;
    serde_json::to_string(&ByteString(content))
        .map_err(|error| ControlPlaneError::file("encode", path)(error.into()))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::operator::{
        control_plane::{layout::is_private, pki},
        crypto::install_fips_provider,
    };

    #[tokio::test]
    async fn it_is_private_complete_and_accepted_by_the_client() {
        install_fips_provider().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::prepare(folder.path()).unwrap();
        pki::ensure(&layout, Utc::now()).unwrap();
        write(&layout, 4711).unwrap();
        assert!(is_private(&layout.kubeconfig()));
        let read = Kubeconfig::read_from(layout.kubeconfig()).unwrap();
        assert_eq!(read.current_context.as_deref(), Some("lattice"));
        let cluster = read.clusters[0].cluster.clone().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:4711"));
        let client = client(&layout.kubeconfig()).await.unwrap();
        assert_eq!(client.default_namespace(), "default");
    }
}
