#![cfg(test)]
//! A machine for tests.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::super::spec::MachineSpec;

pub(super) fn spec() -> MachineSpec {
    let programs = ["etcd", "manager"].map(|name| (name.to_owned(), format!("/bin/{name}").into()));
    let images = [("etcd", "etcd"), ("controller", "manager")];
    MachineSpec {
        name: "m-1".to_owned(),
        provider_id: "local:///m-1".to_owned(),
        region: "here".to_owned(),
        zone: "here-a".to_owned(),
        size: "m".to_owned(),
        address: Ipv4Addr::new(10, 213, 7, 1),
        network_bits: 16,
        gateway: Ipv4Addr::new(10, 213, 0, 1),
        own_bits: 24,
        milli_cores: 2000,
        memory_mib: 4096,
        kubernetes_version: "v1.36.3".to_owned(),
        programs: BTreeMap::from(programs),
        images: images
            .into_iter()
            .map(|(image, program)| (image.to_owned(), program.to_owned()))
            .collect(),
    }
}
