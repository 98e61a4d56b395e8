//! The daemon's work: what is, made what should be, round after round.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::forwarder::Forwarder;
use super::model::{
    Boot, Cloud, Credential, EndpointView, MachineRequest, MachineState, MachineView, Record,
    Refusal,
};
use super::network::{NETWORK_BITS, OWN_BITS};
use super::programs::Programs;
use super::store::{Access, Folder};
use super::{ADMINISTRATOR, CloudError, DEFAULT_CREDENTIAL, Network, Options, decide, host};
use crate::clusters::provider::machine::{self, MachineSpec, Report, SPEC_FILE};

const ROUND: Duration = Duration::from_millis(250);
/// A machine that ends by itself is not started more often than this.
const START_EVERY: Duration = Duration::from_secs(5);

/// The daemon, for those who ask and for the one who works.
#[derive(Clone)]
pub(crate) struct Daemon {
    shared: Arc<Shared>,
}

struct Shared {
    folder: Folder,
    network: Network,
    programs: Programs,
    url: String,
    cloud: Mutex<Cloud>,
}

/// What the one who works remembers from round to round.
#[derive(Default)]
struct Memory {
    started: BTreeMap<String, Instant>,
    forwarders: BTreeMap<String, Forwarder>,
}

impl Daemon {
    pub(crate) fn new(options: &Options, folder: Folder) -> Result<Self, CloudError> {
        let mut cloud = folder.load()?;
        for name in [ADMINISTRATOR, DEFAULT_CREDENTIAL] {
            let known = cloud.credentials.entry(name.to_owned()).or_default();
            if known.token.is_empty() {
                known.token = token()?;
            }
        }
        folder.save(&cloud)?;
        let shared = Shared {
            folder,
            network: options.network.clone(),
            programs: options.programs.clone(),
            url: options.url(),
            cloud: Mutex::new(cloud),
        };
        for name in [ADMINISTRATOR, DEFAULT_CREDENTIAL] {
            let cloud = shared.cloud.try_lock();
            let token = cloud.map(|cloud| cloud.credentials[name].token.clone());
            let token = token.unwrap_or_default();
            shared.folder.save_access(
                name,
                &Access {
                    url: shared.url.clone(),
                    token,
                },
            )?;
        }
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Who comes with this token, if anybody may come.
    pub(crate) async fn who(&self, token: &str) -> Result<String, Refusal> {
        let cloud = self.shared.cloud.lock().await;
        let who = decide::who(&cloud, token)?;
        decide::available(&cloud, &who)?;
        Ok(who)
    }

    pub(crate) async fn create(
        &self,
        who: &str,
        request: &MachineRequest,
    ) -> Result<MachineView, Refusal> {
        let versions = self.shared.programs.versions();
        let folder = self.shared.folder.clone();
        let record = self
            .change(|cloud| {
                let fresh = !cloud.machines.contains_key(&request.name);
                let record = decide::create(cloud, who, request, &versions)?;
                if fresh {
                    folder
                        .prepare(&record, &request.user_data)
                        .map_err(failed)?;
                }
                Ok(record)
            })
            .await?;
        Ok(self.view(&record, &self.running()))
    }

    pub(crate) async fn list(&self, who: &str) -> Vec<MachineView> {
        let running = self.running();
        let cloud = self.shared.cloud.lock().await;
        cloud
            .machines
            .values()
            .filter(|record| who == ADMINISTRATOR || record.owner == who)
            .map(|record| self.view(record, &running))
            .collect()
    }

    pub(crate) async fn get(&self, who: &str, name: &str) -> Result<MachineView, Refusal> {
        let running = self.running();
        let mut cloud = self.shared.cloud.lock().await;
        let record = decide::machine(&mut cloud, who, name)?.clone();
        Ok(self.view(&record, &running))
    }

    /// Changes what should be of a machine; the next round sees to it.
    pub(crate) async fn alter(
        &self,
        who: &str,
        name: &str,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), Refusal> {
        self.change(|cloud| {
            change(decide::machine(cloud, who, name)?);
            Ok(())
        })
        .await
    }

    /// Pulls the machine's cable, or plugs it in again.
    pub(crate) async fn cut(&self, who: &str, name: &str, cut: bool) -> Result<(), Refusal> {
        let index = self
            .change(|cloud| {
                let record = decide::machine(cloud, who, name)?;
                record.cut = cut;
                Ok(record.index)
            })
            .await?;
        self.shared.network.cut(index, cut).await.map_err(failed)
    }

    pub(crate) async fn endpoint(
        &self,
        who: &str,
        name: &str,
        port: u16,
    ) -> Result<EndpointView, Refusal> {
        let record = self
            .change(|cloud| decide::endpoint(cloud, who, name, port))
            .await?;
        Ok(EndpointView {
            host: self.shared.network.endpoint(record.index),
            port: record.port,
        })
    }

    /// Changes the cloud and keeps the change, or neither.
    pub(crate) async fn change<T>(
        &self,
        change: impl FnOnce(&mut Cloud) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut cloud = self.shared.cloud.lock().await;
        let mut next = cloud.clone();
        let done = change(&mut next)?;
        if next != *cloud {
            self.shared.folder.save(&next).map_err(failed)?;
            *cloud = next;
        }
        Ok(done)
    }

    /// Adds a credential, or changes its quotas, and says how it is used.
    pub(crate) async fn admit(&self, name: &str, quota: &Credential) -> Result<Access, Refusal> {
        let fresh = token().map_err(failed)?;
        let credential = self
            .change(|cloud| decide::admit(cloud, name, quota, fresh))
            .await?;
        let access = Access {
            url: self.shared.url.clone(),
            token: credential.token,
        };
        self.shared
            .folder
            .save_access(name, &access)
            .map_err(failed)?;
        Ok(access)
    }

    fn running(&self) -> BTreeMap<PathBuf, u32> {
        host::running(&self.shared.folder.machines())
    }

    fn view(&self, record: &Record, running: &BTreeMap<PathBuf, u32>) -> MachineView {
        let name = &record.request.name;
        let runs = running.contains_key(&self.shared.folder.machine(name));
        MachineView {
            name: name.clone(),
            cluster: record.request.cluster.clone(),
            control_plane: record.request.control_plane,
            size: record.request.size.clone(),
            zone: record.request.zone.clone(),
            provider_id: provider_id(name),
            address: self.shared.network.machine(record.index),
            state: match (record.deleting, record.on, runs) {
                (true, _, _) => MachineState::Deleting,
                (_, false, _) => MachineState::Stopped,
                (_, true, true) => MachineState::Running,
                (_, true, false) => MachineState::Pending,
            },
            cut: record.cut,
            boot: match self.shared.folder.report(name) {
                Report::Booting => Boot::Booting,
                Report::Succeeded => Boot::Succeeded,
                Report::Failed { message } => Boot::Failed { message },
            },
        }
    }

    /// Works until this is dropped.
    pub(crate) async fn work(&self) {
        let mut memory = Memory::default();
        loop {
            let cloud = self.shared.cloud.lock().await.clone();
            let running = self.running();
            for record in cloud.machines.values() {
                let name = &record.request.name;
                if let Err(error) = self.see_to(record, &running, &mut memory).await {
                    tracing::warn!(
                        name,
                        error = &error as &dyn std::error::Error,
                        "a machine is not as it should be"
                    );
                }
            }
            self.balance(&cloud, &running, &mut memory).await;
            tokio::time::sleep(ROUND).await;
        }
    }

    async fn see_to(
        &self,
        record: &Record,
        running: &BTreeMap<PathBuf, u32>,
        memory: &mut Memory,
    ) -> Result<(), CloudError> {
        let name = &record.request.name;
        let folder = self.shared.folder.machine(name);
        let wanted = record.on && record.starts && !record.deleting;
        match (wanted, running.get(&folder)) {
            (true, Some(holder)) => {
                if let Some(inside) = host::first_inside(*holder)
                    && !self.shared.network.is_attached(record.index)
                {
                    self.plug(record, inside).await?;
                }
            }
            (true, None) => {
                let recently = memory
                    .started
                    .get(name)
                    .is_some_and(|at| at.elapsed() < START_EVERY);
                if !recently {
                    memory.started.insert(name.clone(), Instant::now());
                    self.start(record, &folder).await?;
                }
            }
            (false, Some(holder)) => host::kill(*holder)?,
            (false, None) => self.shared.network.detach(record.index).await?,
        }
        if record.deleting && !running.contains_key(&folder) {
            self.shared.network.detach(record.index).await?;
            self.shared.folder.remove(name)?;
            memory.started.remove(name);
            let forgotten = self
                .change(|cloud| {
                    cloud.machines.remove(name);
                    Ok(())
                })
                .await;
            if let Err(error) = forgotten {
                tracing::warn!(name, %error, "a machine is not forgotten");
            }
        }
        Ok(())
    }

    async fn start(&self, record: &Record, folder: &Path) -> Result<(), CloudError> {
        let spec = self.spec(record)?;
        let path = folder.join(SPEC_FILE);
        machine::write(&path, &spec)
            .map_err(|error| CloudError::file("write", &path)(std::io::Error::other(error)))?;
        self.shared.network.detach(record.index).await?;
        let inside = host::start(&spec.programs["lattice"], folder).await?;
        self.plug(record, inside).await
    }

    async fn plug(&self, record: &Record, inside: u32) -> Result<(), CloudError> {
        self.shared.network.attach(record.index, inside).await?;
        if record.cut {
            self.shared.network.cut(record.index, true).await?;
        }
        Ok(())
    }

    fn spec(&self, record: &Record) -> Result<MachineSpec, CloudError> {
        let request = &record.request;
        let network = &self.shared.network;
        let version = &request.kubernetes_version;
        let programs = self.shared.programs.of(version);
        Ok(MachineSpec {
            name: request.name.clone(),
            provider_id: provider_id(&request.name),
            region: request.region.clone(),
            zone: request.zone.clone(),
            size: request.size.clone(),
            address: network.machine(record.index),
            network_bits: NETWORK_BITS,
            gateway: network.gateway(),
            own_bits: OWN_BITS,
            milli_cores: request.milli_cores,
            memory_mib: request.memory_mib,
            kubernetes_version: request.kubernetes_version.clone(),
            programs: programs.ok_or_else(|| CloudError::NoRelease(version.clone()))?,
            images: self.shared.programs.images.clone(),
        })
    }

    /// Sees to it that each endpoint listens and leads to the machines that serve.
    async fn balance(&self, cloud: &Cloud, running: &BTreeMap<PathBuf, u32>, memory: &mut Memory) {
        let gone: Vec<String> = memory
            .forwarders
            .keys()
            .filter(|name| !cloud.endpoints.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            memory.forwarders.remove(&name);
        }
        for (name, record) in &cloud.endpoints {
            if !memory.forwarders.contains_key(name) {
                match self.listen(record.index, record.port).await {
                    Ok(forwarder) => {
                        memory.forwarders.insert(name.clone(), forwarder);
                    }
                    Err(error) => tracing::warn!(name, %error, "an endpoint does not listen"),
                }
            }
            if let Some(forwarder) = memory.forwarders.get(name) {
                forwarder.aim(self.serving(cloud, name, running));
            }
        }
    }

    async fn listen(&self, index: u8, port: u16) -> Result<Forwarder, CloudError> {
        self.shared.network.add_endpoint(index).await?;
        let address = self.shared.network.endpoint(index);
        let named = PathBuf::from(format!("{address}:{port}"));
        Forwarder::start(address, port)
            .await
            .map_err(CloudError::file("listen on", &named))
    }

    fn serving(
        &self,
        cloud: &Cloud,
        cluster: &str,
        running: &BTreeMap<PathBuf, u32>,
    ) -> Vec<Ipv4Addr> {
        let serves = |record: &&Record| {
            let folder = self.shared.folder.machine(&record.request.name);
            record.request.control_plane
                && record.request.cluster == cluster
                && !record.cut
                && running.contains_key(&folder)
        };
        let machines = cloud.machines.values().filter(serves);
        machines
            .map(|record| self.shared.network.machine(record.index))
            .collect()
    }

    /// Takes an endpoint back.
    pub(crate) async fn release(&self, who: &str, name: &str) -> Result<(), Refusal> {
        let index = self
            .change(|cloud| {
                let index = cloud.endpoints.get(name).map(|record| record.index);
                decide::release(cloud, who, name)?;
                Ok(index)
            })
            .await?;
        match index {
            Some(index) => self
                .shared
                .network
                .remove_endpoint(index)
                .await
                .map_err(failed),
            None => Ok(()),
        }
    }

    /// What goes wrong from now on.
    pub(crate) async fn faults(&self) -> Vec<super::Fault> {
        self.shared.cloud.lock().await.faults.clone()
    }
}

fn provider_id(name: &str) -> String {
    format!("local:///{name}")
}

fn failed(error: CloudError) -> Refusal {
    tracing::warn!(error = &error as &dyn std::error::Error, "the host fails");
    Refusal::Host(error.to_string())
}

fn token() -> Result<String, CloudError> {
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| CloudError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
