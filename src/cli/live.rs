//! The objects and the last decision of a running Lattice, read from its API server.

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use super::online::{self, OnlineError};
use crate::operator::decision_log::Reader;
use crate::operator::inventory::{Committed, carry_over};
use crate::placement::inputs::Inputs;
use crate::placement::record::DecisionRecord;
use crate::placement::snapshot::{self, Built};
use crate::scheduler::{self, model::ServiceId, solution::Solution};

/// Objects asked for at once.
const PAGE: u32 = 500;

/// What runs: every object that decisions depend on, and what was decided last.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) inputs: Inputs,
    pub(crate) committed: Option<Arc<Committed>>,
}

/// A decision, with the problems of the objects as they are now.
pub(crate) struct Decided {
    pub(crate) built: Built,
    pub(crate) solution: Solution,
    /// What is to be said about its age.
    pub(crate) remark: Option<String>,
}

impl Live {
    /// Reads everything. Without a kubeconfig from where `kubectl` would.
    pub(crate) fn read(kubeconfig: Option<&Path>) -> Result<Self, OnlineError> {
        online::block_on(async {
            let client = online::client(kubeconfig, Some(online::PATIENCE)).await?;
            Self::of(&client).await
        })
    }

    /// Reads everything.
    pub(crate) async fn of(client: &Client) -> Result<Self, OnlineError> {
        // The objects first: whether the server can be read at all shows there.
        let inputs = inputs(client).await?;
        let committed = last(client).await?.map(Arc::new);
        let mut live = Self { inputs, committed };
        live.confirm();
        Ok(live)
    }

    /// Takes the last decision as one under the limits and prices that there are now, where the operator does so
    /// too and commits no other.
    fn confirm(&mut self) {
        let Some(committed) = &self.committed else {
            return;
        };
        let mut built = snapshot::build(&self.inputs);
        self.carry_over(&mut built);
        if !committed.answers(&built.snapshot)
            && let Some(confirmed) = committed.under(&built.snapshot)
        {
            self.committed = Some(Arc::new(confirmed));
        }
    }

    /// What is still to come until the last decision answers all objects as they are now, and the
    /// statuses of services and pools tell it; empty when nothing is. An operator may decide on the
    /// first objects before it has seen the last.
    pub(crate) fn outstanding(&self) -> Vec<String> {
        let mut built = snapshot::build(&self.inputs);
        self.carry_over(&mut built);
        let Some(committed) = &self.committed else {
            return vec!["the first decision".to_owned()];
        };
        if !committed.answers(&built.snapshot) {
            return vec!["a decision on all objects".to_owned()];
        }
        let solution = &committed.record.solution;
        let placements = solution.placements();
        let services = self.inputs.services.iter().filter_map(|service| {
            let namespace = service.metadata.namespace.clone().unwrap_or_default();
            let id = ServiceId::new(namespace, service.metadata.name.clone().unwrap_or_default());
            let wanted = placements.get(&id).map_or(0, |places| {
                places.iter().map(|place| u64::from(place.replicas)).sum()
            });
            let told = service.status.as_ref().is_some_and(|status| {
                let placed: u64 = status
                    .placements
                    .iter()
                    .map(|p| u64::from(p.replicas))
                    .sum();
                status.observed_generation == service.metadata.generation && placed == wanted
            });
            (!told).then(|| id.to_string())
        });
        let pools = self.inputs.pools.iter().filter_map(|pool| {
            let name = pool.metadata.name.clone().unwrap_or_default();
            let wanted = solution.live().filter(|d| d.cluster.pool == name).count();
            let told = pool.status.as_ref().is_some_and(|status| {
                status.observed_generation == pool.metadata.generation
                    && status.clusters.len() == wanted
            });
            (!told).then_some(name)
        });
        services.chain(pools).collect()
    }

    /// Lays what was decided over the clusters of a snapshot.
    pub(crate) fn carry_over(&self, built: &mut Built) {
        if let Some(committed) = &self.committed {
            let now = Utc::now().into();
            carry_over(committed, &self.inputs.clusters, now, &mut built.snapshot);
            built.snapshot.normalise();
        }
    }

    /// The last decision; without one, what would be decided.
    pub(crate) fn decided(&self) -> Decided {
        let mut built = snapshot::build(&self.inputs);
        self.carry_over(&mut built);
        let Some(committed) = &self.committed else {
            let solution = scheduler::solve(&built.snapshot);
            let remark = "Nothing was decided yet; this is what would be.\n".to_owned();
            return Decided {
                built,
                solution,
                remark: Some(remark),
            };
        };
        let DecisionRecord {
            snapshot,
            solution,
            time,
            ..
        } = committed.record.clone();
        let remark = (!committed.answers(&built.snapshot)).then(|| {
            let id = committed.id;
            format!("This is decision {id} of {time}; objects have changed since.\n")
        });
        built.snapshot = snapshot;
        Decided {
            built,
            solution,
            remark,
        }
    }
}

async fn last(client: &Client) -> Result<Option<Committed>, OnlineError> {
    let reader = Reader::new(client.clone());
    let head = reader.head().await?.unwrap_or_default();
    let Some(entry) = head.last() else {
        return Ok(None);
    };
    Ok(Some(Committed {
        id: entry.id,
        record: reader.record(entry).await?,
    }))
}

async fn inputs(client: &Client) -> Result<Inputs, OnlineError> {
    Ok(Inputs {
        pools: list(client).await?,
        node_classes: list(client).await?,
        policies: list(client).await?,
        services: list(client).await?,
        clusters: list(client).await?,
        service_placements: list(client).await?,
        external_services: list(client).await?,
    })
}

/// All objects of a kind.
pub(super) async fn list<K>(client: &Client) -> Result<Vec<K>, OnlineError>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    let api: Api<K> = Api::all(client.clone());
    let mut found = Vec::new();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await.map_err(OnlineError::Read)?;
        found.extend(page.items);
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params.continue_token = Some(token),
            None => return Ok(found),
        }
    }
}
