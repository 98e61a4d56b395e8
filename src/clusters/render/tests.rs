//! What is wrong with a cluster is said with the field and the way out; what is right does not depend on chance.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;

/// A cluster on local machines that can be rendered.
fn cluster() -> Value {
    json!({
        "apiVersion": "lattice.dev/v1alpha1",
        "kind": "LatticeCluster",
        "metadata": {"name": "prod"},
        "spec": {
            "poolRef": "here",
            "provider": {"type": "local", "kubernetes": {"version": "1.34.1"}},
            "nodes": {
                "controlPlane": 1,
                "controlPlaneClass": "small",
                "groups": [{"nodeClass": "small", "count": 2}],
            },
        },
    })
}

fn pool(provider: &str) -> LatticePool {
    serde_json::from_value(json!({
        "metadata": {"name": "here"},
        "spec": {
            "provider": {"type": provider, "region": "r1", "zones": ["z2", "z1"]},
            "nodeClasses": ["small"],
        },
    }))
    .unwrap()
}

fn small() -> LatticeNodeClass {
    serde_json::from_value(json!({
        "metadata": {"name": "small"},
        "spec": {"resources": {"cores": 2, "memoryGi": 4}},
    }))
    .unwrap()
}

fn rendered(cluster: &Value, provider: &str) -> Result<Rendered, RenderError> {
    let cluster: LatticeCluster = serde_json::from_value(cluster.clone()).unwrap();
    render(&Sources {
        cluster: &cluster,
        pools: &[pool(provider)],
        node_classes: &[small()],
        has_parent: true,
    })
}

fn good(cluster: &Value) -> Rendered {
    rendered(cluster, "local").unwrap()
}

fn of_kind<'a>(rendered: &'a Rendered, kind: &str) -> Vec<&'a Value> {
    let objects = rendered.objects.iter();
    objects
        .filter(|manifest| manifest.kind() == kind)
        .map(|manifest| &manifest.object)
        .collect()
}

/// Changes a field of the good cluster, and tells what is then wrong.
fn wrong(pointer: &str, value: Value) -> String {
    wrong_at("local", &[(pointer, value)])
}

fn wrong_at(provider: &str, changes: &[(&str, Value)]) -> String {
    let mut cluster = cluster();
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        cluster.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    rendered(&cluster, provider).unwrap_err().to_string()
}

#[test]
fn every_mistake_names_its_field_and_a_way_out() {
    let cases = [
        (
            wrong("/metadata/name", json!("Prod.1")),
            "metadata.name: ",
            "take a name of at most 58",
        ),
        (
            wrong("/spec/poolRef", json!("there")),
            "spec.poolRef: ",
            "create it, or name one",
        ),
        (
            wrong("/spec/nodes/controlPlane", json!(0)),
            "spec.nodes.controlPlane: ",
            "give it 1 or 3",
        ),
        (
            wrong("/spec/nodes/controlPlaneClass", json!("big")),
            "spec.nodes.controlPlaneClass: ",
            "no LatticeNodeClass `big`",
        ),
        (
            wrong(
                "/spec/nodes/groups",
                json!([{"nodeClass": "small", "count": 1, "zone": "z9"}]),
            ),
            "spec.nodes.groups[0].zone: ",
            "choose one of these",
        ),
        (
            wrong("/spec/provider/kubernetes", json!({"version": "1.34"})),
            "spec.provider.kubernetes.version: ",
            "three numbers",
        ),
        (
            wrong("/spec/provider/config", json!({"local": {"region": "r2"}})),
            "spec.provider.config.local.region: ",
            "leave the region out",
        ),
        (
            wrong("/spec/provider/config", json!({"local": {"zone": "z9"}})),
            "spec.provider.config.local.zone: ",
            "(z1, z2)",
        ),
        (
            wrong(
                "/spec/provider/config",
                json!({"local": {"sshKeyName": "key"}}),
            ),
            "spec.provider.config.local.sshKeyName: ",
            "`sshAuthorizedKeys`",
        ),
        (
            wrong(
                "/spec/provider/config",
                json!({"local": {"cpRootVolumeSize": "big"}}),
            ),
            "spec.provider.config.local.cpRootVolumeSize: ",
            "has to be a whole number",
        ),
        (
            wrong("/spec/provider/type", json!("aws")),
            "spec.provider.type: ",
            "make both the same",
        ),
        (
            wrong_at("aws", &[("/spec/provider/type", json!("aws"))]),
            "spec.provider.credentials: ",
            "name a Secret of the operator's namespace",
        ),
        (
            wrong_at(
                "aws",
                &[
                    ("/spec/provider/type", json!("aws")),
                    ("/spec/provider/credentials", json!({"secretRef": "creds"})),
                ],
            ),
            "spec.nodes.controlPlaneClass: ",
            "set `spec.providers.aws.instanceType` of the LatticeNodeClass `small`",
        ),
        (
            wrong_at(
                "proxmox",
                &[
                    ("/spec/provider/type", json!("proxmox")),
                    ("/spec/provider/credentials", json!({"secretRef": "creds"})),
                    (
                        "/spec/provider/config",
                        json!({"proxmox": {
                            "controlPlaneEndpoint": {"host": "10.0.0.1", "port": 6443},
                            "ipv4Config": {},
                            "dnsServers": [],
                        }}),
                    ),
                    ("/spec/nodes", json!({"controlPlane": 1})),
                ],
            ),
            "spec.nodes.controlPlane: ",
            "in `spec.nodes.controlPlaneClass`",
        ),
        (
            wrong_at("gcp", &[("/spec/provider/type", json!("gcp"))]),
            "spec.provider.config.gcp.project: ",
            "gcp needs it: the id of the project",
        ),
        (
            wrong_at(
                "docker",
                &[
                    ("/spec/provider/type", json!("docker")),
                    (
                        "/spec/nodes/groups",
                        json!([{"nodeClass": "small", "count": 1, "capacityType": "spot"}]),
                    ),
                ],
            ),
            "spec.nodes.groups[0].capacityType: ",
            "use on-demand capacity",
        ),
    ];
    for (said, field, way_out) in cases {
        assert!(said.contains(field) && said.contains(way_out), "{said}");
    }
}

