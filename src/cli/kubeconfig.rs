//! `lattice kubeconfig`: a kubeconfig for a cluster below a cell.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    config::{AuthInfo, Kubeconfig},
};
use serde_json::json;

use super::Outcome;
use super::error::CliError;
use super::online::{self, OnlineError, PATIENCE};
use super::output::Output;
use crate::operator::{decision_log::NAMESPACE, proxy::PUBLISHED};

/// Print a kubeconfig that reaches a cluster below through its cell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice kubeconfig us-east > us-east.yaml && kubectl --kubeconfig us-east.yaml get nodes
  lattice kubeconfig us/us-east          # a cluster below a cell below
  lattice kubeconfig us-east --server cell.example.com:8445")]
pub(crate) struct Args {
    /// Name of the cluster's LatticeCluster; several with `/` between them lead further down.
    #[arg(value_name = "CLUSTER")]
    cluster: String,
    /// The cell's kubeconfig, whose user is taken over; without it, KUBECONFIG or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Host and port of the cell's proxy; without it, what the cell says.
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let user = user(self.kubeconfig.as_deref())?;
        let (said, authority) = online::block_on(published(self.kubeconfig.as_deref()))?;
        let server = self.server.unwrap_or(said);
        let path: String = self
            .cluster
            .split('/')
            .map(|name| format!("/clusters/{name}"))
            .collect();
        let name = &self.cluster;
        let document = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {
                "server": format!("https://{server}{path}"),
                "certificate-authority-data": k8s_openapi::ByteString(authority.into_bytes()),
            }}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        });
        out.print(&serde_saphyr::to_string(&document)?)?;
        Ok(Outcome::Done)
    }
}

/// Where the cell's proxy is, and the authority of its certificate.
async fn published(kubeconfig: Option<&Path>) -> Result<(String, String), OnlineError> {
    let client = online::client(kubeconfig, Some(PATIENCE)).await?;
    let maps: Api<ConfigMap> = Api::namespaced(client, NAMESPACE);
    let map = maps.get_opt(PUBLISHED).await?;
    let mut data = map.and_then(|map| map.data).unwrap_or_default();
    match (data.remove("proxy"), data.remove("ca.crt")) {
        (Some(proxy), Some(authority)) => Ok((proxy, authority)),
        _ => Err(OnlineError::NoProxy),
    }
}

/// Who uses the cell's kubeconfig, as far as the proxy can know them.
fn user(kubeconfig: Option<&Path>) -> Result<AuthInfo, OnlineError> {
    let read = match kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let config = read.map_err(|error| OnlineError::Kubeconfig(error.to_string()))?;
    let current = config.current_context.unwrap_or_default();
    let context = config
        .contexts
        .into_iter()
        .find(|known| known.name == current);
    let name = context.and_then(|known| known.context?.user);
    let users = config.auth_infos.into_iter();
    let user = users
        .filter(|known| Some(&known.name) == name.as_ref())
        .find_map(|known| known.auth_info);
    let user = user.ok_or_else(|| {
        OnlineError::Kubeconfig(format!("its current context `{current}` names no user"))
    })?;
    let kept = AuthInfo {
        token: user.token,
        token_file: user.token_file,
        exec: user.exec,
        auth_provider: user.auth_provider,
        ..AuthInfo::default()
    };
    let has_token = kept.token.is_some()
        || kept.token_file.is_some()
        || kept.exec.is_some()
        || kept.auth_provider.is_some();
    has_token.then_some(kept).ok_or(OnlineError::NoToken)
}
