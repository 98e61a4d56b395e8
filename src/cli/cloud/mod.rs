//! `lattice cloud`: the daemon that plays a cloud on this host, and what is asked of it by hand.

mod machines;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::Outcome;
use super::error::CliError;
use super::online::{self, OnlineError};
use super::output::Output;
use crate::clusters::provider::{
    cloud::{
        self, ADMINISTRATOR, Access, CloudClient, Credential, DEFAULT_CREDENTIAL, Fault, Network,
        Programs,
    },
    controller,
};

/// A cloud on this host whose machines are processes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice cloud serve
  lattice cloud machines
  lattice cloud stop shop-workers-x7k2p
  lattice cloud fail out-of-stock --size large --zone here-a
  lattice cloud heal
  lattice cloud secret --namespace fleet | kubectl apply -f -")]
pub(crate) struct Args {
    /// The folder that keeps everything.
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".lattice/cloud",
        global = true
    )]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run the daemon. Machines outlive it; the next one takes them over.
    Serve(Serve),
    /// End all machines and take the network away. No daemon may be running.
    Down(Place),
    /// List the machines.
    Machines,
    /// Switch a machine off, as when its plug is pulled.
    Stop(Machine),
    /// Switch a machine on again.
    Start(Machine),
    /// Cut a machine off the network.
    Cut(Machine),
    /// Restore its link.
    Restore(Machine),
    /// Take a machine back for good.
    Delete(Machine),
    /// Make something go wrong from now on.
    #[command(subcommand)]
    Fail(Fail),
    /// End everything that `fail` began.
    Heal,
    /// Add a credential, or change its quotas.
    Admit(Admit),
    /// Make a credential worthless.
    Revoke(Named),
    /// Run the controllers of LocalCluster and LocalMachine by themselves; the operator has them too.
    #[command(hide = true)]
    Controller(Controlling),
    /// Print the Secret that a LocalCluster's credentialsRef names.
    Secret(Secret),
}

/// The network.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Place {
    /// The bridge that machines are plugged into.
    #[arg(long, value_name = "NAME", default_value = "lattice0")]
    bridge: String,
    /// Its network, a.b.0.0/16.
    #[arg(long, value_name = "NETWORK", default_value = "10.213.0.0/16")]
    subnet: String,
}

#[derive(Debug, clap::Args)]
struct Serve {
    #[command(flatten)]
    place: Place,
    /// The port of the API, on the network's first address.
    #[arg(long, default_value_t = 7440)]
    port: u16,
    /// Where the programs of a machine are; may be given several times.
    #[arg(long, value_name = "DIR", default_value = ".lattice/bin")]
    programs: Vec<PathBuf>,
    /// A folder with another version of Kubernetes, of which there are machines too: kubeadm, kube-apiserver,
    /// kube-controller-manager and kube-scheduler; may be given several times.
    #[arg(long = "release", value_name = "DIR")]
    releases: Vec<PathBuf>,
    /// A program that containers of this image run.
    #[arg(long = "image", value_name = "IMAGE=PROGRAM", value_parser = cloud::parse_image)]
    images: Vec<(String, PathBuf)>,
}

#[derive(Debug, clap::Args)]
struct Machine {
    /// Name of the machine.
    name: String,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// Name of the credential.
    name: String,
}

#[derive(Debug, clap::Subcommand)]
enum Fail {
    /// There are no machines of a size, in a zone, or at all.
    OutOfStock {
        /// Of this size only.
        #[arg(long)]
        size: Option<String>,
        /// In this zone only.
        #[arg(long)]
        zone: Option<String>,
    },
    /// Machines whose names begin so are accepted and never start.
    NoBoot {
        /// How their names begin.
        prefix: String,
    },
    /// Every request is answered with an error.
    Unavailable,
}

#[derive(Debug, clap::Args)]
struct Admit {
    /// Name of the credential.
    name: String,
    /// How many machines it may have.
    #[arg(long, value_name = "COUNT")]
    machines: Option<u64>,
    /// How many cores they may have.
    #[arg(long, value_name = "COUNT")]
    cores: Option<u64>,
}

