//! Machines of one kind: the control plane's, or those of one group of workers.

use super::blueprint::check_zone;
use super::error::RenderProblem;
use super::settings::{Settings, Wrong};
use super::{Sources, names};
use crate::api::capacity::CapacityType;
use crate::api::{LatticeNodeClass, LatticeNodeClassSpec, ProviderType};

/// Machines of one kind.
#[derive(Clone, Debug)]
pub(super) struct Machines<'a> {
    /// Name of the object that makes them: the control plane's or the MachineDeployment's.
    pub name: String,
    /// The field of the LatticeCluster that asks for them.
    pub field: String,
    pub is_control_plane: bool,
    pub count: u32,
    /// The LatticeNodeClass by name; none where only the cluster's settings say what they are.
    pub class: Option<(&'a str, &'a LatticeNodeClassSpec)>,
    pub capacity_type: CapacityType,
    /// The zone that they are in, if it is one.
    pub zone: Option<String>,
    /// The zone that the cluster states; empty where it states none.
    pub stated_zone: String,
    /// The instance type that the cluster's settings state, for machines without a class.
    pub stated_type: Option<String>,
    /// The root volume in GiB that the cluster's settings state.
    pub stated_volume: Option<u32>,
}

impl Machines<'_> {
    /// What the provider calls such a machine: by the class, or else by the cluster's settings.
    pub fn instance_type(
        &self,
        provider: ProviderType,
        of_class: Option<String>,
        setting: &'static str,
    ) -> Result<String, RenderProblem> {
        let stated = || self.stated_type.clone().filter(|_| self.class.is_none());
        of_class
            .or_else(stated)
            .ok_or_else(|| self.unknown(provider, setting))
    }

    /// What is wrong where nothing says what machine to make. The setting is the node class's.
    pub fn unknown(&self, provider: ProviderType, setting: &str) -> RenderProblem {
        let way_out = match (self.class, self.is_control_plane) {
            (Some((class, _)), _) => {
                format!(
                    "set `spec.providers.{provider}.{setting}` of the LatticeNodeClass `{class}`"
                )
            }
            (None, true) => "name a LatticeNodeClass in `spec.nodes.controlPlaneClass`".to_owned(),
            (None, false) => {
                "list the workers with their LatticeNodeClass in `spec.nodes.groups`".to_owned()
            }
        };
        RenderProblem::NoInstanceType { provider, way_out }
    }

    /// The root volume in GiB: by the class, by the cluster's settings, or for the storage that the class promises.
    pub fn root_volume(&self, of_class: Option<u32>) -> Option<u32> {
        let promised = || {
            let (_, class) = self.class?;
            u32::try_from(class.resources.storage_gi?.mib().div_ceil(1024)).ok()
        };
        of_class.or(self.stated_volume).or_else(promised)
    }

    /// Whether the machines may be taken back.
    pub fn is_spot(&self) -> bool {
        self.capacity_type == CapacityType::Spot
    }
}

/// What both kinds of machines have in common, while they are read.
struct Reader<'a, 'b> {
    sources: &'b Sources<'a>,
    cluster: &'a str,
    provider: ProviderType,
    zones: &'b [String],
}

/// Reads the control plane's machines and the groups of workers.
pub(super) fn read<'a>(
    sources: &Sources<'a>,
    cluster: &'a str,
    provider: ProviderType,
    zones: &[String],
    settings: &mut Settings,
) -> Result<(Machines<'a>, Vec<Machines<'a>>), Wrong> {
    let reader = Reader {
        sources,
        cluster,
        provider,
        zones,
    };
    let control = (
        settings.text("cpInstanceType")?,
        settings.number("cpRootVolumeSize")?,
    );
    let worker = (
        settings.text("workerInstanceType")?,
        settings.number("workerRootVolumeSize")?,
    );
    Ok((reader.control_plane(control)?, reader.workers(&worker)?))
}

type Stated = (Option<String>, Option<u32>);

