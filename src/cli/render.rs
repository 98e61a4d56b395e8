//! `lattice render`: the objects that Lattice would apply.

use std::fmt::Write;
use std::path::PathBuf;

use chrono::Utc;
use kube::ResourceExt;

use super::Outcome;
use super::error::CliError;
use super::manifests::Manifests;
use super::output::Output;
use crate::api::LatticeCluster;
use crate::clusters::render::registration::registration_secret;
use crate::clusters::render::{Manifest, RenderError, Rendered, Sources, render};
use crate::placement::decisions::{self, Action, Alternatives};
use crate::placement::inputs::Inputs;
use crate::placement::labels;
use crate::placement::problem::{Problem, Severity};
use crate::placement::snapshot::{self, Built};
use crate::scheduler;

/// Print the objects that Lattice would apply: for the clusters in the manifests, and for those that the scheduler would
/// make for their services. Needs no cluster and applies nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  lattice render fleet/ --what clusters                     # Cluster API objects of every cluster
  lattice render fleet/ --what clusters --cluster prod-1    # of one
  lattice render fleet/ --what clusters -o json | jq -r '.[].objects[].object.kind'
  lattice render fleet/ --what bootstrap --cluster prod-1   # what the cluster itself gets to begin with

Exit codes: 0 done, 1 the manifests are wrong, or a cluster cannot be rendered; the others are printed.")]
pub(crate) struct Args {
    /// Folder, file, or `-` for stdin.
    #[arg(value_name = "DIR")]
    path: PathBuf,
    /// Which objects.
    #[arg(long, value_enum)]
    what: What,
    /// Only those of this cluster.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// How to print them: yaml is ready for `kubectl apply`, json has all of a cluster together.
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum What {
    /// Cluster API objects, for the cluster that makes clusters.
    Clusters,
    /// Objects that a new cluster gets for itself.
    Bootstrap,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
}

impl Args {
    pub(crate) fn run(self, out: &Output) -> Result<Outcome, CliError> {
        let manifests = Manifests::load(&self.path)?;
        let built = snapshot::build(&manifests.inputs);
        let findings = manifests.examine(&built.problems);
        if findings.errors() > 0 {
            return Err(CliError::BadInput(findings.render(out.color_errors)));
        }
        let clusters = self.select(wanted(&manifests.inputs, &built))?;
        let mut rendered = Vec::new();
        let mut refused = Vec::new();
        for cluster in &clusters {
            match render(&sources(cluster, &manifests.inputs)) {
                Ok(made) => rendered.push(made),
                Err(error) => refused.push(error),
            }
        }
        out.print(&self.write(&rendered)?)?;
        out.complain(&complaints(&refused, &manifests, out));
        Ok(if refused.is_empty() {
            Outcome::Done
        } else {
            Outcome::Refused
        })
    }

    /// The cluster that was asked for, or all.
    fn select(&self, mut clusters: Vec<LatticeCluster>) -> Result<Vec<LatticeCluster>, CliError> {
        let Some(name) = &self.cluster else {
            return Ok(clusters);
        };
        let names: Vec<String> = clusters.iter().map(ResourceExt::name_any).collect();
        clusters.retain(|cluster| cluster.name_any() == *name);
        if clusters.is_empty() {
            let known = match names.is_empty() {
                true => "there is none".to_owned(),
                false => format!("there are {}", names.join(", ")),
            };
            let said = format!("there is no cluster `{name}`, declared or planned; {known}");
            return Err(CliError::NotThere(said));
        }
        Ok(clusters)
    }

    fn write(&self, rendered: &[Rendered]) -> Result<String, CliError> {
        if self.output == Format::Json {
            return Ok(serde_json::to_string_pretty(rendered)? + "\n");
        }
        let mut documents = Vec::new();
        for cluster in rendered {
            let objects = match self.what {
                What::Clusters => &cluster.objects,
                What::Bootstrap => &cluster.bootstrap,
            };
            let mut needs = match self.what {
                What::Clusters => needs(cluster),
                What::Bootstrap => String::new(),
            };
            for Manifest { source, object } in objects {
                let yaml = serde_saphyr::to_string(object)?;
                documents.push(format!("{needs}# {source}\n{yaml}"));
                needs.clear();
            }
        }
        Ok(documents.join("---\n"))
    }
}

/// The Secrets that have to be there, as comments.
fn needs(cluster: &Rendered) -> String {
    let mut text = String::new();
    if let Some(secret) = &cluster.credentials {
        let _ = writeln!(
            text,
            "# needs the Secret {}/{}: a copy of `{}` of the operator's namespace",
            secret.namespace, secret.name, secret.from
        );
    }
    if cluster.registers {
        let _ = writeln!(
            text,
            "# needs the Secret {}/{}, which the parent makes",
            cluster.namespace,
            registration_secret(&cluster.cluster)
        );
    }
    text
}

/// The clusters as the scheduler wants them: those that are there, and those that it would make.
fn wanted(inputs: &Inputs, built: &Built) -> Vec<LatticeCluster> {
    let solution = scheduler::solve(&built.snapshot);
    // The time is in statuses only, which are not asked for.
    let now = Utc::now().into();
    let decided = decisions::decide(inputs, built, &solution, &Alternatives::new(), now);
    let mut clusters = inputs.clusters.clone();
    for action in decided.actions {
        match action {
            Action::CreateCluster(made) => clusters.push(*made),
            Action::DeleteCluster(name) => clusters.retain(|cluster| cluster.name_any() != name),
            Action::UpdateCluster(changed) => {
                clusters.retain(|cluster| cluster.name_any() != changed.name_any());
                clusters.push(*changed);
            }
        }
    }
    clusters.sort_by_key(ResourceExt::name_any);
    clusters
}

fn sources<'a>(cluster: &'a LatticeCluster, inputs: &'a Inputs) -> Sources<'a> {
    Sources {
        cluster,
        pools: &inputs.pools,
        node_classes: &inputs.node_classes,
        has_parent: labels::has_parent(cluster),
    }
}

/// What cannot be rendered: with its place, where it was written by someone.
fn complaints(refused: &[RenderError], manifests: &Manifests, out: &Output) -> String {
    let (mut problems, mut others) = (Vec::new(), String::new());
    for error in refused {
        let is_it = |cluster: &LatticeCluster| cluster.name_any() == error.cluster;
        if manifests.inputs.clusters.iter().any(is_it) {
            problems.push(problem(error));
        } else {
            let _ = writeln!(others, "error: {error}");
        }
    }
    match problems.is_empty() {
        true => others,
        false => manifests.examine(&problems).render(out.color_errors) + &others,
    }
}

fn problem(error: &RenderError) -> Problem {
    Problem {
        severity: Severity::Error,
        kind: "LatticeCluster",
        namespace: None,
        name: error.cluster.clone(),
        path: error.path(),
        message: error.problem.to_string(),
        suggestion: None,
    }
}
