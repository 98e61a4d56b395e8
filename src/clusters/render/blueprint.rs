//! A cluster with all that it refers to looked up: what the rest of the rendering works from.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{RenderError, RenderProblem};
use super::machines::{self, Machines};
use super::manifest::Kind;
use super::settings::{Settings, Wrong};
use super::{Sources, names, version};
use crate::api::cluster_provider::Bootstrap;
use crate::api::{LatticeCluster, LatticeClusterSpec, LatticePool, ProviderType};
use crate::clusters::labels;

/// A cluster with all that it refers to looked up.
#[derive(Debug)]
pub(super) struct Blueprint<'a> {
    pub name: &'a str,
    pub namespace: String,
    /// Labels of every object.
    pub labels: BTreeMap<String, String>,
    pub is_cell: bool,
    pub provider: ProviderType,
    pub region: Option<String>,
    /// The zones that machines may be in; none where that is the provider's choice.
    pub zones: Vec<String>,
    pub bootstrap: Bootstrap,
    /// As the bootstrap provider writes it.
    pub version: String,
    pub cert_sans: Vec<String>,
    /// The cluster's settings that are the provider's own.
    pub settings: Settings,
    /// Settings of every machine that are the provider's own.
    pub machine_settings: Map<String, Value>,
    /// Settings that are taken out for other objects than the cluster's infrastructure.
    pub besides: BTreeMap<&'static str, String>,
    pub ssh_key_name: Option<String>,
    pub ssh_authorized_keys: Vec<String>,
    /// The Secret in the operator's namespace with what opens the provider's API.
    pub credentials: Option<String>,
    pub control_plane: Machines<'a>,
    pub workers: Vec<Machines<'a>>,
    pub spec: &'a LatticeClusterSpec,
}

impl<'a> Blueprint<'a> {
    /// Looks up all that a cluster refers to.
    pub fn new(sources: &Sources<'a>) -> Result<Self, RenderError> {
        let cluster = sources.cluster;
        let name = cluster.metadata.name.as_deref().unwrap_or_default();
        let refuse = |(field, problem): Wrong| RenderError {
            cluster: name.to_owned(),
            field,
            problem,
        };
        Self::look_up(sources, cluster, name).map_err(refuse)
    }

    fn look_up(
        sources: &Sources<'a>,
        cluster: &'a LatticeCluster,
        name: &'a str,
    ) -> Result<Self, Wrong> {
        let spec = &cluster.spec;
        if !names::fits(name) {
            let longest = names::LONGEST_CLUSTER;
            return Err(at("metadata.name", RenderProblem::UnfitName { longest }));
        }
        let provider = spec.provider.provider_type();
        let provider =
            provider.ok_or_else(|| at("spec.provider.type", RenderProblem::NoProvider))?;
        let pool = pool(sources, provider)?;
        let pools = pool.map(|pool| &pool.spec.provider.settings);
        let mut settings = Settings::read(spec.provider.config.as_ref(), pools, provider);
        let region = region(&mut settings, pool, provider)?;
        let zones = zones(&mut settings, pool)?;
        let ssh_key_name = ssh_key_name(&mut settings, provider)?;
        let ssh_authorized_keys = settings.texts("sshAuthorizedKeys")?;
        let machine_settings = settings.object("machine")?;
        let besides = besides(&mut settings, provider)?;
        let kubernetes = &spec.provider.kubernetes;
        let version = version::of(kubernetes)
            .map_err(|problem| at("spec.provider.kubernetes.version", problem))?;
        let found = machines::read(sources, name, provider, &zones, &mut settings)?;
        Ok(Self {
            name,
            namespace: names::namespace(name),
            labels: marks(name),
            is_cell: spec.is_cell(),
            provider,
            region,
            zones,
            bootstrap: kubernetes.bootstrap,
            version,
            cert_sans: cert_sans(spec),
            settings,
            machine_settings,
            besides,
            ssh_key_name,
            ssh_authorized_keys,
            credentials: credentials(spec, pool),
            control_plane: found.0,
            workers: found.1,
            spec,
        })
    }

    /// What an error of this cluster is.
    pub fn error(&self, field: impl Into<String>, problem: RenderProblem) -> RenderError {
        RenderError {
            cluster: self.name.to_owned(),
            field: field.into(),
            problem,
        }
    }

    /// What is wrong where a setting is missing.
    pub fn missing(&self, setting: &str, what: &'static str) -> RenderError {
        let provider = self.provider;
        let problem = RenderProblem::MissingSetting { provider, what };
        self.error(self.settings.path(setting), problem)
    }

    /// Refuses where a setting of the provider's own is missing.
    pub fn needs(&self, setting: &str, what: &'static str) -> Result<(), RenderError> {
        match self.settings.has(setting) {
            true => Ok(()),
            false => Err(self.missing(setting, what)),
        }
    }

    /// An object of the cluster, in its namespace.
    pub fn object(&self, kind: Kind, name: &str, spec: Value) -> Value {
        kind.object(Some(&self.namespace), name, &self.labels, spec)
    }

    /// Where an object comes from.
    pub fn source(&self, field: &str) -> String {
        match field {
            "" => format!("LatticeCluster {}", self.name),
            field => format!("LatticeCluster {}: {field}", self.name),
        }
    }

    /// The Secret with the credentials, without which the provider does nothing.
    pub fn credentials(&self) -> Result<&str, RenderError> {
        self.credentials.as_deref().ok_or_else(|| {
            let problem = RenderProblem::NoCredentials(self.provider);
            self.error("spec.provider.credentials", problem)
        })
    }
}

