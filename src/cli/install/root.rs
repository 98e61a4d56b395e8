//! Which cluster is the first, and what it takes to make it.

use std::path::Path;

use kube::ResourceExt;

use super::InstallError;
use crate::{
    api::{LatticeCluster, ProviderType},
    clusters::render::{self, Rendered, Sources},
    placement::{inputs::Inputs, labels::has_parent},
};

/// The first cluster of a fleet.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) name: String,
    /// Its LatticeCluster, its pool and the node classes: what the temporary cluster makes it from.
    pub(super) needed: Inputs,
    pub(super) rendered: Rendered,
    /// The Secret by which it reaches its cloud.
    pub(super) secret: String,
}

impl Root {
    /// The cluster without a parent, or the one of this name.
    pub(super) fn find(
        inputs: &Inputs,
        name: Option<&str>,
        path: &Path,
    ) -> Result<Self, InstallError> {
        let cluster = chosen(inputs, name, path)?;
        let name = cluster.name_any();
        let rendered = render::render(&Sources {
            cluster,
            pools: &inputs.pools,
            node_classes: &inputs.node_classes,
            has_parent: true,
        })
        .map_err(Box::new)?;
        let provider = cluster.spec.provider.provider_type();
        if provider != Some(ProviderType::Local) {
            return Err(InstallError::Provider {
                cluster: name,
                provider: provider.map_or_else(|| "no provider".to_owned(), |p| p.to_string()),
            });
        }
        let Some(credentials) = &rendered.credentials else {
            return Err(InstallError::NoCredentials(name));
        };
        let is_its = |pool: &String| cluster.spec.pool_ref.as_ref() == Some(pool);
        let pools = inputs.pools.iter().filter(|pool| is_its(&pool.name_any()));
        Ok(Self {
            name,
            needed: Inputs {
                pools: pools.cloned().collect(),
                node_classes: inputs.node_classes.clone(),
                clusters: vec![cluster.clone()],
                ..Inputs::default()
            },
            secret: credentials.from.clone(),
            rendered,
        })
    }

    pub(super) fn cluster(&self) -> Option<&LatticeCluster> {
        self.needed.clusters.first()
    }
}

fn chosen<'a>(
    inputs: &'a Inputs,
    name: Option<&str>,
    path: &Path,
) -> Result<&'a LatticeCluster, InstallError> {
    let roots: Vec<&LatticeCluster> = inputs.clusters.iter().filter(|c| !has_parent(c)).collect();
    let mut names: Vec<String> = roots.iter().map(|cluster| cluster.name_any()).collect();
    names.sort();
    match (name, roots.as_slice()) {
        (Some(name), roots) => {
            let found = roots.iter().find(|cluster| cluster.name_any() == name);
            found.copied().ok_or_else(|| InstallError::NotARoot {
                name: name.to_owned(),
                known: match names.is_empty() {
                    true => "there is none".to_owned(),
                    false => format!("there are {}", names.join(", ")),
                },
            })
        }
        (None, []) => Err(InstallError::NoRoot(path.to_owned())),
        (None, [one]) => Ok(one),
        (None, _) => Err(InstallError::SeveralRoots(names)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn inputs(clusters: &[(&str, Value)], provider: &str, credentials: &Value) -> Inputs {
        let read = |value: Value| serde_json::from_value(value).unwrap();
        let cluster = |(name, parent): &(&str, Value)| -> LatticeCluster {
            serde_json::from_value(json!({
                "apiVersion": "lattice.dev/v1alpha1", "kind": "LatticeCluster", "metadata": {"name": name},
                "spec": {
                    "provider": {"type": provider, "kubernetes": {"version": "1.36.3"}},
                    "poolRef": "here",
                    "cellRef": parent,
                    "nodes": {"controlPlane": 1, "controlPlaneClass": "small"},
                },
            }))
            .unwrap()
        };
        Inputs {
            clusters: clusters.iter().map(cluster).collect(),
            pools: vec![
                serde_json::from_value(json!({
                    "apiVersion": "lattice.dev/v1alpha1", "kind": "LatticePool", "metadata": {"name": "here"},
                    "spec": {
                        "provider": {"type": provider, "region": "here", "credentials": credentials},
                        "nodeClasses": ["small"],
                    },
                }))
                .unwrap(),
            ],
            node_classes: vec![read(json!({
                "apiVersion": "lattice.dev/v1alpha1", "kind": "LatticeNodeClass", "metadata": {"name": "small"},
                "spec": {"resources": {"cores": 2, "memoryGi": 4}, "costPerHour": {"local": 0.01}},
            }))],
            ..Inputs::default()
        }
    }

    fn found(inputs: &Inputs, name: Option<&str>) -> Result<String, String> {
        let root = Root::find(inputs, name, Path::new("fleet"));
        root.map(|root| format!("{} {}", root.name, root.secret))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_root_is_the_cluster_without_a_parent() {
        let secret = json!({"secretRef": "cloud"});
        let one = inputs(
            &[("root", json!(null)), ("us", json!("root"))],
            "local",
            &secret,
        );
        assert_eq!(found(&one, None).unwrap(), "root cloud");
        assert_eq!(found(&one, Some("root")).unwrap(), "root cloud");
        assert!(
            found(&one, Some("us"))
                .unwrap_err()
                .contains("there are root")
        );
        let two = inputs(&[("b", json!(null)), ("a", json!(null))], "local", &secret);
        assert!(found(&two, None).unwrap_err().starts_with("a, b have no"));
        assert_eq!(found(&two, Some("b")).unwrap(), "b cloud");
        let none = inputs(&[("us", json!("root"))], "local", &secret);
        assert!(found(&none, None).unwrap_err().contains("fleet"));
    }

    #[test]
    fn what_could_not_go_on_alone_is_refused_before_anything_is_made() {
        let clusters = [("root", json!(null))];
        let without = inputs(&clusters, "local", &json!(null));
        assert!(found(&without, None).unwrap_err().contains("secretRef"));
        let elsewhere = inputs(&clusters, "aws", &json!({"secretRef": "cloud"}));
        assert!(!found(&elsewhere, None).unwrap_err().is_empty());
    }
}
