//! Cluster API's managers as processes of this host, for an API server that has no nodes for their pods.
//!
//! Cluster API is installed there as it is anywhere. Only its Services lead to this host, and not to pods.

use std::{
    ffi::OsString,
    io,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::Utc;
use futures::{FutureExt, future::select_all};
use k8s_openapi::api::{core::v1::Secret, discovery::v1::EndpointSlice};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::{net::TcpStream, time::sleep};

use super::{
    control_plane::{ControlPlaneError, Process},
    equip::{self, EquipError},
};
use crate::clusters::equipment::{Endpoint, Equipment, ReleaseError};

/// Their namespace, the Service of their webhooks, and the program.
const MANAGERS: [(&str, &str, &str); 3] = [
    (
        "capi-system",
        "capi-webhook-service",
        "cluster-api-controller",
    ),
    (
        "capi-kubeadm-bootstrap-system",
        "capi-kubeadm-bootstrap-webhook-service",
        "kubeadm-bootstrap-controller",
    ),
    (
        "capi-kubeadm-control-plane-system",
        "capi-kubeadm-control-plane-webhook-service",
        "kubeadm-control-plane-controller",
    ),
];
/// What Cluster API is installed from, beside the programs.
const RELEASE: &str = "cluster-api.yaml";
const POLL: Duration = Duration::from_millis(100);
/// A minute.
const MOST_POLLS: u32 = 600;
const PATIENCE: Duration = Duration::from_secs(5);
const FIELD_MANAGER: &str = "lattice.dev/managers";

/// Why the managers do not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManagersError {
    /// Something that they need is missing.
    #[error("{name} was not found in {searched}; `make machine-parts` builds it")]
    Missing {
        /// What.
        name: &'static str,
        /// Where it was looked for.
        searched: String,
    },
    /// A file cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What Cluster API is installed from is no release.
    #[error("{}: {source}", path.display())]
    Release {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<ReleaseError>,
    },
    /// It cannot be installed.
    #[error("cannot install Cluster API: {0}")]
    Equip(#[from] EquipError),
    /// The API server refuses something.
    #[error("the API server: {0}")]
    Api(#[from] kube::Error),
    /// An object is none.
    #[error("cannot write an object as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A manager does not run.
    #[error(transparent)]
    Process(#[from] ControlPlaneError),
    /// A manager runs, and serves nothing.
    #[error("the webhooks of {0} are not served; its log is in {1}")]
    NotServed(&'static str, PathBuf),
}

/// How the managers are run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How they reach the API server.
    pub kubeconfig: PathBuf,
    /// Where their programs are, and `cluster-api.yaml`.
    pub programs: Vec<PathBuf>,
    /// Where their logs and certificates go.
    pub folder: PathBuf,
    /// An address of this host that the API server reaches; not a loopback one, which Services do not lead to.
    pub host: Ipv4Addr,
}

/// Running managers. They end when this is dropped.
#[derive(Debug)]
pub struct Managers {
    running: Vec<Process>,
}

impl Managers {
    /// Installs Cluster API, or brings it up to date, and starts its managers.
    ///
    /// # Errors
    /// If a program is missing, or does not serve.
    pub async fn start(client: &Client, options: &Options) -> Result<Self, ManagersError> {
        equip::install(client, &release(options)?, Utc::now()).await?;
        let mut managers = Managers {
            running: Vec::new(),
        };
        let mut served = Vec::new();
        let ports = free_ports().map_err(file(&options.folder))?;
        for ((namespace, service, name), ports) in MANAGERS.into_iter().zip(ports) {
            let endpoint = Endpoint {
                namespace: namespace.to_owned(),
                service: service.to_owned(),
            };
            let process = start(client, options, &endpoint, (name, &ports)).await?;
            managers.running.push(process);
            lead_here(client, &endpoint, options.host, ports.webhook).await?;
            served.push((name, ports.webhook));
        }
        for ((name, port), process) in served.into_iter().zip(&mut managers.running) {
            await_port(name, (options.host, port), process, options).await?;
        }
        Ok(managers)
    }

    /// Waits until one of them ends without having been asked to, and says which and how.
    pub async fn exited(&mut self) -> ManagersError {
        let ends = self
            .running
            .iter_mut()
            .map(|process| process.ended().boxed());
        let (error, ..) = select_all(ends).await;
        error.into()
    }

    /// Ends them.
    ///
    /// # Errors
    /// If one cannot be ended.
    pub async fn stop(mut self) -> Result<(), ManagersError> {
        for process in &mut self.running {
            process.stop(PATIENCE).await?;
        }
        Ok(())
    }
}

/// Says which program is missing in these folders, if one is.
///
/// # Errors
/// If one is.
pub fn check(programs: &[PathBuf]) -> Result<(), ManagersError> {
    let names = MANAGERS.iter().map(|(.., name)| *name).chain([RELEASE]);
    names
        .map(|name| find(programs, name))
        .try_for_each(|found| found.map(drop))
}

fn release(options: &Options) -> Result<Equipment, ManagersError> {
    let path = find(&options.programs, RELEASE)?;
    let text = std::fs::read_to_string(&path).map_err(file(&path))?;
    Equipment::of_release(&text).map_err(|source| ManagersError::Release {
        path,
        source: Box::new(source),
    })
}

fn find(programs: &[PathBuf], name: &'static str) -> Result<PathBuf, ManagersError> {
    let paths = programs.iter().map(|folder| folder.join(name));
    let found = paths.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| {
        let searched = programs.iter().map(|path| path.display().to_string());
        ManagersError::Missing {
            name,
            searched: searched.collect::<Vec<_>>().join(", "),
        }
    })
}

async fn start(
    client: &Client,
    options: &Options,
    endpoint: &Endpoint,
    (name, ports): (&'static str, &Ports),
) -> Result<Process, ManagersError> {
    let certificates = options.folder.join(name);
    keep_certificate(client, endpoint, &certificates).await?;
    let Ports { webhook, health } = ports;
    let arguments = [
        // Where nobody is left to stop it, the kernel does: two of a kind would act on the same objects.
        "--pdeathsig".to_owned(),
        "KILL".to_owned(),
        "--".to_owned(),
        find(&options.programs, name)?.display().to_string(),
        format!("--kubeconfig={}", options.kubeconfig.display()),
        "--leader-elect=false".to_owned(),
        format!("--webhook-port={webhook}"),
        format!("--webhook-cert-dir={}", certificates.display()),
        format!("--health-addr=127.0.0.1:{health}"),
        "--diagnostics-address=127.0.0.1:0".to_owned(),
        "--insecure-diagnostics=true".to_owned(),
    ];
    let environment = [
        ("POD_NAMESPACE", endpoint.namespace.as_str()),
        ("POD_NAME", name),
        ("POD_UID", "00000000-0000-0000-0000-000000000000"),
    ];
    Ok(Process::start_with(
        name,
        Path::new("setpriv"),
        &arguments.map(OsString::from),
        &environment,
        log(options, name),
    )?)
}

fn log(options: &Options, name: &str) -> PathBuf {
    options.folder.join(format!("{name}.log"))
}

/// Puts what the Secret holds where the manager looks for it.
async fn keep_certificate(
    client: &Client,
    endpoint: &Endpoint,
    folder: &Path,
) -> Result<(), ManagersError> {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), &endpoint.namespace);
    let secret = secrets.get(&endpoint.secret()).await?;
    std::fs::create_dir_all(folder).map_err(file(folder))?;
    for (key, value) in secret.data.unwrap_or_default() {
        let path = folder.join(key);
        std::fs::write(&path, value.0).map_err(file(&path))?;
    }
    Ok(())
}

/// Has the Service lead to this host. It has no pods, so nobody else leads it anywhere.
async fn lead_here(
    client: &Client,
    endpoint: &Endpoint,
    host: Ipv4Addr,
    port: u16,
) -> Result<(), ManagersError> {
    let slice: EndpointSlice = serde_json::from_value(json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": endpoint.service,
            "labels": {"kubernetes.io/service-name": endpoint.service},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": true}}],
        "ports": [{"name": "", "port": port, "protocol": "TCP"}],
    }))?;
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), &endpoint.namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    slices
        .patch(&endpoint.service, &params, &Patch::Apply(&slice))
        .await?;
    Ok(())
}

async fn await_port(
    name: &'static str,
    address: (Ipv4Addr, u16),
    process: &mut Process,
    options: &Options,
) -> Result<(), ManagersError> {
    for _ in 0..MOST_POLLS {
        process.still_runs()?;
        if TcpStream::connect(address).await.is_ok() {
            return Ok(());
        }
        sleep(POLL).await;
    }
    Err(ManagersError::NotServed(name, log(options, name)))
}

/// Ports of one manager.
struct Ports {
    webhook: u16,
    health: u16,
}

/// Chosen at the same time: one that is not taken yet could be chosen again.
fn free_ports() -> io::Result<[Ports; MANAGERS.len()]> {
    let mut held = Vec::new();
    let mut port = || {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let port = listener.local_addr()?.port();
        held.push(listener);
        Ok::<_, io::Error>(port)
    };
    let mut pair = || {
        Ok::<_, io::Error>(Ports {
            webhook: port()?,
            health: port()?,
        })
    };
    Ok([pair()?, pair()?, pair()?])
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> ManagersError + use<> {
    let path = path.to_owned();
    move |source| ManagersError::File { path, source }
}
