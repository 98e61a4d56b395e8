//! What makes clusters of machines on this host, beside an API server and an operator that run here too.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use tokio::{task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::cloud::{Place, credentials};
use super::online::OnlineError;
use crate::clusters::provider::cloud::{
    self, Access, CloudClient, CloudError, DEFAULT_CREDENTIAL, Programs,
};
use crate::operator::{
    self, bootstrap, cell,
    decision_log::{NAMESPACE, ensure_namespace},
    managers::{self, Managers},
};

/// The Secret that pools of local machines name in `provider.credentials.secretRef`.
const CREDENTIALS: &str = "local-credentials";
const FIELD_MANAGER: &str = "lattice.dev/up";
/// Port of the cloud's API on the network's first address, where the webhook and the agents' stream are too.
const CLOUD_PORT: u16 = 7440;
const POLL: Duration = Duration::from_millis(100);
const MOST_POLLS: u32 = 300;

/// How clusters of machines on this host are made.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Clusters {
    /// The folder of the cloud whose machines clusters are made of.
    #[arg(long, value_name = "DIR", default_value = ".lattice/cloud")]
    pub(crate) cloud: PathBuf,
    #[command(flatten)]
    pub(crate) parts: Parts,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What machines and managers are made of.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Parts {
    /// Where the programs are that `make machine-parts` builds; may be given several times.
    #[arg(long, value_name = "DIR", default_value = ".lattice/bin")]
    pub(crate) programs: Vec<PathBuf>,
}

/// What runs beside the operator.
pub(crate) struct Beside {
    managers: Managers,
    /// None where somebody else serves it.
    cloud: Option<Daemon>,
}

/// A cloud that this process serves. Its machines outlive it; the next one takes them over.
pub(crate) struct Daemon {
    /// None once it has ended and how is known.
    task: Option<JoinHandle<Result<(), CloudError>>>,
    stop: CancellationToken,
}

impl Clusters {
    /// Says what is missing before anything is begun.
    pub(crate) async fn check(&self) -> Result<(), OnlineError> {
        self.place.network()?;
        cloud::check().await?;
        Programs::find(&self.parts.programs, &[])?;
        Ok(managers::check(&self.parts.programs)?)
    }

    /// Starts the cloud and Cluster API's managers, and puts the cloud's credentials where pools find them. Stops
    /// what it has begun if it cannot be finished. A cloud that is to outlive this process has to be served already.
    pub(crate) async fn start(
        &self,
        client: &Client,
        (kubeconfig, folder): (&Path, &Path),
        is_temporary: bool,
        stop: &CancellationToken,
    ) -> Result<Beside, OnlineError> {
        let cloud = match is_temporary {
            true => None,
            false => Some(self.serve().await?),
        };
        let managers = self.manage(client, kubeconfig, folder);
        match stop.run_until_cancelled(managers).await {
            Some(Ok(managers)) => Ok(Beside { managers, cloud }),
            unfinished => {
                if let Some(cloud) = cloud {
                    cloud.stop().await?;
                }
                let error = unfinished.and_then(Result::err);
                Err(error.unwrap_or(OnlineError::Stopped))
            }
        }
    }

    async fn manage(
        &self,
        client: &Client,
        kubeconfig: &Path,
        folder: &Path,
    ) -> Result<Managers, OnlineError> {
        ensure_namespace(client).await?;
        put_credentials(client, CREDENTIALS, &self.access()?).await?;
        let options = managers::Options {
            kubeconfig: kubeconfig.to_owned(),
            programs: self.parts.programs.clone(),
            folder: folder.join("managers"),
            host: self.place.network()?.gateway(),
        };
        Ok(Managers::start(client, &options).await?)
    }

    /// Serves the cloud.
    pub(crate) async fn serve(&self) -> Result<Daemon, OnlineError> {
        let options = cloud::Options {
            data: self.cloud.clone(),
            network: self.place.network()?,
            port: CLOUD_PORT,
            programs: Programs::find(&self.parts.programs, &[])?,
        };
        let stop = CancellationToken::new();
        let mut daemon = Daemon {
            task: Some(tokio::spawn(cloud::serve(options, stop.clone()))),
            stop,
        };
        let served = tokio::select! {
            error = daemon.exited() => return Err(error),
            served = self.is_served() => served?,
        };
        match served {
            true => Ok(daemon),
            false => {
                daemon.stop().await?;
                Err(OnlineError::Ended("the cloud does not answer".to_owned()))
            }
        }
    }

