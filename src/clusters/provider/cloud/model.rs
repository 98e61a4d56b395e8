//! What the cloud knows and is asked for, as its API and its file have it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// A machine that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineRequest {
    /// Its name; asking again with the same name makes no second one.
    pub name: String,
    /// The cluster it is for.
    pub cluster: String,
    /// Whether it serves the cluster's API.
    pub control_plane: bool,
    /// What kind of machine.
    pub size: String,
    /// The region to be in.
    #[serde(default)]
    pub region: String,
    /// The zone to be in.
    #[serde(default)]
    pub zone: String,
    /// The Kubernetes version of its image.
    pub kubernetes_version: String,
    /// Thousandths of cores.
    pub milli_cores: u64,
    /// Memory.
    pub memory_mib: u64,
    /// What it does when it first starts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user_data: String,
}

/// A machine as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MachineView {
    /// Its name.
    pub name: String,
    /// The cluster it is for.
    pub cluster: String,
    /// Whether it serves the cluster's API.
    pub control_plane: bool,
    /// What kind of machine.
    pub size: String,
    /// The zone it is in.
    pub zone: String,
    /// Its name at the provider, as its Node has it.
    pub provider_id: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// What it does.
    pub state: MachineState,
    /// Whether its link is cut.
    pub cut: bool,
    /// How far it is with its first start.
    pub boot: Boot,
}

/// What a machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MachineState {
    /// It is about to run.
    Pending,
    /// It runs.
    Running,
    /// It is switched off.
    Stopped,
    /// It is about to be gone.
    Deleting,
}

/// How far a machine is with its first start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "phase")]
pub enum Boot {
    /// Not yet done.
    #[default]
    Booting,
    /// Done, and its node is part of its cluster.
    Succeeded,
    /// Done, and it is not.
    Failed {
        /// What went wrong.
        message: String,
    },
}

/// Where a cluster's API server is reached, whichever of its machines serve it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointView {
    /// Its address.
    pub host: Ipv4Addr,
    /// Its port.
    pub port: u16,
}

/// Something that goes wrong from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Fault {
    /// There are no machines of a size, in a zone. Absent means any.
    OutOfStock {
        /// The size.
        #[serde(default)]
        size: Option<String>,
        /// The zone.
        #[serde(default)]
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

/// Who may ask, and for how much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// What opens the API.
    pub token: String,
    /// How many machines it may have; none means as many as fit.
    #[serde(default)]
    pub machines: Option<u64>,
    /// How many thousandths of cores they may have.
    #[serde(default)]
    pub milli_cores: Option<u64>,
}

/// Everything that must not be forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cloud {
    pub(crate) machines: BTreeMap<String, Record>,
    pub(crate) endpoints: BTreeMap<String, EndpointRecord>,
    pub(crate) credentials: BTreeMap<String, Credential>,
    pub(crate) faults: Vec<Fault>,
}

/// A machine that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// Without its user data, which is in the machine's own folder.
    pub(crate) request: MachineRequest,
    /// Whose it is.
    pub(crate) owner: String,
    /// Which part of the network is its own.
    pub(crate) index: u8,
    pub(crate) on: bool,
    pub(crate) cut: bool,
    pub(crate) starts: bool,
    pub(crate) deleting: bool,
}

/// An endpoint that was given away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndpointRecord {
    pub(crate) owner: String,
    pub(crate) index: u8,
    pub(crate) port: u16,
}

/// Why the cloud says no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody with this token is known.
    #[error("the token is not known; it was revoked, or is of another cloud")]
    UnknownCredential,
    /// The token is not one for this.
    #[error("this credential may not do that")]
    Forbidden,
    /// More than the credential may have.
    #[error("the quota of {owner} is {limit}; {used} are used and {wanted} more were asked for")]
    QuotaExceeded {
        /// Whose quota.
        owner: String,
        /// How much of what it allows.
        limit: String,
        /// How much is used.
        used: u64,
        /// How much more was asked for.
        wanted: u64,
    },
    /// There is no such machine left.
    #[error("no machine of size {size} is left in zone {zone}")]
    OutOfStock {
        /// The size.
        size: String,
        /// The zone.
        zone: String,
    },
    /// There is no image with this version.
    #[error("there is no image with Kubernetes {wanted}; there is {there}")]
    ImageNotFound {
        /// What was asked for.
        wanted: String,
        /// What there is.
        there: String,
    },
    /// All addresses are given away.
    #[error("all {0} of the network are in use")]
    NoAddress(&'static str),
    /// The name is somebody else's.
    #[error("the name {0} belongs to another credential or cluster")]
    NameTaken(String),
    /// A name or a size is none.
    #[error("{0}")]
    Invalid(String),
    /// There is nothing of this name.
    #[error("there is no {0}")]
    NotFound(String),
    /// A fault that was asked for.
    #[error("the cloud is unavailable; `lattice cloud heal` ends it")]
    Unavailable,
    /// The host does not do what it should.
    #[error("{0}")]
    Host(String),
}

impl Refusal {
    /// The status code and the one word that tells machines what it is.
    #[must_use]
    pub const fn code(&self) -> (u16, &'static str) {
        match self {
            Self::UnknownCredential => (401, "UnknownCredential"),
            Self::Forbidden => (403, "Forbidden"),
            Self::QuotaExceeded { .. } => (403, "QuotaExceeded"),
            Self::OutOfStock { .. } => (409, "OutOfStock"),
            Self::ImageNotFound { .. } => (422, "ImageNotFound"),
            Self::NoAddress(_) => (409, "NoAddress"),
            Self::NameTaken(_) => (409, "NameTaken"),
            Self::Invalid(_) => (422, "Invalid"),
            Self::NotFound(_) => (404, "NotFound"),
            Self::Unavailable => (503, "Unavailable"),
            Self::Host(_) => (500, "HostFailed"),
        }
    }
}
