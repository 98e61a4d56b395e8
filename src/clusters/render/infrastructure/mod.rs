//! The kinds of the infrastructure providers, a provider a file.

mod aws;
mod azure;
mod docker;
mod gcp;
mod local;
mod openstack;
mod proxmox;
mod virtual_ip;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::SecretCopy;
use super::blueprint::Blueprint;
use super::error::{RenderError, RenderProblem};
use super::machines::Machines;
use super::manifest::{Kind, Manifest, overlay};
use crate::api::ProviderType;
use crate::clusters::labels;

/// The group of every provider's kinds.
const GROUP: &str = "infrastructure.cluster.x-k8s.io";

/// What a provider wants for a cluster, its machines aside.
#[derive(Debug)]
pub(super) struct Infrastructure {
    /// The kind of the cluster's infrastructure.
    pub cluster: Kind,
    /// The kind of machine templates.
    pub template: Kind,
    /// The spec of the cluster's infrastructure.
    pub spec: Value,
    /// The object that says who the provider acts as.
    pub identity: Option<Value>,
    /// The Secret that has to be where the provider looks for it.
    pub secret: Option<SecretCopy>,
    /// Where the API server is reached, if that has to be said beforehand.
    pub endpoint: Option<Value>,
    /// Files on machines of the control plane.
    pub control_plane_files: Vec<Value>,
    /// Commands on machines of the control plane, before kubeadm runs.
    pub commands_before: Vec<String>,
    /// Commands on machines of the control plane, after kubeadm has run.
    pub commands_after: Vec<String>,
}

impl Infrastructure {
    /// What the provider wants for a cluster.
    pub fn of(blueprint: &Blueprint<'_>) -> Result<Self, RenderError> {
        let mut made = match blueprint.provider {
            ProviderType::Aws => aws::cluster(blueprint),
            ProviderType::Gcp => gcp::cluster(blueprint),
            ProviderType::Azure => azure::cluster(blueprint),
            ProviderType::Openstack => openstack::cluster(blueprint),
            ProviderType::Proxmox => proxmox::cluster(blueprint),
            ProviderType::Docker => Ok(docker::cluster(blueprint)),
            ProviderType::Local => Ok(local::cluster(blueprint)),
        }?;
        overlay(&mut made.spec, blueprint.settings.rest());
        Ok(made)
    }

    fn new(
        cluster: &'static str,
        template: &'static str,
        version: &'static str,
        spec: Value,
    ) -> Self {
        let kind = |name| Kind {
            group: GROUP,
            version,
            name,
        };
        Self {
            cluster: kind(cluster),
            template: kind(template),
            spec,
            identity: None,
            secret: None,
            endpoint: None,
            control_plane_files: Vec::new(),
            commands_before: Vec::new(),
            commands_after: Vec::new(),
        }
    }

    /// The objects: who the provider acts as, then the cluster's infrastructure.
    pub fn manifests(&self, blueprint: &Blueprint<'_>) -> Vec<Manifest> {
        let identity = self.identity.iter().map(|identity| Manifest {
            source: blueprint.source("spec.provider.credentials"),
            object: identity.clone(),
        });
        let cluster = Manifest {
            source: blueprint.source("spec.provider"),
            object: blueprint.object(self.cluster, blueprint.name, self.spec.clone()),
        };
        identity.chain([cluster]).collect()
    }

    /// Files that the provider wants on machines that are made from a template.
    pub fn files(&self, machines: &Machines<'_>, template: &str) -> Vec<Value> {
        let mut files = match self.cluster.name {
            azure::CLUSTER => vec![azure::cloud_config(machines, template)],
            _ => Vec::new(),
        };
        if machines.is_control_plane {
            files.extend(self.control_plane_files.clone());
        }
        files
    }
}

/// The spec of machines in their template.
pub(super) fn machine(
    blueprint: &Blueprint<'_>,
    machines: &Machines<'_>,
) -> Result<Value, RenderError> {
    let made = match blueprint.provider {
        ProviderType::Aws => aws::machine(blueprint, machines),
        ProviderType::Gcp => gcp::machine(machines),
        ProviderType::Azure => azure::machine(machines),
        ProviderType::Openstack => openstack::machine(blueprint, machines),
        ProviderType::Proxmox => proxmox::machine(machines),
        ProviderType::Docker => Ok(docker::machine(machines)),
        ProviderType::Local => local::machine(machines),
    };
    let (mut spec, of_class) = made.map_err(|problem| blueprint.error(&machines.field, problem))?;
    overlay(&mut spec, &blueprint.machine_settings);
    overlay(&mut spec, &of_class);
    Ok(spec)
}

/// The spec of a machine, and the settings of its class that go over it as they are.
type Machine = Result<(Value, Map<String, Value>), RenderProblem>;

/// The settings of a class that are handed on as they are.
fn handed_on(other: Option<&BTreeMap<String, Value>>) -> Map<String, Value> {
    let other = other.into_iter().flatten();
    other
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The Secret with the provider's credentials, brought into the cluster's namespace.
fn copied(blueprint: &Blueprint<'_>) -> Result<SecretCopy, RenderError> {
    let mut marks = blueprint.labels.clone();
    // No owner leads to it.
    marks.insert(labels::MOVES.to_owned(), String::new());
    Ok(SecretCopy {
        labels: marks,
        from: blueprint.credentials()?.to_owned(),
        namespace: blueprint.namespace.clone(),
        name: format!("{}-credentials", blueprint.name),
    })
}

/// Has the provider find its credentials by `credentialsRef`, unless the settings have one of their own.
fn refer_to_credentials(
    made: &mut Infrastructure,
    blueprint: &Blueprint<'_>,
) -> Result<(), RenderError> {
    if !blueprint.settings.has("credentialsRef") {
        let secret = copied(blueprint)?;
        made.spec["credentialsRef"] = secret_reference(&secret);
        made.secret = Some(secret);
    }
    Ok(())
}

/// A reference to a Secret that names its namespace.
fn secret_reference(secret: &SecretCopy) -> Value {
    json!({"name": secret.name, "namespace": secret.namespace})
}
