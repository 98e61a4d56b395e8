//! On the way to another version of Kubernetes: one minor release at a time, the control plane before the workers.

use semver::Version;
use serde_json::Value;

use crate::clusters::render::{RenderError, RenderProblem, Rendered};

/// The field that says which version is wanted.
const FIELD: &str = "spec.provider.kubernetes.version";

/// What Cluster API is to be told now of a cluster on its way to another version.
#[derive(Clone, Debug, PartialEq)]
pub struct Staged {
    /// The objects, with the workers' version held back until the control plane has arrived.
    pub rendered: Rendered,
    /// Where on the way it is, in words; none where there is nothing to do.
    pub doing: Option<String>,
}

/// What is to be told now, seeing the control plane as Cluster API has it, and the MachineDeployments.
///
/// # Errors
/// If Kubernetes does not go from the version that runs to the one that is wanted: more than one minor release up, or down.
pub fn staged(
    mut rendered: Rendered,
    control_plane: Option<&Value>,
    deployments: &[Value],
) -> Result<Staged, RenderError> {
    let Some(road) = control_plane.and_then(|found| Road::new(&rendered, found)) else {
        return Ok(Staged {
            rendered,
            doing: None,
        });
    };
    road.check().map_err(|problem| RenderError {
        cluster: rendered.cluster.clone(),
        field: FIELD.to_owned(),
        problem,
    })?;
    let has_arrived = road.from == road.to;
    let mut waiting = 0;
    for manifest in &mut rendered.objects {
        let object = &mut manifest.object;
        if object["kind"] != "MachineDeployment" {
            continue;
        }
        let name = &object["metadata"]["name"];
        let there = deployments.iter().find(|d| d["metadata"]["name"] == *name);
        let runs = there.and_then(worker_version).unwrap_or(&road.from_written);
        if !has_arrived {
            waiting += 1;
            object["spec"]["template"]["spec"]["version"] = runs.into();
        } else if there.is_some_and(is_behind) {
            waiting += 1;
        }
    }
    let doing = match (has_arrived, waiting) {
        (true, 0) => None,
        (true, groups) => Some(format!(
            "{groups} node groups go to {}, a machine at a time",
            road.to_written
        )),
        (false, 0) => Some(format!(
            "the control plane goes from {} to {}",
            road.from_written, road.to_written
        )),
        (false, groups) => Some(format!(
            "the control plane goes from {} to {}; {groups} node groups follow",
            road.from_written, road.to_written
        )),
    };
    Ok(Staged { rendered, doing })
}

/// From which version to which.
struct Road {
    from: Version,
    from_written: String,
    to: Version,
    to_written: String,
}

impl Road {
    /// None until the control plane says what it runs.
    fn new(rendered: &Rendered, control_plane: &Value) -> Option<Self> {
        // The lowest of all its machines.
        let from_written = control_plane["status"]["version"].as_str()?.to_owned();
        let to_written = rendered.control_plane()?.object["spec"]["version"]
            .as_str()?
            .to_owned();
        Some(Self {
            from: parse(&from_written)?,
            to: parse(&to_written)?,
            from_written,
            to_written,
        })
    }

    fn check(&self) -> Result<(), RenderProblem> {
        let (running, wanted) = (self.from_written.clone(), self.to_written.clone());
        if self.to < self.from {
            return Err(RenderProblem::Downgrade { running, wanted });
        }
        let next = (self.from.major, self.from.minor.saturating_add(1));
        if (self.to.major, self.to.minor) > next {
            return Err(RenderProblem::VersionSkip {
                running,
                wanted,
                major: next.0,
                minor: next.1,
            });
        }
        Ok(())
    }
}

fn parse(written: &str) -> Option<Version> {
    Version::parse(written.strip_prefix('v').unwrap_or(written)).ok()
}

fn worker_version(deployment: &Value) -> Option<&str> {
    deployment["spec"]["template"]["spec"]["version"].as_str()
}

