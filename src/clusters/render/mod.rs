//! A LatticeCluster as Cluster API objects.
//!
//! [`render()`] is a function of the cluster, its pool and its node classes: same input, same objects, in the same order.
//! Templates of machines are named after their content, because Cluster API never changes one: whatever changes
//! in a machine makes another template, and Cluster API replaces the machines one by one.

mod blueprint;
mod core;
mod error;
mod infrastructure;
mod kubeadm;
mod machines;
mod manifest;
mod names;
mod network;
mod node;
pub mod registration;
mod rke2;
mod settings;
#[cfg(test)]
mod tests;
mod version;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

pub use self::error::{RenderError, RenderProblem};
pub use self::manifest::Manifest;
pub use self::names::namespace;

use self::blueprint::Blueprint;
use self::infrastructure::Infrastructure;
use self::machines::Machines;
use crate::api::cluster::NodeGroup;
use crate::api::cluster_provider::Bootstrap;
use crate::api::{LatticeCluster, LatticeNodeClass, LatticePool};
use crate::clusters::labels;

/// What a cluster is rendered from.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// The cluster.
    pub cluster: &'a LatticeCluster,
    /// The pools that it may name.
    pub pools: &'a [LatticePool],
    /// The node classes that it may name.
    pub node_classes: &'a [LatticeNodeClass],
    /// Whether the cluster has a parent that it tells of itself. A root has none.
    pub has_parent: bool,
}

/// A cluster as objects.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rendered {
    /// The LatticeCluster.
    pub cluster: String,
    /// The namespace of its Cluster API objects.
    pub namespace: String,
    /// The objects, in the order in which they are to be applied. Lattice owns the fields that they state and no others.
    pub objects: Vec<Manifest>,
    /// The groups of workers, by the name of their MachineDeployment.
    #[serde(skip)]
    pub groups: BTreeMap<String, NodeGroup>,
    /// Objects for the cluster itself, which it gets with its bootstrap.
    pub bootstrap: Vec<Manifest>,
    /// The Secret with the provider's credentials, which has to be there before the objects are.
    pub credentials: Option<SecretCopy>,
    /// Whether the cluster calls its parent, for which its registration Secret has to be there.
    pub registers: bool,
}

impl Rendered {
    /// The object that the control plane is.
    pub fn control_plane(&self) -> Option<&Manifest> {
        let mut objects = self.objects.iter();
        objects.find(|manifest| manifest.kind().ends_with("ControlPlane"))
    }
}

/// A Secret of the operator's namespace that has to be somewhere else as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretCopy {
    /// Name of the Secret in the operator's namespace.
    pub from: String,
    /// Namespace of the copy.
    pub namespace: String,
    /// Name of the copy.
    pub name: String,
    /// Labels of the copy.
    pub labels: BTreeMap<String, String>,
}

/// Renders a cluster.
///
/// # Errors
///
/// If something is missing or contradicts itself; the error names the field and the way out.
pub fn render(sources: &Sources<'_>) -> Result<Rendered, RenderError> {
    let blueprint = Blueprint::new(sources)?;
    let infrastructure = Infrastructure::of(&blueprint)?;
    let mut objects = vec![own_namespace(&blueprint)];
    objects.extend(infrastructure.manifests(&blueprint));
    objects.extend(control_plane(
        &blueprint,
        &infrastructure,
        sources.has_parent,
    )?);
    objects.push(cluster(&blueprint, &infrastructure));
    for machines in &blueprint.workers {
        objects.extend(workers(&blueprint, &infrastructure, machines)?);
    }
    objects.extend(health_checks(&blueprint));
    Ok(Rendered {
        cluster: blueprint.name.to_owned(),
        namespace: blueprint.namespace.clone(),
        objects,
        groups: groups(&blueprint),
        bootstrap: network::load_balancer_pool(&blueprint)
            .into_iter()
            .collect(),
        credentials: infrastructure.secret,
        registers: sources.has_parent,
    })
}

fn groups(blueprint: &Blueprint<'_>) -> BTreeMap<String, NodeGroup> {
    let classed = blueprint.workers.iter().filter_map(|machines| {
        let group = NodeGroup {
            node_class: machines.class?.0.to_owned(),
            capacity_type: machines.capacity_type,
            zone: machines.stated_zone.clone(),
            count: machines.count,
        };
        Some((machines.name.clone(), group))
    });
    classed.collect()
}

fn own_namespace(blueprint: &Blueprint<'_>) -> Manifest {
    Manifest {
        source: blueprint.source(""),
        object: json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": blueprint.namespace, "labels": blueprint.labels},
        }),
    }
}

