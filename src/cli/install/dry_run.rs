//! What an installation would do.

use std::fmt::Write;
use std::path::Path;

use super::root::Root;
use crate::placement::inputs::Inputs;

/// What would be made of what, and the steps.
pub(super) fn text(root: &Root, inputs: &Inputs, path: &Path, kubeconfig: &Path) -> String {
    let mut text = String::new();
    let name = &root.name;
    let path = path.display();
    if let Some(cluster) = root.cluster() {
        let spec = &cluster.spec;
        let nodes = &spec.nodes;
        let pool = spec.pool_ref.as_deref().unwrap_or("-");
        let version = &spec.provider.kubernetes.version;
        let _ = writeln!(text, "{name}: Kubernetes {version}, pool {pool}");
        let class = nodes.control_plane_class.as_deref().unwrap_or("-");
        let _ = writeln!(text, "  control plane  {} × {class}", nodes.control_plane);
        for group in &nodes.groups {
            let _ = writeln!(
                text,
                "  workers        {} × {}",
                group.count, group.node_class
            );
        }
    }
    let objects = root.rendered.objects.len();
    let steps = [
        "start etcd, kube-apiserver, Lattice and Cluster API's managers on this host".to_owned(),
        format!(
            "have them make {name} of {objects} objects (`lattice render {path} --what clusters --cluster {name}`)"
        ),
        format!("install Cluster API and Lattice in {name}, and move its objects into it"),
        format!("write its kubeconfig to {}", kubeconfig.display()),
        format!("apply to it all of {path}: {}", counted(inputs)),
        "stop what was started here, and remove it".to_owned(),
    ];
    text.push_str("would\n");
    for (number, step) in steps.iter().enumerate() {
        let _ = writeln!(text, "  {}. {step}", number + 1);
    }
    text.push_str("Nothing was done.\n");
    text
}

fn counted(inputs: &Inputs) -> String {
    let counts = [
        (inputs.clusters.len(), "cluster"),
        (inputs.pools.len(), "pool"),
        (inputs.node_classes.len(), "node class"),
        (inputs.policies.len(), "policy"),
        (inputs.services.len(), "service"),
    ];
    let plural = |word: &str| match word.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None if word.ends_with('s') => format!("{word}es"),
        None => format!("{word}s"),
    };
    let each = counts.iter().filter(|(count, _)| *count > 0);
    let each = each.map(|(count, word)| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {}", plural(word)),
    });
    each.collect::<Vec<_>>().join(", ")
}
