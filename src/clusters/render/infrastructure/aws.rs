//! Amazon Web Services, by Cluster API Provider AWS.

use serde_json::{Value, json};

use super::{Infrastructure, Machine, copied, handed_on};
use crate::api::ProviderType;
use crate::api::cluster_provider::Bootstrap;
use crate::clusters::render::SecretCopy;
use crate::clusters::render::blueprint::Blueprint;
use crate::clusters::render::error::RenderError;
use crate::clusters::render::machines::Machines;
use crate::clusters::render::manifest::Kind;

/// The provider looks for the Secret of an identity in its own namespace only.
const PROVIDER_NAMESPACE: &str = "capa-system";

const IDENTITY: Kind = Kind {
    group: super::GROUP,
    version: "v1beta2",
    name: "AWSClusterStaticIdentity",
};

pub(super) fn cluster(blueprint: &Blueprint<'_>) -> Result<Infrastructure, RenderError> {
    let mut spec = json!({
        "region": blueprint.region,
        "controlPlaneLoadBalancer": {"loadBalancerType": "nlb"},
        "network": network(blueprint),
    });
    if let Some(key) = &blueprint.ssh_key_name {
        spec["sshKeyName"] = key.clone().into();
    }
    let mut made = Infrastructure::new("AWSCluster", "AWSMachineTemplate", "v1beta2", spec);
    // Who states an identity of their own needs no Secret.
    if !blueprint.settings.has("identityRef") {
        // Not of the cluster's namespace, so named as that is.
        let name = &blueprint.namespace;
        let secret = SecretCopy {
            namespace: PROVIDER_NAMESPACE.to_owned(),
            name: name.clone(),
            ..copied(blueprint)?
        };
        let spec = json!({
            "secretRef": secret.name,
            "allowedNamespaces": {"list": [blueprint.namespace]},
        });
        made.spec["identityRef"] = json!({"kind": IDENTITY.name, "name": name});
        made.identity = Some(IDENTITY.object(None, name, &blueprint.labels, spec));
        made.secret = Some(secret);
    }
    Ok(made)
}

fn network(blueprint: &Blueprint<'_>) -> Value {
    let mut network = json!({
        // What Cilium needs between nodes.
        "cni": {"cniIngressRules": [
            {"description": "Cilium VXLAN", "protocol": "udp", "fromPort": 8472, "toPort": 8472},
            {"description": "Cilium health", "protocol": "tcp", "fromPort": 4240, "toPort": 4240},
        ]},
    });
    if blueprint.bootstrap == Bootstrap::Rke2 {
        network["additionalControlPlaneIngressRules"] = json!([{
            "description": "RKE2 nodes join",
            "protocol": "tcp",
            "fromPort": 9345,
            "toPort": 9345,
            "sourceSecurityGroupRoles": ["controlplane", "node"],
        }]);
    }
    if !blueprint.zones.is_empty() {
        network["subnets"] = subnets(blueprint);
    }
    network
}

/// A public and a private subnet in each zone, within the VPC of 10.0.0.0/16 that the provider makes. Left to itself it
/// would take the region's first three zones, whichever these are.
fn subnets(blueprint: &Blueprint<'_>) -> Value {
    let mut subnets = Vec::new();
    for (index, zone) in blueprint.zones.iter().enumerate() {
        let subnet = |kind: &str, block: String, is_public: bool| {
            json!({
                "id": format!("{}-{kind}-{zone}", blueprint.name),
                "availabilityZone": zone,
                "cidrBlock": block,
                "isPublic": is_public,
            })
        };
        // A pool has at most 16 zones: 16 blocks of 256 addresses, and 16 of 2048 from the middle on.
        subnets.push(subnet("public", format!("10.0.{index}.0/24"), true));
        let third = 128 + index * 8;
        subnets.push(subnet("private", format!("10.0.{third}.0/21"), false));
    }
    subnets.into()
}

pub(super) fn machine(blueprint: &Blueprint<'_>, machines: &Machines<'_>) -> Machine {
    let class = machines
        .class
        .and_then(|(_, class)| class.providers.aws.as_ref());
    let of_class = class.and_then(|class| class.instance_type.clone());
    let instance_type = machines.instance_type(ProviderType::Aws, of_class, "instanceType")?;
    let profile = match machines.is_control_plane {
        true => "control-plane.cluster-api-provider-aws.sigs.k8s.io",
        false => "nodes.cluster-api-provider-aws.sigs.k8s.io",
    };
    let mut spec = json!({"instanceType": instance_type, "iamInstanceProfile": profile});
    if let Some(ami) = class.and_then(|class| class.ami.as_ref()) {
        spec["ami"] = json!({"id": ami});
    }
    if let Some(size) = machines.root_volume(class.and_then(|class| class.root_volume_size)) {
        spec["rootVolume"] = json!({"size": size});
    }
    if let Some(key) = &blueprint.ssh_key_name {
        spec["sshKeyName"] = key.clone().into();
    }
    if machines.is_spot() {
        spec["spotMarketOptions"] = json!({});
    }
    Ok((spec, handed_on(class.map(|class| &class.other))))
}
