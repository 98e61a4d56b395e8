//! Containers as machines, by Cluster API's own provider for development.

use serde_json::{Map, Value, json};

use super::{Infrastructure, handed_on};
use crate::clusters::render::blueprint::Blueprint;
use crate::clusters::render::machines::Machines;

pub(super) fn cluster(blueprint: &Blueprint<'_>) -> Infrastructure {
    let mut spec = json!({});
    if !blueprint.zones.is_empty() {
        let zones = blueprint.zones.iter();
        spec["failureDomains"] = zones
            .map(|zone| json!({"name": zone, "controlPlane": true}))
            .collect();
    }
    Infrastructure::new("DockerCluster", "DockerMachineTemplate", "v1beta2", spec)
}

/// The provider has no limits for a container, so the class's size is for placement only.
pub(super) fn machine(machines: &Machines<'_>) -> (Value, Map<String, Value>) {
    let class = machines
        .class
        .and_then(|(_, class)| class.providers.docker.as_ref());
    (json!({}), handed_on(class.map(|class| &class.other)))
}
