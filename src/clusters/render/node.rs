//! What kubelets and the control plane's programs are started with, whatever sets them up.

use std::collections::BTreeMap;

use super::blueprint::Blueprint;
use super::machines::Machines;
use super::names::label_value;
use crate::api::ProviderType;
use crate::api::capacity::CapacityType;
use crate::clusters::labels;

/// Cipher suites that a FIPS 140-3 module may use below TLS 1.3, in which all suites may be used.
const CIPHER_SUITES: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,\
                             TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";

/// Arguments of a program: by name, so that they are always in the same order.
pub(super) type Arguments = BTreeMap<&'static str, String>;

/// What every program that serves TLS is held to.
pub(super) fn serving() -> Arguments {
    Arguments::from([
        ("tls-cipher-suites", CIPHER_SUITES.to_owned()),
        ("tls-min-version", "VersionTLS12".to_owned()),
    ])
}

/// What etcd is held to, which has names of its own.
pub(super) fn etcd() -> Arguments {
    Arguments::from([("cipher-suites", CIPHER_SUITES.to_owned())])
}

/// What the API server is started with.
pub(super) fn api_server(provider: ProviderType) -> Arguments {
    let mut arguments = serving();
    if provider == ProviderType::Local {
        // Nothing there forwards the addresses of Services, so webhooks are reached by those of their pods.
        arguments.insert("enable-aggregator-routing", "true".to_owned());
    }
    arguments
}

/// What the controller manager is started with.
pub(super) fn controller_manager(provider: ProviderType) -> Arguments {
    let mut arguments = serving();
    if has_cloud_controller(provider) {
        arguments.insert("cloud-provider", "external".to_owned());
    }
    arguments
}

/// What kubelets are started with.
pub(super) fn kubelet(blueprint: &Blueprint<'_>, machines: &Machines<'_>) -> Arguments {
    let mut arguments = serving();
    let labels = node_labels(blueprint, machines);
    let labels: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    arguments.insert("node-labels", labels.join(","));
    if has_cloud_controller(blueprint.provider) {
        arguments.insert("cloud-provider", "external".to_owned());
    }
    // Cluster API finds a machine's node by it; elsewhere a cloud controller or the provider states it.
    let provider_id = match blueprint.provider {
        ProviderType::Openstack => Some("openstack:///'{{ instance_id }}'"),
        ProviderType::Proxmox => Some("proxmox://'{{ ds.meta_data.instance_id }}'"),
        _ => None,
    };
    arguments.extend(provider_id.map(|id| ("provider-id", id.to_owned())));
    arguments
}

/// Where a node is and what it is, as labels that pods can ask for.
pub(super) fn node_labels(
    blueprint: &Blueprint<'_>,
    machines: &Machines<'_>,
) -> BTreeMap<&'static str, String> {
    let capacity_type = match machines.capacity_type {
        CapacityType::OnDemand => "on-demand",
        CapacityType::Spot => "spot",
    };
    let stated = [
        (labels::CAPACITY_TYPE, Some(capacity_type)),
        (labels::NODE_CLASS, machines.class.map(|(name, _)| name)),
        (labels::REGION, blueprint.region.as_deref()),
        (labels::ZONE, machines.zone.as_deref()),
    ];
    let stated = stated.into_iter();
    stated
        .filter_map(|(key, value)| Some((key, label_value(value?))))
        .collect()
}

/// The node's name, where it is not the machine's own idea of it.
pub(super) fn node_name(provider: ProviderType) -> Option<&'static str> {
    match provider {
        ProviderType::Aws | ProviderType::Azure | ProviderType::Local => {
            Some("{{ ds.meta_data.local_hostname }}")
        }
        ProviderType::Gcp => Some("{{ ds.meta_data.local_hostname.split(\".\")[0] }}"),
        ProviderType::Openstack => Some("{{ local_hostname }}"),
        ProviderType::Proxmox | ProviderType::Docker => None,
    }
}

/// Whether a controller of the cloud's own initialises nodes.
fn has_cloud_controller(provider: ProviderType) -> bool {
    matches!(
        provider,
        ProviderType::Aws | ProviderType::Gcp | ProviderType::Azure | ProviderType::Openstack
    )
}