#[derive(Debug, clap::Args)]
struct Controlling {
    /// Which API server.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Secret {
    /// Which credential.
    #[arg(long, default_value = DEFAULT_CREDENTIAL)]
    credential: String,
    /// Name of the Secret.
    #[arg(long, default_value = "local-credentials")]
    name: String,
    /// Its namespace.
    #[arg(long, default_value = "default")]
    namespace: String,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let data = self.data;
        match self.command {
            Command::Serve(serve) => serve.run(data)?,
            Command::Down(place) => {
                online::block_on(async { Ok(cloud::tear_down(&data, &place.network()?).await?) })?;
            }
            Command::Controller(controlling) => controlling.run(data)?,
            Command::Secret(secret) => out.print(&secret.text(&data)?)?,
            Command::Machines => {
                let list = ask(&data, async |client| client.list().await)?;
                out.print(&machines::table(&list))?;
            }
            Command::Stop(machine) => act(&data, &machine, "stop")?,
            Command::Start(machine) => act(&data, &machine, "start")?,
            Command::Cut(machine) => act(&data, &machine, "cut")?,
            Command::Restore(machine) => act(&data, &machine, "restore")?,
            Command::Delete(machine) => {
                ask(&data, async |client| client.delete(&machine.name).await)?
            }
            Command::Fail(fail) => ask(&data, async |client| client.fail(&fail.fault()).await)?,
            Command::Heal => ask(&data, async |client| client.heal().await)?,
            Command::Admit(admit) => {
                ask(&data, async |client| {
                    client.admit(&admit.name, &admit.quota()).await
                })?;
            }
            Command::Revoke(named) => ask(&data, async |client| client.revoke(&named.name).await)?,
        }
        Ok(Outcome::Done)
    }
}

impl Place {
    pub(super) fn new(bridge: &str, subnet: &str) -> Self {
        Self {
            bridge: bridge.to_owned(),
            subnet: subnet.to_owned(),
        }
    }

    pub(super) fn network(&self) -> Result<Network, OnlineError> {
        Ok(Network::new(&self.bridge, &self.subnet)?)
    }
}

impl Serve {
    fn run(self, data: PathBuf) -> Result<(), CliError> {
        online::run(async |stop| {
            let mut programs = Programs::find(&self.programs, &self.images)?;
            for release in self.releases {
                programs = programs.with_release(release)?;
            }
            let options = cloud::Options {
                data,
                network: self.place.network()?,
                port: self.port,
                programs,
            };
            Ok(cloud::serve(options, stop).await?)
        })?;
        Ok(())
    }
}

impl Controlling {
    fn run(self, data: PathBuf) -> Result<(), CliError> {
        online::run(async |stop| {
            let client = online::client(self.kubeconfig.as_deref(), None).await?;
            let options = controller::Options { cloud: Some(data) };
            controller::run(client, options, stop).await;
            Ok(())
        })?;
        Ok(())
    }
}

impl Fail {
    fn fault(self) -> Fault {
        match self {
            Self::OutOfStock { size, zone } => Fault::OutOfStock { size, zone },
            Self::NoBoot { prefix } => Fault::NoBoot { prefix },
            Self::Unavailable => Fault::Unavailable,
        }
    }
}

impl Admit {
    fn quota(&self) -> Credential {
        Credential {
            token: String::new(),
            machines: self.machines,
            milli_cores: self.cores.map(|cores| cores.saturating_mul(1000)),
        }
    }
}

impl Secret {
    fn text(&self, data: &Path) -> Result<String, CliError> {
        let access = Access::read(data, &self.credential).map_err(OnlineError::from)?;
        let secret = credentials(&self.name, &self.namespace, &access);
        Ok(serde_saphyr::to_string(&secret)?)
    }
}

/// The Secret by which clusters reach a cloud.
pub(super) fn credentials(name: &str, namespace: &str, access: &Access) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "stringData": {"url": access.url, "token": access.token},
    })
}

fn act(data: &Path, machine: &Machine, action: &str) -> Result<(), CliError> {
    ask(data, async |client| client.act(&machine.name, action).await)
}

/// Asks the daemon of this folder, as its administrator.
fn ask<T>(
    data: &Path,
    question: impl AsyncFnOnce(&CloudClient) -> Result<T, cloud::CloudClientError>,
) -> Result<T, CliError> {
    Ok(online::block_on(async {
        let client = CloudClient::new(&Access::read(data, ADMINISTRATOR)?)?;
        Ok(question(&client).await?)
    })?)
}
