//! What the daemon tells a machine, and what the machine tells the daemon: two files in the machine's folder.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::MachineError;
use super::cloud_init::Metadata;

/// The file that the daemon writes.
pub(crate) const SPEC_FILE: &str = "machine.json";
/// The file that the machine writes.
pub(crate) const REPORT_FILE: &str = "report.json";
/// The file with the user data.
pub(crate) const USER_DATA_FILE: &str = "user-data";

/// What a machine is told of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MachineSpec {
    /// Its host name.
    pub(crate) name: String,
    /// Its name at the provider.
    pub(crate) provider_id: String,
    /// Its region.
    pub(crate) region: String,
    /// Its zone.
    pub(crate) zone: String,
    /// What kind of machine it is.
    pub(crate) size: String,
    /// Its own address.
    pub(crate) address: Ipv4Addr,
    /// How many leading bits of it are the network's.
    pub(crate) network_bits: u8,
    /// Where everything goes that is not for a neighbour.
    pub(crate) gateway: Ipv4Addr,
    /// How many leading bits of its address are its own: the other addresses below them are for its pods.
    pub(crate) own_bits: u8,
    /// Thousandths of cores that its node offers.
    pub(crate) milli_cores: u64,
    /// Memory that its node offers.
    pub(crate) memory_mib: u64,
    /// The Kubernetes version of its programs.
    pub(crate) kubernetes_version: String,
    /// Its programs, by the name they have inside.
    pub(crate) programs: BTreeMap<String, PathBuf>,
    /// Which program an image's containers run, by the last part of the image's name.
    pub(crate) images: BTreeMap<String, String>,
}

impl MachineSpec {
    pub(crate) fn metadata(&self) -> Metadata {
        Metadata {
            local_hostname: self.name.clone(),
            instance_id: self.name.clone(),
            provider_id: self.provider_id.clone(),
            region: self.region.clone(),
            zone: self.zone.clone(),
            local_ipv4: self.address.to_string(),
        }
    }
}

/// How far a machine is with what it was given to do at its first start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "phase")]
pub(crate) enum Report {
    /// Not yet done.
    #[default]
    Booting,
    /// Done, and the node is part of its cluster.
    Succeeded,
    /// Done, and it is not.
    Failed {
        /// What went wrong.
        message: String,
    },
}

/// Reads one of the two files.
pub(crate) fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, MachineError> {
    let bytes = std::fs::read(path).map_err(MachineError::file("read", path))?;
    serde_json::from_slice(&bytes).map_err(|error| MachineError::file("read", path)(error.into()))
}

/// Writes one of the two files, so that a reader has the old or the new one.
pub(crate) fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), MachineError> {
    let wrong = |error: std::io::Error| MachineError::file("write", path)(error);
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| wrong(error.into()))?;
    let next = path.with_extension("next");
    std::fs::write(&next, bytes).map_err(wrong)?;
    std::fs::rename(&next, path).map_err(wrong)
}
