//! What an admitted machine is answered with, out of what the cell holds.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Client, ResourceExt, api::ListParams};
use serde_json::Value;

use super::{Options, error::BootstrapError};
use crate::{
    api::{LatticeImageRegistry, crds},
    clusters::bootstrap::{Parent, Registry, Welcome},
    operator::decision_log::NAMESPACE,
};

/// Holds manifests for each new cluster, one or several documents below each key, applied in the keys' order: the
/// network's (CNI) above all.
const ADDITIONS: &str = "lattice-bootstrap-manifests";
const DOCKER_CONFIG: &str = ".dockerconfigjson";

/// The welcome of one cluster.
pub(super) async fn welcome(
    client: &Client,
    options: &Options,
    (cluster, certificate): (&str, String),
    authority: &str,
) -> Result<Welcome, BootstrapError> {
    Ok(Welcome {
        cluster: cluster.to_owned(),
        certificate,
        parent: Parent {
            endpoint: options.endpoint.clone(),
            authority: authority.to_owned(),
        },
        image: options.image.clone(),
        registries: registries(client).await?,
        kinds: kinds()?,
        additions: additions(client).await?,
    })
}

fn kinds() -> Result<Vec<Value>, BootstrapError> {
    let values = crds().into_iter().map(serde_json::to_value);
    Ok(values.collect::<Result<_, _>>()?)
}

/// Registries with credentials; one whose Secret is not there is left out, and logged.
async fn registries(client: &Client) -> Result<Vec<Registry>, BootstrapError> {
    let all: Api<LatticeImageRegistry> = Api::all(client.clone());
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let mut registries = Vec::new();
    for registry in all.list(&ListParams::default()).await? {
        let Some(credentials) = &registry.spec.credentials else {
            continue;
        };
        let secret = secrets.get_opt(&credentials.secret_ref).await?;
        let data = secret.and_then(|secret| secret.data?.remove(DOCKER_CONFIG));
        match data {
            Some(config) => registries.push(Registry {
                name: registry.name_any(),
                docker_config: config,
            }),
            None => tracing::warn!(
                registry = registry.name_any(),
                secret = credentials.secret_ref,
                "no Secret with {DOCKER_CONFIG} for this registry: new clusters cannot pull from it"
            ),
        }
    }
    registries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(registries)
}

async fn additions(client: &Client) -> Result<Vec<Value>, BootstrapError> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let Some(map) = maps.get_opt(ADDITIONS).await? else {
        return Ok(Vec::new());
    };
    let mut additions = Vec::new();
    for (key, text) in map.data.unwrap_or_default() {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text).map_err(|error| BootstrapError::Additions {
                name: ADDITIONS,
                key,
                why: error.to_string(),
            })?;
        additions.extend(documents);
    }
    Ok(additions)
}
