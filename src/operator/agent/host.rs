//! The cluster, as its agent's client asks for it.

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use prost::Message;
use serde_json::json;
use tokio::sync::mpsc;
use tonic::Streaming;

use super::apply;
use crate::{
    agent::{
        client::{Credentials, Host},
        proto::{
            InboxRecord, RenewResponse, TreeMessage, TunnelDown, TunnelUp, agent_message::Payload,
            cell_command::Command,
        },
        proxy::serve,
        session::{CommandId, Identity, News},
    },
    clusters::bootstrap::{CERTIFICATE, KEY},
    operator::{
        decision_log::NAMESPACE,
        proxy::{Downward, Guarded},
        tree::{self, Neighbour},
    },
};

/// What was applied of the cell's commands.
const APPLIED: &str = "lattice-agent-commands";
const APPLIED_KEY: &str = "applied";
const FIELD_MANAGER: &str = "lattice.dev/agent";

/// The cluster that this operator runs in.
pub(super) struct KubeHost {
    client: Client,
    identity: Identity,
    below: Guarded,
    tree: tree::Post,
}

impl KubeHost {
    pub(super) fn new(
        client: Client,
        identity: Identity,
        downward: Downward,
        tree: tree::Post,
    ) -> Self {
        let below = Guarded {
            client: client.clone(),
            downward,
        };
        Self {
            client,
            identity,
            below,
            tree,
        }
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    async fn text(&self, secret: &str, key: &str) -> Result<String, String> {
        let found = self.secrets().get(secret).await;
        let data = found.map_err(|error| error.to_string())?.data;
        let value = data.and_then(|mut data| data.remove(key));
        let ByteString(bytes) = value.ok_or_else(|| format!("Secret {secret} has no `{key}`"))?;
        String::from_utf8(bytes).map_err(|_| format!("Secret {secret}: `{key}` is no text"))
    }

    async fn apply_secret(&self, name: &str, data: serde_json::Value) -> Result<(), String> {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "data": data,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.secrets()
            .patch(name, &params, &Patch::Apply(&secret))
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    }
}

impl Host for KubeHost {
    async fn credentials(&self) -> Result<Credentials, String> {
        Ok(Credentials {
            certificate: self.text(CERTIFICATE, "tls.crt").await?,
            authorities: self.text(CERTIFICATE, "ca.crt").await?,
            key: self.text(KEY, "tls.key").await?,
        })
    }

    async fn renewed(&self, response: RenewResponse) -> Result<(), String> {
        let data = json!({
            "tls.crt": ByteString(response.certificate.into_bytes()),
            "ca.crt": ByteString(response.authorities.into_bytes()),
        });
        self.apply_secret(CERTIFICATE, data).await
    }

    async fn load(&self) -> Result<InboxRecord, String> {
        let found = self.secrets().get_opt(APPLIED).await;
        let secret = found.map_err(|error| error.to_string())?;
        let data = secret.and_then(|secret| secret.data?.remove(APPLIED_KEY));
        let bytes = data.map_or_else(Vec::new, |ByteString(bytes)| bytes);
        let record = InboxRecord::decode(bytes.as_slice());
        record.map_err(|error| format!("Secret {APPLIED}: {error}"))
    }

    async fn keep(&self, record: InboxRecord) -> Result<(), String> {
        let data = json!({ APPLIED_KEY: ByteString(record.encode_to_vec()) });
        self.apply_secret(APPLIED, data).await
    }

    async fn apply(&self, id: CommandId, command: Command) -> Payload {
        tracing::info!(?id, "the cell has a command");
        apply::apply(&self.client, &self.identity, command).await
    }

    async fn serve(&self, down: Streaming<TunnelDown>, up: mpsc::Sender<TunnelUp>) {
        serve(&self.client, &self.below, down, up).await;
    }

    fn heard(&self, said: TreeMessage) {
        self.tree.heard(Neighbour::Parent, said);
    }

    fn told(&self, news: News) {
        let is_up = matches!(news, News::Connected { .. });
        self.tree.linked(Neighbour::Parent, is_up);
    }
}