    /// Whether the cloud answers within half a minute.
    async fn is_served(&self) -> Result<bool, OnlineError> {
        for _ in 0..MOST_POLLS {
            if self.answers().await? {
                return Ok(true);
            }
            sleep(POLL).await;
        }
        Ok(false)
    }

    /// How clusters reach the cloud.
    pub(crate) fn access(&self) -> Result<Access, OnlineError> {
        Ok(Access::read(&self.cloud, DEFAULT_CREDENTIAL)?)
    }

    /// Whether somebody serves the cloud.
    pub(crate) async fn answers(&self) -> Result<bool, OnlineError> {
        match Access::read(&self.cloud, DEFAULT_CREDENTIAL) {
            Ok(access) => Ok(CloudClient::new(&access)?.list().await.is_ok()),
            Err(_) => Ok(false),
        }
    }

    /// Ends all machines and takes the network away.
    pub(crate) async fn tear_down(&self) -> Result<(), OnlineError> {
        Ok(cloud::tear_down(&self.cloud, &self.place.network()?).await?)
    }

    /// How the operator makes such clusters. The cloud's credentials are in a Secret, so it needs no folder.
    pub(crate) fn operator(
        &self,
        options: operator::Options,
    ) -> Result<operator::Options, OnlineError> {
        let host: Ipv4Addr = self.place.network()?.gateway();
        let hosts = vec![host.to_string()];
        Ok(operator::Options {
            bootstrap: Some(bootstrap::Options {
                listen: SocketAddr::from((host, bootstrap::PORT)),
                hosts: hosts.clone(),
                endpoint: format!("{host}:{}", cell::PORT),
                // Machines of this cloud run this very program for it, whatever its version.
                image: concat!("lattice:", env!("CARGO_PKG_VERSION")).to_owned(),
            }),
            cell: Some(cell::Options {
                listen: SocketAddr::from((host, cell::PORT)),
                hosts,
                name: "up".to_owned(),
            }),
            ..options
        })
    }
}

impl Beside {
    /// Waits until something ends without having been asked to.
    pub(crate) async fn exited(&mut self) -> OnlineError {
        tokio::select! {
            error = self.managers.exited() => error.into(),
            error = Self::cloud_exited(&mut self.cloud) => error,
        }
    }

    async fn cloud_exited(cloud: &mut Option<Daemon>) -> OnlineError {
        match cloud {
            Some(cloud) => cloud.exited().await,
            None => std::future::pending().await,
        }
    }

    /// Ends it. Machines go on.
    pub(crate) async fn stop(self) -> Result<(), OnlineError> {
        let managers = self.managers.stop().await;
        if let Some(cloud) = self.cloud {
            cloud.stop().await?;
        }
        Ok(managers?)
    }
}

impl Daemon {
    /// Waits until it ends without having been asked to.
    async fn exited(&mut self) -> OnlineError {
        let how = match &mut self.task {
            Some(task) => task.await,
            None => std::future::pending().await,
        };
        self.task = None;
        match how {
            Ok(Err(error)) => error.into(),
            Err(error) => OnlineError::Ended(error.to_string()),
            Ok(Ok(())) => OnlineError::Ended("the cloud has ended".to_owned()),
        }
    }

    /// Ends it. Machines go on.
    pub(crate) async fn stop(self) -> Result<(), OnlineError> {
        self.stop.cancel();
        match self.task {
            Some(task) => Ok(task
                .await
                .map_err(|error| OnlineError::Ended(error.to_string()))??),
            None => Ok(()),
        }
    }
}

/// Puts a cloud's credentials where pools find them by this name.
pub(crate) async fn put_credentials(
    client: &Client,
    name: &str,
    access: &Access,
) -> Result<(), OnlineError> {
    let secret = credentials(name, NAMESPACE, access);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    secrets.patch(name, &params, &Patch::Apply(&secret)).await?;
    Ok(())
}
