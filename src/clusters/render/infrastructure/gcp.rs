//! Google Cloud, by Cluster API Provider GCP.

use serde_json::json;

use super::{Infrastructure, Machine, handed_on, refer_to_credentials};
use crate::api::ProviderType;
use crate::clusters::render::blueprint::Blueprint;
use crate::clusters::render::error::RenderError;
use crate::clusters::render::machines::Machines;

pub(super) fn cluster(blueprint: &Blueprint<'_>) -> Result<Infrastructure, RenderError> {
    blueprint.needs("project", "the id of the project that the machines are in")?;
    let mut spec = json!({
        "region": blueprint.region,
        "network": {"name": blueprint.name, "autoCreateSubnetworks": true},
    });
    if !blueprint.zones.is_empty() {
        spec["failureDomains"] = blueprint.zones.clone().into();
    }
    let mut made = Infrastructure::new("GCPCluster", "GCPMachineTemplate", "v1beta1", spec);
    refer_to_credentials(&mut made, blueprint)?;
    Ok(made)
}

pub(super) fn machine(machines: &Machines<'_>) -> Machine {
    let class = machines
        .class
        .and_then(|(_, class)| class.providers.gcp.as_ref());
    let of_class = class.and_then(|class| class.machine_type.clone());
    let instance_type = machines.instance_type(ProviderType::Gcp, of_class, "machineType")?;
    let mut spec = json!({"instanceType": instance_type});
    if let Some(image) = class.and_then(|class| class.image.as_ref()) {
        spec["image"] = image.clone().into();
    }
    if let Some(size) = machines.root_volume(None) {
        spec["rootDeviceSize"] = size.into();
    }
    if machines.is_spot() {
        spec["provisioningModel"] = "Spot".into();
    }
    Ok((spec, handed_on(class.map(|class| &class.other))))
}
