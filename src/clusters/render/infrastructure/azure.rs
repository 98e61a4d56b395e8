//! Microsoft Azure, by Cluster API Provider Azure.

use serde_json::{Value, json};

use super::{Infrastructure, Machine, copied, handed_on, secret_reference};
use crate::api::ProviderType;
use crate::clusters::render::blueprint::Blueprint;
use crate::clusters::render::error::RenderError;
use crate::clusters::render::machines::Machines;
use crate::clusters::render::manifest::Kind;

pub(super) const CLUSTER: &str = "AzureCluster";

const IDENTITY: Kind = Kind {
    group: super::GROUP,
    version: "v1beta1",
    name: "AzureClusterIdentity",
};

/// Settings of the identity, which are not the cluster's own.
const OF_IDENTITY: [(&str, &str); 2] = [
    ("tenantID", "the id of the tenant of the service principal"),
    (
        "clientID",
        "the id of the application of the service principal",
    ),
];

pub(super) fn cluster(blueprint: &Blueprint<'_>) -> Result<Infrastructure, RenderError> {
    let what = "the id of the subscription that pays for the machines";
    blueprint.needs("subscriptionID", what)?;
    let mut spec = json!({"location": blueprint.region});
    // Where the pool names none, the control plane is spread over the region's.
    for zone in &blueprint.zones {
        spec["failureDomains"][zone] = json!({"controlPlane": true});
    }
    let mut made = Infrastructure::new(CLUSTER, "AzureMachineTemplate", "v1beta1", spec);
    if blueprint.settings.has("identityRef") {
        return Ok(made);
    }
    let secret = copied(blueprint)?;
    let mut spec = json!({
        "type": "ServicePrincipal",
        "clientSecret": secret_reference(&secret),
        "allowedNamespaces": {"list": [blueprint.namespace]},
    });
    for (name, what) in OF_IDENTITY {
        let value = blueprint.besides.get(name);
        spec[name] = value
            .ok_or_else(|| blueprint.missing(name, what))?
            .clone()
            .into();
    }
    let (namespace, name) = (blueprint.namespace.as_str(), blueprint.name);
    made.spec["identityRef"] = json!({"kind": IDENTITY.name, "name": name, "namespace": namespace});
    made.identity = Some(blueprint.object(IDENTITY, name, spec));
    made.secret = Some(secret);
    Ok(made)
}

/// The file that the cloud's controller reads, from the Secret that the provider makes for each template.
pub(super) fn cloud_config(machines: &Machines<'_>, template: &str) -> Value {
    let key = match machines.is_control_plane {
        true => "control-plane-azure.json",
        false => "worker-node-azure.json",
    };
    json!({
        "path": "/etc/kubernetes/azure.json",
        "owner": "root:root",
        "permissions": "0600",
        "contentFrom": {"secret": {"name": format!("{template}-azure-json"), "key": key}},
    })
}

pub(super) fn machine(machines: &Machines<'_>) -> Machine {
    let class = machines
        .class
        .and_then(|(_, class)| class.providers.azure.as_ref());
    let of_class = class.and_then(|class| class.vm_size.clone());
    let size = machines.instance_type(ProviderType::Azure, of_class, "vmSize")?;
    let mut disk = json!({"osType": "Linux", "managedDisk": {"storageAccountType": "Premium_LRS"}});
    if let Some(size) = machines.root_volume(None) {
        disk["diskSizeGB"] = size.into();
    }
    let mut spec = json!({"vmSize": size, "osDisk": disk});
    if let Some(named) = class.and_then(|class| class.image.as_deref()) {
        spec["image"] = image(named);
    }
    if machines.is_spot() {
        spec["spotVMOptions"] = json!({"evictionPolicy": "Delete"});
    }
    Ok((spec, handed_on(class.map(|class| &class.other))))
}

/// An image by its resource id, or of the marketplace as `publisher:offer:sku:version`.
fn image(named: &str) -> Value {
    match *named.split(':').collect::<Vec<_>>() {
        [publisher, offer, sku, version] => json!({"marketplace": {
            "publisher": publisher, "offer": offer, "sku": sku, "version": version,
        }}),
        _ => json!({"id": named}),
    }
}
