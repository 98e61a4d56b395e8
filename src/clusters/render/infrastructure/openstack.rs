//! OpenStack, by Cluster API Provider OpenStack.

use serde_json::{Value, json};

use super::{Infrastructure, Machine, copied, handed_on};
use crate::api::ProviderType;
use crate::clusters::render::blueprint::Blueprint;
use crate::clusters::render::error::RenderError;
use crate::clusters::render::machines::Machines;

/// The entry of `clouds.yaml` that is used where the settings name none.
const CLOUD: &str = "openstack";

pub(super) fn cluster(blueprint: &Blueprint<'_>) -> Result<Infrastructure, RenderError> {
    let mut spec = json!({
        "apiServerLoadBalancer": {"enabled": true},
        // Cilium's nodes speak to each other on ports of its own.
        "managedSecurityGroups": {"allowAllInClusterTraffic": true},
        "managedSubnets": [{"cidr": "10.6.0.0/24"}],
    });
    if !blueprint.zones.is_empty() {
        spec["controlPlaneAvailabilityZones"] = blueprint.zones.clone().into();
    }
    let mut made = Infrastructure::new(
        "OpenStackCluster",
        "OpenStackMachineTemplate",
        "v1beta1",
        spec,
    );
    if !blueprint.settings.has("identityRef") {
        let secret = copied(blueprint)?;
        let cloud = blueprint.besides.get("cloudName");
        let cloud = cloud.map_or(CLOUD, String::as_str);
        made.spec["identityRef"] = json!({"cloudName": cloud, "name": secret.name});
        made.secret = Some(secret);
    }
    Ok(made)
}

pub(super) fn machine(blueprint: &Blueprint<'_>, machines: &Machines<'_>) -> Machine {
    let class = machines
        .class
        .and_then(|(_, class)| class.providers.openstack.as_ref());
    let of_class = class.and_then(|class| class.flavor.clone());
    let flavor = machines.instance_type(ProviderType::Openstack, of_class, "flavor")?;
    let mut spec = json!({"flavor": flavor});
    if let Some(named) = class.and_then(|class| class.image.as_deref()) {
        spec["image"] = image(named);
    }
    if let Some(size) = machines.root_volume(None) {
        spec["rootVolume"] = json!({"sizeGiB": size});
    }
    if let Some(key) = &blueprint.ssh_key_name {
        spec["sshKeyName"] = key.clone().into();
    }
    Ok((spec, handed_on(class.map(|class| &class.other))))
}

/// An image by its id or its name.
fn image(named: &str) -> Value {
    let parts: Vec<&str> = named.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    match lengths == [8, 4, 4, 4, 12] && parts.iter().all(is_hex) {
        true => json!({"id": named}),
        false => json!({"filter": {"name": named}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_known_by_its_id_or_its_name() {
        let id = "0b1f9a2e-3c4d-4e5f-8a9b-0c1d2e3f4a5b";
        assert_eq!(image(id), json!({"id": id}));
        for name in ["ubuntu-22.04", "aaaaaaaa-bbbb-cccc-dddd-not-an-id..x"] {
            assert_eq!(image(name), json!({"filter": {"name": name}}));
        }
    }
}