/// Whether some of its machines are not yet as they should be.
fn is_behind(deployment: &Value) -> bool {
    let count = |key: &str| deployment["status"][key].as_u64();
    match (count("upToDateReplicas"), count("replicas")) {
        (Some(current), Some(all)) => current < all,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clusters::render::Manifest;

    fn rendered(version: &str) -> Rendered {
        let object = |object: Value| Manifest {
            source: String::new(),
            object,
        };
        let workers = |name: &str| {
            object(json!({
                "kind": "MachineDeployment", "metadata": {"name": name},
                "spec": {"template": {"spec": {"version": version}}},
            }))
        };
        Rendered {
            cluster: "a".to_owned(),
            namespace: "capi-a".to_owned(),
            objects: vec![
                object(json!({"kind": "KubeadmControlPlane", "spec": {"version": version}})),
                workers("old"),
                workers("new"),
            ],
            groups: Default::default(),
            bootstrap: Vec::new(),
            credentials: None,
            registers: true,
        }
    }

    fn control_plane(version: &str) -> Value {
        json!({"kind": "KubeadmControlPlane", "status": {"version": version}})
    }

    fn deployment(version: &str, current: u64) -> Value {
        json!({
            "kind": "MachineDeployment", "metadata": {"name": "old"},
            "spec": {"template": {"spec": {"version": version}}},
            "status": {"replicas": 2, "upToDateReplicas": current},
        })
    }

    fn versions(rendered: &Rendered) -> Vec<String> {
        let each = rendered.objects.iter().map(|manifest| {
            let spec = &manifest.object["spec"];
            let own = spec["version"].as_str();
            own.or_else(|| worker_version(&manifest.object))
                .unwrap()
                .to_owned()
        });
        each.collect()
    }

    fn refused(from: &str, to: &str) -> String {
        let error = staged(rendered(to), Some(&control_plane(from)), &[]).unwrap_err();
        assert_eq!(error.field, FIELD);
        error.problem.to_string()
    }

    #[test]
    fn workers_wait_for_the_control_plane() {
        let there = [deployment("v1.34.9", 2)];
        let on_the_way =
            staged(rendered("v1.36.3"), Some(&control_plane("v1.35.1")), &there).unwrap();
        // Those that are there stay what they are; new ones are as old as the control plane.
        assert_eq!(
            versions(&on_the_way.rendered),
            ["v1.36.3", "v1.34.9", "v1.35.1"]
        );
        assert_eq!(
            on_the_way.doing.unwrap(),
            "the control plane goes from v1.35.1 to v1.36.3; 2 node groups follow"
        );
        let arrived = staged(rendered("v1.36.3"), Some(&control_plane("v1.36.3")), &there).unwrap();
        assert_eq!(versions(&arrived.rendered), ["v1.36.3"; 3]);
        assert_eq!(arrived.doing, None);
        let following = staged(
            rendered("v1.36.3"),
            Some(&control_plane("v1.36.3")),
            &[deployment("v1.36.3", 1)],
        );
        let doing = following.unwrap().doing.unwrap();
        assert!(doing.starts_with("1 node groups go to v1.36.3"), "{doing}");
    }

    #[test]
    fn nothing_is_held_back_where_nothing_runs() {
        for nothing in [None, Some(json!({"kind": "KubeadmControlPlane"}))] {
            let staged = staged(rendered("v1.36.3"), nothing.as_ref(), &[]).unwrap();
            assert_eq!((staged.rendered, staged.doing), (rendered("v1.36.3"), None));
        }
    }

    #[test]
    fn one_minor_release_at_a_time_and_never_back() {
        let skipped = refused("v1.34.2", "v1.36.3");
        assert!(
            skipped.contains("v1.34.2") && skipped.contains("a release of 1.35"),
            "{skipped}"
        );
        assert!(refused("v1.34.2", "v2.0.0").contains("1.35"));
        for to in ["v1.34.1", "v1.33.9", "v1.34.2-rc.1"] {
            assert!(refused("v1.34.2", to).contains("back"), "{to}");
        }
        for to in ["v1.34.2", "v1.34.10", "v1.35.0", "v1.35.9"] {
            assert!(
                staged(rendered(to), Some(&control_plane("v1.34.2")), &[]).is_ok(),
                "{to}"
            );
        }
    }

    #[test]
    fn builds_of_one_release_are_versions_too() {
        let mut wanted = rendered("v1.34.2+rke2r2");
        wanted.objects[0].object["kind"] = "RKE2ControlPlane".into();
        let mut running = control_plane("v1.34.2+rke2r1");
        running["kind"] = "RKE2ControlPlane".into();
        let staged = staged(wanted, Some(&running), &[]).unwrap();
        assert_eq!(versions(&staged.rendered)[1], "v1.34.2+rke2r1");
    }
}
