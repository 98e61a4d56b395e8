//! What is: the clusters and placements that a plan is held against.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::Utc;
use kube::ResourceExt;

use super::error::CliError;
use super::live::Live;
use super::manifests::Manifests;
use crate::api::{LatticeCluster, LatticeService};
use crate::placement::decisions::{self, Action, Alternatives};
use crate::placement::inputs::Inputs;
use crate::placement::snapshot;
use crate::scheduler;

/// Where to look for what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Against {
    /// The API server that `kubectl` talks to, or that of a file.
    Cluster(Option<PathBuf>),
    /// Manifests.
    Folder(PathBuf),
}

impl Against {
    /// `kubeconfig` means the current one; a folder holds manifests; a file is a kubeconfig.
    pub(super) fn parse(text: &str) -> Self {
        let path = PathBuf::from(text);
        if text == "kubeconfig" {
            Self::Cluster(None)
        } else if path.is_file() && !holds_manifests(&path) {
            Self::Cluster(Some(path))
        } else {
            Self::Folder(path)
        }
    }

    /// What is. Manifests hold no decision.
    pub(super) fn read(&self) -> Result<Live, CliError> {
        match self {
            Self::Cluster(kubeconfig) => Ok(Live::read(kubeconfig.as_deref())?),
            Self::Folder(folder) => {
                let manifests = Manifests::load(folder)?;
                let findings = manifests.examine(&[]);
                if findings.errors() > 0 {
                    return Err(CliError::BadInput(findings.render(false)));
                }
                Ok(Live {
                    inputs: carried_out(manifests.inputs),
                    committed: None,
                })
            }
        }
    }
}

/// A kubeconfig says `kind: Config`.
fn holds_manifests(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    !text
        .lines()
        .any(|line| line.trim() == "kind: Config" || line.trim() == "\"kind\": \"Config\",")
}

/// Manifests that say nothing of what runs stand for a fleet in which all they ask for has been done.
fn carried_out(mut inputs: Inputs) -> Inputs {
    let placed = |service: &LatticeService| {
        let status = service.status.as_ref();
        status.is_some_and(|status| !status.placements.is_empty())
    };
    if !inputs.clusters.is_empty() || inputs.services.iter().any(placed) {
        return inputs;
    }
    let built = snapshot::build(&inputs);
    let solution = scheduler::solve(&built.snapshot);
    let untold = Alternatives::new();
    let mut decided = decisions::decide(&inputs, &built, &solution, &untold, Utc::now().into());
    for service in &mut inputs.services {
        let id = snapshot::service_id(service);
        service.status = decided.services.remove(&id);
    }
    for action in decided.actions {
        if let Action::CreateCluster(mut cluster) = action {
            cluster.status = decided.clusters.remove(&cluster.name_any());
            inputs.clusters.push(*cluster);
        }
    }
    inputs
}

/// What is wanted, on top of what is: clusters that nobody declares are there all the same, and services are
/// where they are.
pub(super) fn overlay(wanted: &mut Inputs, is: &Inputs) {
    let declared: BTreeMap<String, usize> = wanted
        .clusters
        .iter()
        .enumerate()
        .map(|(index, cluster)| (cluster.name_any(), index))
        .collect();
    for cluster in &is.clusters {
        match declared.get(&cluster.name_any()) {
            Some(index) => status_of(&mut wanted.clusters[*index], cluster),
            None => wanted.clusters.push(cluster.clone()),
        }
    }
    let running: BTreeMap<_, _> = is
        .services
        .iter()
        .map(|service| (snapshot::service_id(service), service))
        .collect();
    for service in &mut wanted.services {
        if let Some(is) = running.get(&snapshot::service_id(service)) {
            service.status.clone_from(&is.status);
        }
    }
}

fn status_of(wanted: &mut LatticeCluster, is: &LatticeCluster) {
    wanted.status.clone_from(&is.status);
}