fn at(field: &str, problem: RenderProblem) -> Wrong {
    (field.to_owned(), problem)
}

fn marks(name: &str) -> BTreeMap<String, String> {
    [labels::CLUSTER, labels::CAPI_CLUSTER]
        .map(|key| (key.to_owned(), name.to_owned()))
        .into()
}

fn pool<'a>(
    sources: &Sources<'a>,
    provider: ProviderType,
) -> Result<Option<&'a LatticePool>, Wrong> {
    let Some(named) = &sources.cluster.spec.pool_ref else {
        return Ok(None);
    };
    let is_it = |pool: &&LatticePool| pool.metadata.name.as_ref() == Some(named);
    let pool = sources.pools.iter().find(is_it);
    let pool = pool.ok_or_else(|| at("spec.poolRef", RenderProblem::NoPool(named.clone())))?;
    let theirs = pool.spec.provider.type_;
    if theirs != provider {
        let problem = RenderProblem::OtherProvider {
            pool: named.clone(),
            theirs,
            ours: provider,
        };
        return Err(at("spec.provider.type", problem));
    }
    Ok(Some(pool))
}

fn region(
    settings: &mut Settings,
    pool: Option<&LatticePool>,
    provider: ProviderType,
) -> Result<Option<String>, Wrong> {
    let stated = settings.text("region")?;
    let theirs = pool.map(|pool| &pool.spec.provider.region);
    let path = settings.path("region");
    match (stated, theirs) {
        (Some(ours), Some(theirs)) if ours != *theirs => {
            let pool = pool.and_then(|pool| pool.metadata.name.clone());
            let problem = RenderProblem::OtherRegion {
                pool: pool.unwrap_or_default(),
                theirs: theirs.clone(),
                ours,
            };
            Err((path, problem))
        }
        (None, None) if needs_region(provider) => Err((path, RenderProblem::NoRegion(provider))),
        (stated, theirs) => Ok(stated.or_else(|| theirs.cloned())),
    }
}

/// Whether the provider's API is asked for a region. Elsewhere it is a name of the user's own.
fn needs_region(provider: ProviderType) -> bool {
    matches!(
        provider,
        ProviderType::Aws | ProviderType::Gcp | ProviderType::Azure
    )
}

/// The zones of the pool, or the one that it or the cluster is confined to.
fn zones(settings: &mut Settings, pool: Option<&LatticePool>) -> Result<Vec<String>, Wrong> {
    let stated = settings.text("zone")?;
    let Some(provider) = pool.map(|pool| &pool.spec.provider) else {
        return Ok(stated.into_iter().collect());
    };
    let mut zones: Vec<String> = provider
        .zones
        .iter()
        .chain(&provider.zone)
        .cloned()
        .collect();
    zones.sort();
    if let Some(zone) = stated {
        check_zone(&zone, &zones).map_err(|problem| (settings.path("zone"), problem))?;
        zones = vec![zone];
    }
    Ok(zones)
}

/// Whether a zone is one of those that are known, where any are.
pub(super) fn check_zone(zone: &str, known: &[String]) -> Result<(), RenderProblem> {
    if known.is_empty() || known.iter().any(|other| other == zone) {
        return Ok(());
    }
    Err(RenderProblem::UnknownZone {
        zone: zone.to_owned(),
        known: known.join(", "),
    })
}

/// The name of a key pair that the provider keeps, where it keeps any.
fn ssh_key_name(settings: &mut Settings, provider: ProviderType) -> Result<Option<String>, Wrong> {
    let name = settings.text("sshKeyName")?;
    if name.is_some() && !matches!(provider, ProviderType::Aws | ProviderType::Openstack) {
        let problem = RenderProblem::NoSuchSetting {
            provider,
            instead: "list the keys themselves in `sshAuthorizedKeys`",
        };
        return Err((settings.path("sshKeyName"), problem));
    }
    Ok(name)
}

/// Settings of a provider that are for other objects than the cluster's infrastructure.
fn besides(
    settings: &mut Settings,
    provider: ProviderType,
) -> Result<BTreeMap<&'static str, String>, Wrong> {
    let names: &[&'static str] = match provider {
        ProviderType::Azure => &["tenantID", "clientID"],
        ProviderType::Openstack => &["cloudName"],
        ProviderType::Proxmox => &["virtualIPImage"],
        _ => &[],
    };
    let mut besides = BTreeMap::new();
    for name in names {
        besides.extend(settings.text(name)?.map(|value| (*name, value)));
    }
    Ok(besides)
}

/// Names and addresses in the API server's certificate: those stated, then those under which children know a cell.
fn cert_sans(spec: &LatticeClusterSpec) -> Vec<String> {
    let mut sans: Vec<String> = Vec::new();
    let cell = spec.cell.as_ref().and_then(|cell| cell.host.as_ref());
    let endpoint = spec.endpoints.as_ref().map(|endpoints| &endpoints.host);
    let reached = cell.into_iter().chain(endpoint).filter(|_| spec.is_cell());
    for san in spec.provider.kubernetes.cert_sans.iter().chain(reached) {
        if !sans.contains(san) {
            sans.push(san.clone());
        }
    }
    sans
}

fn credentials(spec: &LatticeClusterSpec, pool: Option<&LatticePool>) -> Option<String> {
    let pools = || pool.and_then(|pool| pool.spec.provider.credentials.as_ref());
    let named = spec.provider.credentials.as_ref().or_else(pools);
    named.map(|credentials| credentials.secret_ref.clone())
}
