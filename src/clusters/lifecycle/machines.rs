//! What Cluster API says of a cluster, in its v1beta2 kinds.

use std::collections::BTreeSet;

use serde_json::Value;

/// Conditions of a Cluster in the order in which they come true, so that the first that is not is what is waited for.
const ROAD: [&str; 4] = [
    "InfrastructureReady",
    "ControlPlaneInitialized",
    "ControlPlaneAvailable",
    "WorkersAvailable",
];

/// Whether the first machine of the control plane serves.
pub(super) fn is_initialized(capi: &Value) -> bool {
    capi["status"]["initialization"]["controlPlaneInitialized"] == true
}

/// Whether all that was asked for is there.
pub(super) fn is_available(capi: &Value) -> bool {
    condition(capi, "Available").is_some_and(|condition| condition["status"] == "True")
}

/// Machines that are ready, control plane and workers.
pub fn ready(capi: &Value) -> u32 {
    let of = |part: &str| capi["status"][part]["readyReplicas"].as_u64().unwrap_or(0);
    u32::try_from(of("controlPlane") + of("workers")).unwrap_or(u32::MAX)
}

/// What is waited for, in Cluster API's own words, and what keeps the first of the machines that have no node from coming, in its
/// provider's.
pub(super) fn missing(capi: &Value, machines: &[Value]) -> String {
    let told = [why_not(capi), trouble(machines).unwrap_or_default()];
    let told = told.into_iter().filter(|text| !text.is_empty());
    told.collect::<Vec<_>>().join(". ")
}

fn trouble(machines: &[Value]) -> Option<String> {
    let staying = machines
        .iter()
        .filter(|machine| !super::is_leaving(machine));
    let told = staying.filter_map(|machine| {
        let name = machine["metadata"]["name"].as_str()?;
        let (reason, message) = obstacle(machine).filter(|(reason, _)| !reason.is_empty())?;
        let told = format!("Machine {name}: {reason} {message}");
        Some(told.trim_end().to_owned())
    });
    told.min()
}

/// Reason and message by which its provider says that a machine without a node is not there yet, empty where it says nothing. None
/// for a machine that has a node.
pub(super) fn obstacle(machine: &Value) -> Option<(&str, &str)> {
    if !machine["status"]["nodeRef"].is_null() {
        return None;
    }
    let unmet = condition(machine, "InfrastructureReady").filter(|found| found["status"] != "True");
    let text = |key: &str| {
        unmet
            .and_then(|unmet| unmet[key].as_str())
            .unwrap_or_default()
    };
    Some((text("reason"), text("message")))
}

/// What is waited for, in Cluster API's own words.
pub(super) fn why_not(capi: &Value) -> String {
    if !capi["metadata"]["deletionTimestamp"].is_null() {
        return sentence(condition(capi, "Deleting"));
    }
    let unmet = ROAD
        .iter()
        .find_map(|type_| condition(capi, type_).filter(|condition| condition["status"] != "True"));
    sentence(unmet)
}

fn sentence(condition: Option<&Value>) -> String {
    let Some(condition) = condition else {
        return String::new();
    };
    let text = |key: &str| condition[key].as_str().unwrap_or_default();
    match text("message") {
        "" => format!("{}: {}", text("type"), text("reason")),
        message => format!("{}: {message}", text("type")),
    }
}

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == type_)
}

/// Names of the MachineDeployments among some objects.
pub(super) fn deployment_names<'a>(objects: impl Iterator<Item = &'a Value>) -> BTreeSet<String> {
    let deployments = objects.filter(|object| object["kind"] == "MachineDeployment");
    let names = deployments.filter_map(|object| object["metadata"]["name"].as_str());
    names.map(str::to_owned).collect()
}
