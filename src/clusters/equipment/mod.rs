//! What a cluster has to have in it to manage its own machines: Cluster API and its providers.
//!
//! It comes either from a release, or from a cluster that has it already, so that a child always runs the versions
//! that its parent does. Serving certificates are nobody's but the cluster's own: wherever these objects are
//! installed, each webhook gets one that was made there.

mod bare;
mod release;
mod settle;
mod webhooks;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use release::ReleaseError;
pub(super) use settle::on_the_control_plane;
pub use webhooks::{CERTIFICATE_KEY, Endpoint, KEY_KEY, ROOT_KEY};

use crate::api::{ProviderType, cluster_provider::Bootstrap};

/// The label by which Cluster API's providers, and its core, mark all that they are installed with.
pub const PROVIDER: &str = "cluster.x-k8s.io/provider";

/// A kind of what providers are installed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// API group; empty for the core.
    pub group: &'static str,
    /// Kind. Its version is `v1`, as that of all of them is.
    pub kind: &'static str,
    /// Whether objects are in namespaces.
    pub namespaced: bool,
}

/// The kinds, in the order in which they are installed. Webhooks come last: from then on writes need who answers them.
pub const PARTS: [Part; 11] = [
    part("", "Namespace", false),
    part("apiextensions.k8s.io", "CustomResourceDefinition", false),
    part("", "ServiceAccount", true),
    part("rbac.authorization.k8s.io", "ClusterRole", false),
    part("rbac.authorization.k8s.io", "ClusterRoleBinding", false),
    part("rbac.authorization.k8s.io", "Role", true),
    part("rbac.authorization.k8s.io", "RoleBinding", true),
    part("", "Service", true),
    part("apps", "Deployment", true),
    part(
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        false,
    ),
    part(
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        false,
    ),
];

const fn part(group: &'static str, kind: &'static str, namespaced: bool) -> Part {
    Part {
        group,
        kind,
        namespaced,
    }
}

/// What is to be installed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Equipment {
    objects: Vec<Value>,
}

impl Equipment {
    /// The equipment in the text of a release, as `clusterctl` reads it: several documents, with variables that have
    /// defaults. What would have somebody else make certificates is left out.
    ///
    /// # Errors
    /// If it is no YAML, a document is of no kind, or a variable has no default.
    pub fn of_release(text: &str) -> Result<Self, ReleaseError> {
        Ok(Self::new(release::objects(text)?))
    }

    /// What a cluster needs of what is installed in another: all of it in a cell, whose own children may be anywhere;
    /// in others what their own machines are made by.
    pub fn of_installed(installed: Vec<Value>, needs: &Needs) -> Self {
        let mut objects = installed;
        objects.retain(|object| {
            let provider = object["metadata"]["labels"][PROVIDER].as_str();
            provider.is_some_and(|provider| needs.include(provider))
        });
        Self::new(objects)
    }

    fn new(objects: Vec<Value>) -> Self {
        let mut objects: Vec<Value> = objects
            .into_iter()
            .filter(|object| rank(object).is_some())
            .map(bare::of)
            .map(on_the_control_plane)
            .collect();
        // Stable, so that what a release lists first comes first.
        objects.sort_by_key(rank);
        Self { objects }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The objects, in order.
    pub fn objects(&self) -> &[Value] {
        &self.objects
    }

    /// The namespaces and names of the Deployments that do the work.
    pub fn deployments(&self) -> Vec<(String, String)> {
        let deployments = self.objects.iter().filter(|o| o["kind"] == "Deployment");
        let text = |object: &Value, key: &str| {
            let found = object["metadata"][key].as_str();
            found.unwrap_or_default().to_owned()
        };
        deployments
            .map(|object| (text(object, "namespace"), text(object, "name")))
            .collect()
    }

    /// The Services behind which webhooks are served.
    pub fn endpoints(&self) -> BTreeSet<Endpoint> {
        self.objects.iter().flat_map(webhooks::endpoints).collect()
    }

    /// The same, with the webhooks trusting these authorities, PEM.
    #[must_use]
    pub fn trusting(&self, authorities: &BTreeMap<Endpoint, String>) -> Self {
        let mut objects = self.objects.clone();
        for object in &mut objects {
            webhooks::trust(object, authorities);
        }
        Self { objects }
    }
}

/// Which providers a cluster needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Whether it has children.
    pub is_cell: bool,
    /// What sets its machines up.
    pub bootstrap: Bootstrap,
    /// What they come from.
    pub infrastructure: ProviderType,
}

impl Needs {
    fn include(&self, provider: &str) -> bool {
        let bootstrap = match self.bootstrap {
            Bootstrap::Kubeadm => "kubeadm",
            Bootstrap::Rke2 => "rke2",
        };
        self.is_cell
            || provider == "cluster-api"
            || [
                format!("bootstrap-{bootstrap}"),
                format!("control-plane-{bootstrap}"),
                format!("infrastructure-{}", self.infrastructure),
            ]
            .contains(&provider.to_owned())
    }
}

/// Where in the order an object is; nowhere, if it is of a kind that is not installed.
fn rank(object: &Value) -> Option<usize> {
    let group = object["apiVersion"].as_str()?;
    let group = group
        .strip_suffix("/v1")
        .or_else(|| (group == "v1").then_some(""))?;
    PARTS
        .iter()
        .position(|part| part.group == group && object["kind"] == part.kind)
}
