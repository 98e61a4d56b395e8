//! Puts the kinds into an API server.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{
    Api, Client, ResourceExt,
    api::{Patch, PatchParams},
    runtime::{
        conditions::is_crd_established,
        wait::{Error as WaitError, await_condition},
    },
};
use tokio::time::timeout;

use crate::api::crds;

/// Owner of the CRDs.
pub const FIELD_MANAGER: &str = "lattice.dev/crds";
/// CRDs installed at a time.
const CONCURRENT: usize = 4;
/// Longest wait until one kind is served.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a kind could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The API server refused.
    #[error("cannot install {name}: {source}")]
    Refused {
        /// The CRD.
        name: String,
        /// Why.
        source: Box<kube::Error>,
    },
    /// It could not be seen whether the kind is served.
    #[error("cannot watch {name}: {source}")]
    Watch {
        /// The CRD.
        name: String,
        /// Why.
        source: Box<WaitError>,
    },
    /// The kind is not served.
    #[error("{0} is installed, but not served after {seconds} s", seconds = PATIENCE.as_secs())]
    NotServed(String),
}

/// Installs the CRDs of all kinds, or brings them up to date, and waits until they are served.
///
/// # Errors
/// If the API server refuses one, or does not serve it in time.
pub async fn install(client: &Client) -> Result<(), InstallError> {
    stream::iter(crds())
        .map(|crd| one(client, crd))
        .buffer_unordered(CONCURRENT)
        .try_collect::<()>()
        .await
}

async fn one(client: &Client, crd: CustomResourceDefinition) -> Result<(), InstallError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = crd.name_any();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(&name, &params, &Patch::Apply(&crd))
        .await
        .map_err(|source| InstallError::Refused {
            name: name.clone(),
            source: Box::new(source),
        })?;
    let served = await_condition(api, &name, is_crd_established());
    match timeout(PATIENCE, served).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(source)) => Err(InstallError::Watch {
            name,
            source: Box::new(source),
        }),
        Err(_) => Err(InstallError::NotServed(name)),
    }
}