#[test]
fn the_order_of_what_is_looked_up_changes_nothing() {
    let cluster: LatticeCluster = serde_json::from_value(cluster()).unwrap();
    let mut classes = vec![small(), small()];
    classes[1].metadata.name = Some("other".to_owned());
    let render_with = |classes: &[LatticeNodeClass]| {
        render(&Sources {
            cluster: &cluster,
            pools: &[pool("local")],
            node_classes: classes,
            has_parent: true,
        })
    };
    let first = render_with(&classes);
    classes.reverse();
    assert_eq!(first, render_with(&classes));
}

#[test]
fn another_machine_is_another_template_and_nothing_else_is() {
    let before = good(&cluster());
    let mut changed = cluster();
    changed["spec"]["nodes"]["groups"][0]["count"] = 9.into();
    let scaled = good(&changed);
    let names = |rendered: &Rendered| -> BTreeSet<String> {
        let objects = rendered.objects.iter();
        objects
            .map(|m| format!("{}/{}", m.kind(), m.name()))
            .collect()
    };
    assert_eq!(
        names(&before),
        names(&scaled),
        "the number of machines is in no template"
    );

    changed["spec"]["provider"]["config"] = json!({"local": {"machine": {"settings": {"a": "b"}}}});
    let other = good(&changed);
    let gone: BTreeSet<String> = names(&before).difference(&names(&other)).cloned().collect();
    assert_eq!(gone.len(), 2, "{gone:?}");
    assert!(
        gone.iter()
            .all(|name| name.starts_with("LocalMachineTemplate/"))
    );
}

#[test]
fn deployments_refer_to_objects_that_are_rendered() {
    let rendered = good(&cluster());
    let names: BTreeSet<(&str, &str)> = rendered
        .objects
        .iter()
        .map(|m| (m.kind(), m.name()))
        .collect();
    let is_there = |reference: &Value| {
        let text = |field: &str| reference[field].as_str().unwrap();
        assert!(names.contains(&(text("kind"), text("name"))), "{reference}");
    };
    for deployment in of_kind(&rendered, "MachineDeployment") {
        let machine = &deployment["spec"]["template"]["spec"];
        is_there(&machine["infrastructureRef"]);
        is_there(&machine["bootstrap"]["configRef"]);
    }
    let control = of_kind(&rendered, "KubeadmControlPlane")[0];
    is_there(&control["spec"]["machineTemplate"]["spec"]["infrastructureRef"]);
    let cluster = of_kind(&rendered, "Cluster")[0];
    is_there(&cluster["spec"]["infrastructureRef"]);
    is_there(&cluster["spec"]["controlPlaneRef"]);
}

#[test]
fn groups_that_differ_in_anything_are_deployments_of_their_own() {
    let mut fleet = cluster();
    fleet["spec"]["nodes"]["workers"] = 1.into();
    fleet["spec"]["nodes"]["groups"] = json!([
        {"nodeClass": "small", "count": 1},
        {"nodeClass": "small", "count": 1, "capacityType": "spot"},
        {"nodeClass": "small", "count": 1, "zone": "z1"},
        {"nodeClass": "small", "count": 1, "zone": "z2", "capacityType": "spot"},
    ]);
    let rendered = good(&fleet);
    let deployments = of_kind(&rendered, "MachineDeployment");
    let names: BTreeSet<&str> = deployments
        .iter()
        .map(|deployment| deployment["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(names.contains("prod-small") && names.contains("prod-workers"));
    let in_zone = deployments
        .iter()
        .filter(|deployment| deployment["spec"]["template"]["spec"]["failureDomain"].is_string());
    assert_eq!(in_zone.count(), 2);
}

#[test]
fn nothing_of_the_parent_is_in_a_spec() {
    let with = good(&cluster());
    let control = of_kind(&with, "KubeadmControlPlane")[0];
    let files = control["spec"]["kubeadmConfigSpec"]["files"]
        .as_array()
        .unwrap();
    let secrets = files
        .iter()
        .filter(|file| file["contentFrom"]["secret"]["name"] == "prod-registration");
    assert_eq!(secrets.count(), 3);
    assert!(!control.to_string().contains("Bearer ey"));
    let deployment = of_kind(&with, "KubeadmConfigTemplate")[0];
    assert!(
        !deployment.to_string().contains("registration"),
        "workers have no token"
    );

    let cluster: LatticeCluster = serde_json::from_value(cluster()).unwrap();
    let root = render(&Sources {
        cluster: &cluster,
        pools: &[pool("local")],
        node_classes: &[small()],
        has_parent: false,
    })
    .unwrap();
    let control = of_kind(&root, "KubeadmControlPlane")[0];
    assert!(
        control["spec"]["kubeadmConfigSpec"]
            .get("postKubeadmCommands")
            .is_none()
    );
}

#[test]
fn a_field_reads_as_a_path() {
    let error = RenderError {
        cluster: "prod".to_owned(),
        field: "spec.nodes.groups[3].zone".to_owned(),
        problem: RenderProblem::HostedControlPlane,
    };
    let path = error.path();
    assert_eq!(path.len(), 5);
    assert_eq!(path[3], crate::api::PathSegment::Index(3));
}
