//! Grants as Secrets, one for each cluster.

use aws_lc_rs::rand;
use chrono::{DateTime, TimeDelta, Utc};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client, ResourceExt,
    api::{ObjectMeta, PostParams},
};

use super::error::BootstrapError;
use crate::{
    api::LatticeCluster,
    clusters::bootstrap::{Grant, Token},
    operator::decision_log::NAMESPACE,
};

/// The key of the Secret below which the grant is.
const KEY: &str = "grant";
/// Longest life of a token: the slowest machines boot within it, the retries of their controllers included.
const LIFE: TimeDelta = TimeDelta::hours(2);

/// The grants of one fleet.
#[derive(Clone)]
pub(super) struct Grants {
    secrets: Api<Secret>,
}

/// A grant, and the version under which it was read.
pub(super) struct Kept {
    pub(super) grant: Grant,
    secret: Secret,
}

impl Grants {
    pub(super) fn new(client: Client) -> Self {
        Grants {
            secrets: Api::namespaced(client, NAMESPACE),
        }
    }

    pub(super) async fn of(&self, cluster: &str) -> Result<Option<Kept>, BootstrapError> {
        let name = name(cluster);
        let Some(secret) = self.secrets.get_opt(&name).await? else {
            return Ok(None);
        };
        let data = secret.data.as_ref().and_then(|data| data.get(KEY));
        let Some(ByteString(bytes)) = data else {
            return Err(BootstrapError::Missing { name, key: KEY });
        };
        let grant = serde_json::from_slice(bytes)
            .map_err(|source| BootstrapError::Grant { name, source })?;
        Ok(Some(Kept { grant, secret }))
    }

    /// Writes a grant anew; says no if others wrote it since it was read.
    pub(super) async fn replace(&self, kept: Kept, grant: &Grant) -> Result<bool, BootstrapError> {
        let name = kept.secret.name_any();
        let secret = Secret {
            data: Some([(KEY.to_owned(), encoded(&name, grant)?)].into()),
            ..kept.secret
        };
        let params = PostParams::default();
        match self.secrets.replace(&name, &params, &secret).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What is kept of a cluster's token.
pub(crate) async fn grant(client: &Client, cluster: &str) -> Result<Option<Grant>, BootstrapError> {
    let kept = Grants::new(client.clone()).of(cluster).await?;
    Ok(kept.map(|kept| kept.grant))
}

/// Makes a token for a cluster, in place of any that it had. It ends with the LatticeCluster.
///
/// # Errors
/// If it cannot be kept.
pub async fn issue(
    client: &Client,
    cluster: &LatticeCluster,
    now: DateTime<Utc>,
) -> Result<Token, BootstrapError> {
    let mut random = [0; 32];
    rand::fill(&mut random).map_err(|_| BootstrapError::Random)?;
    let token = Token::new(random);
    let (cluster_name, uid) = (cluster.name_any(), cluster.uid().unwrap_or_default());
    let grant = Grant::new(&cluster_name, &uid, &token, now, LIFE);
    let name = name(&cluster_name);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            owner_references: kube::Resource::owner_ref(cluster, &()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        data: Some([(KEY.to_owned(), encoded(&name, &grant)?)].into()),
        type_: Some("lattice.dev/bootstrap-grant".to_owned()),
        ..Secret::default()
    };
    let params = PostParams::default();
    match secrets.create(&params, &secret).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            secrets.replace(&name, &params, &secret).await?;
        }
        other => {
            other?;
        }
    }
    Ok(token)
}

fn name(cluster: &str) -> String {
    format!("bootstrap-{cluster}")
}

fn encoded(name: &str, grant: &Grant) -> Result<ByteString, BootstrapError> {
    let bytes = serde_json::to_vec(grant).map_err(|source| BootstrapError::Grant {
        name: name.to_owned(),
        source,
    })?;
    Ok(ByteString(bytes))
}