fn cluster(blueprint: &Blueprint<'_>, infrastructure: &Infrastructure) -> Manifest {
    let control_plane = control_plane_kind(blueprint.bootstrap);
    let spec = core::cluster(
        infrastructure.cluster.reference(blueprint.name),
        control_plane.reference(&blueprint.control_plane.name),
        infrastructure.endpoint.as_ref(),
    );
    let mut object = blueprint.object(core::CLUSTER, blueprint.name, spec);
    object["metadata"]["labels"][labels::CELL] = blueprint.is_cell.to_string().into();
    Manifest {
        source: blueprint.source(""),
        object,
    }
}

const fn control_plane_kind(bootstrap: Bootstrap) -> manifest::Kind {
    match bootstrap {
        Bootstrap::Kubeadm => kubeadm::CONTROL_PLANE,
        Bootstrap::Rke2 => rke2::CONTROL_PLANE,
    }
}

fn control_plane(
    blueprint: &Blueprint<'_>,
    infrastructure: &Infrastructure,
    registers: bool,
) -> Result<[Manifest; 2], RenderError> {
    let machines = &blueprint.control_plane;
    let template = machine_template(blueprint, infrastructure, machines)?;
    let files = infrastructure.files(machines, template.name());
    let reference = infrastructure.template.reference(template.name());
    let spec = match blueprint.bootstrap {
        Bootstrap::Kubeadm => {
            kubeadm::control_plane(blueprint, infrastructure, files, &reference, registers)
        }
        Bootstrap::Rke2 => rke2::control_plane(blueprint, files, &reference, registers),
    };
    let kind = control_plane_kind(blueprint.bootstrap);
    let object = blueprint.object(kind, &machines.name, spec);
    let source = blueprint.source(&machines.field);
    Ok([template, Manifest { source, object }])
}

fn workers(
    blueprint: &Blueprint<'_>,
    infrastructure: &Infrastructure,
    machines: &Machines<'_>,
) -> Result<[Manifest; 3], RenderError> {
    let template = machine_template(blueprint, infrastructure, machines)?;
    let files = infrastructure.files(machines, template.name());
    let (kind, spec) = match blueprint.bootstrap {
        Bootstrap::Kubeadm => (
            kubeadm::CONFIG_TEMPLATE,
            kubeadm::worker(blueprint, machines, files),
        ),
        Bootstrap::Rke2 => (
            rke2::CONFIG_TEMPLATE,
            rke2::worker(blueprint, machines, files),
        ),
    };
    let config = of_content(blueprint, machines, kind, spec);
    let spec = core::machine_deployment(
        blueprint,
        machines,
        &infrastructure.template.reference(template.name()),
        &kind.reference(config.name()),
    );
    let deployment = Manifest {
        source: blueprint.source(&machines.field),
        object: blueprint.object(core::MACHINE_DEPLOYMENT, &machines.name, spec),
    };
    Ok([template, config, deployment])
}

fn machine_template(
    blueprint: &Blueprint<'_>,
    infrastructure: &Infrastructure,
    machines: &Machines<'_>,
) -> Result<Manifest, RenderError> {
    let machine = infrastructure::machine(blueprint, machines)?;
    let spec = json!({"template": {"spec": machine}});
    Ok(of_content(
        blueprint,
        machines,
        infrastructure.template,
        spec,
    ))
}

/// A template, named after what is in it.
fn of_content(
    blueprint: &Blueprint<'_>,
    machines: &Machines<'_>,
    kind: manifest::Kind,
    spec: Value,
) -> Manifest {
    let class = machines
        .class
        .map(|(name, _)| format!(", LatticeNodeClass {name}"));
    let name = names::of_spec(&machines.name, &spec);
    Manifest {
        source: blueprint.source(&machines.field) + &class.unwrap_or_default(),
        object: blueprint.object(kind, &name, spec),
    }
}

fn health_checks(blueprint: &Blueprint<'_>) -> Vec<Manifest> {
    let check = |name: &str, spec: Value| Manifest {
        source: blueprint.source("spec.nodes"),
        object: blueprint.object(
            core::MACHINE_HEALTH_CHECK,
            &names::joined(&[blueprint.name, name], false),
            spec,
        ),
    };
    let mut checks = vec![check(
        "control-plane",
        core::control_plane_health(blueprint),
    )];
    if !blueprint.workers.is_empty() {
        checks.push(check("workers", core::worker_health(blueprint)));
    }
    checks
}
