//! The cell's clusters, as its server asks for them.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams},
    runtime::reflector::{ObjectRef, Store},
};
use prost::Message;
use tokio::sync::Notify;

use super::board::Board;
use crate::{
    agent::{
        proto::{OutboxRecord, RenewResponse, agent_message::Payload},
        server::Registry,
        session::Event,
    },
    api::LatticeCluster,
    clusters::bootstrap::{Known, SigningRequest},
    operator::{
        bootstrap::authority::Kept,
        decision_log::NAMESPACE,
        tree::{self, Neighbour},
    },
};

/// On a LatticeCluster: certificates of its agent from before this time are not taken.
const REVOKED: &str = "lattice.dev/agent-revoked-before";
/// The key of an agent's Secret below which its commands are.
const KEY: &str = "commands";
const FIELD_MANAGER: &str = "lattice.dev/cell";

/// The clusters of a cell.
pub(crate) struct Fleet {
    pub(super) client: Client,
    pub(super) clusters: Store<LatticeCluster>,
    pub(super) board: Board,
    pub(super) changed: Arc<Notify>,
    pub(super) tree: tree::Post,
    pub(super) authorities: Kept,
}

impl Fleet {
    fn cluster(&self, name: &str) -> Option<Arc<LatticeCluster>> {
        self.clusters.get(&ObjectRef::new(name))
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }
}

impl Registry for Fleet {
    fn known(&self, cluster: &str) -> Option<Known> {
        let cluster = self.cluster(cluster)?;
        let revoked = cluster.annotations().get(REVOKED).map(|text| revoked(text));
        Some(Known {
            uid: cluster.uid()?,
            revoked_before: revoked.max(self.authorities.now().since()),
        })
    }

    async fn load(&self, cluster: &str) -> Result<Option<OutboxRecord>, String> {
        let name = secret_name(cluster);
        let found = self.secrets().get_opt(&name).await;
        let Some(secret) = found.map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let Some(ByteString(bytes)) = secret.data.and_then(|mut data| data.remove(KEY)) else {
            return Ok(None);
        };
        let record = OutboxRecord::decode(bytes.as_slice());
        record
            .map(Some)
            .map_err(|error| format!("Secret {name}: {error}"))
    }

    async fn keep(&self, cluster: &str, record: OutboxRecord) -> Result<(), String> {
        let name = secret_name(cluster);
        let owner = self
            .cluster(cluster)
            .and_then(|cluster| cluster.owner_ref(&()));
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                owner_references: owner.map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(
                KEY.to_owned(),
                ByteString(record.encode_to_vec()),
            )])),
            type_: Some("lattice.dev/agent-commands".to_owned()),
            ..Secret::default()
        };
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.secrets()
            .patch(&name, &params, &Patch::Apply(&secret))
            .await
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    fn told(&self, cluster: &str, event: Event) {
        if let Event::Report(Payload::Tree(said)) = event {
            return self.tree.heard(Neighbour::Child(cluster.to_owned()), said);
        }
        if let Event::Up(_) | Event::Down(_) = &event {
            let is_up = matches!(event, Event::Up(_));
            self.tree
                .linked(Neighbour::Child(cluster.to_owned()), is_up);
        }
        match &event {
            Event::Up(ready) => {
                let version = &ready.agent_version;
                tracing::info!(cluster, version, "an agent is connected");
            }
            Event::Down(why) => tracing::warn!(cluster, why, "an agent is gone"),
            Event::Answer(id, answer) => {
                tracing::info!(cluster, id, ?answer, "an agent has answered")
            }
            Event::Report(_) => {}
        }
        if self.board.hear(cluster, event) {
            self.changed.notify_one();
        }
    }

    fn certify(&self, request: &SigningRequest, uid: &str) -> Result<RenewResponse, String> {
        let authorities = self.authorities.now();
        let authority = authorities.current();
        let certified = authority.certify_agent(request, uid, Utc::now());
        Ok(RenewResponse {
            certificate: certified.map_err(|error| error.to_string())?,
            authorities: authorities.trusted(),
        })
    }
}

fn secret_name(cluster: &str) -> String {
    format!("agent-{cluster}")
}

/// What cannot be read revokes everything: whoever wrote it meant to revoke.
fn revoked(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_cannot_be_read_revokes_everything() {
        assert_eq!(revoked("2026-01-02T03:04:05Z").timestamp(), 1_767_323_045);
        assert_eq!(revoked("yesterday"), DateTime::<Utc>::MAX_UTC);
    }
}
