//! Proxmox VE, by Cluster API Provider Proxmox.

use serde_json::{Value, json};

use super::{Infrastructure, Machine, handed_on, refer_to_credentials, virtual_ip};
use crate::api::ProviderType;
use crate::clusters::render::blueprint::Blueprint;
use crate::clusters::render::error::{RenderError, RenderProblem};
use crate::clusters::render::machines::Machines;

/// What the provider cannot make up, in the order in which people meet it.
const NEEDED: [(&str, &str); 3] = [
    (
        "controlPlaneEndpoint",
        "`host` is an unused address of the machines' network, on which the API server is to be reached, `port` its port",
    ),
    (
        "ipv4Config",
        "the `addresses` that machines may have, with their `prefix` and `gateway`",
    ),
    ("dnsServers", "the addresses of the name servers"),
];

pub(super) fn cluster(blueprint: &Blueprint<'_>) -> Result<Infrastructure, RenderError> {
    for (name, what) in NEEDED {
        blueprint.needs(name, what)?;
    }
    let settings = &blueprint.settings;
    let endpoint = &settings.rest()["controlPlaneEndpoint"];
    let (Some(host), Some(port)) = (endpoint["host"].as_str(), endpoint["port"].as_u64()) else {
        let problem = RenderProblem::WrongSetting("an object with `host` and `port`");
        return Err(blueprint.error(settings.path("controlPlaneEndpoint"), problem));
    };
    let mut made = Infrastructure::new(
        "ProxmoxCluster",
        "ProxmoxMachineTemplate",
        "v1alpha1",
        json!({}),
    );
    made.endpoint = Some(json!({"host": host, "port": port}));
    virtual_ip::add(&mut made, blueprint, host, port);
    refer_to_credentials(&mut made, blueprint)?;
    Ok(made)
}

pub(super) fn machine(machines: &Machines<'_>) -> Machine {
    let class = machines
        .class
        .and_then(|(_, class)| class.providers.proxmox.as_ref());
    let class = class.ok_or_else(|| machines.unknown(ProviderType::Proxmox, "template"))?;
    let mut spec = json!({
        "format": "qcow2",
        "full": true,
        "network": {"default": {"bridge": "vmbr0", "model": "virtio"}},
    });
    if let Some(cores) = class.cores {
        spec["numSockets"] = 1.into();
        spec["numCores"] = cores.into();
    }
    if let Some(memory) = class.memory {
        spec["memoryMiB"] = memory.into();
    }
    if let Some(named) = &class.template {
        let (field, value) = template(named);
        spec[field] = value;
    }
    if let Some(size) = machines.root_volume(None) {
        spec["disks"] = json!({"bootVolume": {"disk": "scsi0", "sizeGb": size}});
    }
    Ok((spec, handed_on(Some(&class.other))))
}

/// A template by its number, or by the tag that it has.
fn template(named: &str) -> (&'static str, Value) {
    match named.parse::<u32>() {
        Ok(number) => ("templateID", number.into()),
        Err(_) => ("templateSelector", json!({"matchTags": [named]})),
    }
}
