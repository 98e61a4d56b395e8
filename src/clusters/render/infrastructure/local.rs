//! Processes as machines, by Lattice's own provider.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Infrastructure, Machine, copied};
use crate::api::local_infrastructure::INFRASTRUCTURE_VERSION;
use crate::clusters::render::blueprint::Blueprint;
use crate::clusters::render::error::RenderProblem;
use crate::clusters::render::machines::Machines;

pub(super) fn cluster(blueprint: &Blueprint<'_>) -> Infrastructure {
    let mut spec = json!({});
    if let Some(region) = &blueprint.region {
        spec["region"] = region.clone().into();
    }
    if !blueprint.zones.is_empty() {
        spec["zones"] = blueprint.zones.clone().into();
    }
    let mut made = Infrastructure::new(
        "LocalCluster",
        "LocalMachineTemplate",
        INFRASTRUCTURE_VERSION,
        spec,
    );
    // Without, the controller uses the daemon of its own host.
    if let Ok(secret) = copied(blueprint) {
        made.spec["credentialsRef"] = json!({"name": secret.name});
        made.secret = Some(secret);
    }
    made
}

pub(super) fn machine(machines: &Machines<'_>) -> Machine {
    let mut spec = json!({"capacityType": machines.capacity_type});
    let class_name = machines.class.map(|(name, _)| name.to_owned());
    if let Some(named) = class_name.or_else(|| machines.stated_type.clone()) {
        spec["instanceType"] = named.into();
    }
    if let Some((_, class)) = machines.class {
        spec["cores"] = json!(class.resources.cores);
        spec["memoryGi"] = json!(class.resources.memory_gi);
        let stated = class.providers.local.as_ref().map(|local| &local.other);
        let settings = texts(stated.into_iter().flatten())?;
        if !settings.is_empty() {
            spec["settings"] = json!(settings);
        }
    }
    Ok((spec, Map::new()))
}

/// Settings as texts, which is all that the daemon takes.
fn texts<'a>(
    stated: impl Iterator<Item = (&'a String, &'a Value)>,
) -> Result<BTreeMap<String, String>, RenderProblem> {
    stated
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            Value::Bool(_) | Value::Number(_) => Ok((key.clone(), value.to_string())),
            _ => Err(RenderProblem::WrongSetting(
                "a class whose `spec.providers.local` has only texts, numbers and true or false",
            )),
        })
        .collect()
}
