//! Containers of a workload, in the shape that Score gives them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::container_mount::{File, Mounts, Volume};
use super::extended::{ExtendedResources, extended_schema};
use super::quantity::{Cores, MemoryGi, QuantityError, at_most};

/// One container of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Image reference.
    #[schemars(length(min = 1, max = 2048))]
    pub image: String,
    /// Replaces the image's entry point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub command: Vec<String>,
    /// Replaces the image's arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub args: Vec<String>,
    /// Environment variables; `${resources.name.property}` is filled in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 512))]
    pub variables: BTreeMap<String, String>,
    /// Files put into the container: a map by path, or a list of entries with `target`.
    #[serde(default, skip_serializing_if = "Mounts::is_empty")]
    pub files: Mounts<File>,
    /// Volumes mounted into the container: a map by path, or a list of entries with `target`.
    #[serde(default, skip_serializing_if = "Mounts::is_empty")]
    pub volumes: Mounts<Volume>,
    /// What the container asks for and may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ContainerResources>,
    /// Restarts the container when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
    /// Keeps traffic away while it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness_probe: Option<Probe>,
    /// Holds back the other probes until it succeeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,
}

/// What a container asks for and may use at most.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerResources {
    /// What is kept free for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceAmounts>,
    /// What it may use at most. Without requests, these are also requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceAmounts>,
    /// Extended resources, by Kubernetes' names, such as `nvidia.com/gpu`: whole numbers. As Kubernetes has it,
    /// what is requested of them is also the limit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "extended_schema")]
    pub extended: ExtendedResources,
}

impl ContainerResources {
    /// The cores and memory kept free, by Kubernetes' rule that a limit without a request is also requested.
    pub fn requested(&self) -> Result<(Cores, MemoryGi), QuantityError> {
        let either = |amount: fn(&ResourceAmounts) -> Option<&str>| {
            let requested = self.requests.as_ref().and_then(amount);
            requested.or_else(|| self.limits.as_ref().and_then(amount))
        };
        let cores =
            either(|amounts| amounts.cpu.as_deref()).map_or(Ok(Cores::default()), Cores::parse)?;
        let memory = either(|amounts| amounts.memory.as_deref());
        Ok((
            cores,
            memory.map_or(Ok(MemoryGi::default()), MemoryGi::parse_bytes)?,
        ))
    }
}

/// Amounts of cores and memory, as Kubernetes quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAmounts {
    /// Cores, such as `500m` or 2.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "cpu_text"
    )]
    #[schemars(schema_with = "cpu_schema")]
    pub cpu: Option<String>,
    /// Memory, such as `512Mi`; a number without a suffix is bytes.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "bytes_text"
    )]
    #[schemars(schema_with = "bytes_schema")]
    pub memory: Option<String>,
}

fn cpu_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let keep =
        |text: &str| at_most(Cores::parse(text).map(drop), ()).map(|()| Some(text.to_owned()));
    deserializer.deserialize_any(super::quantity::NumberOrText(
        keep,
        "a quantity such as 500m",
    ))
}

fn bytes_text<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let keep = |text: &str| {
        at_most(MemoryGi::parse_bytes(text).map(drop), ()).map(|()| Some(text.to_owned()))
    };
    deserializer.deserialize_any(super::quantity::NumberOrText(
        keep,
        "a quantity such as 512Mi",
    ))
}

fn cpu_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    super::quantity::number_or_string("cpu", super::quantity::MAX_CORES, super::quantity::QUANTITY)
}

fn bytes_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    super::quantity::number_or_string(
        "bytes",
        super::quantity::MAX_GIB << 30,
        super::quantity::QUANTITY,
    )
}

/// How the state of a container is found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.httpGet) != has(self.exec)",
    "message": "a probe has either httpGet or exec",
}]))]
pub struct Probe {
    /// Succeeds when the response is in 200..399.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_get: Option<HttpGet>,
    /// Succeeds when the command exits with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<Exec>,
}

/// A request to the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpGet {
    /// Host name. Default: the pod's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub host: Option<String>,
    /// `HTTP` or `HTTPS`. Default: `HTTP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<HttpScheme>,
    /// Path.
    #[schemars(length(min = 1, max = 2048))]
    pub path: String,
    /// Port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Headers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub http_headers: Vec<HttpHeader>,
}

/// Scheme of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpScheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

/// A header of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HttpHeader {
    /// Name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Value.
    #[schemars(length(max = 2048))]
    pub value: String,
}

/// A command run in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exec {
    /// The command and its arguments.
    #[schemars(length(min = 1, max = 256))]
    pub command: Vec<String>,
}
