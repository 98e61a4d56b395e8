//! The infrastructure that machines come from.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The infrastructure that machines come from.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ProviderType {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
    /// Microsoft Azure.
    Azure,
    /// OpenStack.
    Openstack,
    /// Proxmox VE.
    Proxmox,
    /// Containers as machines, for development.
    Docker,
    /// Processes as machines on this host, for development and tests.
    Local,
}

impl ProviderType {
    /// Every provider, in the order in which documents list them.
    pub const ALL: [Self; 7] = [
        Self::Aws,
        Self::Gcp,
        Self::Azure,
        Self::Openstack,
        Self::Proxmox,
        Self::Docker,
        Self::Local,
    ];

    /// The name as documents write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
            Self::Openstack => "openstack",
            Self::Proxmox => "proxmox",
            Self::Docker => "docker",
            Self::Local => "local",
        }
    }
}

impl fmt::Display for ProviderType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