impl<'a> Reader<'a, '_> {
    fn control_plane(&self, stated: Stated) -> Result<Machines<'a>, Wrong> {
        let nodes = &self.sources.cluster.spec.nodes;
        if nodes.control_plane == 0 {
            let field = "spec.nodes.controlPlane".to_owned();
            return Err((field, RenderProblem::HostedControlPlane));
        }
        let class = nodes.control_plane_class.as_deref();
        let field = match class {
            Some(_) => "spec.nodes.controlPlaneClass",
            None => "spec.nodes.controlPlane",
        };
        Ok(Machines {
            name: names::joined(&[self.cluster, "control-plane"], false),
            is_control_plane: true,
            count: nodes.control_plane,
            ..self.machines(field, class, stated)?
        })
    }

    fn workers(&self, stated: &Stated) -> Result<Vec<Machines<'a>>, Wrong> {
        let nodes = &self.sources.cluster.spec.nodes;
        let mut workers = Vec::new();
        if nodes.workers > 0 {
            workers.push(Machines {
                name: names::joined(&[self.cluster, "workers"], false),
                count: nodes.workers,
                ..self.machines("spec.nodes.workers", None, stated.clone())?
            });
        }
        for (index, group) in nodes.groups.iter().enumerate() {
            let field = format!("spec.nodes.groups[{index}]");
            let class = group.node_class.as_str();
            let mut machines = self.machines(&field, Some(class), stated.clone())?;
            if !group.zone.is_empty() {
                check_zone(&group.zone, self.zones)
                    .map_err(|problem| (format!("{field}.zone"), problem))?;
                machines.zone = Some(group.zone.clone());
            }
            machines.stated_zone.clone_from(&group.zone);
            machines.capacity_type = group.capacity_type;
            if machines.is_spot() && !has_spot(self.provider) {
                let problem = RenderProblem::NoSpot(self.provider);
                return Err((format!("{field}.capacityType"), problem));
            }
            machines.name = self.group_name(class, machines.is_spot(), &group.zone);
            machines.count = group.count;
            workers.push(machines);
        }
        workers.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(workers)
    }

    fn machines(
        &self,
        field: &str,
        class: Option<&'a str>,
        (stated_type, stated_volume): Stated,
    ) -> Result<Machines<'a>, Wrong> {
        let found = class.map(|class| self.class(class)).transpose();
        let class = found.map_err(|problem| (field.to_owned(), problem))?;
        let zone = match self.zones {
            [only] => Some(only.clone()),
            _ => None,
        };
        Ok(Machines {
            name: String::new(),
            field: field.to_owned(),
            is_control_plane: false,
            count: 0,
            class,
            capacity_type: CapacityType::OnDemand,
            zone,
            stated_zone: String::new(),
            stated_type,
            stated_volume,
        })
    }

    fn class(&self, name: &'a str) -> Result<(&'a str, &'a LatticeNodeClassSpec), RenderProblem> {
        let is_it = |class: &&LatticeNodeClass| class.metadata.name.as_deref() == Some(name);
        let found = self.sources.node_classes.iter().find(is_it);
        found
            .map(|class| (name, &class.spec))
            .ok_or_else(|| RenderProblem::NoNodeClass(name.to_owned()))
    }

    /// The plain name is that of on-demand machines of a class anywhere, unless another object has it.
    fn group_name(&self, class: &str, is_spot: bool, zone: &str) -> String {
        let taken = matches!(class, "control-plane" | "workers");
        // No zone ends like that, so one that is called `spot` is told from spot machines.
        let zone = format!("{zone}.");
        let mut parts = vec![self.cluster, class];
        parts.extend(is_spot.then_some("spot"));
        parts.extend((zone != ".").then_some(zone.as_str()));
        names::joined(&parts, taken || parts.len() > 2)
    }
}

/// Whether the provider, or Cluster API's provider for it, has machines that may be taken back.
fn has_spot(provider: ProviderType) -> bool {
    matches!(
        provider,
        ProviderType::Aws | ProviderType::Gcp | ProviderType::Azure | ProviderType::Local
    )
}
